package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spate/blob"
	"spate/config"
	"spate/datafolder"
	"spate/jobs"
)

// letterFlags choose dead letters.
type letterFlags struct {
	all, yes, again bool
	older           string
}

func (a *app) dropLetters() *cobra.Command {
	var f letterFlags
	cmd := &cobra.Command{Use: "drop JOB [ID...]", Annotations: oneForm, Short: "Delete dead letters of a job, of a running or a stopped pipeline",
		Long: "Delete dead letters of a job: those named by the ids that show prints, all, or those of\nevents and rows older than a duration.",
		Args: cobra.MinimumNArgs(1),
		RunE: do(func(cmd *cobra.Command, args []string) error {
			v, err := f.choice(args[1:])
			if err != nil {
				return err
			}
			return a.drop(cmd.Context(), args[0], &f, v)
		})}
	fl := cmd.Flags()
	fl.BoolVar(&f.all, "all", false, "all of the job")
	fl.StringVar(&f.older, "older", "", "those of events and rows that are older, such as 7d")
	fl.BoolVar(&f.yes, "yes", false, "do not ask")
	return cmd
}

func (a *app) replayLetters() *cobra.Command {
	var f letterFlags
	cmd := &cobra.Command{Use: "replay JOB [ID...]", Annotations: oneForm, Short: "Send the events of dead letters again, to the hub that they came from",
		Long: `Send the events of dead letters again, to the partition of the hub that they came from, as
the log holds them: body, key and properties. Needs a running pipeline.

An event that is sent again is a new event: it has a new arrival time, and everybody who
reads the hub gets it, not this job alone. Of a letter about a row, which a step could not
compute or an output refused, it is the event that the row came from: what the job made of
it besides comes again too. Rows of windows come from many events and cannot be replayed.

A letter whose event was sent is marked and is replayed once, unless --again is given. After
a crash in the middle an event may have been sent without its letter being marked.`,
		Args: cobra.MinimumNArgs(1),
		RunE: do(func(cmd *cobra.Command, args []string) error {
			v, err := f.choice(args[1:])
			if err != nil {
				return err
			}
			return a.replay(cmd.Context(), args[0], v)
		})}
	fl := cmd.Flags()
	fl.BoolVar(&f.all, "all", false, "all of the job")
	fl.BoolVar(&f.again, "again", false, "those that were replayed too")
	return cmd
}

// choice says which letters are meant, as the console takes it.
func (f *letterFlags) choice(ids []string) (url.Values, error) {
	v := url.Values{}
	ways := 0
	for _, given := range []bool{len(ids) > 0, f.all, f.older != ""} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return nil, withCode(usage, errors.New("say which dead letters: their ids, or --all, or --older 7d with drop"))
	}
	v["id"] = ids
	if f.all {
		v.Set("all", "true")
	}
	if f.again {
		v.Set("again", "true")
	}
	if f.older != "" {
		d, err := config.ParseDuration(f.older)
		if err != nil {
			return nil, withCode(usage, fmt.Errorf("--older: %w", err))
		}
		v.Set("before", time.Now().Add(-d).UTC().Format(time.RFC3339Nano))
	}
	return v, nil
}

// drop deletes letters: the instance that runs on the folder does, or else this process
// while it holds the lock of the folder.
func (a *app) drop(ctx context.Context, job string, f *letterFlags, v url.Values) error {
	if !f.yes {
		if err := a.confirm(fmt.Sprintf("dead letters of job %s that are dropped are gone. Drop them?", job), "dead letters that are dropped are gone"); err != nil {
			return err
		}
	}
	i, err := a.instance()
	if err != nil {
		return err
	}
	var answer struct{ Letters int }
	if i.address != "" {
		if err := i.call(ctx, http.MethodPost, letterPath(job, "drop", v), cmpTimeout(a.timeout), &answer); err != nil {
			return answerCode(err)
		}
	} else if answer.Letters, err = a.dropOffline(ctx, i.dir, job, v); err != nil {
		return err
	}
	if !a.quiet {
		fmt.Fprintf(a.stderr, "job %s: %d dead letters dropped\n", job, answer.Letters)
	}
	return nil
}

// confirm asks on a terminal; elsewhere it says why --yes is wanted.
func (a *app) confirm(question, why string) error {
	if !terminal(a.stdin) {
		return withCode(usage, fmt.Errorf("%s: say --yes", why))
	}
	fmt.Fprint(a.stderr, question+" [y/N] ")
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	if err != nil || !strings.EqualFold(strings.TrimSpace(line), "y") {
		return withCode(usage, errors.New("nothing was done"))
	}
	return nil
}

func letterPath(job, verb string, v url.Values) string {
	return "/api/jobs/" + url.PathEscape(job) + "/" + verb + "-letters?" + v.Encode()
}

func (a *app) dropOffline(ctx context.Context, dir, job string, v url.Values) (n int, err error) {
	name, err := a.jobWithFolder(dir, job)
	if err != nil {
		return 0, err
	}
	lock, err := datafolder.Take(dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	c := jobs.Letters{IDs: v["id"], All: v.Get("all") == "true"}
	if before := v.Get("before"); before != "" {
		if c.Before, err = time.Parse(time.RFC3339Nano, before); err != nil {
			return 0, err
		}
	}
	n, err = c.Drop(ctx, jobs.LettersOf(blob.NewLocal(dir), name))
	if errors.Is(err, jobs.ErrNoLetter) {
		err = withCode(notFound, err)
	}
	return n, err
}

func (a *app) replay(ctx context.Context, job string, v url.Values) error {
	i, err := a.instance()
	if err != nil {
		return err
	}
	if i.address == "" {
		return withCode(noConnection, fmt.Errorf("no instance runs on %s, and events are sent through one: start it with spate up", shortPath(i.dir)))
	}
	var answer struct{ Replay jobs.Replay }
	if err := i.call(ctx, http.MethodPost, letterPath(job, "replay", v), cmpTimeout(a.timeout), &answer); err != nil {
		return answerCode(err)
	}
	for _, why := range answer.Replay.Refused {
		fmt.Fprintln(a.stderr, "not replayed: "+why)
	}
	if !a.quiet {
		fmt.Fprintf(a.stderr, "job %s: %d events sent again, of %d dead letters\n", job, answer.Replay.Events, answer.Replay.Letters)
	}
	if len(answer.Replay.Refused) > 0 {
		return withCode(failed, fmt.Errorf("%d dead letters were not replayed", len(answer.Replay.Refused)))
	}
	return nil
}
