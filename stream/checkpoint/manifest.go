// Package checkpoint keeps the progress of a job: one manifest per epoch, whose
// creation is the point of no return, and one blob with the state it names.
package checkpoint

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sort"
	"strings"

	"spate/blob"
	"spate/column"
	"spate/connector"
)

// Version is the version of manifests and state blobs.
const Version = 1

// Manifest is what a job has reached at the end of an epoch.
type Manifest struct {
	Version     int                 `json:"version"`
	Job         string              `json:"job"`
	Epoch       int64               `json:"epoch"`
	Incarnation string              `json:"incarnation"`
	Plan        string              `json:"plan"`              // fingerprint of the query and its settings
	FirstOutput column.Ticks        `json:"firstOutput"`       // rows before it are not written
	StartFrom   column.Ticks        `json:"startFrom"`         // where a partition without a position begins; 0: the oldest event
	Positions   map[string][][]byte `json:"positions"`         // per source and partition; nil: nothing read yet
	Offsets     []connector.Offset  `json:"offsets,omitempty"` // of the partitions that brought events to this epoch
	State       string              `json:"state,omitempty"`
}

// ErrFenced is returned by Save when another copy of the job has saved the epoch.
var ErrFenced = errors.New("another process runs this job")

// Log keeps the manifests of one job below a prefix of a store.
type Log struct {
	store  blob.Store
	prefix string
}

// NewLog returns the log of a job.
func NewLog(store blob.Store, prefix string) *Log {
	return &Log{store, strings.TrimSuffix(prefix, "/") + "/"}
}

func (l *Log) manifestKey(epoch int64) string {
	return fmt.Sprintf("%smanifest/%020d.json", l.prefix, epoch)
}

// Latest loads the newest manifest and its state; nil if the job has none.
func (l *Log) Latest(ctx context.Context) (*Manifest, State, error) {
	last := ""
	for info, err := range l.store.List(ctx, l.prefix+"manifest/", "") {
		if err != nil {
			return nil, nil, fmt.Errorf("listing the manifests of %s: %w", l.prefix, err)
		}
		if strings.HasSuffix(info.Key, ".json") {
			last = info.Key
		}
	}
	if last == "" {
		return nil, nil, nil
	}
	raw, err := l.read(ctx, last)
	if err != nil {
		return nil, nil, err
	}
	m := new(Manifest)
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, nil, fmt.Errorf("reading manifest %s: %w", last, err)
	}
	if m.Version != Version {
		return nil, nil, fmt.Errorf("reading manifest %s: version %d is not known to this program", last, m.Version)
	}
	if m.State == "" {
		return m, nil, nil
	}
	raw, err = l.read(ctx, m.State)
	if err != nil {
		return nil, nil, err
	}
	s, err := decodeState(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("reading state %s: %w", m.State, err)
	}
	return m, s, nil
}

func (l *Log) read(ctx context.Context, key string) ([]byte, error) {
	r, err := l.store.Open(ctx, key, 0, -1)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", key, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	return b, nil
}

// Save writes the state, then the manifest. When it returns nil the epoch is
// decided. Of two copies of a job that save one epoch, one gets ErrFenced.
func (l *Log) Save(ctx context.Context, m *Manifest, s State) error {
	m.Version = Version
	if len(s) > 0 {
		m.State = fmt.Sprintf("%sstate/%020d-%s", l.prefix, m.Epoch, m.Incarnation)
		if _, err := l.store.Create(ctx, m.State, s.reader()); err != nil {
			return fmt.Errorf("writing state %s: %w", m.State, err)
		}
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding manifest %d: %w", m.Epoch, err)
	}
	key := l.manifestKey(m.Epoch)
	_, err = l.store.Create(ctx, key, bytes.NewReader(raw))
	if errors.Is(err, blob.ErrExists) {
		return fmt.Errorf("saving epoch %d of job %s: %w", m.Epoch, m.Job, ErrFenced)
	}
	if err != nil {
		// The outcome is unknown: it is saved if it reads back as written.
		if got, readErr := l.read(ctx, key); readErr == nil && bytes.Equal(got, raw) {
			return nil
		}
		return fmt.Errorf("saving epoch %d of job %s: %w", m.Epoch, m.Job, err)
	}
	return nil
}

// Sweep deletes manifests older than keep and every state blob that the kept
// manifest does not name. It is called only after Commit of that manifest.
func (l *Log) Sweep(ctx context.Context, keep *Manifest) error {
	var old []string
	current := l.manifestKey(keep.Epoch)
	for info, err := range l.store.List(ctx, l.prefix+"manifest/", "") {
		if err != nil {
			return fmt.Errorf("listing the manifests of %s: %w", l.prefix, err)
		}
		if info.Key < current {
			old = append(old, info.Key)
		}
	}
	for info, err := range l.store.List(ctx, l.prefix+"state/", "") {
		if err != nil {
			return fmt.Errorf("listing the states of %s: %w", l.prefix, err)
		}
		if info.Key != keep.State && info.Key < l.prefix+fmt.Sprintf("state/%020d", keep.Epoch+1) {
			old = append(old, info.Key)
		}
	}
	if len(old) == 0 {
		return nil
	}
	return l.store.Delete(ctx, old...)
}

// State is the state of a job by section.
type State map[string][]byte

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// reader gives a version byte, the sections in the order of their names, and a
// checksum. Sections are large where an output holds back many rows, so they are
// not copied.
func (s State) reader() io.Reader {
	names := make([]string, 0, len(s))
	for n := range s {
		names = append(names, n)
	}
	sort.Strings(names)
	var parts []io.Reader
	sum := uint32(0)
	add := func(b []byte) {
		sum = crc32.Update(sum, castagnoli, b)
		parts = append(parts, bytes.NewReader(b))
	}
	add(binary.AppendUvarint([]byte{Version}, uint64(len(names))))
	for _, n := range names {
		head := append(binary.AppendUvarint(nil, uint64(len(n))), n...)
		add(binary.AppendUvarint(head, uint64(len(s[n]))))
		add(s[n])
	}
	parts = append(parts, bytes.NewReader(binary.BigEndian.AppendUint32(nil, sum)))
	return io.MultiReader(parts...)
}

func decodeState(b []byte) (State, error) {
	if len(b) < 6 {
		return nil, errors.New("the state is cut short")
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return nil, errors.New("the checksum does not match")
	}
	if body[0] != Version {
		return nil, fmt.Errorf("version %d is not known to this program", body[0])
	}
	body = body[1:]
	next := func() ([]byte, bool) {
		n, w := binary.Uvarint(body)
		if w <= 0 || n > uint64(len(body)-w) {
			return nil, false
		}
		v := body[w : w+int(n)]
		body = body[w+int(n):]
		return v, true
	}
	count, w := binary.Uvarint(body)
	if w <= 0 {
		return nil, errors.New("the state is damaged")
	}
	body = body[w:]
	s := make(State)
	for range count {
		name, ok1 := next()
		value, ok2 := next()
		if !ok1 || !ok2 {
			return nil, errors.New("the state is damaged")
		}
		s[string(name)] = value
	}
	return s, nil
}
