package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// segment is one file of the outbox. It begins with the whole state at that moment:
// what stood in the segments before it counts no more, except events.
type segment struct {
	number uint64
	f      *os.File
	end    int64   // of what is durable
	first  uint64  // number of its first event
	places []place // of its events
}

// place is where an event lies in its segment.
type place struct {
	at     int64
	length int32
}

// next is the number behind the segment's last event.
func (s *segment) next() uint64 { return s.first + uint64(len(s.places)) }

// segmentBytes is the size from which on the next segment is begun.
const segmentBytes = 4 << 20

const (
	segmentPrefix = "outbox-"
	newSuffix     = ".new"
)

func (b *outbox) segmentPath(number uint64) string {
	return filepath.Join(b.dir, fmt.Sprintf("%s%010d", segmentPrefix, number))
}

// segmentNumbers lists the segments in the folder, ascending. It removes those that a
// crash kept from getting their name.
func (b *outbox) segmentNumbers() ([]uint64, error) {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), segmentPrefix)
		if !ok {
			continue
		}
		if strings.HasSuffix(digits, newSuffix) {
			if err := os.Remove(filepath.Join(b.dir, e.Name())); err != nil {
				return nil, err
			}
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || b.segmentPath(n) != filepath.Join(b.dir, e.Name()) {
			return nil, fmt.Errorf("%s is no file of an outbox", e.Name())
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers, nil
}

// openSegments reads all segments.
func (b *outbox) openSegments(numbers []uint64) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, b.closeSegments())
		}
	}()
	for _, n := range numbers {
		path := b.segmentPath(n)
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s := &segment{number: n}
		if err := b.replaySegment(s, data); err != nil {
			return fmt.Errorf("reading %s: %w", filepath.Base(path), err)
		}
		if s.f, err = os.Open(path); err != nil {
			return err
		}
		b.segments = append(b.segments, s)
	}
	return nil
}

// replaySegment takes the state and the events of one segment; b has those before it.
// The segment ends at the first record that does not check: the end of a write that a
// crash cut or that was not acknowledged.
func (b *outbox) replaySegment(s *segment, data []byte) error {
	payload, rest := nextRecord(data)
	if payload == nil || payload[0] != beginKind {
		return errRecord
	}
	n := numbers{b: payload[1:], ok: true}
	version := n.uvarint()
	if n.ok && version != outboxVersion {
		return fmt.Errorf("an outbox of version %d: another version of Spate wrote it, this one writes %d", version, outboxVersion)
	}
	s.first = n.uvarint()
	if !n.ok || s.first == 0 {
		return errRecord
	}
	if k := len(b.segments); k > 0 {
		b.segments[k-1].cut(s.first)
	}
	b.stored, b.positions, b.hubID, b.next = map[string]cursor{}, map[int]int64{}, [16]byte{}, s.first
	for {
		s.end = int64(len(data) - len(rest))
		payload, after := nextRecord(rest)
		if payload == nil {
			return nil
		}
		if payload[0] == putKind {
			s.places = append(s.places, place{s.end, int32(recordHead + len(payload))})
		}
		if err := b.replay(payload); err != nil {
			return err
		}
		if b.next != s.next() && payload[0] == putKind {
			return errRecord
		}
		rest = after
	}
}

// cut forgets events that the next segment does not count: their write was never
// acknowledged.
func (s *segment) cut(next uint64) {
	if next >= s.first && next < s.next() {
		s.places = s.places[:next-s.first]
	}
}

