package interop

import (
	"context"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// patience bounds what a client may take.
func patience(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func ptr[T any](v T) *T { return &v }

// kafka is a kgo client that authenticates as Event Hubs wants it.
func (i *instance) kafka(t testing.TB, o ...kgo.Opt) *kgo.Client {
	t.Helper()
	return i.kafkaAs(t, i.plain(), o...)
}

// kafkaAs is kafka with another connection string.
func (i *instance) kafkaAs(t testing.TB, connection string, o ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(i.info.Addresses["kafka"]),
		kgo.SASL(plain.Auth{User: "$ConnectionString", Pass: connection}.AsMechanism()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	}, o...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// log reads all events of a hub over Kafka: per partition in order.
func (i *instance) readLog(t testing.TB, hub string) [][]*kgo.Record {
	t.Helper()
	ctx := patience(t)
	c := i.kafka(t, kgo.ConsumeTopics(hub), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(ctx, hub)
	if err != nil {
		t.Fatal(err)
	}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		left += o.Offset
	})
	records := make([][]*kgo.Record, len(ends[hub]))
	for left > 0 {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("reading hub %s, %d records before its end: %v", hub, left, err)
		}
		fetches.EachError(func(_ string, p int32, err error) { t.Fatalf("reading partition %d of hub %s: %v", p, hub, err) })
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset < ends[hub][r.Partition].Offset {
				records[r.Partition] = append(records[r.Partition], r)
				left--
			}
		})
	}
	for p, rs := range records {
		for k, r := range rs {
			if r.Offset != int64(k) {
				t.Fatalf("hub %s partition %d: offset %d at place %d", hub, p, r.Offset, k)
			}
		}
	}
	return records
}

func (i *instance) producer(t testing.TB, hub string) *azeventhubs.ProducerClient {
	t.Helper()
	p, err := azeventhubs.NewProducerClientFromConnectionString(i.plain(), hub, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background()) })
	return p
}

func (i *instance) consumer(t testing.TB, hub string) *azeventhubs.ConsumerClient {
	t.Helper()
	c, err := azeventhubs.NewConsumerClientFromConnectionString(i.plain(), hub, azeventhubs.DefaultConsumerGroup, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func send(t testing.TB, p *azeventhubs.ProducerClient, o *azeventhubs.EventDataBatchOptions, events ...*azeventhubs.EventData) {
	t.Helper()
	ctx := patience(t)
	b, err := p.NewEventDataBatch(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if err := b.AddEventData(e, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.SendEventDataBatch(ctx, b, nil); err != nil {
		t.Fatal(err)
	}
}

// receive reads n events of a partition.
func receive(t testing.TB, c *azeventhubs.ConsumerClient, partition string, at azeventhubs.StartPosition, n int) []*azeventhubs.ReceivedEventData {
	t.Helper()
	pc, err := c.NewPartitionClient(partition, &azeventhubs.PartitionClientOptions{StartPosition: at})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close(context.Background())
	events, err := pc.ReceiveEvents(patience(t), n, nil)
	if err != nil {
		t.Fatalf("receiving %d events of partition %s: got %d, %v", n, partition, len(events), err)
	}
	return events
}
