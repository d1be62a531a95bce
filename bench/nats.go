package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"spate/internal/process"
	"spate/workload/ingest"
)

// The clients of NATS: one message after the other with all answers awaited at the end of
// the batch, or batches that are stored whole or not at all.
const (
	viaNATS   = "nats"
	viaAtomic = "nats-atomic"
)

// JetStream has no partitions: each is a stream.
func stream(partition int) string { return "events-" + strconv.Itoa(partition) }

// startNATS runs a server with a stream for each partition.
func startNATS(ctx context.Context, dir string, partitions int) (*process.Process, ingest.Target, error) {
	p, address, err := startServe(ctx, roleNATS, dir, partitions)
	if err != nil {
		return nil, ingest.Target{}, err
	}
	t := ingest.Target{Address: address, Hub: topic, Partitions: partitions}
	if err := makeStreams(ctx, &t); err != nil {
		return nil, ingest.Target{}, errors.Join(err, p.Stop())
	}
	return p, t, nil
}

func makeStreams(ctx context.Context, t *ingest.Target) error {
	c, js, err := connectNATS(t)
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range t.Partitions {
		if _, err := js.CreateStream(ctx, jetstream.StreamConfig{
			Name: stream(i), Subjects: []string{stream(i)}, Storage: jetstream.FileStorage, Replicas: 1, AllowAtomicPublish: true,
		}); err != nil {
			return fmt.Errorf("making stream %s: %w", stream(i), err)
		}
	}
	return nil
}

func connectNATS(t *ingest.Target) (*nats.Conn, jetstream.JetStream, error) {
	c, err := nats.Connect(t.Address, nats.Name("spate-bench"))
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(c)
	if err != nil {
		c.Close()
	}
	return c, js, err
}

func storedNATS(ctx context.Context, t *ingest.Target) (int64, error) {
	c, js, err := connectNATS(t)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	var sum int64
	for i := range t.Partitions {
		s, err := js.Stream(ctx, stream(i))
		if err != nil {
			return 0, err
		}
		sum += int64(s.CachedInfo().State.Msgs)
	}
	return sum, nil
}

type natsSender struct {
	conn       *nats.Conn
	js         jetstream.JetStream
	partitions int
	answers    []jetstream.PubAckFuture
}

func dialNATS(_ context.Context, l *ingest.Load, _ int) (ingest.Sender, error) {
	c, js, err := connectNATS(&l.Target)
	if err != nil {
		return nil, err
	}
	return &natsSender{conn: c, js: js, partitions: l.Partitions}, nil
}

func (n *natsSender) Send(ctx context.Context, at int, bodies [][]byte) error {
	n.answers = n.answers[:0]
	for _, b := range bodies {
		f, err := n.js.PublishAsync(stream(at%n.partitions), b)
		if err != nil {
			return err
		}
		n.answers = append(n.answers, f)
	}
	for _, f := range n.answers {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-f.Err():
			return err
		case <-f.Ok():
		}
	}
	return nil
}

func (n *natsSender) Close() error {
	n.conn.Close()
	return nil
}

// atomicSender sends batches as JetStream's headers for them say: an id, a number, and the
// last message commits. Source: NATS ADR-50.
type atomicSender struct {
	natsSender
	name string
}

// atomicBatch is the most messages that the server takes in one.
const atomicBatch = 1000

func dialAtomic(ctx context.Context, l *ingest.Load, k int) (ingest.Sender, error) {
	s, err := dialNATS(ctx, l, k)
	if err != nil {
		return nil, err
	}
	return &atomicSender{natsSender: *s.(*natsSender), name: strconv.Itoa(k)}, nil
}

func (a *atomicSender) Send(ctx context.Context, at int, bodies [][]byte) error {
	for len(bodies) > atomicBatch {
		if err := a.Send(ctx, at, bodies[:atomicBatch]); err != nil {
			return err
		}
		bodies = bodies[atomicBatch:]
	}
	id := a.name + "-" + strconv.Itoa(at) + "-" + strconv.Itoa(len(bodies))
	for i, b := range bodies {
		m := nats.NewMsg(stream(at % a.partitions))
		m.Data = b
		m.Header.Set("Nats-Batch-Id", id)
		m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i+1))
		if i < len(bodies)-1 {
			if err := a.conn.PublishMsg(m); err != nil {
				return err
			}
			continue
		}
		m.Header.Set("Nats-Batch-Commit", "1")
		if _, err := a.js.PublishMsg(ctx, m); err != nil {
			return err
		}
	}
	return nil
}
