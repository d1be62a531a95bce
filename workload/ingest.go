package workload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"spate/workload/ingest"
)

// IngestOptions say what ingestion is measured with.
type IngestOptions struct {
	Executable string // the spate whose server and producers run
	Against    string // another build whose server is measured in the same run; may be empty
	Dir        string // of the data; default a temporary folder
	Log        io.Writer

	// Load is one case of the caller's; nil: the cases that have budgets.
	Load *ingest.Load

	Duration time.Duration // of each case with a budget; default 10s
	Events   int           // what the log holds in the case that fetches; default 2 million
}

// ProducersVerb is the verb of spate that runs the producers; it is for workloads alone.
const ProducersVerb = "ingest-producers"

// What a server may have resident under each of the loads.
const ingestPeak = 150 // MiB

// ingestCase is one load with what is asked of it.
type ingestCase struct {
	name   string
	load   ingest.Load
	events float64       // a second at least, by two cores that do nothing else; 0: not asked
	p99    time.Duration // of an answer at most; 0: not asked
	peak   float64       // MiB at most; 0: not asked
}

// ingestCases are the loads that have budgets.
func ingestCases(duration time.Duration, events int) []ingestCase {
	base := ingest.Load{Via: "kafka", Size: 250, Batch: 20, Codec: "none", Duration: duration, Target: ingest.Target{Partitions: 4}}
	fetch, kafka := base, base
	fetch.Producers, fetch.Partitions, fetch.FetchMax, fetch.Events = 1, 32, 8<<20, events
	kafka.Producers = 100
	amqp := kafka
	amqp.Via = "amqp"
	slow := kafka
	slow.Producers, slow.Rate = 20, 2000
	slowAMQP := slow
	slowAMQP.Via = "amqp"
	return []ingestCase{
		{name: "fetch", load: fetch, events: 1_200_000, peak: ingestPeak},
		{name: "kafka", load: kafka, events: 200_000, peak: ingestPeak},
		{name: "amqp", load: amqp, events: 150_000, peak: ingestPeak},
		{name: "kafka-slow", load: slow, p99: 25 * time.Millisecond, peak: ingestPeak},
		{name: "amqp-slow", load: slowAMQP, p99: 25 * time.Millisecond, peak: ingestPeak},
	}
}

// Ingest measures what clients get acknowledged, or read, through the sockets of a server
// that has one hub and does nothing else. Each case has a server of its own.
func Ingest(ctx context.Context, o IngestOptions) (*Report, error) {
	o.Duration, o.Events = cmp.Or(o.Duration, 10*time.Second), cmp.Or(o.Events, 2_000_000)
	if o.Log == nil {
		o.Log = io.Discard
	}
	dir := o.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "spate-bench-"); err != nil {
			return nil, fmt.Errorf("making a folder for the benchmark: %w", err)
		}
		defer os.RemoveAll(dir)
	}
	cases := ingestCases(o.Duration, o.Events)
	if o.Load != nil {
		cases = []ingestCase{{name: o.Load.Via, load: *o.Load}}
		if o.Load.FetchMax > 0 {
			cases[0].name = "fetch"
		}
	}
	r := &Report{Workload: "ingest", Conditions: conditions(dir), Counters: make(map[string]int64)}
	for _, c := range cases {
		var stop func() (time.Duration, error)
		if c.load.Rate > 0 {
			var err error
			if stop, err = idleWrites(dir, c.load.Size*c.load.Batch); err != nil {
				return nil, err
			}
		}
		here, err := o.measure(ctx, o.Executable, filepath.Join(dir, c.name), &c)
		if stop != nil {
			p99, e := stop()
			r.add(c.name+"-machine-p99", "ms", milliseconds(p99), 0)
			err = errors.Join(err, e)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		r.Conditions.Events += int(here.Events)
		r.Conditions.Bytes += here.Bytes
		c.report(r, here)
		if o.Against == "" {
			continue
		}
		there, err := o.measure(ctx, o.Against, filepath.Join(dir, "against-"+c.name), &c)
		if err != nil {
			return nil, fmt.Errorf("%s: measuring %s: %w", c.name, o.Against, err)
		}
		c.compare(r, here, there)
	}
	r.Conditions.LoadAfter = load()
	return r, nil
}

