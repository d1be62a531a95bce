package workload

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"spate"
	"spate/internal/process"
	"spate/pipeline"
	"spate/simulator"
)

const (
	telemetryHub = "device-telemetry"
	alertHub     = "telemetry-alerts"
	batchRecords = 1000
)

// benchPipeline is the pipeline of the last stage: one hub, the three
// statements, a table and an alerts hub.
func benchPipeline(dir string) pipeline.Options {
	column := func(name, kind string) pipeline.TableColumn { return pipeline.TableColumn{Name: name, Type: kind} }
	return pipeline.Options{
		Dir: dir, Name: "bench", Log: slog.New(slog.DiscardHandler),
		Listen: pipeline.Listen{Kafka: "127.0.0.1:0", AMQP: "127.0.0.1:0", KafkaAnonymous: true},
		Hubs:   []pipeline.Hub{{Name: telemetryHub, Partitions: 4}, {Name: alertHub, Partitions: 2}},
		Tables: []pipeline.Table{{
			Name: "metrics", Path: "delta/metrics",
			Columns: []pipeline.TableColumn{
				column("DeviceId", "string"), column("Location", "string"), column("DeviceType", "string"), column("EventCount", "long"),
				column("AvgTemperature", "double"), column("MinTemperature", "double"), column("MaxTemperature", "double"),
				column("AvgHumidity", "double"), column("AvgPressure", "double"), column("WindowEnd", "timestamp"),
			},
		}},
		Jobs: []pipeline.Job{{
			Name: "seed3", Script: seed3Script,
			Inputs:  []pipeline.Input{{Alias: telemetryHub, Hub: telemetryHub}},
			Outputs: []pipeline.Output{{Alias: "metrics", Table: "metrics"}, {Alias: "alerts", Hub: alertHub}},
		}},
	}
}

func measurePipeline(ctx context.Context, r *Report, ev *events, o Seed3Options, dir string) error {
	debug.FreeOSMemory() // what the stages before have left behind is not this one's
	begun := time.Now()
	p, err := spate.Open(ctx, benchPipeline(dir))
	if err != nil {
		return err
	}
	defer p.Close()
	r.Figures = append(r.Figures, Figure{Name: "start", Unit: "ms", Value: float64(time.Since(begun).Microseconds()) / 1000, Budget: 300})
	inner, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(inner) }()

	before, from := used(), time.Now()
	peak := watchMemory()
	var sent int64
	if o.Via == "amqp" {
		sent, err = floodAMQP(ctx, p.Endpoints(), ev, o)
	} else {
		sent, err = floodKafka(ctx, p.Endpoints().Kafka, ev, o)
	}
	if err != nil {
		return err
	}
	acked := time.Since(from)
	for p.Status().Jobs[0].EventsIn < sent {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s := p.Status().Jobs[0]; s.State == "Failed" {
			return fmt.Errorf("running the pipeline: the job failed: %s", s.Error)
		}
		time.Sleep(time.Millisecond)
	}
	status := p.Status()
	r.Figures = append(r.Figures, Figure{Name: "rss", Unit: "MiB", Value: peak(), Budget: 256})
	stop()
	if err := <-ended; err != nil {
		return fmt.Errorf("running the pipeline: %w", err)
	}
	whole := time.Since(from)
	u := used().since(before)
	r.Conditions.Events, r.Conditions.Bytes = int(sent), sent*int64(len(ev.data)/len(ev.starts))
	r.Counters["pipeline.sent"], r.Counters["pipeline.rows"] = sent, status.RowsOut
	r.Figures = append(r.Figures,
		Figure{Name: acknowledged(o.Via), Unit: "events/s", Value: float64(sent) / acked.Seconds(), Budget: budgetOf(o.Via)},
		Figure{Name: "pipeline", Unit: "events/s", Value: float64(sent) / whole.Seconds(), AllocsPerEvent: float64(u.allocs) / float64(sent), Budget: 500_000},
		Figure{Name: "pipeline-cpu", Unit: "ns/event", Value: float64(u.cpu) / float64(sent)},
	)
	return nil
}

// acknowledged names the figure of what a socket acknowledges.
func acknowledged(via string) string {
	if via == "amqp" {
		return "amqp"
	}
	return "kafka"
}

// measureAMQP measures what the Event Hubs SDK gets acknowledged, with the job
// running behind it.
func measureAMQP(ctx context.Context, r *Report, ev *events, o Seed3Options, dir string) error {
	p, err := spate.Open(ctx, benchPipeline(dir))
	if err != nil {
		return err
	}
	defer p.Close()
	inner, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(inner) }()
	from := time.Now()
	sent, err := floodAMQP(ctx, p.Endpoints(), ev, o)
	if err != nil {
		return err
	}
	took := time.Since(from)
	stop()
	if err := <-ended; err != nil {
		return fmt.Errorf("running the pipeline behind AMQP: %w", err)
	}
	r.Counters["amqp.sent"] = sent
	r.Figures = append(r.Figures, Figure{Name: "amqp", Unit: "events/s", Value: float64(sent) / took.Seconds(), Budget: budgetOf("amqp")})
	return nil
}

