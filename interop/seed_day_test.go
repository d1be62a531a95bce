package interop

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"spate"
	"spate/config"
	"spate/pipeline"
	"spate/simulator"
)

// TestSeedDay sends a day of the seed's events through the log, on a clock that
// runs as fast as they are accepted, and runs the seed's script over them. Its
// windows are minutes and it looks only at the time of arrival, so nothing less
// makes them close.
func TestSeedDay(t *testing.T) {
	if testing.Short() {
		t.Skip("a day of events takes half a minute")
	}
	query := seed(t, "telemetry-processing.asaql")
	i := newInstance(t, variant{Query: query})
	loaded, err := config.Load(config.Source{Path: i.file, Data: i.data})
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	var now atomic.Int64
	now.Store(day.UnixMilli())
	o := loaded.Options
	o.Clock = func() time.Time { return time.UnixMilli(now.Load()).UTC() }
	o.Log = slog.New(slog.NewTextHandler(i.log, nil))
	for k := range o.Hubs {
		o.Hubs[k].Acknowledge = pipeline.AckOS // the test is about time, not about the disk
	}
	pipe, err := spate.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- pipe.Run(ctx) }()
	end := func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := pipe.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	i.info.Addresses = map[string]string{"kafka": pipe.Endpoints().Kafka}
	i.info.ConnectionStrings = map[string]string{"emulator": pipe.Endpoints().ConnectionString}

	sendDay(t, i, day, &now)
	now.Add((30 * time.Minute).Milliseconds()) // nothing comes any more: the last windows close
	telemetry := i.readLog(t, telemetryHub)
	aggregates, alerts := evaluate(t, query, telemetry)
	ok := false
	for deadline := time.Now().Add(time.Minute); !ok && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		ok = i.number("SELECT COUNT(*) AS n FROM telemetry.aggregated_metrics") >= int64(len(aggregates)) && len(bodies(t, i.readLog(t, alertHub))) >= len(alerts)
	}
	got := bodies(t, i.readLog(t, alertHub))
	end()

	t.Logf("%d events make %d aggregates and %d alerts", len(bodies(t, telemetry)), len(aggregates), len(alerts))
	severities := make(map[string]int)
	for _, a := range alerts {
		severities[a["AlertType"].(string)+" "+a["Severity"].(string)]++
	}
	for _, kind := range []string{"TemperatureAnomaly Critical", "TemperatureAnomaly High", "TemperatureAnomaly Medium",
		"DeviceHealth Critical", "DeviceHealth High", "DeviceHealth Medium"} {
		if severities[kind] == 0 {
			t.Errorf("the day has no alert %s: %v", kind, severities)
		}
	}
	same(t, "alerts", canonicals(t, got), canonicals(t, alerts))
	rename(aggregates, map[string]string{"WindowEndTime": "WindowEnd"})
	rows := i.query("SELECT * FROM telemetry.aggregated_metrics")
	same(t, "aggregates", canonicals(t, rows, "WindowStart", "WindowEndDate"), canonicals(t, aggregates))
	if n := i.number("SELECT COUNT(*) AS n FROM telemetry.aggregated_metrics WHERE DATEDIFF(second, WindowStart, WindowEnd) <> 300 OR WindowStart IS NULL"); n != 0 {
		t.Errorf("%d aggregates whose window does not last five minutes", n)
	}
	if n := i.number("SELECT COUNT(*) AS n FROM telemetry.raw_telemetry"); n != int64(len(bodies(t, telemetry))) {
		t.Errorf("raw_telemetry has %d rows, the log %d events", n, len(bodies(t, telemetry)))
	}
}

// sendDay sends what twenty devices send in a day, every five seconds a batch to
// the next partition, as the seed's producer does. In the last hour one device
// after another overheats, and in the morning one is silent for a while.
func sendDay(t *testing.T, i *instance, day time.Time, now *atomic.Int64) {
	t.Helper()
	const step = 5 * time.Second
	fleet := func(s simulator.Scenario, from time.Time) *simulator.Fleet {
		f, err := simulator.New(simulator.Options{Scenario: s, Interval: step, Start: from})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first, last := day.Add(step), day.Add(24*time.Hour)
	hot := last.Add(-time.Hour)
	calm, heated := fleet(simulator.Seed, first), fleet(simulator.Overheating, hot)
	c := i.kafka(t, kgo.ProducerLinger(0))
	for at, n := first, 0; at.Before(last); at, n = at.Add(step), n+1 {
		now.Store(at.UnixMilli())
		f := calm
		if !at.Before(hot) {
			f = heated
		}
		var batch []*kgo.Record
		for _, e := range f.Step(at) {
			minutes := at.Sub(day).Minutes()
			if e.Device == "device-019" && minutes > 600 && minutes < 640 && n%50 != 0 {
				continue
			}
			batch = append(batch, &kgo.Record{Topic: telemetryHub, Partition: int32(n % 4), Value: bytes.Clone(e.Body), Timestamp: at,
				Headers: []kgo.RecordHeader{{Key: "DeviceType", Value: []byte(e.Type)}, {Key: "Location", Value: []byte(e.Location)}}})
		}
		if err := c.ProduceSync(context.Background(), batch...).FirstErr(); err != nil {
			t.Fatalf("sending the events of %s: %v", at, err)
		}
	}
}
