package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"spate/config"
	"spate/workload"
)

// benchFlags are the flags of bench. A workload takes those that it has a use for.
type benchFlags struct {
	set       *pflag.FlagSet
	duration  time.Duration
	devices   int
	producers int
	via, dir  string
	rate      float64
	events    int
	against   string
	program   string // this executable
	log       io.Writer
}

// benchWorkloads are what bench runs, by name.
var benchWorkloads = map[string]func(context.Context, *benchFlags) (*workload.Report, error){
	"seed3": func(ctx context.Context, f *benchFlags) (*workload.Report, error) {
		return workload.Seed3(ctx, workload.Seed3Options{Devices: f.devices, Duration: f.duration, Producers: f.producers, Dir: f.dir, Via: f.via, Log: f.log})
	},
	"windows": func(ctx context.Context, f *benchFlags) (*workload.Report, error) {
		return workload.Windows(ctx, f.log)
	},
	"alerts": func(ctx context.Context, f *benchFlags) (*workload.Report, error) {
		return workload.Alerts(ctx, workload.AlertsOptions{Devices: f.devices, Duration: f.duration, Dir: f.dir, Log: f.log})
	},
	"eval": func(ctx context.Context, f *benchFlags) (*workload.Report, error) {
		return workload.Eval(ctx, workload.EvalOptions{
			Devices: f.devices, Duration: f.duration, Dir: f.dir, Log: f.log, Events: f.events, Against: f.against, Program: f.program,
		})
	},
	"example": func(ctx context.Context, f *benchFlags) (*workload.Report, error) {
		o := workload.ExampleOptions{Dir: f.dir, Log: f.log, Rate: f.rate, Against: f.against, Executable: f.program}
		if f.set.Changed("devices") {
			o.Devices = f.devices
		}
		if f.set.Changed("duration") {
			o.Duration = f.duration
		}
		return workload.Example(ctx, o)
	},
}

// benchLater are workloads that have a name already.
var benchLater = []string{"nexmark", "tsbs", "riot", "ingest", "query", "lake"}

// workloads are the names of what bench runs.
func workloads() []string { return slices.Sorted(maps.Keys(benchWorkloads)) }

func (a *app) bench() *cobra.Command {
	var f benchFlags
	var duration string
	cmd := &cobra.Command{
		Use:   "bench WORKLOAD",
		Short: "Measure this build on this machine; the report is JSON. Workloads: " + strings.Join(workloads(), ", "),
		Args:  cobra.ExactArgs(1),
	}
	f.set = cmd.Flags()
	f.set.StringVar(&duration, "duration", "5s", "of each stage, about; example: of the load, default 30s")
	f.set.IntVar(&f.devices, "devices", 1000, "devices of the fleet; example: default 20000")
	f.set.IntVar(&f.producers, "producers", 4, "connections of the load generator")
	f.set.StringVar(&f.via, "via", "kafka", "kafka or amqp: the socket of the pipeline stage")
	f.set.StringVar(&f.dir, "dir", "", "folder of the data; default a temporary one")
	f.set.Float64Var(&f.rate, "rate", 138_000, "example: events per second that the fleet sends")
	f.set.IntVar(&f.events, "events", 1_000_000, "eval: events of the file")
	f.set.StringVar(&f.against, "against", "", "eval and example: another build, measured in the same run")
	cmd.RunE = do(func(cmd *cobra.Command, args []string) error {
		run, ok := benchWorkloads[args[0]]
		switch {
		case ok:
		case slices.Contains(benchLater, args[0]):
			return withCode(usage, fmt.Errorf("the workload %s is not supported yet", args[0]))
		default:
			return withCode(usage, fmt.Errorf("there is no workload %q: want one of %s", args[0], strings.Join(workloads(), ", ")))
		}
		if err := f.check(duration); err != nil {
			return withCode(usage, err)
		}
		if _, err := a.form("json"); err != nil {
			return err
		}
		f.log = io.Discard
		if !a.quiet {
			f.log = a.stderr
		}
		var err error
		if f.program, err = os.Executable(); err != nil {
			return err
		}
		report, err := run(cmd.Context(), &f)
		if err != nil {
			return err
		}
		return a.printJSON(report)
	})
	return cmd
}

func (f *benchFlags) check(duration string) error {
	var err error
	if f.duration, err = config.ParseDuration(duration); err != nil {
		return fmt.Errorf("--duration: %w", err)
	}
	if f.via != "kafka" && f.via != "amqp" {
		return fmt.Errorf("--via %s: want kafka or amqp", f.via)
	}
	var low []string
	for flag, is := range map[string]bool{
		"--devices": f.devices < 1, "--producers": f.producers < 1, "--duration": f.duration <= 0, "--events": f.events < 1, "--rate": f.rate <= 0,
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
