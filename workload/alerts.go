package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"spate"
	"spate/pipeline"
)

// AlertsOptions say how alerts are measured.
type AlertsOptions struct {
	Devices  int           // default 1000
	Duration time.Duration // of each load, about; default 5s
	Dir      string        // default a temporary folder
	Log      io.Writer     // progress; may be nil
}

// alertsScript compares each event with the one before of its device.
const alertsScript = `
SELECT DeviceId, SentAt, Temperature, LAG(Temperature) OVER (PARTITION BY DeviceId LIMIT DURATION(minute, 5)) AS Before
INTO alerts
FROM [device-telemetry]
WHERE Temperature > 90 AND LAG(Temperature) OVER (PARTITION BY DeviceId LIMIT DURATION(minute, 5)) <= 90`

// alertLoad is what a producer sends.
type alertLoad struct {
	name   string
	rate   int           // events per second
	tick   time.Duration // events that fall due go out together
	every  int           // event of a device is an alert
	only   int           // the partition that gets them; -1: all, by device
	budget float64       // ms, of the 99th percentile
}

var alertLoads = []alertLoad{
	{"busy", 50_000, 2 * time.Millisecond, 100, -1, 20},
	{"sparse", 487, time.Millisecond, 3, 1, 20}, // three of the four partitions are silent
}

// Alerts measures how long it takes from an event that a Kafka client hands over to the
// alert of it that another client has read: through the log, a job whose rows are shown
// at once, and the log again. The clients run in this process, on the same cores.
func Alerts(ctx context.Context, o AlertsOptions) (*Report, error) {
	if o.Devices == 0 {
		o.Devices = 1000
	}
	if o.Duration == 0 {
		o.Duration = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	dir, err := os.MkdirTemp(o.Dir, "spate-bench-")
	if err != nil {
		return nil, fmt.Errorf("measuring alerts: %w", err)
	}
	defer os.RemoveAll(dir)
	r := &Report{Workload: "alerts", Conditions: conditions(dir), Counters: make(map[string]int64)}
	r.Conditions.Devices = o.Devices
	for _, l := range alertLoads {
		fmt.Fprintln(o.Log, l.name)
		if err := measureAlerts(ctx, r, l, o, fmt.Sprintf("%s/%s", dir, l.name)); err != nil {
			return nil, fmt.Errorf("measuring alerts, %s: %w", l.name, err)
		}
	}
	r.Conditions.LoadAfter = load()
	return r, nil
}

func measureAlerts(ctx context.Context, r *Report, l alertLoad, o AlertsOptions, dir string) error {
	p, err := spate.Open(ctx, pipeline.Options{
		Dir: dir, Name: "bench", Log: slog.New(slog.DiscardHandler),
		Listen: pipeline.Listen{Kafka: "127.0.0.1:0", KafkaAnonymous: true},
		Hubs:   []pipeline.Hub{{Name: telemetryHub, Partitions: 4}, {Name: alertHub, Partitions: 2}},
		Jobs: []pipeline.Job{{
			Name: "alerts", Script: alertsScript,
			Outputs: []pipeline.Output{{Alias: "alerts", Hub: alertHub, PartitionKey: "DeviceId", Immediate: true}},
		}},
	})
	if err != nil {
		return err
	}
	defer p.Close()
	inner, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(inner) }()

	var due atomic.Int64 // alerts that the producer has caused
	all := make(chan struct{})
	var late []time.Duration
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() { late, failed = readAlerts(inner, p.Endpoints().Kafka, &due, all) })
	from, before := time.Now(), used()
	sent, err := sendAlerts(ctx, p.Endpoints().Kafka, l, o, &due)
	close(all)
	took := time.Since(from)
	if err != nil {
		stop()
		wg.Wait()
		return err
	}
	wg.Wait()
	cpu := used().since(before).cpu
	stop()
	if err := <-ended; err != nil {
		return fmt.Errorf("running the pipeline: %w", err)
	}
	if failed != nil {
		return failed
	}
	slices.Sort(late)
	at := func(share float64) float64 {
		return float64(late[min(int(share*float64(len(late))), len(late)-1)].Microseconds()) / 1000
	}
	r.Counters[l.name+".sent"], r.Counters[l.name+".alerts"] = sent, int64(len(late))
	r.Conditions.Events += int(sent)
	r.add(l.name+".rate", "events/s", float64(sent)/took.Seconds(), float64(l.rate)*0.95)
	r.add(l.name+".p50", "ms", at(0.5), 0)
	r.add(l.name+".p99", "ms", at(0.99), l.budget)
	r.add(l.name+".max", "ms", at(1), 0)
	r.add(l.name+".cpu", "ns/event", float64(cpu)/float64(sent), 0)
	return nil
}

