package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"spate/config"
	"spate/console"
	"spate/datafolder"
	"spate/hub"
	"spate/pipeline"
)

func (a *app) hub() *cobra.Command {
	cmd := &cobra.Command{Use: "hub", Short: "The hubs of a running or a stopped pipeline",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				switch args[0] {
				case "send", "peek", "tail":
					return fmt.Errorf("the verb hub %s is not supported yet", args[0])
				}
			}
			return cobra.NoArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	list := &cobra.Command{Use: "list", Short: "What each hub holds, of those too that have left the pipeline file", Args: cobra.NoArgs,
		RunE: do(func(cmd *cobra.Command, _ []string) error { return a.listHubs(cmd.Context()) })}
	var yes bool
	drop := &cobra.Command{Use: "delete HUB", Annotations: oneForm, Short: "Delete a hub that has left the pipeline file, with its events", Args: cobra.ExactArgs(1),
		RunE: do(func(cmd *cobra.Command, args []string) error { return a.deleteHub(cmd.Context(), args[0], yes) })}
	drop.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.AddCommand(list, drop)
	return cmd
}

// withHubs does something to the hubs of a data folder while nothing runs there, or asks
// the instance that runs.
func (a *app) withHubs(ctx context.Context, stopped func(*datafolder.Hubs, pipeline.Options) error, running func(instance) error) error {
	i, err := a.instance()
	if err != nil {
		return err
	}
	if a.address != "" {
		return running(i)
	}
	p, err := a.load("", config.Source{NoScripts: true})
	if err != nil {
		return err
	}
	h, err := datafolder.OpenHubs(ctx, i.dir, slog.New(slog.DiscardHandler))
	switch {
	case err == nil:
		return errors.Join(stopped(h, p.Options), h.Close())
	case errors.Is(err, fs.ErrNotExist):
		return withCode(notFound, err)
	case !errors.Is(err, datafolder.ErrLocked):
		return err
	case i.address == "":
		return noConsole(err)
	}
	return running(i)
}

// noConsole says that the instance that has a data folder cannot be asked.
func noConsole(locked error) error {
	return withCode(noConnection, fmt.Errorf("%w, which cannot be asked: it has no console (server.console.port, --no-console), it is not ready yet, or it stops", locked))
}

func (a *app) listHubs(ctx context.Context) error {
	form, err := a.form(listForms...)
	if err != nil {
		return err
	}
	list := []console.Hub{}
	err = a.withHubs(ctx, func(h *datafolder.Hubs, o pipeline.Options) error {
		for _, x := range h.Hubs() {
			i, err := x.Info(time.Now())
			if err != nil {
				return err
			}
			list = append(list, console.HubOf(i, o.UseOf(i.Name) != "", false))
		}
		return nil
	}, func(i instance) error {
		return answerCode(i.call(ctx, http.MethodGet, "/api/hubs", cmpTimeout(a.timeout), &list))
	})
	if err != nil {
		return err
	}
	return a.printList(form, list, "Name\tPartitions\tEvents\tBytes\tRetention\tEvents/s\tPipeline", func(out io.Writer) {
		for _, h := range list {
			rate, in, keeps := "-", "yes", "all"
			if h.PerSecond != nil {
				rate = fmt.Sprintf("%.1f", *h.PerSecond)
			}
			if !h.InPipeline {
				in = "no"
			}
			if h.Retention > 0 {
				keeps = config.FormatDuration(h.Retention)
			}
			fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%s\t%s\t%s\n", h.Name, h.Partitions, h.Events, h.Bytes, keeps, rate, in)
		}
	})
}

func (a *app) deleteHub(ctx context.Context, name string, yes bool) error {
	if !yes {
		if err := a.confirm(fmt.Sprintf("hub %s and its events are gone then. Delete it?", name), "a hub that is deleted is gone, with its events"); err != nil {
			return err
		}
	}
	err := a.withHubs(ctx, func(h *datafolder.Hubs, o pipeline.Options) error {
		x, ok := h.Hub(name)
		if !ok {
			var names []string
			for _, other := range h.Hubs() {
				names = append(names, other.Name())
			}
			return noHub(name, names)
		}
		if use := o.UseOf(x.Name()); use != "" {
			return fmt.Errorf("deleting hub %s: %s: %w", x.Name(), use, console.ErrHubUsed)
		}
		return h.Delete(x.Name())
	}, func(i instance) error {
		var answer map[string]string
		return answerCode(i.call(ctx, http.MethodPost, "/api/hubs/"+url.PathEscape(name)+"/delete", cmpTimeout(a.timeout), &answer))
	})
	if errors.Is(err, hub.ErrNotFound) {
		return withCode(notFound, err)
	}
	if err == nil && !a.quiet {
		fmt.Fprintf(a.stderr, "hub %s: deleted\n", name)
	}
	return err
}
