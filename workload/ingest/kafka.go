package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

type kafkaSender struct {
	client     *kgo.Client
	partitions int
	records    []kgo.Record
}

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

// options are those of every client of a target.
func (t *Target) options() []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(t.Address), kgo.ClientID("spate-bench")}
	if t.Connection != "" {
		opts = append(opts, kgo.SASL(plain.Auth{User: "$ConnectionString", Pass: t.Connection}.AsMechanism()))
	}
	return opts
}

// DialKafka is a franz-go client with its defaults: idempotent, acknowledged by all. A
// batch is one record batch of one partition, and the next goes to the next partition.
func DialKafka(_ context.Context, l *Load, _ int) (Sender, error) {
	codec, ok := codecs[l.Codec]
	if !ok {
		return nil, fmt.Errorf("there is no codec %q", l.Codec)
	}
	client, err := kgo.NewClient(append(l.options(),
		kgo.DefaultProduceTopic(l.Hub),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codec),
		kgo.ProducerBatchMaxBytes(max(1_000_000, int32(l.Size)+1024)),
		kgo.ManualFlushing(), // the client would send a first event alone
		kgo.MaxBufferedRecords(max(10_000, l.Batch)))...)
	if err != nil {
		return nil, err
	}
	return &kafkaSender{client: client, partitions: l.Partitions, records: make([]kgo.Record, l.Batch)}, nil
}

func (k *kafkaSender) Send(ctx context.Context, at int, bodies [][]byte) error {
	var answers sync.WaitGroup
	var first error // the client calls back one at a time
	answers.Add(len(bodies))
	for i, b := range bodies {
		k.records[i] = kgo.Record{Value: b, Partition: int32(at % k.partitions)}
		k.client.Produce(ctx, &k.records[i], func(_ *kgo.Record, err error) {
			if err != nil && first == nil {
				first = err
			}
			answers.Done()
		})
	}
	err := k.client.Flush(ctx)
	answers.Wait()
	return errors.Join(first, err)
}

func (k *kafkaSender) Close() error {
	k.client.Close()
	return nil
}
