package workload

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"time"

	"spate/connector"
	"spate/metric"
	"spate/sql/bind"
	"spate/stream"
	"spate/stream/exec"
)

// question is a query of a known benchmark, and what it answers to the standard events.
type question struct {
	name, script string
	rows         int64
	checksum     string
}

// answer is what a question gave and used.
type answer struct {
	rows     int64
	checksum string
	used     usage
	took     time.Duration
	counts   map[string]int64 // events with a wrong time, by metric
}

// Counters of times, which say what disorder did.
var timeCounters = []string{"EarlyInputEvents", "LateInputEvents", "DroppedOrAdjustedEvents", "InvalidInputTimeStamp"}

// ask runs a script over one input to its end.
func ask(ctx context.Context, script, input string, src connector.Source, policy exec.TimePolicy) (*answer, error) {
	var out checksumSink
	a, err := askInto(ctx, script, input, src, policy, &out)
	if err == nil {
		a.rows, a.checksum = out.rows, fmt.Sprintf("%016x", out.sum)
	}
	return a, err
}

func askInto(ctx context.Context, script, input string, src connector.Source, policy exec.TimePolicy, out connector.Sink) (*answer, error) {
	job, errs, _ := bind.Script(script, bind.Options{})
	if len(errs) > 0 {
		return nil, errs
	}
	metrics := new(metric.Recorder)
	j, err := stream.New(ctx, stream.Options{
		Name: "bench", Plan: job, IdleTick: -1, Start: stream.Start{Oldest: true}, Policy: policy,
		Inputs:  map[string]stream.Input{input: {Source: src}},
		Outputs: map[string]connector.Sink{"o": out},
		Metrics: metrics, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	runtime.GC()
	a := &answer{counts: make(map[string]int64)}
	before, from := used(), time.Now()
	err = j.Run(ctx)
	a.used, a.took = used().since(before), time.Since(from)
	for _, s := range metrics.Series() {
		for _, name := range timeCounters {
			if s.Name == name && s.Counter != nil {
				a.counts[name] += int64(s.Counter.Value())
			}
		}
	}
	return a, err
}

// questions asks a list over the same events. The answers must be the known ones if the
// events are the standard ones: a fast wrong answer is none.
func questions(ctx context.Context, r *Report, log io.Writer, list []question, input string, src *spreadSource, policy exec.TimePolicy, standard bool) error {
	if log == nil {
		log = io.Discard
	}
	r.Conditions = conditions(os.TempDir())
	r.Conditions.Events = src.n
	for _, chunks := range src.chunks {
		for i := range chunks {
			r.Conditions.Bytes += int64(len(chunks[i].Data))
		}
	}
	r.Counters = make(map[string]int64)
	sum := uint64(0)
	for _, q := range list {
		fmt.Fprintln(log, q.name)
		a, err := ask(ctx, q.script, input, src, policy)
		if err != nil {
			return fmt.Errorf("running %s: %w", q.name, err)
		}
		if standard && (a.rows != q.rows || a.checksum != q.checksum) {
			return fmt.Errorf("%s gave %d rows with the checksum %s, want %d and %s", q.name, a.rows, a.checksum, q.rows, q.checksum)
		}
		each := float64(a.used.cpu) / float64(src.n)
		r.Figures = append(r.Figures,
			Figure{Name: q.name, Unit: "ns/event", Value: each, AllocsPerEvent: float64(a.used.allocs) / float64(src.n)},
			Figure{Name: q.name + ", wall", Unit: "events/s", Value: float64(src.n) / a.took.Seconds()},
			Figure{Name: q.name + ", 100 M events", Unit: "core-s", Value: each / 10})
		r.Counters[q.name+".rows"] = a.rows
		for name, n := range a.counts {
			if n != 0 {
				r.Counters[q.name+"."+name] = n
			}
		}
		var of uint64
		if _, err := fmt.Sscanf(a.checksum, "%x", &of); err != nil {
			return fmt.Errorf("reading a checksum: %w", err)
		}
		sum = sum*31 + of
	}
	r.Checksum = fmt.Sprintf("%016x", sum)
	r.Conditions.LoadAfter = load()
	return nil
}
