package workload

import (
	"context"
	_ "embed"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/metric"
	"spate/simulator"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/stream"
	"spate/stream/exec"
)

//go:embed seed3.asaql
var seed3Script string

// Seed3Options say how seed3 is run.
type Seed3Options struct {
	Devices   int           // default 1000
	Duration  time.Duration // of each stage, about; default 5s
	Producers int           // connections of the load generator; default 4
	Dir       string        // for the data of the pipeline stage; default a temporary folder
	Via       string        // kafka or amqp: the socket of the pipeline stage; default kafka
	Log       io.Writer     // progress, one line per stage; may be nil
}

func (o Seed3Options) withDefaults() Seed3Options {
	if o.Devices == 0 {
		o.Devices = 1000
	}
	if o.Duration == 0 {
		o.Duration = 5 * time.Second
	}
	if o.Producers == 0 {
		o.Producers = 4
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o
}

// Seed3 measures the stages of the telemetry job: decoding, decoding and the
// three statements, and the whole way from a socket to committed tables and
// alerts.
func Seed3(ctx context.Context, o Seed3Options) (*Report, error) {
	o = o.withDefaults()
	dir := o.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "spate-bench-"); err != nil {
			return nil, fmt.Errorf("making a folder for the benchmark: %w", err)
		}
		defer os.RemoveAll(dir)
	}
	r := &Report{Workload: "seed3", Conditions: conditions(dir), Counters: make(map[string]int64)}
	ev, err := generate(o.Devices)
	if err != nil {
		return nil, err
	}
	r.Conditions.Devices = o.Devices
	fmt.Fprintln(o.Log, "decode")
	r.Figures = append(r.Figures, measureDecode(ev, o.Duration))
	fmt.Fprintln(o.Log, "decode+statements")
	if err := measureStatements(ctx, r, ev, o); err != nil {
		return nil, err
	}
	fmt.Fprintln(o.Log, "pipeline")
	if err := measurePipeline(ctx, r, ev, o, filepath.Join(dir, "pipeline")); err != nil {
		return nil, err
	}
	if o.Via != "amqp" {
		fmt.Fprintln(o.Log, "amqp")
		if err := measureAMQP(ctx, r, ev, o, filepath.Join(dir, "amqp")); err != nil {
			return nil, err
		}
	}
	r.Conditions.LoadAfter = load()
	return r, nil
}

// events are encoded messages back to back, with 16 readable bytes behind them.
type events struct {
	data         []byte
	starts, ends []uint32
}

const distinct = 1 << 15

