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
	var e workload.ExampleOptions
	var duration string
	cmd := &cobra.Command{
		Use:   "bench WORKLOAD",
		Short: "Measure this build on this machine; the report is JSON. Workloads: seed3, windows, example",
		Args:  cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&duration, "duration", "5s", "of each stage, about; example: of the load, default 30s")
	f.IntVar(&o.Devices, "devices", 1000, "devices of the fleet; example: default 20000")
	f.IntVar(&o.Producers, "producers", 4, "connections of the load generator")
	f.StringVar(&o.Via, "via", "kafka", "kafka or amqp: the socket of the pipeline stage")
	f.StringVar(&o.Dir, "dir", "", "folder of the data; default a temporary one")
	f.Float64Var(&e.Rate, "rate", 138_000, "example: events per second that the fleet sends")
	f.StringVar(&e.Against, "against", "", "example: another build, measured in the same run")
	cmd.RunE = do(func(cmd *cobra.Command, args []string) error {
		switch args[0] {
		case "seed3", "windows", "example":
		case "nexmark", "tsbs", "riot", "ingest", "query", "lake":
			return withCode(usage, fmt.Errorf("the workload %s is not supported yet", args[0]))
		default:
			return withCode(usage, fmt.Errorf("there is no workload %q: want seed3, windows or example", args[0]))
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
		if o.Devices < 1 || o.Producers < 1 || o.Duration <= 0 {
			return withCode(usage, fmt.Errorf("--devices, --producers and --duration must be above 0"))
		}
		o.Log = io.Discard
		if !a.quiet {
			o.Log = a.stderr
		}
		var report *workload.Report
		switch args[0] {
		case "windows":
			report, err = workload.Windows(cmd.Context(), o.Log)
		case "example":
			e.Dir, e.Log = o.Dir, o.Log
			if f.Changed("devices") {
				e.Devices = o.Devices
			}
			if f.Changed("duration") {
				e.Duration = o.Duration
			}
			if e.Rate <= 0 {
				return withCode(usage, fmt.Errorf("--rate must be above 0"))
			}
			if e.Executable, err = os.Executable(); err != nil {
				return err
			}
			report, err = workload.Example(cmd.Context(), e)
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
