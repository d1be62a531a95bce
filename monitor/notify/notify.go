// Package notify tells people: each event of a hub is delivered to the receivers
// of action groups, webhooks and files.
//
// # Guarantee
//
// An event is written to the outbox, with its place in the hub, before the first
// attempt, and stays there until it is delivered or dead. The place in the outbox
// record is the position: there is no other. So nothing is lost while a receiver
// or this process is down, and nothing is sent twice, except a webhook call whose
// reply was lost; its repeat carries the same X-Spate-Delivery. Order per receiver
// and hub partition is kept.
//
// # Lifetime
//
// New fixes where reading begins, so it comes before the hub accepts events; Run
// delivers until its context ends; Close releases the files.
//
// Stability: importable, not promised before 1.0.
package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"spate/hub"
	"spate/internal/panics"
	"spate/metric"
)

// Options is one notifier: one hub, several receivers.
type Options struct {
	Dir       string // its folder below the data folder; created if missing
	Name      string
	Hub       *hub.Hub
	Receivers []Receiver

	MaxAge    time.Duration     // after this an event is dead; default 24h
	MaxBytes  int64             // of waiting events in the outbox, beyond which they wait in the hub; default 256 MiB
	Transport http.RoundTripper // default a clone of http.DefaultTransport
	Clock     func() time.Time  // default time.Now
	Metrics   *metric.Recorder
	Log       *slog.Logger
}

// Receiver is where events go: one of URL and File is set.
type Receiver struct {
	Name    string // unique in the notifier; names its place in the outbox
	URL     string // http or https; never printed
	File    string // one line of JSON per event is appended
	Headers map[string]string
	Secret  string // signs webhook bodies: X-Spate-Signature
}

// Notifier delivers the events of one hub.
type Notifier struct {
	o       Options
	box     *outbox
	workers []*worker

	troubles troubles
}

// New opens the outbox. A notifier that is new begins with the next event of its hub.
func New(o Options) (*Notifier, error) {
	if o.Dir == "" || o.Hub == nil || o.Name == "" {
		return nil, errors.New("notify: Dir, Name and Hub are required")
	}
	o.MaxAge = cmp.Or(o.MaxAge, 24*time.Hour)
	o.MaxBytes = cmp.Or(o.MaxBytes, 256<<20)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	names := make([]string, len(o.Receivers))
	for i, r := range o.Receivers {
		if (r.URL == "") == (r.File == "") {
			return nil, fmt.Errorf("notifier %s: receiver %s: want one of URL and File", o.Name, r.Name)
		}
		names[i] = r.Name
	}
	box, err := openOutbox(o.Dir, names)
	if err != nil {
		return nil, fmt.Errorf("opening the outbox of notifier %s: %w", o.Name, err)
	}
	for name, events := range box.orphaned {
		o.Log.Warn("events waited for a receiver that is gone: it does not get them", "notify", o.Name, "receiver", name, "events", events)
	}
	n := &Notifier{o: o, box: box}
	if err := n.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting notifier %s: %w", o.Name, err), box.close())
	}
	for i, r := range o.Receivers {
		w := &worker{n: n, receiver: i, name: r.Name, kind: "webhook"}
		if r.File != "" {
			w.kind, w.to = "file", &fileTarget{path: r.File, box: box, receiver: i}
		} else {
			w.to = newWebhook(r, o)
		}
		w.delivered = o.Metrics.Counter("NotificationsDelivered", "ReceiverKind", w.kind, "Receiver", r.Name)
		w.failed = o.Metrics.Counter("NotificationsFailed", "ReceiverKind", w.kind, "Receiver", r.Name)
		w.pending = o.Metrics.Gauge("NotificationsPending", "ReceiverKind", w.kind, "Receiver", r.Name)
		n.workers = append(n.workers, w)
	}
	return n, nil
}

// begin gives every partition that the outbox does not know its first position.
func (n *Notifier) begin() error {
	id := n.o.Hub.ID()
	fresh := n.box.hubID == [16]byte{}
	if n.box.hubID != id {
		// Another hub of that name: what waits is still delivered, reading begins anew.
		n.box.positions = map[int]int64{}
		n.box.hubID = id
	}
	for i := range n.o.Hub.Partitions() {
		if _, ok := n.box.positions[i]; ok {
			continue
		}
		n.box.positions[i] = 0
		if fresh {
			n.box.positions[i] = n.o.Hub.Partition(i).Bounds().Next
		}
	}
	if err := n.box.begin(); err != nil {
		return err
	}
	for i, r := range n.o.Receivers {
		if r.File != "" && n.box.cursors[i].size < 0 {
			size, err := fileSize(r.File)
			if err != nil {
				return err
			}
			if err := n.box.advance(i, n.box.cursors[i].next, size); err != nil {
				return err
			}
		}
	}
	return nil
}