func generate(devices int) (*events, error) {
	f, err := simulator.New(simulator.Options{Devices: devices, Seed: 1, Interval: time.Second, Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		return nil, fmt.Errorf("making the devices: %w", err)
	}
	e := &events{}
	for len(e.starts) < max(distinct, devices) {
		next := f.Next()
		e.starts = append(e.starts, uint32(len(e.data)))
		e.data = append(e.data, next.Body...)
		e.ends = append(e.ends, uint32(len(e.data)))
	}
	e.data = append(e.data, make([]byte, 16)...)
	return e, nil
}

func measureDecode(ev *events, d time.Duration) Figure {
	var cols []format.Column
	for _, name := range []string{"DeviceId", "Location", "DeviceType", "Temperature", "Humidity", "Pressure", "BatteryLevel", "SignalStrength"} {
		cols = append(cols, format.Column{Path: []string{name}})
	}
	dec := format.NewDecoder(cols, format.Options{})
	n := 0
	run := func(until time.Time) {
		for time.Now().Before(until) {
			for first := 0; first < len(ev.starts); {
				rows := dec.Decode(ev.data, ev.starts, ev.ends, first)
				n += rows.Rows
				first = rows.Next
			}
		}
	}
	run(time.Now().Add(d / 5))
	runtime.GC()
	n = 0
	before := used()
	run(time.Now().Add(d))
	u := used().since(before)
	return Figure{Name: "decode", Unit: "ns/event", Value: float64(u.cpu) / float64(n), AllocsPerEvent: float64(u.allocs) / float64(n), Budget: 200}
}

// memorySource gives the same messages over and over, with arrival times that go
// on, until a number of them is read.
type memorySource struct {
	ev    *events
	total int
}

func (s *memorySource) Partitions(context.Context) (int, error) { return 1, nil }

func (s *memorySource) OpenReader(context.Context, int, connector.Start) (connector.Reader, error) {
	return &memoryReader{s: s}, nil
}

type memoryReader struct {
	s    *memorySource
	sent int
}

const benchStep = column.Millisecond * 1234 / 1000

func (r *memoryReader) Read(_ context.Context, c *connector.Chunk, _ <-chan struct{}) error {
	ev := r.s.ev
	from := r.sent % len(ev.starts)
	n := min(4096, len(ev.starts)-from, r.s.total-r.sent)
	c.Arrivals, c.Offsets = c.Arrivals[:0], c.Offsets[:0]
	c.Data = ev.data
	c.Starts, c.Ends = ev.starts[from:from+n], ev.ends[from:from+n]
	for i := range n {
		at := column.UnixEpoch + 20458*column.Day + column.Ticks(r.sent+i)*benchStep
		c.Arrivals = append(c.Arrivals, at)
		c.Offsets = append(c.Offsets, int64(r.sent+i))
	}
	r.sent += n
	if r.sent == r.s.total {
		return io.EOF
	}
	return nil
}

func (r *memoryReader) Close() error { return nil }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksumSink counts rows and adds up the hashes of their JSON, so that order
// does not matter.
type checksumSink struct {
	rows int64
	sum  uint64
	buf  []byte
}

func (s *checksumSink) OpenWriter(context.Context, connector.Shard) (connector.Writer, error) {
	return s, nil
}

func (s *checksumSink) Commit(context.Context, connector.Epoch, []connector.Prepared) error {
	return nil
}

func (s *checksumSink) Write(_ context.Context, b *column.Batch) ([]connector.BadRow, error) {
	for k := range b.LiveRows() {
		s.buf = format.AppendRow(s.buf[:0], b, b.Row(k))
		h := uint64(crc32.Checksum(s.buf, castagnoli)) | uint64(len(s.buf))<<32
		s.sum += h * 0x9e3779b97f4a7c15
		s.rows++
	}
	return nil, nil
}

func (s *checksumSink) Prepare(context.Context, connector.Epoch) (connector.Prepared, error) {
	return nil, nil
}

func (s *checksumSink) Close() error { return nil }

func measureStatements(ctx context.Context, r *Report, ev *events, o Seed3Options) error {
	compiled, err := compileSeed3(longWindows(seed3Script))
	if err != nil {
		return err
	}
	run := func(total int) (usage, *checksumSink, *checksumSink, error) {
		metrics, alerts := new(checksumSink), new(checksumSink)
		job, err := stream.New(ctx, stream.Options{
			Name: "seed3", Plan: compiled, Policy: exec.TimePolicy{Late: 5 * column.Second}, IdleTick: -1,
			Inputs:  map[string]stream.Input{"device-telemetry": {Source: &memorySource{ev, total}, SystemColumns: true}},
			Outputs: map[string]connector.Sink{"metrics": metrics, "alerts": alerts},
			Metrics: new(metric.Recorder), Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			return usage{}, nil, nil, err
		}
		runtime.GC()
		before := used()
		err = job.Run(ctx)
		return used().since(before), metrics, alerts, err
	}
	const warm = 200_000
	if _, _, _, err := run(warm); err != nil {
		return fmt.Errorf("running the statements: %w", err)
	}
	// The size is fixed so that the checksum is a figure of the code alone.
	total := 4_000_000
	if o.Duration < 2*time.Second {
		total = 400_000
	}
	u, metrics, alerts, err := run(total)
	if err != nil {
		return fmt.Errorf("running the statements: %w", err)
	}
	r.Figures = append(r.Figures, Figure{
		Name: "decode+statements", Unit: "ns/event", Value: float64(u.cpu) / float64(total),
		AllocsPerEvent: float64(u.allocs) / float64(total), Budget: 300,
	})
	r.Counters["statements.events"] = int64(total)
	r.Counters["statements.metrics"], r.Counters["statements.alerts"] = metrics.rows, alerts.rows
	r.Checksum = fmt.Sprintf("%016x", metrics.sum+alerts.sum*31)
	return nil
}

// longWindows gives the windows the length of the real job, where event time is simulated.
func longWindows(script string) string {
	return strings.NewReplacer("TumblingWindow(second, 1)", "TumblingWindow(minute, 5)",
		"TumblingWindow(second, 2)", "TumblingWindow(minute, 10)").Replace(script)
}

func compileSeed3(script string) (*plan.Job, error) {
	compiled, errs, _ := bind.Script(script, bind.Options{})
	if len(errs) > 0 {
		return nil, fmt.Errorf("compiling the statements of seed3: %w", errs)
	}
	return compiled, nil
}