// sendAlerts sends at the rate of the load until the duration is over. Some events are
// hot, which those before them are not: alerts.
func sendAlerts(ctx context.Context, addr string, l alertLoad, o AlertsOptions, due *atomic.Int64) (int64, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic(telemetryHub), kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return 0, fmt.Errorf("connecting to %s: %w", addr, err)
	}
	defer cl.Close()
	var failed atomic.Pointer[error]
	devices := min(o.Devices, max(l.rate/8, 1)) // each sends several times
	sent := int64(0)
	tick := time.NewTicker(l.tick)
	defer tick.Stop()
	for from := time.Now(); time.Since(from) < o.Duration && failed.Load() == nil; {
		select {
		case <-ctx.Done():
			return sent, ctx.Err()
		case <-tick.C:
		}
		for ; sent < int64(time.Since(from).Seconds()*float64(l.rate)); sent++ {
			device := int(sent) % devices
			temperature := 20
			if (int(sent)/devices+device)%l.every == l.every-1 && int(sent) >= devices {
				temperature = 95
				due.Add(1)
			}
			part := device % 4
			if l.only >= 0 {
				part = l.only
			}
			cl.Produce(ctx, &kgo.Record{Partition: int32(part),
				Value: fmt.Appendf(nil, `{"DeviceId":"device-%05d","Temperature":%d,"Humidity":40.5,"Pressure":1013.2,"Location":"hall-%d","SentAt":%d}`,
					device, temperature, device%8, time.Now().UnixMicro())},
				func(_ *kgo.Record, err error) {
					if err != nil {
						failed.CompareAndSwap(nil, &err)
					}
				})
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return sent, fmt.Errorf("producing to %s: %w", telemetryHub, err)
	}
	if err := failed.Load(); err != nil {
		return sent, fmt.Errorf("producing to %s: %w", telemetryHub, *err)
	}
	return sent, nil
}

// readAlerts reads alerts until all that are due have come, and says how old each was.
func readAlerts(ctx context.Context, addr string, due *atomic.Int64, all <-chan struct{}) ([]time.Duration, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(alertHub), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMinBytes(1))
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", addr, err)
	}
	defer cl.Close()
	var late []time.Duration
	end := time.Time{}
	for {
		poll, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		fetches := cl.PollFetches(poll)
		cancel()
		now := time.Now()
		for _, e := range fetches.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) {
				return nil, fmt.Errorf("reading %s: %w", alertHub, e.Err)
			}
		}
		var bad error
		fetches.EachRecord(func(rec *kgo.Record) {
			var alert struct{ SentAt int64 }
			if err := json.Unmarshal(rec.Value, &alert); err != nil {
				bad = fmt.Errorf("reading %s: %w", alertHub, err)
			}
			late = append(late, now.Sub(time.UnixMicro(alert.SentAt)))
		})
		if bad != nil {
			return nil, bad
		}
		select {
		case <-all:
			if end.IsZero() {
				end = now.Add(10 * time.Second)
			}
			switch {
			case int64(len(late)) >= due.Load() && len(late) > 0:
				return late, nil
			case now.After(end):
				return nil, fmt.Errorf("%d alerts have come, want %d", len(late), due.Load())
			}
		default:
		}
	}
}
