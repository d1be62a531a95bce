package amqp_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

// benchBody is about 270 bytes of telemetry.
func benchBody(n int) []byte {
	return fmt.Appendf(nil, `{"DeviceId":"device-%04d","Location":"Factory-A","DeviceType":"Environmental","Temperature":%d.25,"Humidity":61.4,"Pressure":1013.2,"BatteryLevel":98.7,"SignalStrength":-61.9,"Timestamp":"2026-11-27T12:00:00.%06d","EventId":"device-%04d-1795780800.%06d","Note":"steady"}`, n%2000, 20+n%10, n, n%2000, n)
}

// BenchmarkSend sends batches of 1,000 events from eight senders at once; each
// batch is acknowledged when it is durable. The client is part of the figure.
func BenchmarkSend(b *testing.B) {
	w := newWorld(b, nil)
	p := w.producer(b)
	const perBatch, senders = 1000, 8
	ctx := context.Background()
	b.SetBytes(int64(len(benchBody(0))))
	b.ResetTimer()
	var wg sync.WaitGroup
	jobs := make(chan int)
	for s := range senders {
		wg.Go(func() {
			for n := range jobs {
				batch, err := p.NewEventDataBatch(ctx, &azeventhubs.EventDataBatchOptions{PartitionID: ptr(fmt.Sprint(s % 4))})
				if err != nil {
					b.Error(err)
					return
				}
				for i := range n {
					if err := batch.AddEventData(&azeventhubs.EventData{Body: benchBody(i)}, nil); err != nil {
						b.Error(err)
						return
					}
				}
				if err := p.SendEventDataBatch(ctx, batch, nil); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	for left := b.N; left > 0; left -= perBatch {
		jobs <- min(left, perBatch)
	}
	close(jobs)
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkReceive reads four partitions at once with the SDK's prefetch at its
// highest.
func BenchmarkReceive(b *testing.B) {
	w := newWorld(b, nil)
	p := w.producer(b)
	b.SetBytes(int64(len(benchBody(0))))
	for i := 0; i < b.N; {
		n := min(1000, b.N-i)
		events := make([]*azeventhubs.EventData, n)
		for k := range events {
			events[k] = &azeventhubs.EventData{Body: benchBody(k)}
		}
		send(b, p, &azeventhubs.EventDataBatchOptions{PartitionID: ptr(fmt.Sprint(i / 1000 % 4))}, events...)
		i += n
	}
	c := w.consumer(b, azeventhubs.DefaultConsumerGroup)
	b.ResetTimer()
	var wg sync.WaitGroup
	for part := range 4 {
		want := int(w.hub.Partition(part).Bounds().Next)
		if want == 0 {
			continue
		}
		pc, err := c.NewPartitionClient(fmt.Sprint(part), &azeventhubs.PartitionClientOptions{StartPosition: azeventhubs.StartPosition{Earliest: ptr(true)}, Prefetch: 5000})
		if err != nil {
			b.Fatal(err)
		}
		defer pc.Close(context.Background())
		wg.Go(func() {
			for got := 0; got < want; {
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				events, err := pc.ReceiveEvents(ctx, min(1000, want-got), nil)
				cancel()
				if err != nil {
					b.Error(err)
					return
				}
				got += len(events)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
