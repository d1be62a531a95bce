package monitor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"spate/metric"
)

// A day file, YYYY-MM-DD.rows, is a list of records: length (4 bytes, little
// endian), CRC-32C of the payload, payload. A file is read to its first record that
// is not sound: the end of an append that a crash cut.
//
// A record of kind 1 begins the run of a process: series numbers start anew. One
// of kind 2 is a minute: the number, the series that are new (number, 1 for a
// gauge, name, labels), then the rows (series number, count, total, min, max). A
// counter that did not move has no row; reading gives it one, because a known
// counter has a row in every minute its process ran.
const (
	runKind    = 1
	minuteKind = 2

	recordHead = 8
	maxRecord  = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// entry is one row to write.
type entry struct {
	id     int
	series *Series
	row    Row
}

// journal appends to the file of the day.
type journal struct {
	dir   string
	day   string
	f     *os.File
	end   int64
	known map[int]bool // series this file has names for
}

func newJournal(dir string) *journal { return &journal{dir: dir} }

func dayOf(minute int64) string { return time.Unix(minute*60, 0).UTC().Format(time.DateOnly) }

// append writes one minute and makes it durable. On the first minute of a day it
// removes the files of days before oldest.
func (j *journal) append(minute int64, rows []entry, oldest time.Time) error {
	if day := dayOf(minute); j.f == nil || day != j.day {
		if err := j.open(day); err != nil {
			return err
		}
		if err := j.expire(oldest); err != nil {
			return err
		}
	}
	var fresh, data []byte
	nFresh, nData := 0, 0
	added := []int{}
	for _, e := range rows {
		if !j.known[e.id] {
			fresh = appendSeries(fresh, e.id, e.series)
			nFresh++
			added = append(added, e.id)
		}
		if e.row.Count == 0 && !e.series.Gauge {
			continue
		}
		data = binary.AppendUvarint(data, uint64(e.id))
		data = binary.AppendUvarint(data, uint64(e.row.Count))
		for _, v := range []float64{e.row.Total, e.row.Min, e.row.Max} {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		}
		nData++
	}
	payload := binary.AppendVarint([]byte{minuteKind}, minute)
	payload = append(binary.AppendUvarint(payload, uint64(nFresh)), fresh...)
	payload = append(binary.AppendUvarint(payload, uint64(nData)), data...)
	if err := j.write(payload); err != nil {
		return err
	}
	for _, id := range added {
		j.known[id] = true
	}
	return nil
}

func appendSeries(b []byte, id int, s *Series) []byte {
	b = binary.AppendUvarint(b, uint64(id))
	gauge := byte(0)
	if s.Gauge {
		gauge = 1
	}
	b = appendText(append(b, gauge), s.Name)
	b = binary.AppendUvarint(b, uint64(len(s.Labels)))
	for _, l := range s.Labels {
		b = appendText(appendText(b, l.Name), l.Value)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (j *journal) open(day string) error {
	if err := j.close(); err != nil {
		return err
	}
	if err := os.MkdirAll(j.dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(j.dir, day+".rows")
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	sound := soundLength(data)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if err := f.Truncate(sound); err != nil {
		return errors.Join(err, f.Close())
	}
	j.f, j.day, j.end, j.known = f, day, sound, map[int]bool{}
	return j.write([]byte{runKind})
}

func (j *journal) write(payload []byte) error {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(payload, castagnoli))
	b = append(b, payload...)
	if _, err := j.f.WriteAt(b, j.end); err != nil {
		return errors.Join(err, j.f.Truncate(j.end))
	}
	if err := j.f.Sync(); err != nil {
		return err
	}
	j.end += int64(len(b))
	return nil
}

func (j *journal) expire(oldest time.Time) error {
	files, err := dayFiles(j.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.day.Add(24 * time.Hour).Before(oldest) {
			if err := os.Remove(f.path); err != nil {
				return err
			}
		}
	}
	return nil
}

func (j *journal) close() error {
	if j.f == nil {
		return nil
	}
	err := j.f.Close()
	j.f = nil
	return err
}

// dayFile is the file of one UTC day.
type dayFile struct {
	path string
	day  time.Time
}

func dayFiles(dir string) ([]dayFile, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []dayFile
	for _, e := range entries { // in name order, which is day order
		name, ok := strings.CutSuffix(e.Name(), ".rows")
		if day, err := time.Parse(time.DateOnly, name); ok && err == nil {
			out = append(out, dayFile{filepath.Join(dir, e.Name()), day})
		}
	}
	return out, nil
}

// readDays reads the rows of the days that [from, to] touches.
func readDays(dir string, from, to time.Time) (map[string]*Series, error) {
	files, err := dayFiles(dir)
	if err != nil {
		return nil, err
	}
	series := map[string]*Series{}
	for _, f := range files {
		if f.day.After(to) || f.day.Add(24*time.Hour).Before(from) {
			continue
		}
		data, err := os.ReadFile(f.path)
		if err != nil {
			return nil, err
		}
		if err := replay(data, series); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
	}
	return series, nil
}

func nextRecord(b []byte) (payload, rest []byte) {
	if len(b) < recordHead {
		return nil, b
	}
	n := binary.LittleEndian.Uint32(b)
	if n == 0 || n > maxRecord || int(n) > len(b)-recordHead {
		return nil, b
	}
	payload = b[recordHead : recordHead+int(n)]
	if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, b
	}
	return payload, b[recordHead+int(n):]
}

func soundLength(data []byte) int64 {
	rest := data
	for {
		payload, after := nextRecord(rest)
		if payload == nil {
			return int64(len(data) - len(rest))
		}
		rest = after
	}
}

var errRows = errors.New("damaged metric rows")

// replay adds the rows of a day file to series.
func replay(data []byte, series map[string]*Series) error {
	run := map[uint64]*Series{}
	for rest := data; ; {
		var payload []byte
		if payload, rest = nextRecord(rest); payload == nil {
			return nil
		}
		switch payload[0] {
		case runKind:
			run = map[uint64]*Series{}
		case minuteKind:
			if err := replayMinute(payload[1:], run, series); err != nil {
				return err
			}
		default:
			return fmt.Errorf("record of kind %d: a newer version wrote it", payload[0])
		}
	}
}

func replayMinute(payload []byte, run map[uint64]*Series, series map[string]*Series) error {
	d := decoder{b: payload, ok: true}
	minute := d.varint()
	for n := d.uvarint(); n > 0 && d.ok; n-- {
		id, gauge := d.uvarint(), d.byte() == 1
		s := &Series{Gauge: gauge, Name: d.text()}
		for k := d.uvarint(); k > 0 && d.ok; k-- {
			s.Labels = append(s.Labels, metric.Label{Name: d.text(), Value: d.text()})
		}
		if !d.ok {
			break
		}
		key := keyOf(s.Name, s.Labels)
		if have := series[key]; have != nil {
			s = have
		} else {
			series[key] = s
		}
		run[id] = s
	}
	moved := map[*Series]bool{}
	for n := d.uvarint(); n > 0 && d.ok; n-- {
		s := run[d.uvarint()]
		r := Row{Minute: minute, Count: int64(d.uvarint()), Total: d.float(), Min: d.float(), Max: d.float()}
		if s == nil || !d.ok {
			return errRows
		}
		s.add(r)
		moved[s] = true
	}
	if !d.ok {
		return errRows
	}
	for _, s := range run {
		if !s.Gauge && !moved[s] {
			s.add(Row{Minute: minute})
		}
	}
	return nil
}

// decoder reads a payload; ok turns false at the first value that is not there.
type decoder struct {
	b  []byte
	ok bool
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.ok, d.b = false, nil
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.take(-1)
		return 0
	}
	d.take(n)
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.take(-1)
		return 0
	}
	d.take(n)
	return v
}

func (d *decoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.take(-1)
		return ""
	}
	return string(d.take(int(n)))
}

func (d *decoder) float() float64 {
	b := d.take(8)
	if b == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}
