package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"spate"
	"spate/config"
)

func (a *app) job() *cobra.Command {
	cmd := &cobra.Command{Use: "job", Short: "The jobs of a running pipeline", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	list := &cobra.Command{Use: "list", Short: "What every job does", Args: cobra.NoArgs,
		RunE: do(func(cmd *cobra.Command, _ []string) error { return a.listJobs(cmd.Context()) })}
	var mode, at string
	var hasty bool
	start := &cobra.Command{Use: "start NAME", Annotations: oneForm, Short: "Start a job that has stopped or failed: where it was, or anew", Args: cobra.ExactArgs(1),
		RunE: do(func(cmd *cobra.Command, args []string) error {
			v := url.Values{}
			if mode != "" {
				v.Set("outputStartMode", mode)
			}
			if at != "" {
				t, err := config.ParseTime(at)
				if err != nil {
					return withCode(usage, fmt.Errorf("--output-start-time: %w", err))
				}
				v.Set("outputStartTime", t.UTC().Format(time.RFC3339Nano))
			}
			return a.doToJob(cmd.Context(), args[0], "start", v)
		})}
	f := start.Flags()
	f.StringVar(&mode, "output-start-mode", "", "LastOutputEventTime: go on (default); JobStartTime or CustomTime: forget the state and begin anew, now or at a time")
	f.StringVar(&at, "output-start-time", "", "first output time, for CustomTime")
	stop := &cobra.Command{Use: "stop NAME", Annotations: oneForm, Short: "Stop a job: it reads what has come, and takes a checkpoint", Args: cobra.ExactArgs(1),
		RunE: do(func(cmd *cobra.Command, args []string) error {
			v := url.Values{}
			if hasty {
				v.Set("drain", "false")
			}
			return a.doToJob(cmd.Context(), args[0], "stop", v)
		})}
	stop.Flags().BoolVar(&hasty, "no-drain", false, "do not wait until what has come is read: it is read at the next start")
	cmd.AddCommand(list, start, stop, a.explainJob())
	return cmd
}

func (a *app) listJobs(ctx context.Context) error {
	form, err := a.form(listForms...)
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
	return a.printJobs(form, st.Jobs)
}

func (a *app) doToJob(ctx context.Context, name, verb string, parameters url.Values) error {
	i, err := a.running()
	if err != nil {
		return err
	}
	var answer map[string]string
	err = i.call(ctx, http.MethodPost, "/api/jobs/"+url.PathEscape(name)+"/"+verb+"?"+parameters.Encode(), cmpTimeout(a.timeout), &answer)
	if err == nil && !a.quiet {
		fmt.Fprintf(a.stderr, "job %s: %s\n", name, map[string]string{"start": "started", "stop": "stopped"}[verb])
	}
	return answerCode(err)
}
