package eventlog

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

const benchBody = 250

func benchLog(b *testing.B, policy Policy) *Partition {
	clock := newFakeClock()
	o := testOptions(filepath.Join(b.TempDir(), "hub"), clock)
	return create(b, o, Settings{Policy: policy}, 1).Partition(0)
}

func benchEvents(n int) []Event {
	list := make([]Event, n)
	for i := range list {
		list[i] = Event{Key: []byte("device-001"), Body: []byte(strings.Repeat("x", benchBody))}
	}
	return list
}

// Appends of 100 events from one sender that keeps 64 in flight.
func benchAppend(b *testing.B, policy Policy) {
	p := benchLog(b, policy)
	events := benchEvents(100)
	flight := make(chan *Ticket, 64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for tk := range flight {
			<-tk.Done()
			if tk.Err() != nil {
				b.Error(tk.Err())
			}
		}
	}()
	b.SetBytes(100 * benchBody)
	b.ReportAllocs()
	for b.Loop() {
		flight <- p.Append(AMQP, events)
	}
	close(flight)
	<-done
	b.ReportMetric(float64(b.N)*100/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkAppendSync(b *testing.B) { benchAppend(b, Sync) }
func BenchmarkAppendOS(b *testing.B)   { benchAppend(b, OS) }

// 100 senders that each wait for their batch of 20 events before the next.
func BenchmarkAppendSerialSenders(b *testing.B) {
	p := benchLog(b, Sync)
	events := benchEvents(20)
	b.SetParallelism(50)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			tk := p.Append(AMQP, events)
			<-tk.Done()
			if tk.Err() != nil {
				b.Error(tk.Err())
			}
		}
	})
	b.ReportMetric(float64(b.N)*20/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkAppendKafkaBatchOS(b *testing.B) {
	p := benchLog(b, OS)
	batch := appendEvents(nil, benchEvents(1000), testTime, -1, -1, -1)[entryHead:]
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	var tk *Ticket
	for b.Loop() {
		tk = p.AppendBatch(batch)
	}
	<-tk.Done()
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkRead(b *testing.B) {
	p := benchLog(b, OS)
	events := benchEvents(1000)
	var tk *Ticket
	for range 100 {
		tk = p.Append(AMQP, events)
	}
	<-tk.Done()
	var c Chunk
	var starts, ends []uint32
	var offsets []int64
	b.SetBytes(100_000 * benchBody)
	b.ReportAllocs()
	for b.Loop() {
		for from := int64(0); from < 100_000; {
			if err := p.Read(context.Background(), from, 1<<20, &c, nil); err != nil {
				b.Fatal(err)
			}
			starts, ends, offsets = starts[:0], ends[:0], offsets[:0]
			for i := range c.Batches {
				starts, ends, offsets, _ = c.AppendValues(i, from, starts, ends, offsets)
			}
			from = c.Batches[len(c.Batches)-1].Next()
		}
	}
	b.ReportMetric(float64(b.N)*100_000/b.Elapsed().Seconds(), "events/s")
}
