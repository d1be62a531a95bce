package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// outbox is the durable list of events that wait. Each receiver goes through it
// in order, so what a receiver has done is one number, its cursor. Bodies stay in
// the file.
type outbox struct {
	path  string
	names []string // of the receivers

	mu        sync.Mutex // guards the fields below; held during I/O
	f         *os.File
	end       int64 // of the sound part of the file
	hubID     [16]byte
	positions map[int]int64 // by partition: the next offset to read
	cursors   []cursor      // by receiver
	waiting   []waiting     // ascending by number; those some receiver has not done
	next      uint64        // number of the next event
	bytes     int64         // of the records of waiting
	changed   chan struct{} // closed and replaced when there is more to do, or room
}

// cursor is how far a receiver is.
type cursor struct {
	next uint64 // number of the event that comes next
	size int64  // file receivers: the file's size behind the last delivery; -1: unknown
}

// waiting is where an event lies in the file.
type waiting struct {
	number uint64
	at     int64
	length int
}

// rewriteBytes is the size of the file from which on it is rewritten when most of it is done with.
const rewriteBytes = 8 << 20

// openOutbox reads the outbox at path. Receivers it does not know begin behind
// the last event; those that are not in names are dropped.
func openOutbox(path string, names []string) (*outbox, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	b := &outbox{path: path, names: names, positions: map[int]int64{}, changed: make(chan struct{}), next: 1}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	cursors, err := b.replay(data)
	if err != nil {
		return nil, err
	}
	b.cursors = make([]cursor, len(names))
	for i, name := range names {
		c, ok := cursors[name]
		if !ok {
			c = cursor{next: b.next, size: -1}
		}
		b.cursors[i] = c
	}
	if b.f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	b.trim()
	return b, nil
}

func (b *outbox) replay(data []byte) (map[string]cursor, error) {
	cursors := map[string]cursor{}
	rest := data
	for {
		at := int64(len(data) - len(rest))
		payload, after := nextRecord(rest)
		if payload == nil {
			b.end = at
			return cursors, nil
		}
		switch payload[0] {
		case putKind:
			m, err := decodePut(payload)
			if err != nil {
				return nil, err
			}
			b.positions[m.partition] = max(b.positions[m.partition], m.offset+1)
			b.next = max(b.next, m.number+1)
			b.waiting = append(b.waiting, waiting{m.number, at, recordHead + len(payload)})
			b.bytes += int64(recordHead + len(payload))
		case cursorKind:
			n := numbers{b: payload[1:], ok: true}
			c := cursor{next: n.uvarint(), size: n.varint()}
			if !n.ok {
				return nil, errRecord
			}
			cursors[string(n.b)] = c
			b.next = max(b.next, c.next)
		case positionKind:
			if len(payload) < 17 {
				return nil, errRecord
			}
			n := numbers{b: payload[17:], ok: true}
			partition, next := n.partition(), n.varint()
			if !n.ok {
				return nil, errRecord
			}
			if id := [16]byte(payload[1:17]); id != b.hubID {
				b.hubID, b.positions = id, map[int]int64{}
			}
			b.positions[partition] = next
		default:
			return nil, fmt.Errorf("outbox record of kind %d: a newer version wrote it", payload[0])
		}
		rest = after
	}
}

// trim forgets the events that every receiver has done. The caller holds mu, or is alone.
func (b *outbox) trim() {
	low := b.next
	for _, c := range b.cursors {
		low = min(low, c.next)
	}
	k := 0
	for k < len(b.waiting) && b.waiting[k].number < low {
		b.bytes -= int64(b.waiting[k].length)
		k++
	}
	b.waiting = b.waiting[k:]
}

// rewrite replaces the file by one that holds only what is needed.
func (b *outbox) rewrite() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rewriteLocked()
}