// measure runs one case against the server of one build. The producers are always those
// of this one.
func (o *IngestOptions) measure(ctx context.Context, exe, dir string, c *ingestCase) (out *ingest.Outcome, err error) {
	fmt.Fprintf(o.Log, "%s: %s\n", c.name, exe)
	server, target, err := ingest.StartHub(ctx, exe, dir, c.load.Partitions)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := server.Stop(); err == nil {
			err = e
		}
		if o.Dir == "" { // the log of one case is not the next one's page cache
			os.RemoveAll(dir)
		}
	}()
	l := c.load
	l.Target = target
	if out, err = ingest.Measure(ctx, exec.Command(o.Executable, ProducersVerb), server, &l); err != nil {
		return nil, err
	}
	stored, err := ingest.Stored(ctx, &target)
	if err != nil {
		return nil, err
	}
	return out, out.CheckStored(stored)
}

func (c *ingestCase) report(r *Report, o *ingest.Outcome) {
	add := func(name, unit string, value, budget float64) {
		r.Figures = append(r.Figures, Figure{Name: c.name + "-" + name, Unit: unit, Value: value, Budget: budget})
	}
	add("events", "events/s", o.PerSecond(), c.events)
	add("bytes", "MB/s", float64(o.Bytes)/o.Took.Seconds()/1e6, 0)
	if c.load.Rate == 0 {
		add("two-cores", "events/s", o.TwoCores(), c.events)
	}
	add("server-cpu", "CPU-s/Mevent", o.ServerCost(), 0)
	add("client-cpu", "CPU-s/Mevent", o.ClientCost(), 0)
	if o.Batches > 0 {
		add("p50", "ms", milliseconds(o.P50), 0)
		add("p99", "ms", milliseconds(o.P99), milliseconds(c.p99))
		add("max", "ms", milliseconds(o.Max), 0)
	}
	add("server-peak", "MiB", o.Peak, c.peak)
	r.Counters[c.name+".events"] = o.Events
	if o.Batches > 0 {
		r.Counters[c.name+".batches"] = o.Batches
	}
}

func (c *ingestCase) compare(r *Report, here, there *ingest.Outcome) {
	add := func(name string, here, there float64) {
		if there > 0 {
			r.Figures = append(r.Figures, Figure{Name: c.name + "-" + name + "-ratio", Unit: "this/against", Value: here / there})
		}
	}
	add("events", here.PerSecond(), there.PerSecond())
	add("server-cpu", here.ServerCost(), there.ServerCost())
	add("p99", float64(here.P99), float64(there.P99))
	add("server-peak", here.Peak, there.Peak)
}

// idleBeat is the time between two writes of idleWrites.
const idleBeat = 10 * time.Millisecond

// idleWrites does, beside a load, what no server can save: it wakes when a batch is due,
// writes so many bytes to the disk of dir and waits for it. The function that it returns
// ends that and says how long one in a hundred took at least, from when it was due. On a
// machine with other work a server answers no sooner.
func idleWrites(dir string, bytes int) (stop func() (time.Duration, error), err error) {
	f, err := os.CreateTemp(dir, "idle-")
	if err != nil {
		return nil, fmt.Errorf("making a file beside the load: %w", err)
	}
	ended, result := make(chan struct{}), make(chan error, 1)
	var took []time.Duration
	write := func() error {
		buf := make([]byte, bytes)
		for due := time.Now(); ; due = due.Add(idleBeat) {
			select {
			case <-ended:
				return nil
			case <-time.After(time.Until(due)):
			}
			if _, err := f.WriteAt(buf, int64(len(took)%1000*bytes)); err != nil {
				return err
			}
			if err := syncData(f); err != nil {
				return err
			}
			took = append(took, time.Since(due))
		}
	}
	go func() { result <- write() }()
	return func() (time.Duration, error) {
		close(ended)
		err := errors.Join(<-result, f.Close(), os.Remove(f.Name()))
		if len(took) == 0 {
			return 0, err
		}
		slices.Sort(took)
		return took[len(took)*99/100], err
	}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
