package eventhub

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"

	"spate/column"
	"spate/connector"
	"spate/hub"
	"spate/hub/eventlog"
)

// SinkOptions say how rows become events.
type SinkOptions struct {
	Output string // the output's name in the job
	// KeyColumn names the column whose value is the partition key, ignoring
	// case. Without it, and for rows where it is NULL, each batch of rows goes to
	// the next partition in turn.
	KeyColumn string
}

// Sink writes rows to a hub, one JSON object per event. Events of an epoch are
// kept in Prepared until Commit appends them under the sink's producer ids: an
// epoch that is committed again is found in the log and appends nothing.
type Sink struct {
	hub *hub.Hub
	o   SinkOptions
}

// NewSink returns a sink over h.
func NewSink(h *hub.Hub, o SinkOptions) *Sink { return &Sink{hub: h, o: o} }

// producerID is the id that a shard of an output appends under: never one that
// a client is given.
// Source: engine.md 8.4.
func producerID(job, output string, shard int) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%d", job, output, shard)
	return eventlog.FirstJobProducer | int64(h.Sum64()>>2)
}

// OpenWriter opens the writer of a shard. It goes on from the last sequence
// that the log has, so Commit of the newest manifest has to come before.
func (s *Sink) OpenWriter(_ context.Context, by connector.Shard) (connector.Writer, error) {
	if by.Number < 0 || by.Number >= by.Of {
		return nil, fmt.Errorf("write hub %s: shard %d of %d", s.hub.Name(), by.Number, by.Of)
	}
	return &writer{encoder: encoder{column: s.o.KeyColumn}, sink: s, producer: producerID(by.Job, s.o.Output, by.Number), turn: by.Number}, nil
}

// Target implements connector.Audited.
func (s *Sink) Target() string { return fmt.Sprintf("%x", s.hub.ID()) }

// Audit implements connector.Audited.
func (s *Sink) Audit(_ context.Context, a connector.Audit) error {
	if a.Prepared != nil && a.Target != "" && a.Target != s.Target() {
		return fmt.Errorf("hub %s was made anew, and events of epoch %d of the job may lack in the one before", s.hub.Name(), a.Epoch)
	}
	return nil
}

// writer collects the events of one shard.
type writer struct {
	encoder
	sink     *Sink
	producer int64
	turn     int // of keyless batches
	parts    []staged
	pending  int64 // bytes of events since the last Prepare
}

// staged is what one partition gets in the epoch.
type staged struct {
	opened bool
	next   int32 // sequence of the first event
	count  int
	events []byte
}

// Write encodes the rows. Rows over the size of an event come back.
func (w *writer) Write(_ context.Context, b *column.Batch) ([]connector.BadRow, error) {
	var bad []connector.BadRow
	n := w.sink.hub.Partitions()
	for len(w.parts) < n {
		w.parts = append(w.parts, staged{})
	}
	turn := w.turn % n
	w.turn = turn + 1
	for k := range b.LiveRows() {
		row := b.Row(k)
		keyed, reason := w.encode(b, row)
		if reason != "" {
			bad = append(bad, connector.BadRow{Row: row, Reason: reason})
			continue
		}
		to := turn
		if keyed {
			to = w.sink.hub.PartitionForKey(string(w.key))
		}
		p := &w.parts[to]
		if !p.opened {
			p.opened, p.next = true, w.sink.hub.Partition(to).ProducerNext(w.producer)
		}
		p.events = appendEvent(p.events, keyed, w.key, w.row)
		p.count++
		w.pending += int64(len(w.row))
	}
	return bad, nil
}

// Full reports whether so much waits for the next Prepare that it should come
// soon.
func (w *writer) Full() bool { return w.pending > fullBytes }

const fullBytes = 8 << 20

// Prepare hands out the events since the last Prepare, with their sequences.
func (w *writer) Prepare(context.Context, connector.Epoch) (connector.Prepared, error) {
	size := 0
	for i := range w.parts {
		size += len(w.parts[i].events)
	}
	if size == 0 {
		return nil, nil
	}
	w.pending = 0
	out := make([]byte, 0, size+32+16*len(w.parts))
	out = beginPrepared(out, w.producer)
	for i := range w.parts {
		p := &w.parts[i]
		if p.count == 0 {
			continue
		}
		out = appendGroup(out, i, p)
		p.next = int32((int64(p.next) + int64(p.count)) & 0x7fffffff)
		p.count, p.events = 0, p.events[:0]
	}
	return out, nil
}

// Close forgets what was not prepared.
func (w *writer) Close() error { return nil }

// commitBytes and commitEvents bound one append of a Commit.
const (
	commitBytes  = 1 << 20
	commitEvents = 10_000
)

// Commit appends what the shards prepared and waits until it is durable.
func (s *Sink) Commit(ctx context.Context, epoch connector.Epoch, shards []connector.Prepared) error {
	var tickets []*hub.Ticket
	var err error
	for i, b := range shards {
		if len(b) == 0 {
			continue
		}
		if tickets, err = s.appendPrepared(tickets, b); err != nil {
			err = fmt.Errorf("shard %d: %w", i, err)
			break
		}
	}
	for _, t := range tickets { // those of an error too: they are on their way
		err = errors.Join(err, t.Wait(ctx))
	}
	if err != nil {
		return fmt.Errorf("commit epoch %s to hub %s: %w", strconv.FormatInt(epoch.Number, 10), s.hub.Name(), err)
	}
	return nil
}

func (s *Sink) appendPrepared(tickets []*hub.Ticket, b []byte) ([]*hub.Ticket, error) {
	d, err := openPrepared(b)
	if err != nil {
		return tickets, err
	}
	var events []hub.Event
	for d.nextGroup() {
		if d.partition >= s.hub.Partitions() {
			return tickets, fmt.Errorf("partition %d of %d: %w", d.partition, s.hub.Partitions(), errPrepared)
		}
		p := s.hub.Partition(d.partition)
		seq, size := d.sequence, 0
		events = events[:0]
		flush := func() {
			tickets = append(tickets, p.AppendOnce(d.producer, seq, events))
			seq = int32((int64(seq) + int64(len(events))) & 0x7fffffff)
			events, size = events[:0], 0
		}
		for d.nextEvent() {
			if n := len(d.key) + len(d.body); len(events) > 0 && (size+n > commitBytes || len(events) == commitEvents) {
				flush()
			}
			events = append(events, hub.Event{Key: d.key, Body: d.body})
			size += len(d.key) + len(d.body)
		}
		if d.err == nil && len(events) > 0 {
			flush()
		}
	}
	return tickets, d.err
}