func (b *outbox) rewriteLocked() (err error) {
	tmp := b.path + ".new"
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(tmp))
		}
	}()
	var head []byte
	for i, c := range b.cursors {
		head = appendCursor(head, b.names[i], c)
	}
	if _, err = f.Write(head); err != nil {
		return err
	}
	end := int64(len(head))
	moved := make([]waiting, len(b.waiting))
	for i, w := range b.waiting {
		if _, err = io.Copy(f, io.NewSectionReader(b.f, w.at, int64(w.length))); err != nil {
			return err
		}
		moved[i] = waiting{w.number, end, w.length}
		end += int64(w.length)
	}
	// Positions stand behind the events, because an event read back moves its partition's position.
	var tail []byte
	for partition, next := range b.positions {
		tail = appendPosition(tail, b.hubID, partition, next)
	}
	if _, err = f.WriteAt(tail, end); err != nil {
		return err
	}
	end += int64(len(tail))
	if err = f.Sync(); err != nil {
		return err
	}
	if err = os.Rename(tmp, b.path); err != nil {
		return err
	}
	if err = syncDir(filepath.Dir(b.path)); err != nil {
		return err
	}
	old := b.f
	b.f, b.end, b.waiting = f, end, moved
	return old.Close()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// write appends records and makes them durable. The caller holds mu.
func (b *outbox) write(records []byte) error {
	if _, err := b.f.WriteAt(records, b.end); err != nil {
		return errors.Join(err, b.f.Truncate(b.end))
	}
	if err := b.f.Sync(); err != nil {
		return err
	}
	b.end += int64(len(records))
	return nil
}

func (b *outbox) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// put stores events of one partition in order.
func (b *outbox) put(partition int, ms []message) error {
	if len(ms) == 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var records []byte
	added := make([]waiting, len(ms))
	for i := range ms {
		ms[i].number, ms[i].partition = b.next+uint64(i), partition
		from := len(records)
		records = appendPut(records, &ms[i])
		added[i] = waiting{ms[i].number, b.end + int64(from), len(records) - from}
	}
	if err := b.write(records); err != nil {
		return fmt.Errorf("writing %d events to the outbox: %w", len(ms), err)
	}
	b.waiting = append(b.waiting, added...)
	b.bytes += int64(len(records))
	b.next += uint64(len(ms))
	b.positions[partition] = ms[len(ms)-1].offset + 1
	b.trim() // without receivers nothing waits
	b.wake()
	return b.shrink()
}

// shrink rewrites the file if most of it is done with.
func (b *outbox) shrink() error {
	if b.end < rewriteBytes || b.end < 2*b.bytes {
		return nil
	}
	return b.rewriteLocked()
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
	if err := b.write(appendPosition(nil, b.hubID, partition, next)); err != nil {
		return err
	}
	b.positions[partition] = next
	return nil
}

// take returns up to limit events that the receiver has not done, at least one; it waits for it.
func (b *outbox) take(ctx context.Context, receiver, limit int) ([]message, error) {
	for {
		b.mu.Lock()
		changed := b.changed
		ms, err := b.unsent(receiver, limit)
		b.mu.Unlock()
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

func (b *outbox) unsent(receiver, limit int) ([]message, error) {
	var ms []message
	next := b.cursors[receiver].next
	first := len(b.waiting)
	if len(b.waiting) > 0 && next <= b.waiting[len(b.waiting)-1].number {
		first = int(max(next, b.waiting[0].number) - b.waiting[0].number)
	}
	for _, w := range b.waiting[first:] {
		if len(ms) == limit {
			break
		}
		record := make([]byte, w.length)
		if _, err := b.f.ReadAt(record, w.at); err != nil {
			return nil, fmt.Errorf("reading event %d of the outbox: %w", w.number, err)
		}
		payload, _ := nextRecord(record)
		if payload == nil {
			return nil, fmt.Errorf("reading event %d of the outbox: %w", w.number, errRecord)
		}
		m, err := decodePut(payload)
		if err != nil {
			return nil, err
		}
		ms = append(ms, m)
	}
	return ms, nil
}

// advance moves the receiver's cursor: everything below next is done.
func (b *outbox) advance(receiver int, next uint64, size int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := cursor{next, size}
	if err := b.write(appendCursor(nil, b.names[receiver], c)); err != nil {
		return fmt.Errorf("writing to the outbox that %s is at %d: %w", b.names[receiver], next, err)
	}
	b.cursors[receiver] = c
	b.trim()
	b.wake()
	return b.shrink()
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
	return b.f.Close()
}