// watchMemory looks at the resident memory of the process ten times a second;
// the function it returns ends that and gives the largest.
func watchMemory() func() float64 {
	stop, result := make(chan struct{}), make(chan float64)
	go func() {
		most := resident()
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				most = max(most, resident())
			case <-stop:
				result <- most
				return
			}
		}
	}()
	return func() float64 {
		close(stop)
		return <-result
	}
}

func budgetOf(via string) float64 {
	if via == "amqp" {
		return 100_000
	}
	return 500_000
}

// resident is the resident memory of this process, load generator included.
func resident() float64 {
	mib, err := process.Memory("self", "VmRSS")
	if err != nil {
		return 0
	}
	return mib
}

// floodKafka sends prepared record batches from several connections until the
// duration is over. It returns how many events were acknowledged.
func floodKafka(ctx context.Context, addr string, ev *events, o Seed3Options) (int64, error) {
	batches := recordBatches(ev)
	var sent atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, o.Producers)
	end := time.Now().Add(o.Duration)
	for k := range o.Producers {
		wg.Go(func() {
			if err := produce(ctx, addr, batches, int32(k%4), k, end, &sent); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return 0, err
	default:
		return sent.Load(), nil
	}
}

func produce(ctx context.Context, addr string, batches [][]byte, partition int32, at int, end time.Time, sent *atomic.Int64) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.MaxVersions(kversion.V3_0_0()))
	if err != nil {
		return fmt.Errorf("connecting to %s: %w", addr, err)
	}
	defer cl.Close()
	for time.Now().Before(end) {
		batch := batches[at%len(batches)]
		at++
		req := kmsg.NewPtrProduceRequest()
		req.Acks, req.TimeoutMillis = -1, 10_000
		t := kmsg.NewProduceRequestTopic()
		t.Topic = telemetryHub
		tp := kmsg.NewProduceRequestTopicPartition()
		tp.Partition, tp.Records = partition, batch
		t.Partitions = append(t.Partitions, tp)
		req.Topics = append(req.Topics, t)
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return fmt.Errorf("producing to %s: %w", telemetryHub, err)
		}
		if err := kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode); err != nil {
			return fmt.Errorf("producing to %s: %w", telemetryHub, err)
		}
		sent.Add(int64(binary.BigEndian.Uint32(batch[57:])))
	}
	return nil
}

// recordBatches encodes the events as Kafka record batches.
func recordBatches(ev *events) [][]byte {
	var out [][]byte
	for from := 0; from < len(ev.starts); from += batchRecords {
		to := min(from+batchRecords, len(ev.starts))
		b := make([]byte, 61)
		for i := from; i < to; i++ {
			body := ev.data[ev.starts[i]:ev.ends[i]]
			rec := []byte{0}
			rec = binary.AppendVarint(rec, 0)
			rec = binary.AppendVarint(rec, int64(i-from))
			rec = binary.AppendVarint(rec, -1)
			rec = binary.AppendVarint(rec, int64(len(body)))
			rec = append(rec, body...)
			rec = binary.AppendVarint(rec, 0)
			b = binary.AppendVarint(b, int64(len(rec)))
			b = append(b, rec...)
		}
		now := uint64(time.Now().UnixMilli())
		binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
		b[16] = 2
		binary.BigEndian.PutUint32(b[23:], uint32(to-from-1))
		binary.BigEndian.PutUint64(b[27:], now)
		binary.BigEndian.PutUint64(b[35:], now)
		for i := 43; i < 57; i++ { // no producer
			b[i] = 0xff
		}
		binary.BigEndian.PutUint32(b[57:], uint32(to-from))
		binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
		out = append(out, b)
	}
	return out
}

// floodAMQP sends with the Event Hubs SDK.
func floodAMQP(ctx context.Context, e spate.Endpoints, ev *events, o Seed3Options) (int64, error) {
	var sent atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, o.Producers)
	end := time.Now().Add(o.Duration)
	for k := range o.Producers {
		wg.Go(func() {
			t, err := simulator.NewAMQP(ctx, simulator.Connection{String: e.ConnectionString, Hub: telemetryHub})
			if err != nil {
				errs <- err
				return
			}
			defer t.Close()
			batch := make([]simulator.Event, batchRecords)
			for at := k; time.Now().Before(end); at++ {
				for i := range batch {
					m := (at*batchRecords + i) % len(ev.starts)
					batch[i] = simulator.Event{Body: ev.data[ev.starts[m]:ev.ends[m]]}
				}
				n, err := t.Send(ctx, batch)
				if err != nil && !errors.Is(err, context.Canceled) {
					errs <- err
					return
				}
				sent.Add(int64(n))
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return 0, err
	default:
		return sent.Load(), nil
	}
}
