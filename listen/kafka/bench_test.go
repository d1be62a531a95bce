package kafka_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"spate/internal/cputime"
	"spate/listen/kafka"
	"spate/simulator"
)

// cpuSeconds is what this process has used.
func cpuSeconds(b *testing.B) float64 {
	used, err := cputime.Used()
	if err != nil {
		b.Fatal(err)
	}
	return used.Seconds()
}

// BenchmarkProduce is one kgo client on loopback, every event acknowledged after
// its sync. The client's share of the CPU time is part of the figures.
func BenchmarkProduce(b *testing.B) {
	const n = 200_000
	in := open(b, kafka.Options{})
	events := simulator.Payloads(n, 1)
	c, err := kgo.NewClient(kgo.SeedBrokers(in.addr), kgo.DefaultProduceTopic(topicName), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(50_000), kgo.ProducerLinger(2*time.Millisecond), kgo.RecordPartitioner(kgo.StickyPartitioner()))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	records := make([]kgo.Record, n)
	before := cpuSeconds(b)
	for b.Loop() {
		var wg sync.WaitGroup
		var failed atomic.Int64
		wg.Add(n)
		done := func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Add(1)
			}
			wg.Done()
		}
		for i := range n {
			records[i] = kgo.Record{Value: events.At(i)}
			c.Produce(context.Background(), &records[i], done)
		}
		wg.Wait()
		if failed.Load() > 0 {
			b.Fatalf("%d events refused", failed.Load())
		}
	}
	report(b, n, before)
	checkStored(b, in, n)
}

// checkStored makes sure that what was acknowledged is there.
func checkStored(b *testing.B, in *instance, events int) {
	b.Helper()
	var got int64
	for i := range 4 {
		got += in.partition(b, i).Bounds().Next
	}
	if want := int64(events) * int64(b.N); got != want {
		b.Errorf("%d events stored, %d acknowledged", got, want)
	}
}

func report(b *testing.B, events int, before float64) {
	total := float64(b.N) * float64(events)
	b.ReportMetric(total/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric((cpuSeconds(b)-before)/total*1e6, "cpu-s/Mevent")
}

// BenchmarkProduceRaw sends requests encoded beforehand, 1000 events a batch, so
// that nearly all of the CPU time is the server's.
func BenchmarkProduceRaw(b *testing.B) {
	const n, perBatch, inFlight = 200_000, 1000, 16
	in := open(b, kafka.Options{})
	events := simulator.Payloads(n, 1)
	var requests [][]byte
	for i := 0; i < n; i += perBatch {
		raw := produceRequest(9, in, int32(i/perBatch%4), encode(events, i, perBatch))
		requests = append(requests, kmsg.NewRequestFormatter().AppendRequest(nil, raw, int32(i)))
	}
	nc, err := net.Dial("tcp", in.addr)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	before := cpuSeconds(b)
	b.ReportAllocs()
	for b.Loop() {
		credit := make(chan struct{}, inFlight)
		done := make(chan struct{})
		go func() {
			defer close(done)
			c := &rawConn{t: b, nc: nc}
			for range requests {
				if _, err := c.frame(); err != nil {
					b.Error(err)
					return
				}
				<-credit
			}
		}()
		for _, r := range requests {
			credit <- struct{}{}
			if _, err := nc.Write(r); err != nil {
				b.Fatal(err)
			}
		}
		<-done
	}
	report(b, n, before)
	checkStored(b, in, n)
}

func encode(events *simulator.Encoded, from, n int) []byte {
	var records []byte
	for i := range n {
		r := kmsg.NewRecord()
		r.OffsetDelta, r.Value = int32(i), events.At(from+i)
		body := r.AppendTo(nil)
		r.Length = int32(len(body) - 1)
		records = r.AppendTo(records)
	}
	h := kmsg.NewRecordBatch()
	h.Magic, h.LastOffsetDelta, h.NumRecords, h.Records = 2, int32(n-1), int32(n), records
	h.PartitionLeaderEpoch, h.ProducerID, h.ProducerEpoch, h.FirstSequence = -1, -1, -1, -1
	h.Length = int32(49 + len(records))
	raw := h.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

// BenchmarkFetchRaw reads stored batches without decoding them, so many at a time.
func BenchmarkFetchRaw(b *testing.B) {
	for _, mib := range []int32{1, 2, 4, 8} {
		b.Run(fmt.Sprintf("%dMiB", mib), func(b *testing.B) { fetchRaw(b, mib<<20) })
	}
}

func fetchRaw(b *testing.B, most int32) {
	const n, perBatch = 100_000, 1000
	in := open(b, kafka.Options{})
	events := simulator.Payloads(n, 1)
	c := dial(b, in)
	for i := 0; i < n; i += perBatch {
		c.roundTrip(produceRequest(9, in, 0, encode(events, i, perBatch)))
	}
	c.nc.SetDeadline(time.Time{})
	before := cpuSeconds(b)
	b.ReportAllocs()
	for b.Loop() {
		for at := int64(0); at < n; {
			req := fetchRequest(12, in, 0, at)
			req.MaxBytes, req.Topics[0].Partitions[0].PartitionMaxBytes = 64<<20, most
			c.send(req, 1)
			frame, err := c.frame()
			if err != nil {
				b.Fatal(err)
			}
			resp := &kmsg.FetchResponse{Version: 12}
			if err := resp.ReadFrom(frame[5:]); err != nil {
				b.Fatal(err)
			}
			for raw := resp.Topics[0].Partitions[0].RecordBatches; len(raw) > 0; {
				at += int64(binary.BigEndian.Uint32(raw[57:]))
				raw = raw[12+binary.BigEndian.Uint32(raw[8:]):]
			}
		}
	}
	report(b, n, before)
}