// replay takes one record.
func (b *outbox) replay(payload []byte) error {
	switch payload[0] {
	case putKind:
		m, err := decodePut(payload)
		if err != nil {
			return err
		}
		b.positions[m.partition] = max(b.positions[m.partition], m.offset+1)
		b.next = m.number + 1
	case cursorKind:
		n := numbers{b: payload[1:], ok: true}
		c := cursor{next: n.uvarint(), size: n.varint()}
		if !n.ok {
			return errRecord
		}
		b.stored[string(n.b)] = c
	case positionKind:
		if len(payload) < 17 {
			return errRecord
		}
		n := numbers{b: payload[17:], ok: true}
		partition, next := n.partition(), n.varint()
		if !n.ok {
			return errRecord
		}
		if id := [16]byte(payload[1:17]); id != b.hubID {
			b.hubID, b.positions = id, map[int]int64{}
		}
		b.positions[partition] = next
	default:
		return fmt.Errorf("outbox record of kind %d: a newer version wrote it", payload[0])
	}
	return nil
}

// takeOver brings the outbox of version 1, one file that was rewritten now and then,
// into the first segment.
func (b *outbox) takeOver(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var events []byte
	low := uint64(0) // the first event that is there
	for rest := data; ; {
		payload, after := nextRecord(rest)
		if payload == nil {
			break
		}
		before := b.next
		if err := b.replay(payload); err != nil {
			return fmt.Errorf("reading %s: %w", filepath.Base(path), err)
		}
		switch payload[0] {
		case putKind:
			if low == 0 {
				low = b.next - 1
			} else if b.next != before+1 {
				return fmt.Errorf("reading %s: %w", filepath.Base(path), errRecord)
			}
			events = append(events, rest[:len(rest)-len(after)]...)
		case cursorKind:
			for _, c := range b.stored {
				b.next = max(b.next, c.next)
			}
		}
		rest = after
	}
	if low == 0 {
		low = b.next
	}
	head := appendBegin(nil, low)
	for name, c := range b.stored {
		head = appendCursor(head, name, c)
	}
	// Positions stand behind the events, because an event moves its partition's position.
	head = b.appendPositions(append(head, events...))
	if err := b.publish(1, head); err != nil {
		return err
	}
	return b.sync()
}

// appendState appends what a segment begins with.
func (b *outbox) appendState(dst []byte) []byte {
	dst = appendBegin(dst, b.next)
	for i, c := range b.cursors {
		dst = appendCursor(dst, b.names[i], c)
	}
	return b.appendPositions(dst)
}

func (b *outbox) appendPositions(dst []byte) []byte {
	for partition, next := range b.positions {
		dst = appendPosition(dst, b.hubID, partition, next)
	}
	return dst
}

// publish puts a segment's beginning under its name. From then on it is the newest,
// even if an error comes behind: the folder is synced before anything is appended.
func (b *outbox) publish(number uint64, head []byte) error {
	path := b.segmentPath(number)
	f, err := os.OpenFile(path+newSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(head); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(path+newSuffix, path)
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(path+newSuffix))
	}
	b.segments = append(b.segments, &segment{number: number, f: f, end: int64(len(head)), first: b.next})
	b.broken, b.unsynced = false, true
	return nil
}

// sync makes the name of the newest segment durable.
func (b *outbox) sync() error {
	if !b.unsynced {
		return nil
	}
	if err := syncDir(b.dir); err != nil {
		return fmt.Errorf("syncing the folder of the outbox: %w", err)
	}
	b.unsynced = false
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// roll begins the next segment.
func (b *outbox) roll() error {
	number := uint64(1)
	if k := len(b.segments); k > 0 {
		number = b.segments[k-1].number + 1
	}
	if err := b.publish(number, b.appendState(nil)); err != nil {
		return fmt.Errorf("beginning a file of the outbox: %w", err)
	}
	return b.sync()
}

// drop removes the segments before the newest whose events are all done.
func (b *outbox) drop() error {
	var errs error
	k := 0
	for ; k < len(b.segments)-1 && b.segments[k].next() <= b.low; k++ {
		s := b.segments[k]
		errs = errors.Join(errs, s.f.Close(), os.Remove(b.segmentPath(s.number)))
	}
	b.segments = slices.Delete(b.segments, 0, k)
	return errs
}

func (b *outbox) closeSegments() error {
	var errs error
	for _, s := range b.segments {
		errs = errors.Join(errs, s.f.Close())
	}
	b.segments = nil
	return errs
}
