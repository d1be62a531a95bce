package eventhub

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"spate/column"
	"spate/connector"
	"spate/hub"
)

// ImmediateSink writes rows to a hub as Sink does, but as they come: they are appended
// under the sink's producer ids, and how far these were at a checkpoint is its note.
// What lies in the log behind that was written by a life of the job that was broken
// off, and is passed over when it comes again.
type ImmediateSink struct {
	hub *hub.Hub
	o   SinkOptions

	mu   sync.Mutex // guards the fields below
	job  string     // that the note is of
	note *standing  // of the newest checkpoint; nil: none is known
}

// NewImmediateSink returns a sink over h.
func NewImmediateSink(h *hub.Hub, o SinkOptions) *ImmediateSink { return &ImmediateSink{hub: h, o: o} }

// Form implements connector.ImmediateSink.
func (s *ImmediateSink) Form() string {
	id := s.hub.ID()
	return fmt.Sprintf("hub %x partitionKey %q", id[:], s.o.KeyColumn)
}

// Commit takes note of how far the checkpoint's rows go. They are in the log.
func (s *ImmediateSink) Commit(_ context.Context, epoch connector.Epoch, shards []connector.Prepared) error {
	for _, b := range shards {
		n, err := openStanding(b)
		if err != nil {
			return fmt.Errorf("commit epoch %d to hub %s: %w", epoch.Number, s.hub.Name(), err)
		}
		s.mu.Lock()
		s.job, s.note = epoch.Job, n
		s.mu.Unlock()
	}
	return nil
}

// OpenWriter opens the writer of the one shard.
func (s *ImmediateSink) OpenWriter(_ context.Context, by connector.Shard) (connector.Writer, error) {
	if by.Number != 0 || by.Of != 1 {
		return nil, fmt.Errorf("write hub %s: shard %d of %d of rows that are shown at once", s.hub.Name(), by.Number, by.Of)
	}
	s.mu.Lock()
	at := s.note
	if s.job != by.Job {
		at = nil
	}
	s.mu.Unlock()
	if at == nil {
		at = &standing{next: make([]int32, s.spread(by.Job))}
	}
	if len(at.next) > s.hub.Partitions() {
		return nil, fmt.Errorf("write hub %s: the checkpoint has %d partitions of it, and it has %d", s.hub.Name(), len(at.next), s.hub.Partitions())
	}
	w := &immediateWriter{
		encoder: encoder{column: s.o.KeyColumn}, hub: s.hub, producer: spreadID(by.Job, s.o.Output, len(at.next)),
		keyless: at.keyless, lanes: make([]lane, len(at.next)),
	}
	for i := range w.lanes {
		l := &w.lanes[i]
		l.p = s.hub.Partition(i)
		l.epoch = l.p.Claim(w.producer) // first: then nothing comes in between
		l.next = l.p.ProducerNext(w.producer)
		// A log that does not wait for the disk may have lost what the checkpoint counts.
		if l.behind = wrap(int64(l.next) - int64(at.next[i])); l.behind >= 1<<30 {
			l.behind = 0
		}
		w.behind += int64(l.behind)
	}
	return w, nil
}

// Sequences wrap behind maxSequence.
const maxSequence = 1<<31 - 1

func wrap(n int64) int32 { return int32(n & maxSequence) }

// spreadID is the producer id of a job's output that is spread over n partitions.
func spreadID(job, output string, n int) int64 {
	return producerID(job, output+"\x00"+strconv.Itoa(n), 0)
}

// spread is over how many partitions a job without a note spreads its rows: over those
// that the hub had when a life of it wrote the first row.
func (s *ImmediateSink) spread(job string) int {
	n := s.hub.Partitions()
	for k := 1; k < n; k++ {
		id := spreadID(job, s.o.Output, k)
		for i := range k {
			if s.hub.Partition(i).ProducerNext(id) != 0 {
				return k
			}
		}
	}
	return n
}

// immediateWriter appends the events of the one shard.
type immediateWriter struct {
	encoder
	hub      *hub.Hub
	producer int64
	keyless  uint64 // rows without a partition key so far: they go to the partitions in turn
	behind   int64  // of all lanes
	lanes    []lane // by partition
}

// lane is what one partition gets.
type lane struct {
	p         *hub.Partition
	epoch     int16
	next      int32 // sequence of the first event that waits
	behind    int32 // events to come that the log has
	bytes     []byte
	events    []span
	scratch   []hub.Event
	notBefore int64       // no event that waits may be stored at an earlier time, in Unix milliseconds
	last      *hub.Ticket // of the last append; nil: it is known to be durable
}

// span is an event in the bytes of a lane.
type span struct {
	from, key, to int // the key ends where the body begins
	keyed         bool
}

