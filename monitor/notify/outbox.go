package notify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"sync"
)

// outbox is the durable list of events that wait. Each receiver goes through it
// in order, so what a receiver has done is one number, its cursor. Bodies stay in
// the files, which are only appended to: one whose events are done is removed.
type outbox struct {
	dir      string
	names    []string          // of the receivers
	orphaned map[string]uint64 // events that waited for receivers that are not in names

	mu        sync.Mutex // guards the fields below; held during I/O
	segments  []*segment // ascending; the last one is appended to
	broken    bool       // a write to it went wrong: the next one goes to another
	unsynced  bool       // the folder may not know its name yet
	hubID     [16]byte
	positions map[int]int64 // by partition: the next offset to read
	stored    map[string]cursor
	cursors   []cursor      // by receiver
	taken     []taken       // by receiver
	low       uint64        // number of the first event that some receiver has not done
	next      uint64        // number of the next event
	bytes     int64         // of the records from low on
	records   []byte        // scratch of put
	changed   chan struct{} // closed and replaced when there is more to do, or room
}

// cursor is how far a receiver is.
type cursor struct {
	next uint64 // number of the event that comes next
	size int64  // file receivers: the file's size behind the last delivery; -1: unknown
}

// taken is the memory of a receiver's last take.
type taken struct {
	data     []byte
	messages []message
}

// takeBytes is about how much one take reads.
const takeBytes = 1 << 20

// openOutbox reads the outbox in dir. Receivers it does not know begin behind the
// last event; those that are not in names are dropped by begin, which comes before
// anything is written.
func openOutbox(dir string, names []string) (*outbox, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	b := &outbox{dir: dir, names: names, positions: map[int]int64{}, stored: map[string]cursor{}, changed: make(chan struct{}), next: 1}
	list, err := b.segmentNumbers()
	if err != nil {
		return nil, err
	}
	old := filepath.Join(dir, "outbox")
	if len(list) == 0 {
		if err := b.takeOver(old); err != nil {
			return nil, errors.Join(err, b.closeSegments())
		}
		if err := b.closeSegments(); err != nil {
			return nil, err
		}
		if list, err = b.segmentNumbers(); err != nil {
			return nil, err
		}
	}
	if len(list) > 0 { // what version 1 left is in the segments
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if err := b.openSegments(list); err != nil {
		return nil, err
	}
	b.cursors, b.taken = make([]cursor, len(names)), make([]taken, len(names))
	for i, name := range names {
		c, ok := b.stored[name]
		if !ok {
			c = cursor{next: b.next, size: -1}
		}
		b.cursors[i] = c
	}
	b.orphaned = make(map[string]uint64)
	for name, c := range b.stored {
		if c.next < b.next && !slices.Contains(names, name) {
			b.orphaned[name] = b.next - c.next
		}
	}
	b.stored = nil
	b.low = b.lowest()
	b.broken = true // a crash may have cut what the last file ends with
	if err := b.count(); err != nil {
		return nil, errors.Join(err, b.closeSegments())
	}
	return b, nil
}

// count adds up the events that wait; all of them must be there.
func (b *outbox) count() error {
	at := b.low
	for _, s := range b.segments {
		if s.next() <= at {
			continue
		}
		if s.first > at {
			break
		}
		for _, p := range s.places[at-s.first:] {
			b.bytes += int64(p.length)
		}
		at = s.next()
	}
	if at != b.next {
		return fmt.Errorf("events %d to %d of the outbox: %w", at, b.next-1, errRecord)
	}
	return nil
}

// lowest is the number of the first event that some receiver has not done.
func (b *outbox) lowest() uint64 {
	low := b.next
	for _, c := range b.cursors {
		low = min(low, c.next)
	}
	return low
}

// begin writes the state into a new file: cursors of receivers that are no more are
// forgotten with it.
func (b *outbox) begin() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.roll(); err != nil {
		return err
	}
	return b.drop()
}

// trim forgets the events that every receiver has done.
func (b *outbox) trim() error {
	low := b.lowest()
	for _, s := range b.segments {
		for b.low < min(low, s.next()) {
			b.bytes -= int64(s.places[b.low-s.first].length)
			b.low++
		}
	}
	return b.drop()
}

// write appends records and makes them durable. The caller holds mu. It may begin
// another file before.
func (b *outbox) write(records []byte) (*segment, int64, error) {
	if b.broken || b.segments[len(b.segments)-1].end >= segmentBytes {
		if err := b.roll(); err != nil {
			return nil, 0, err
		}
	}
	if err := b.sync(); err != nil {
		return nil, 0, err
	}
	s := b.segments[len(b.segments)-1]
	_, err := s.f.WriteAt(records, s.end)
	if err == nil {
		err = s.f.Sync()
	}
	if err != nil {
		b.broken = true
		return nil, 0, err
	}
	at := s.end
	s.end += int64(len(records))
	return s, at, nil
}

