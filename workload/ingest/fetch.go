package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"spate/internal/cputime"
)

// maxFetch is the largest part of a partition that an answer is asked to have. Clients
// read an answer of at most 100 MiB.
const maxFetch = 64 << 20

// fillBatch is how many events a batch of the log has that is read, if they are small.
const fillBatch = 1000

// fill writes what is read later: l.Events, the same number into each partition but for
// the last batches.
func fill(ctx context.Context, l *Load) error {
	const clients = 8
	w := *l
	w.Batch = max(1, min(fillBatch, 900_000/l.Size))
	bodies := payloads(l.Size)
	var next atomic.Int64
	var filling group
	for k := range clients {
		filling.run(func() error {
			s, err := DialKafka(ctx, &w, k)
			if err != nil {
				return err
			}
			for {
				from := int(next.Add(int64(w.Batch))) - w.Batch
				if from >= l.Events {
					return s.Close()
				}
				batch := make([][]byte, min(w.Batch, l.Events-from))
				for i := range batch {
					batch[i] = bodies[(from+i)%len(bodies)]
				}
				if err := s.Send(ctx, from/w.Batch, batch); err != nil {
					return errors.Join(fmt.Errorf("filling the log: %w", err), s.Close())
				}
			}
		})
	}
	return filling.wait()
}

// read has each reader read the whole log, again and again until the duration is over.
func read(ctx context.Context, l *Load) (*Result, error) {
	before, err := cputime.Used()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	end := began.Add(l.Duration)
	var events, bytes atomic.Int64
	var reading group
	for k := range l.Producers {
		reading.run(func() error {
			for {
				n, err := readOnce(ctx, l)
				if err != nil {
					return fmt.Errorf("reader %d: %w", k, err)
				}
				events.Add(int64(l.Events))
				bytes.Add(n)
				if !time.Now().Before(end) {
					return nil
				}
			}
		})
	}
	if err := reading.wait(); err != nil {
		return nil, err
	}
	after, err := cputime.Used()
	if err != nil {
		return nil, err
	}
	return &Result{Events: events.Load(), Bytes: bytes.Load(), Took: time.Since(began), CPU: after - before}, nil
}

// readOnce is one client that reads the log from its begin to its end.
func readOnce(ctx context.Context, l *Load) (bytes int64, err error) {
	client, err := kgo.NewClient(append(l.options(),
		kgo.ConsumeTopics(l.Hub),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxPartitionBytes(int32(l.FetchMax)),
		kgo.FetchMaxBytes(int32(max(50<<20, l.FetchMax))))...)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	for got := 0; got < l.Events; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return 0, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			got++
			bytes += int64(len(r.Value))
		})
		if got > l.Events {
			return 0, fmt.Errorf("%d events were read and %d written", got, l.Events)
		}
	}
	return bytes, nil
}