// Write takes rows. Those over the size of an event come back.
func (w *immediateWriter) Write(_ context.Context, b *column.Batch) ([]connector.BadRow, error) {
	var bad []connector.BadRow
	n := len(w.lanes)
	for k := range b.LiveRows() {
		row := b.Row(k)
		keyed, reason := w.encode(b, row)
		if reason != "" {
			bad = append(bad, connector.BadRow{Row: row, Reason: reason})
			continue
		}
		var l *lane
		if keyed {
			l = &w.lanes[w.hub.PartitionForKeyOf(string(w.key), n)]
		} else {
			l = &w.lanes[w.keyless%uint64(n)]
			w.keyless++
		}
		if l.behind > 0 {
			l.behind--
			w.behind--
			continue
		}
		l.add(keyed, w.key, w.row, b.Time[row])
		if len(l.bytes) > commitBytes || len(l.events) == commitEvents {
			if err := w.flush(l); err != nil {
				return nil, err
			}
		}
	}
	return bad, nil
}

func (l *lane) add(keyed bool, key, row []byte, at column.Ticks) {
	s := span{from: len(l.bytes), keyed: keyed}
	if keyed {
		l.bytes = append(l.bytes, key...)
	}
	s.key = len(l.bytes)
	l.bytes = append(l.bytes, row...)
	s.to = len(l.bytes)
	l.events = append(l.events, s)
	l.notBefore = int64((at - column.UnixEpoch + column.Millisecond - 1) / column.Millisecond)
}

// Flush implements connector.ImmediateWriter.
func (w *immediateWriter) Flush(context.Context) error {
	for i := range w.lanes {
		if err := w.flush(&w.lanes[i]); err != nil {
			return err
		}
	}
	return nil
}

// flush appends what waits for a partition.
func (w *immediateWriter) flush(l *lane) error {
	if len(l.events) == 0 {
		return nil
	}
	if err := l.check(); err != nil {
		return w.failed(l, err)
	}
	l.scratch = l.scratch[:0]
	for _, s := range l.events {
		e := hub.Event{Body: l.bytes[s.key:s.to]}
		if s.keyed {
			e.Key = l.bytes[s.from:s.key:s.key]
		}
		l.scratch = append(l.scratch, e)
	}
	before := l.last
	l.last = l.p.AppendFenced(w.producer, l.epoch, l.next, l.notBefore, l.scratch)
	l.next = wrap(int64(l.next) + int64(len(l.events)))
	l.bytes, l.events = l.bytes[:0], l.events[:0]
	if err := l.check(); err != nil {
		if before != nil { // the cause, if the append before has failed meanwhile
			<-before.Done()
			err = errors.Join(before.Err(), err)
		}
		return w.failed(l, err)
	}
	return nil
}

// check reports whether the last append has failed.
func (l *lane) check() error {
	if l.last == nil {
		return nil
	}
	select {
	case <-l.last.Done():
		return l.last.Err()
	default:
		return nil
	}
}

func (w *immediateWriter) failed(l *lane, err error) error {
	return fmt.Errorf("append to hub %s partition %d: %w", w.hub.Name(), l.p.ID(), err)
}

// Behind implements connector.ImmediateWriter.
func (w *immediateWriter) Behind() bool { return w.behind > 0 }

// Prepare waits until what was written is durable, and notes how far it goes.
func (w *immediateWriter) Prepare(ctx context.Context, _ connector.Epoch) (connector.Prepared, error) {
	if err := w.Flush(ctx); err != nil {
		return nil, err
	}
	at := standing{keyless: w.keyless}
	for i := range w.lanes {
		l := &w.lanes[i]
		if l.last != nil {
			if err := l.last.Wait(ctx); err != nil {
				return nil, w.failed(l, err)
			}
			l.last = nil
		}
		at.next = append(at.next, wrap(int64(l.next)-int64(l.behind)))
	}
	return at.append(nil), nil
}

// Close forgets what was not flushed.
func (w *immediateWriter) Close() error { return nil }

// standing is how far a writer is.
type standing struct {
	keyless uint64
	next    []int32 // by partition: the sequence of the next event
}

// standingVersion begins the note of a writer that appends at once: the version; uvarint
// rows without a partition key so far; uvarint number of partitions; for each the uvarint
// sequence of its next event.
const standingVersion = 2

func (s *standing) append(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, standingVersion), s.keyless)
	dst = binary.AppendUvarint(dst, uint64(len(s.next)))
	for _, n := range s.next {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	return dst
}

func openStanding(b []byte) (*standing, error) {
	if len(b) == 0 || b[0] != standingVersion {
		return nil, errPrepared
	}
	b = b[1:]
	read := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			b = nil
			return 1 << 63 // more than anything may be
		}
		b = b[n:]
		return v
	}
	s := &standing{keyless: read()}
	n := read()
	if s.keyless >= 1<<63 || n == 0 || n > uint64(len(b)) {
		return nil, errPrepared
	}
	for range n {
		v := read()
		if v > maxSequence {
			return nil, errPrepared
		}
		s.next = append(s.next, int32(v))
	}
	if len(b) != 0 {
		return nil, errPrepared
	}
	return s, nil
}