func (b *outbox) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// put stores events of one partition in order. It numbers them.
func (b *outbox) put(partition int, ms []message) error {
	if len(ms) == 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	records, added := b.records[:0], make([]place, len(ms))
	for i := range ms {
		ms[i].number, ms[i].partition = b.next+uint64(i), partition
		from := len(records)
		records = appendPut(records, &ms[i])
		added[i] = place{int64(from), int32(len(records) - from)}
	}
	if b.records = records; cap(records) > 2*takeBytes {
		b.records = nil
	}
	s, at, err := b.write(records)
	if err != nil {
		return fmt.Errorf("writing %d events to the outbox: %w", len(ms), err)
	}
	for i := range added {
		added[i].at += at
	}
	s.places = append(s.places, added...)
	b.bytes += int64(len(records))
	b.next += uint64(len(ms))
	b.positions[partition] = ms[len(ms)-1].offset + 1
	b.wake()
	return b.trim() // without receivers nothing waits
}

// position is the next offset to read.
func (b *outbox) position(partition int) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.positions[partition]
}

// seek moves a position that the hub no longer has.
func (b *outbox) seek(partition int, next int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, _, err := b.write(appendPosition(nil, b.hubID, partition, next)); err != nil {
		return err
	}
	b.positions[partition] = next
	return nil
}

// take returns up to limit events that the receiver has not done, at least one; it
// waits for it. They are valid until the receiver's next take.
func (b *outbox) take(ctx context.Context, receiver, limit int) ([]message, error) {
	for {
		ms, changed, err := b.unsent(receiver, limit)
		if len(ms) > 0 || err != nil {
			return ms, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// unsent is take without waiting; changed is closed when there is more to do.
func (b *outbox) unsent(receiver, limit int) (ms []message, changed <-chan struct{}, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next, t := b.cursors[receiver].next, &b.taken[receiver]
	k := sort.Search(len(b.segments), func(i int) bool { return b.segments[i].next() > next })
	if k == len(b.segments) {
		return nil, b.changed, nil
	}
	s := b.segments[k]
	places := s.places[next-s.first:]
	from, n := places[0].at, 1
	for n < min(limit, len(places)) && places[n].at+int64(places[n].length)-from <= takeBytes {
		n++
	}
	places = places[:n]
	size := int(places[n-1].at + int64(places[n-1].length) - from)
	if cap(t.data) < size {
		t.data = make([]byte, max(size, min(2*cap(t.data), takeBytes)))
	}
	data := t.data[:size]
	if _, err := s.f.ReadAt(data, from); err != nil {
		return nil, nil, fmt.Errorf("reading events %d to %d of the outbox: %w", next, next+uint64(n)-1, err)
	}
	t.messages = t.messages[:0]
	for i, p := range places {
		payload, _ := nextRecord(data[p.at-from:][:p.length])
		if payload == nil {
			return nil, nil, fmt.Errorf("reading event %d of the outbox: %w", next+uint64(i), errRecord)
		}
		m, err := decodePut(payload)
		if err != nil {
			return nil, nil, fmt.Errorf("reading event %d of the outbox: %w", next+uint64(i), err)
		}
		t.messages = append(t.messages, m)
	}
	return t.messages, b.changed, nil
}

// advance moves the receiver's cursor: everything below next is done.
func (b *outbox) advance(receiver int, next uint64, size int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := cursor{next, size}
	if _, _, err := b.write(appendCursor(nil, b.names[receiver], c)); err != nil {
		return fmt.Errorf("writing to the outbox that %s is at %d: %w", b.names[receiver], next, err)
	}
	b.cursors[receiver] = c
	b.wake()
	return b.trim()
}

// cursor is how far the receiver is.
func (b *outbox) cursor(receiver int) cursor {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cursors[receiver]
}

// room waits until less than limit bytes wait.
func (b *outbox) room(ctx context.Context, limit int64) error {
	for {
		b.mu.Lock()
		changed, full := b.changed, b.bytes >= limit
		b.mu.Unlock()
		if !full {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// waitingFor is how many events the receiver has not done.
func (b *outbox) waitingFor(receiver int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int(b.next - b.cursors[receiver].next)
}

func (b *outbox) pending() int {
	n := 0
	for i := range b.names {
		n += b.waitingFor(i)
	}
	return n
}

func (b *outbox) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closeSegments()
}
