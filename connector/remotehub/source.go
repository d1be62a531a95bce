// Package remotehub reads a part of a hub of another process as the input of a job: over
// AMQP, because that alone tells when each event was enqueued. The records of a Kafka
// producer keep the time that it gave them.
//
// Stability: importable, not promised before 1.0.
package remotehub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"

	"spate/column"
	"spate/connector"
	"spate/connector/eventhub"
	"spate/wire/amqp"
)

// What Open may find.
var (
	ErrUnauthorized = errors.New("the namespace refuses the key")
	ErrNoHub        = errors.New("there is no such hub")
)

// Options say which hub is read, and what of it.
type Options struct {
	ConnectionString string
	Hub              string
	Group            string         // consumer group; default $Default
	Range            eventhub.Range // its end is that of the log when Open was called, or before
	TLS              *tls.Config    // default: the system's roots
}

// Source is a bounded connector.Source. Close it.
type Source struct {
	o      Options
	client *azeventhubs.ConsumerClient
	parts  []azeventhubs.PartitionProperties
	made   time.Time // when the hub was
}

// retries are few: the instance is on this machine, and a run whose hub is gone ends.
var retries = azeventhubs.RetryOptions{MaxRetries: 2, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: time.Second}

// Open connects and notes where the partitions end.
func Open(ctx context.Context, o Options) (*Source, error) {
	if o.Group == "" {
		o.Group = azeventhubs.DefaultConsumerGroup
	}
	client, err := azeventhubs.NewConsumerClientFromConnectionString(o.ConnectionString, o.Hub, o.Group,
		&azeventhubs.ConsumerClientOptions{ApplicationID: "spate-eval", TLSConfig: o.TLS, RetryOptions: retries})
	if err != nil {
		return nil, fmt.Errorf("read hub %s: %w", o.Hub, err)
	}
	s := &Source{o: o, client: client}
	if err := s.measure(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// measure notes the bounds of all partitions.
func (s *Source) measure(ctx context.Context) error {
	hub, err := s.client.GetEventHubProperties(ctx, nil)
	if err != nil {
		switch text := err.Error(); { // the SDK has no type for them
		case strings.Contains(text, "status code 401"):
			err = fmt.Errorf("%w: %w", ErrUnauthorized, err)
		case strings.Contains(text, "status code 404"):
			err = fmt.Errorf("%w: %w", ErrNoHub, err)
		}
		return fmt.Errorf("read hub %s: %w", s.o.Hub, err)
	}
	s.made = hub.CreatedOn
	for _, id := range hub.PartitionIDs {
		p, err := s.client.GetPartitionProperties(ctx, id, nil)
		if err != nil {
			return fmt.Errorf("read hub %s partition %s: %w", s.o.Hub, id, err)
		}
		s.parts = append(s.parts, p)
	}
	return nil
}

// Close ends the connection.
func (s *Source) Close() error { return s.client.Close(context.Background()) }

// Partitions implements connector.Source.
func (s *Source) Partitions(context.Context) (int, error) { return len(s.parts), nil }

// OpenReader implements connector.Source. from must be connector.Oldest.
func (s *Source) OpenReader(ctx context.Context, partition int, from connector.Start) (connector.Reader, error) {
	if from.Mode != connector.Oldest {
		return nil, fmt.Errorf("read hub %s partition %d: a part of a hub is read from its beginning", s.o.Hub, partition)
	}
	p := &s.parts[partition]
	r := &reader{s: s, about: eventhub.NewAbout(s.o.Hub, s.made, partition), facts: from.Facts, partition: p.PartitionID, next: p.BeginningSequenceNumber, end: p.LastEnqueuedSequenceNumber + 1}
	if p.IsEmpty {
		r.end = r.next
	}
	start := azeventhubs.StartPosition{SequenceNumber: &r.first, Inclusive: true}
	w := &s.o.Range
	switch {
	case w.ByOffset:
		r.next = max(r.next, w.First)
		if !w.Open {
			r.end = min(r.end, w.Last+1)
		}
	default:
		r.until = w.To
		if from := wholeMillis(w.From); !w.From.IsZero() {
			if p.LastEnqueuedOn.Before(from) {
				r.end = r.next
			}
			start, r.ask = azeventhubs.StartPosition{EnqueuedTime: &from, Inclusive: true}, 1
		}
	}
	if r.next >= r.end {
		return r, nil
	}
	r.first = r.next
	var err error
	r.client, err = s.client.NewPartitionClient(p.PartitionID, &azeventhubs.PartitionClientOptions{StartPosition: start})
	if err != nil {
		return nil, fmt.Errorf("read hub %s partition %s: %w", s.o.Hub, p.PartitionID, err)
	}
	return r, nil
}

// wholeMillis rounds up: times are kept in milliseconds, and nothing between two of them
// is at t or later but the second.
func wholeMillis(t time.Time) time.Time {
	if whole := t.Truncate(time.Millisecond); whole.Before(t) {
		return whole.Add(time.Millisecond)
	}
	return t
}

// most is how many events one Read brings. The SDK keeps about as many ready.
const most = 300

// patience is how long nothing may come before the log is asked why.
const patience = 5 * time.Second

// reader reads one partition to end. Without a client there is nothing.
type reader struct {
	s         *Source
	about     *eventhub.About
	facts     []connector.Fact
	partition string
	client    *azeventhubs.PartitionClient
	first     int64     // sequence number that the client begins with
	next, end int64     // the same of what is to be read
	until     time.Time // events enqueued then or later do not count; zero: all do
	ask       int       // events of the next Read; 0: all that fit
}

// Read implements connector.Reader.
func (r *reader) Read(ctx context.Context, c *connector.Chunk, _ <-chan struct{}) error {
	c.Reset()
	for r.client != nil && r.next < r.end {
		events, err := r.receive(ctx)
		if err != nil {
			return err
		}
		for _, e := range events {
			at := e.EnqueuedTime
			if at == nil {
				return fmt.Errorf("read hub %s partition %s at %d: the event does not say when it was enqueued", r.s.o.Hub, r.partition, e.SequenceNumber)
			}
			if e.SequenceNumber >= r.end || !r.until.IsZero() && !at.Before(r.until) {
				r.next = r.end
				break
			}
			c.Starts = append(c.Starts, uint32(len(c.Data)))
			c.Data = appendBody(c.Data, e)
			c.Ends = append(c.Ends, uint32(len(c.Data)))
			c.Arrivals = append(c.Arrivals, column.TicksOfMillis(at.UnixMilli()))
			c.Offsets = append(c.Offsets, e.SequenceNumber)
			r.tell(c, e)
			r.next = e.SequenceNumber + 1
		}
		if c.Len() > 0 {
			break
		}
	}
	var slack [16]byte
	c.Data = append(c.Data, slack[:]...)
	if r.client == nil || r.next >= r.end {
		return io.EOF
	}
	return nil
}

// tell adds the facts of an event.
func (r *reader) tell(c *connector.Chunk, e *azeventhubs.ReceivedEventData) {
	if len(r.facts) == 0 {
		return
	}
	c.Tell(r.facts)
	r.about.Begin(e.SequenceNumber)
	if e.PartitionKey != nil {
		r.about.Key([]byte(*e.PartitionKey))
	}
	for name, v := range e.Properties {
		r.about.Property(name, valueOf(v))
	}
	for name, v := range e.SystemProperties {
		r.about.Annotation(name, valueOf(v))
	}
	if p := e.RawAMQPMessage.Properties; p != nil {
		r.about.IDs(valueOf(p.MessageID), valueOf(p.CorrelationID))
	}
	for k, fact := range r.facts {
		c.Facts[k] = append(c.Facts[k], r.about.Fact(fact))
	}
}

// valueOf is a value that the SDK has decoded. Some of its types have no name outside of it.
func valueOf(v any) column.Value {
	if v == nil {
		return column.Value{}
	}
	if at, ok := v.(time.Time); ok {
		return eventhub.ValueOf(amqp.Timestamp(at.UnixMilli()))
	}
	switch r := reflect.ValueOf(v); {
	case r.Kind() == reflect.String:
		return eventhub.ValueOf(r.String())
	case r.Kind() == reflect.Array && r.Len() == 16 && r.Type().Elem().Kind() == reflect.Uint8:
		var id amqp.UUID
		reflect.Copy(reflect.ValueOf(&id).Elem(), r)
		return eventhub.ValueOf(id)
	}
	return eventhub.ValueOf(v)
}

// receive brings the next events; none where events were removed.
func (r *reader) receive(ctx context.Context) ([]*azeventhubs.ReceivedEventData, error) {
	// The SDK waits for as many events as it is asked for: not for more than there are.
	ask := int(min(most, r.end-r.next))
	if r.ask > 0 {
		ask, r.ask = r.ask, 0
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	events, err := r.client.ReceiveEvents(limited, ask, nil)
	switch {
	case err == nil || len(events) > 0:
		return events, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil, r.wasTrimmed(ctx)
	}
	return nil, fmt.Errorf("read hub %s partition %s at %d: %w", r.s.o.Hub, r.partition, r.next, err)
}

// wasTrimmed finds out whether retention has removed what was to be read. If not, the
// instance is slow.
func (r *reader) wasTrimmed(ctx context.Context) error {
	p, err := r.s.client.GetPartitionProperties(ctx, r.partition, nil)
	if err != nil {
		return fmt.Errorf("read hub %s partition %s at %d: %w", r.s.o.Hub, r.partition, r.next, err)
	}
	r.next = max(r.next, p.BeginningSequenceNumber)
	return nil
}

// notData is the body of what no decoder of a job reads: values and sequences of AMQP.
var notData = []byte{0x00, 0x53, 0x77}

// appendBody appends what a job of the hub's process reads of an event.
func appendBody(dst []byte, e *azeventhubs.ReceivedEventData) []byte {
	body := &e.RawAMQPMessage.Body
	for _, d := range body.Data {
		dst = append(dst, d...)
	}
	switch v := body.Value.(type) {
	case string:
		return append(dst, v...)
	case []byte:
		return append(dst, v...)
	case nil:
		if len(body.Sequence) == 0 {
			return dst
		}
	}
	return append(dst, notData...)
}

// Close implements connector.Reader.
func (r *reader) Close() error {
	if r.client == nil {
		return nil
	}
	return r.client.Close(context.Background())
}
