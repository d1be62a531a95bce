package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"spate/config"
	"spate/workload"
	"spate/workload/ingest"
)

// benchFlags are the flags of bench.
type benchFlags struct {
	set        *pflag.FlagSet
	own        *pflag.FlagSet // without those of every verb
	duration   time.Duration
	devices    int
	producers  int
	via, dir   string
	rate       float64
	events     int
	against    string
	size       string
	batch      int
	codec      string
	partitions int
	fetchMax   string
	profile    string
	python     string
	program    string // this executable
	log        io.Writer
}

// benchWorkload is what bench runs under a name.
type benchWorkload struct {
	takes string // its flags, with blanks between them; another one is refused
	run   func(context.Context, *benchFlags) (*workload.Report, error)
}

var benchWorkloads = map[string]benchWorkload{
	"seed3": {"devices duration producers dir via", func(ctx context.Context, f *benchFlags) (*workload.Report, error) {
		return workload.Seed3(ctx, workload.Seed3Options{Devices: f.devices, Duration: f.duration, Producers: f.producers, Dir: f.dir, Via: f.via, Log: f.log})
	}},
	"windows": {"", func(ctx context.Context, f *benchFlags) (*workload.Report, error) {
		return workload.Windows(ctx, f.log)
	}},
	"nexmark": {"events", func(ctx context.Context, f *benchFlags) (*workload.Report, error) {
		return workload.Nexmark(ctx, workload.NexmarkOptions{Events: f.events, Log: f.log})
	}},
	"tsbs": {"events", func(ctx context.Context, f *benchFlags) (*workload.Report, error) {
		return workload.TSBS(ctx, workload.TSBSOptions{Events: f.events, Log: f.log})
	}},
	"alerts": {"devices duration dir", func(ctx context.Context, f *benchFlags) (*workload.Report, error) {
		return workload.Alerts(ctx, workload.AlertsOptions{Devices: f.devices, Duration: f.duration, Dir: f.dir, Log: f.log})
	}},
	"lake": {"devices events dir python", func(ctx context.Context, f *benchFlags) (*workload.Report, error) {
		o := workload.LakeOptions{Program: f.program, Devices: f.devices, Dir: f.dir, Python: f.python, Log: f.log}
		if f.set.Changed("events") {
			o.Rows = f.events
		}
		return workload.Lake(ctx, o)
	}},
	"eval": {"devices duration dir events against", func(ctx context.Context, f *benchFlags) (*workload.Report, error) {
		return workload.Eval(ctx, workload.EvalOptions{
			Devices: f.devices, Duration: f.duration, Dir: f.dir, Log: f.log, Events: f.events, Against: f.against, Program: f.program,
		})
	}},
	"example": {"devices duration dir rate against", func(ctx context.Context, f *benchFlags) (*workload.Report, error) {
		o := workload.ExampleOptions{Dir: f.dir, Log: f.log, Rate: f.rate, Against: f.against, Executable: f.program}
		if f.set.Changed("devices") {
			o.Devices = f.devices
		}
		if f.set.Changed("duration") {
			o.Duration = f.duration
		}
		return workload.Example(ctx, o)
	}},
	"ingest": {"duration producers dir via rate against size batch codec partitions fetch-max events", func(ctx context.Context, f *benchFlags) (*workload.Report, error) {
		o, err := f.ingest()
		if err != nil {
			return nil, withCode(usage, err)
		}
		return workload.Ingest(ctx, o)
	}},
}

// benchLater are workloads that have a name already.
var benchLater = []string{"riot", "query"}

// workloads are the names of what bench runs.
func workloads() []string { return slices.Sorted(maps.Keys(benchWorkloads)) }

func (a *app) bench() *cobra.Command {
	var f benchFlags
	var duration string
	cmd := &cobra.Command{
		Use:   "bench WORKLOAD",
		Short: "Measure this build on this machine; the report is JSON, or a table. Workloads: " + strings.Join(workloads(), ", "),
		Long: "Measure this build on this machine. Workloads: " + strings.Join(workloads(), ", ") + ".\n\n" +
			"ingest without flags runs the loads that have a budget; with flags of a load, that one.",
		Args: cobra.ExactArgs(1),
	}
	f.set = cmd.Flags()
	f.set.StringVar(&duration, "duration", "5s", "of each stage, about; example: of the load, default 30s; ingest: default 10s")
	f.set.IntVar(&f.devices, "devices", 1000, "devices of the fleet; example: default 20000")
	f.set.IntVar(&f.producers, "producers", 4, "connections of the load generator; ingest: default 100, and 1 that fetches")
	f.set.StringVar(&f.via, "via", "kafka", "kafka or amqp: the socket of the pipeline stage, or of ingest")
	f.set.StringVar(&f.dir, "dir", "", "folder of the data; default a temporary one")
	f.set.Float64Var(&f.rate, "rate", 138_000, "example: events per second that the fleet sends; ingest: that all producers send, default as fast as they get answers")
	f.set.IntVar(&f.events, "events", 1_000_000, "eval: events of the file; lake: rows of each table, default 10000000; ingest: what the log holds before it is fetched, default 2000000")
	f.set.StringVar(&f.against, "against", "", "eval, example and ingest: another build, measured in the same run")
	f.set.StringVar(&f.size, "size", "250", "ingest: bytes of an event")
	f.set.IntVar(&f.batch, "batch", 20, "ingest: events of a batch")
	f.set.StringVar(&f.codec, "codec", "none", "ingest: none, gzip, snappy, lz4 or zstd")
	f.set.IntVar(&f.partitions, "partitions", 4, "ingest: of the hub; that is fetched, default 32")
	f.set.StringVar(&f.fetchMax, "fetch-max", "", "ingest: read what the log holds, such as 8MiB of each partition at a time")
	f.set.StringVar(&f.python, "python", "", "lake: a Python that has deltalake and pyarrow, measured in the same run")
	f.set.StringVar(&f.profile, "cpu-profile", "", "write what this process spends its time on there, for go tool pprof")
	cmd.RunE = do(func(cmd *cobra.Command, args []string) error {
		w, ok := benchWorkloads[args[0]]
		switch {
		case ok:
		case slices.Contains(benchLater, args[0]):
			return withCode(usage, fmt.Errorf("the workload %s is not supported yet", args[0]))
		default:
			return withCode(usage, fmt.Errorf("there is no workload %q: want one of %s", args[0], strings.Join(workloads(), ", ")))
		}
		f.own = cmd.LocalFlags()
		if err := f.check(args[0], w.takes, duration); err != nil {
			return withCode(usage, err)
		}
		form, err := a.form("json", "table")
		if err != nil {
			return err
		}
		f.log = io.Discard
		if !a.quiet {
			f.log = a.stderr
		}
		if f.program, err = os.Executable(); err != nil {
			return err
		}
		report, err := profiled(f.profile, func() (*workload.Report, error) { return w.run(cmd.Context(), &f) })
		if err != nil {
			return err
		}
		if form == "table" {
			return benchTable(a.stdout, report)
		}
		return a.printJSON(report)
	})
	return cmd
}

