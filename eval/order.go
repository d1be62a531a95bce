package eval

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"spate/column"
)

// rank is where a row stands in the output of a run: time, statement, place of its
// first event in the input, and the order of emission.
type rank struct {
	time, arrived column.Ticks
	statement     int32
	seq, made     int64
	index         int64
}

// before reports whether a stands before b, whatever the order of emission.
func (a *rank) before(b *rank) bool {
	return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.arrived, b.arrived), cmp.Compare(a.seq, b.seq), cmp.Compare(a.index, b.index)) < 0
}

func (a *rank) compare(b *rank) int {
	return cmp.Or(
		cmp.Compare(a.time, b.time), cmp.Compare(a.statement, b.statement), cmp.Compare(a.arrived, b.arrived),
		cmp.Compare(a.seq, b.seq), cmp.Compare(a.index, b.index), cmp.Compare(a.made, b.made))
}

// heldBytes is how much a sorter keeps in memory before it writes a run to disk.
const heldBytes = 8 << 20

// sorter holds rows back until they are released and gives them in order. What does
// not fit in memory waits in sorted runs in a temporary file.
type sorter struct {
	limit int // bytes in memory
	emit  func(to int32, row []byte) error

	rows  []heldRow
	rest  []heldRow // scratch
	bytes []byte
	least column.Ticks // of rows
	made  int64

	file  *os.File
	end   int64
	runs  runHeap
	spare []byte
}

// heldRow is a row in memory: bytes[from:to].
type heldRow struct {
	rank
	out      int32
	from, to int
}

func newSorter(emit func(to int32, row []byte) error) *sorter {
	return &sorter{limit: heldBytes, emit: emit, least: math.MaxInt64}
}

// add takes a row for an output; text appends it to a buffer.
func (s *sorter) add(r rank, to int32, text func(dst []byte) []byte) error {
	s.made++
	r.made = s.made
	from := len(s.bytes)
	s.bytes = text(s.bytes)
	s.rows = append(s.rows, heldRow{r, to, from, len(s.bytes)})
	s.least = min(s.least, r.time)
	if len(s.bytes)+len(s.rows)*rowOverhead < s.limit {
		return nil
	}
	return s.spill()
}

// rowOverhead is what a row takes beside its text, about.
const rowOverhead = 72

// release emits, in order, all rows with times before w.
func (s *sorter) release(w column.Ticks) error {
	return s.releaseIf(w, func(r *rank) bool { return r.time < w })
}

// releaseAll emits everything.
func (s *sorter) releaseAll() error {
	return s.releaseIf(math.MaxInt64, func(*rank) bool { return true })
}

// releaseIf emits the rows that are ready. No row with a time of limit or later may
// be, but for a limit at the end of time.
func (s *sorter) releaseIf(limit column.Ticks, ready func(*rank) bool) error {
	if s.least >= limit && limit < math.MaxInt64 && (len(s.runs) == 0 || s.runs[0].time >= limit) {
		return nil
	}
	due, rest := s.rows[:0], s.rest[:0]
	for _, r := range s.rows {
		if ready(&r.rank) {
			due = append(due, r)
		} else {
			rest = append(rest, r)
		}
	}
	s.rest = rest
	sortRows(due)
	for {
		fromRun := len(s.runs) > 0 && ready(&s.runs[0].rank)
		if fromRun && len(due) > 0 {
			fromRun = s.runs[0].compare(&due[0].rank) < 0
		}
		switch {
		case fromRun:
			if err := s.emit(s.runs[0].out, s.runs[0].text); err != nil {
				return err
			}
			if err := s.nextOfRun(); err != nil {
				return err
			}
			continue
		case len(due) > 0:
			if err := s.emit(due[0].out, s.bytes[due[0].from:due[0].to]); err != nil {
				return err
			}
			due = due[1:]
			continue
		}
		break
	}
	s.keep(rest)
	return nil
}

