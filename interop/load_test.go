package interop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

// sender is a client that sends until it is told to stop, and remembers of which
// events it knows that they are stored. What was not acknowledged is not sent
// again: its devices go on with new events.
type sender struct {
	name  string
	rnd   *rand.Rand
	send  func(ctx context.Context, bodies [][]byte) error
	n     int
	acked []string
	lost  int // sent, and no acknowledgement came
}

// run sends batches of different devices, a few hundred events a second.
func (s *sender) run(stop <-chan struct{}) {
	for {
		var ids []string
		var bodies [][]byte
		for range 1 + s.rnd.IntN(10) {
			id := fmt.Sprintf("%s-%d", s.name, s.n)
			ids = append(ids, id)
			bodies = append(bodies, s.event(id, s.n%40))
			s.n++
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := s.send(ctx, bodies)
		cancel()
		if err == nil {
			s.acked = append(s.acked, ids...)
		} else {
			s.lost += len(ids)
		}
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(s.rnd.IntN(20)) * time.Millisecond):
		}
	}
}

func (s *sender) event(id string, device int) []byte {
	number := func(from, to float64) string {
		return strconv.FormatFloat(from+s.rnd.Float64()*(to-from), 'f', s.rnd.IntN(3), 64)
	}
	return fmt.Appendf(nil, `{"DeviceId":"%s-device-%02d","Location":"Factory-%d","DeviceType":"HVAC","Temperature":%s,"Humidity":%s,"Pressure":%s,"BatteryLevel":%s,"SignalStrength":%s,"Timestamp":"%s","EventId":"%s"}`,
		s.name, device, device%3, number(10, 84), number(0, 100), number(950, 1050), number(0, 100), number(-100, -50),
		time.Now().UTC().Format("2006-01-02T15:04:05.000000"), id)
}

// senders are two AMQP clients and a Kafka client, each with devices of its own.
func (i *instance) senders(t testing.TB, rnd *rand.Rand) []*sender {
	var all []*sender
	for k := range 2 {
		s := &sender{name: "amqp" + strconv.Itoa(k), rnd: rand.New(rand.NewPCG(rnd.Uint64(), 0))}
		c := &amqpClient{connection: i.plain()}
		t.Cleanup(c.close)
		s.send = c.send
		all = append(all, s)
	}
	s := &sender{name: "kafka", rnd: rand.New(rand.NewPCG(rnd.Uint64(), 0))}
	c := i.kafka(t, kgo.RetryTimeout(3*time.Second), kgo.ProducerLinger(0))
	s.send = func(ctx context.Context, bodies [][]byte) error {
		p := int32(s.rnd.IntN(4))
		var batch []*kgo.Record
		for _, b := range bodies {
			batch = append(batch, &kgo.Record{Topic: telemetryHub, Partition: p, Value: b})
		}
		return c.ProduceSync(ctx, batch...).FirstErr()
	}
	return append(all, s)
}

// amqpClient sends a batch once: a client that repeated it by itself might store
// it twice, as the protocol has no sequence numbers.
type amqpClient struct {
	connection string
	client     *azeventhubs.ProducerClient
}

func (c *amqpClient) send(ctx context.Context, bodies [][]byte) (err error) {
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.client == nil {
		if c.client, err = azeventhubs.NewProducerClientFromConnectionString(c.connection, telemetryHub,
			&azeventhubs.ProducerClientOptions{RetryOptions: azeventhubs.RetryOptions{MaxRetries: -1}}); err != nil {
			return err
		}
	}
	b, err := c.client.NewEventDataBatch(ctx, nil)
	if err != nil {
		return err
	}
	for _, body := range bodies {
		if err := b.AddEventData(&azeventhubs.EventData{Body: body}, nil); err != nil {
			return err
		}
	}
	return c.client.SendEventDataBatch(ctx, b, nil)
}

func (c *amqpClient) close() {
	if c.client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.client.Close(ctx)
	c.client = nil
}

// load runs senders; the function it returns stops them and waits.
func load(senders []*sender) (stop func()) {
	ended := make(chan struct{})
	var wg sync.WaitGroup
	for _, s := range senders {
		wg.Go(func() { s.run(ended) })
	}
	return func() {
		close(ended)
		wg.Wait()
	}
}

// readEvents reads all events of a hub over AMQP, which tells when each arrived.
func (i *instance) readEvents(t testing.TB, hub string) [][]*kgo.Record {
	t.Helper()
	c := i.consumer(t, hub)
	defer c.Close(context.Background())
	ctx := patience(t)
	properties, err := c.GetEventHubProperties(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]*kgo.Record, len(properties.PartitionIDs))
	for p, id := range properties.PartitionIDs {
		at, err := c.GetPartitionProperties(ctx, id, nil)
		if err != nil {
			t.Fatal(err)
		}
		if at.IsEmpty {
			continue
		}
		pc, err := c.NewPartitionClient(id, &azeventhubs.PartitionClientOptions{StartPosition: azeventhubs.StartPosition{Earliest: ptr(true)}, Prefetch: 2000})
		if err != nil {
			t.Fatal(err)
		}
		for int64(len(out[p])) <= at.LastEnqueuedSequenceNumber {
			events, err := pc.ReceiveEvents(ctx, int(min(at.LastEnqueuedSequenceNumber+1-int64(len(out[p])), 500)), nil)
			if err != nil && (!errors.Is(err, context.DeadlineExceeded) || len(events) == 0) {
				t.Fatalf("reading partition %s of hub %s at %d: %v", id, hub, len(out[p]), err)
			}
			for _, e := range events {
				if e.SequenceNumber != int64(len(out[p])) {
					t.Fatalf("hub %s partition %s: sequence number %d at place %d", hub, id, e.SequenceNumber, len(out[p]))
				}
				out[p] = append(out[p], &kgo.Record{Topic: hub, Partition: int32(p), Offset: e.SequenceNumber, Timestamp: *e.EnqueuedTime, Value: e.Body})
			}
		}
		pc.Close(ctx)
	}
	return out
}