// Run reads and delivers until ctx ends. A call that is under way then is finished.
func (n *Notifier) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for i := range n.o.Hub.Partitions() {
		g.Go(func() error { return panics.Caught(func() error { return n.read(ctx, i) }) })
	}
	for _, w := range n.workers {
		g.Go(func() error { return panics.Caught(func() error { return w.run(ctx) }) })
	}
	return g.Wait()
}

// Close releases the outbox. Run has returned.
func (n *Notifier) Close() error {
	if t, ok := n.o.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
	for _, w := range n.workers {
		w.pending.Set(0) // whoever comes next knows how many wait
	}
	return n.box.close()
}

// Pending is how many deliveries wait, over all receivers.
func (n *Notifier) Pending() int { return n.box.pending() }

// readBytes is about how much one read of a partition brings.
const readBytes = 256 << 10

// retryRead is the pause after a read or an outbox write that went wrong.
const retryRead = 5 * time.Second

// read brings one partition's events into the outbox.
func (n *Notifier) read(ctx context.Context, partition int) error {
	p := n.o.Hub.Partition(partition)
	var c hub.Chunk
	var r reading
	what := fmt.Sprintf("reading partition %d of hub %s", partition, n.o.Hub.Name())
	for ctx.Err() == nil {
		if err := n.box.room(ctx, n.o.MaxBytes); err != nil {
			return nil
		}
		from := n.box.position(partition)
		err := p.Read(ctx, from, readBytes, &c, nil)
		if err == nil {
			err = n.put(partition, from, &c, &r)
		}
		switch {
		case err == nil || ctx.Err() != nil:
			n.troubles.set(what, nil)
			continue
		case errors.Is(err, hub.ErrClosed), errors.Is(err, hub.ErrDeleted):
			return nil
		case errors.Is(err, hub.ErrOffsetOutOfRange):
			b := p.Bounds()
			to := b.First
			if from > b.Next {
				to = b.Next
			}
			n.o.Log.Warn("events are gone before they were read", "hub", n.o.Hub.Name(), "partition", partition, "offset", from, "next", to)
			err = n.box.seek(partition, to)
		}
		if err != nil {
			n.troubles.set(what, err)
			n.o.Log.Error("reading for notification", "hub", n.o.Hub.Name(), "partition", partition, "offset", from, "err", err)
			if !pause(ctx, retryRead) {
				return nil
			}
		}
	}
	return nil
}

// putBytes is how many bytes of events go to the outbox at a time, about. What
// compressed well may be far more than was read.
const putBytes = 4 << 20

// reading is the memory of one partition's reads.
type reading struct {
	messages []message
	bodies   []byte // of messages; those of a compressed batch are in the chunk for a while only
	ends     []int
}

// put brings the events of a chunk from offset from on to the outbox, or as many of
// them as go at a time. A batch that cannot be taken apart is logged, counted and passed
// over: one that a log of before holds must not stop those behind it.
func (n *Notifier) put(partition int, from int64, c *hub.Chunk, r *reading) error {
	now := n.o.Clock().UnixMilli()
	if cap(r.bodies) > 2*putBytes {
		*r = reading{}
	}
	r.messages, r.bodies, r.ends = r.messages[:0], r.bodies[:0], r.ends[:0]
	next := from
	for i := range c.Batches {
		if len(r.bodies) >= putBytes {
			break
		}
		b := &c.Batches[i]
		it := c.Records(i)
		last := max(from, b.BaseOffset) - 1
		for it.Next() {
			if it.Record.Offset < from {
				continue
			}
			last = it.Record.Offset
			r.messages = append(r.messages, message{partition: partition, offset: it.Record.Offset, enqueued: b.AppendTime, put: now})
			r.bodies = append(r.bodies, it.Record.Value...)
			r.ends = append(r.ends, len(r.bodies))
		}
		if err := it.Err(); err != nil {
			n.o.Log.Error("events cannot be taken apart and are not notified", "hub", n.o.Hub.Name(), "partition", partition,
				"offset", last+1, "events", b.Next()-last-1, "err", err)
			n.o.Hub.CountSkipped(int(b.Next() - last - 1))
		}
		next = b.Next()
	}
	start := 0
	for i, end := range r.ends {
		r.messages[i].body = r.bodies[start:end:end]
		start = end
	}
	if err := n.box.put(partition, r.messages); err != nil {
		return err
	}
	if n.box.position(partition) < next {
		if err := n.box.seek(partition, next); err != nil {
			return err
		}
	}
	n.o.Hub.CountOutgoing(len(r.messages), int64(len(r.bodies)))
	return nil
}

// pause waits; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