// keep makes rest the rows that are held.
func (s *sorter) keep(rest []heldRow) {
	bytes := s.spare[:0]
	s.least = math.MaxInt64
	for i := range rest {
		r := &rest[i]
		from := len(bytes)
		bytes = append(bytes, s.bytes[r.from:r.to]...)
		r.from, r.to = from, len(bytes)
		s.least = min(s.least, r.time)
	}
	s.spare, s.bytes = s.bytes, bytes
	s.rows = append(s.rows[:0], rest...)
}

func sortRows(rows []heldRow) {
	less := func(a, b heldRow) int { return a.compare(&b.rank) }
	if !slices.IsSortedFunc(rows, less) {
		slices.SortFunc(rows, less)
	}
}

// spill writes what is in memory as one run.
func (s *sorter) spill() error {
	if s.file == nil {
		f, err := os.CreateTemp("", "spate-")
		if err == nil {
			s.file, err = f, os.Remove(f.Name())
		}
		if err != nil {
			return fmt.Errorf("making a temporary file: %w", err)
		}
	}
	sortRows(s.rows)
	w := bufio.NewWriterSize(io.NewOffsetWriter(s.file, s.end), 64<<10)
	start, head := s.end, []byte(nil)
	for i := range s.rows {
		r := &s.rows[i]
		head = appendHead(head[:0], r)
		_, err := w.Write(head)
		if err == nil {
			_, err = w.Write(s.bytes[r.from:r.to])
		}
		if err != nil {
			return fmt.Errorf("writing rows that wait: %w", err)
		}
		s.end += int64(len(head) + r.to - r.from)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("writing rows that wait: %w", err)
	}
	s.keep(nil)
	r := &sortedRun{r: bufio.NewReaderSize(io.NewSectionReader(s.file, start, s.end-start), 16<<10)}
	if _, err := r.next(); err != nil {
		return err
	}
	heap.Push(&s.runs, r)
	return nil
}

// headBytes is the length of what stands before the text of a row in a run.
const headBytes = 8*5 + 4*3

func appendHead(dst []byte, r *heldRow) []byte {
	for _, x := range []int64{int64(r.time), int64(r.arrived), r.seq, r.made, r.index} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(x))
	}
	for _, x := range []int32{r.statement, r.out, int32(r.to - r.from)} {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(x))
	}
	return dst
}

// nextOfRun goes on in the first run.
func (s *sorter) nextOfRun() error {
	more, err := s.runs[0].next()
	if err != nil {
		return err
	}
	if more {
		heap.Fix(&s.runs, 0)
		return nil
	}
	heap.Pop(&s.runs)
	if len(s.runs) > 0 {
		return nil
	}
	s.end = 0
	if err := s.file.Truncate(0); err != nil {
		return fmt.Errorf("reading rows that waited: %w", err)
	}
	return nil
}

func (s *sorter) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// sortedRun is a run on disk: its next row, and what follows.
type sortedRun struct {
	rank
	out  int32
	text []byte
	r    *bufio.Reader
}

func (r *sortedRun) next() (more bool, err error) {
	var head [headBytes]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		return false, fmt.Errorf("reading rows that waited: %w", err)
	}
	long := func(i int) int64 { return int64(binary.LittleEndian.Uint64(head[8*i:])) }
	short := func(i int) int32 { return int32(binary.LittleEndian.Uint32(head[40+4*i:])) }
	r.time, r.arrived, r.seq, r.made, r.index = column.Ticks(long(0)), column.Ticks(long(1)), long(2), long(3), long(4)
	r.statement, r.out = short(0), short(1)
	r.text = slices.Grow(r.text[:0], int(short(2)))[:short(2)]
	if _, err := io.ReadFull(r.r, r.text); err != nil {
		return false, fmt.Errorf("reading rows that waited: %w", err)
	}
	return true, nil
}

// runHeap has the run with the least row first.
type runHeap []*sortedRun

func (h runHeap) Len() int           { return len(h) }
func (h runHeap) Less(i, j int) bool { return h[i].compare(&h[j].rank) < 0 }
func (h runHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)        { *h = append(*h, x.(*sortedRun)) }
func (h *runHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
