package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"spate/config"
	"spate/workload"
)

func (a *app) bench() *cobra.Command {
	var o workload.Seed3Options
	var e workload.EvalOptions
	var duration string
	cmd := &cobra.Command{
		Use:   "bench WORKLOAD",
		Short: "Measure this build on this machine; the report is JSON. Workloads: seed3, windows, eval",
		Args:  cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&duration, "duration", "5s", "of each stage, about")
	f.IntVar(&o.Devices, "devices", 1000, "devices of the fleet")
	f.IntVar(&o.Producers, "producers", 4, "connections of the load generator")
	f.StringVar(&o.Via, "via", "kafka", "kafka or amqp: the socket of the pipeline stage")
	f.StringVar(&o.Dir, "dir", "", "folder of the data; default a temporary one")
	f.IntVar(&e.Events, "events", 1_000_000, "events of the workload eval")
	f.StringVar(&e.Against, "against", "", "another spate, which the workload eval measures in turn with this one")
	cmd.RunE = do(func(cmd *cobra.Command, args []string) error {
		switch args[0] {
		case "seed3":
		case "windows", "eval":
		case "nexmark", "tsbs", "riot", "ingest", "query", "lake":
			return withCode(usage, fmt.Errorf("the workload %s is not supported yet", args[0]))
		default:
			return withCode(usage, fmt.Errorf("there is no workload %q: want seed3, windows or eval", args[0]))
		}
		if _, err := a.form("json"); err != nil {
			return err
		}
		var err error
		if o.Duration, err = config.ParseDuration(duration); err != nil {
			return withCode(usage, fmt.Errorf("--duration: %w", err))
		}
		if o.Via != "kafka" && o.Via != "amqp" {
			return withCode(usage, fmt.Errorf("--via %s: want kafka or amqp", o.Via))
		}
		if o.Devices < 1 || o.Producers < 1 || o.Duration <= 0 || e.Events < 1 {
			return withCode(usage, fmt.Errorf("--devices, --producers, --events and --duration must be above 0"))
		}
		o.Log = io.Discard
		if !a.quiet {
			o.Log = a.stderr
		}
		var report *workload.Report
		switch args[0] {
		case "windows":
			report, err = workload.Windows(cmd.Context(), o.Log)
		case "eval":
			e.Devices, e.Duration, e.Dir, e.Log = o.Devices, o.Duration, o.Dir, o.Log
			if e.Program, err = os.Executable(); err == nil {
				report, err = workload.Eval(cmd.Context(), e)
			}
		default:
			report, err = workload.Seed3(cmd.Context(), o)
		}
		if err != nil {
			return err
		}
		data, err := marshal(report)
		if err != nil {
			return err
		}
		_, err = a.stdout.Write(data)
		return err
	})
	return cmd
}
