package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spate"
	"spate/jobs"
)

func (a *app) status() *cobra.Command {
	var check bool
	cmd := &cobra.Command{Use: "status", Short: "A running pipeline on one page, what is wrong first", Args: cobra.NoArgs,
		RunE: do(func(cmd *cobra.Command, _ []string) error { return a.showStatus(cmd.Context(), check) })}
	cmd.Flags().BoolVar(&check, "check", false, "fail where something is wrong, as the health check of a container does")
	return cmd
}

func (a *app) showStatus(ctx context.Context, check bool) error {
	form, err := a.form("text", "json")
	if err != nil {
		return err
	}
	i, err := a.running()
	if err != nil {
		return err
	}
	var st spate.Status
	if err := i.call(ctx, http.MethodGet, "/api/status", cmpTimeout(a.timeout), &st); err != nil {
		return answerCode(err)
	}
	if form == "json" {
		if err := a.printJSON(st); err != nil {
			return err
		}
		return unhealthy(check, st)
	}
	for _, p := range st.Problems {
		fmt.Fprintln(a.stdout, "! "+p)
	}
	for _, name := range st.GoneHubs {
		fmt.Fprintf(a.stdout, "? hub %s is not in the pipeline any more, and still there with its events; to delete it: %s %s\n", name, a.again("")("hub delete"), shellWord(name))
	}
	if len(st.Problems)+len(st.GoneHubs) > 0 {
		fmt.Fprintln(a.stdout)
	}
	fmt.Fprintf(a.stdout, "up %s  events in %d  rows out %d  alerts %d  watermark delay %s\n\n",
		time.Since(st.Started).Truncate(time.Second), st.EventsIn, st.RowsOut, st.Alerts, seconds(st.WatermarkDelay))
	if err := a.printJobs("table", st.Jobs); err != nil {
		return err
	}
	return unhealthy(check, st)
}

func unhealthy(check bool, st spate.Status) error {
	if check && len(st.Problems) > 0 {
		return errors.New("the pipeline is not healthy: " + st.Problems[0])
	}
	return nil
}

// stateOrder puts what is wrong first.
var stateOrder = []string{"Failed", "Degraded", "Stopped", "Stopping", "Starting", "Running"}

func (a *app) printJobs(form string, list []jobs.Status) error {
	slices.SortStableFunc(list, func(x, y jobs.Status) int {
		return slices.Index(stateOrder, x.State) - slices.Index(stateOrder, y.State)
	})
	const head = "Name\tState\tWatermark delay\tEvents in\tEvents/s\tRows out\tRows/s\tRuntime errors\tLast checkpoint\tError"
	return a.printList(form, list, head, func(out io.Writer) {
		for _, j := range list {
			last := ""
			if j.Checkpoint != nil {
				last = j.Checkpoint.UTC().Format(time.RFC3339)
			}
			fmt.Fprintf(out, "%s\t%s\t%s\t%d\t%.1f\t%d\t%.1f\t%d\t%s\t%s\n", j.Name, j.State, seconds(j.WatermarkDelay), j.EventsIn, j.EventRate, j.RowsOut, j.RowRate,
				j.Errors, last, strings.ReplaceAll(j.Error, "\n", " "))
		}
	})
}