// profiled runs a workload, and writes a profile of it unless file is empty.
func profiled(file string, run func() (*workload.Report, error)) (*workload.Report, error) {
	if file == "" {
		return run()
	}
	out, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return nil, errors.Join(fmt.Errorf("profile to %s: %w", file, err), out.Close())
	}
	report, err := run()
	pprof.StopCPUProfile()
	return report, errors.Join(err, out.Close())
}

// ingest is the load that the flags say; none, if they say nothing of one.
func (f *benchFlags) ingest() (workload.IngestOptions, error) {
	o := workload.IngestOptions{Executable: f.program, Against: f.against, Dir: f.dir, Log: f.log}
	duration, events := 10*time.Second, 2_000_000
	if f.set.Changed("duration") {
		duration = f.duration
	}
	if f.set.Changed("events") {
		events = f.events
	}
	o.Duration, o.Events = duration, events
	one := false
	for _, name := range []string{"producers", "via", "rate", "size", "batch", "codec", "partitions", "fetch-max"} {
		one = one || f.set.Changed(name)
	}
	if !one {
		return o, nil
	}
	size, err := config.ParseSize(f.size)
	if err != nil {
		return o, fmt.Errorf("--size: %w", err)
	}
	l := &ingest.Load{Via: f.via, Producers: 100, Size: int(size), Batch: f.batch, Codec: f.codec, Duration: duration, Target: ingest.Target{Partitions: f.partitions}}
	if f.set.Changed("rate") {
		l.Rate = f.rate
	}
	if f.set.Changed("fetch-max") {
		most, err := config.ParseSize(f.fetchMax)
		if err != nil {
			return o, fmt.Errorf("--fetch-max: %w", err)
		}
		if most < 1 {
			return o, errors.New("--fetch-max must be above 0")
		}
		if f.set.Changed("batch") {
			return o, errors.New("--batch: what is fetched lies in batches of about 1000 events")
		}
		l.Producers, l.FetchMax, l.Events = 1, int(min(most, math.MaxInt32)), events
		if !f.set.Changed("partitions") {
			l.Partitions = 32
		}
	} else if f.set.Changed("events") {
		return o, errors.New("--events: only what is fetched is there before; name --fetch-max")
	}
	if f.set.Changed("producers") {
		l.Producers = f.producers
	}
	o.Load = l
	return o, l.Check()
}

// benchTable prints the figures of a report for people.
func benchTable(to io.Writer, r *workload.Report) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "figure\tvalue\tbudget\t\tunit")
	for _, f := range r.Figures {
		budget := ""
		if f.Budget != 0 {
			budget = number(f.Budget)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t\t%s\n", f.Name, number(f.Value), budget, f.Unit)
	}
	fmt.Fprintf(w, "load of the machine\t%.2f before\t%.2f after\t\t%d processors\n", r.Conditions.LoadBefore, r.Conditions.LoadAfter, r.Conditions.Cores)
	return w.Flush()
}

// number is a figure with as many digits as it is worth.
func number(x float64) string {
	switch {
	case math.Abs(x) >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case math.Abs(x) >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

func (f *benchFlags) check(workload, takes, duration string) error {
	var err error
	f.own.VisitAll(func(given *pflag.Flag) {
		if given.Changed && given.Name != "cpu-profile" && !slices.Contains(strings.Fields(takes), given.Name) {
			err = fmt.Errorf("--%s: the workload %s has no use for it", given.Name, workload)
		}
	})
	if err != nil {
		return err
	}
	if f.duration, err = config.ParseDuration(duration); err != nil {
		return fmt.Errorf("--duration: %w", err)
	}
	if f.via != "kafka" && f.via != "amqp" {
		return fmt.Errorf("--via %s: want kafka or amqp", f.via)
	}
	var low []string
	for flag, is := range map[string]bool{
		"--devices": f.devices < 1, "--producers": f.producers < 1, "--duration": f.duration <= 0, "--events": f.events < 1, "--rate": f.rate <= 0,
		"--batch": f.batch < 1, "--partitions": f.partitions < 1,
	} {
		if is {
			low = append(low, flag)
		}
	}
	if len(low) > 0 {
		slices.Sort(low)
		return fmt.Errorf("%s must be above 0", strings.Join(low, " and "))
	}
	return nil
}
