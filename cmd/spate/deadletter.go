package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"spate/config"
	"spate/stream/deadletter"
)

func (a *app) deadletter() *cobra.Command {
	cmd := &cobra.Command{Use: "deadletter", Short: "What jobs have dropped, of a running or a stopped pipeline", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	list := &cobra.Command{Use: "list", Short: "How many, by job and kind", Args: cobra.NoArgs,
		RunE: do(func(*cobra.Command, []string) error { return a.listLetters() })}
	var kind string
	var most int
	show := &cobra.Command{Use: "show JOB", Annotations: oneForm, Short: "The dropped events and rows of a job as JSON lines, the oldest first", Args: cobra.ExactArgs(1),
		RunE: do(func(_ *cobra.Command, args []string) error { return a.showLetters(args[0], kind, most) })}
	show.Flags().StringVar(&kind, "kind", "", "only these: deserialization, declaration, timestamp, late, early, outOfOrder, conversion, runtime")
	show.Flags().IntVar(&most, "max", 0, "so many at most, the newest")
	cmd.AddCommand(list, show, a.replayLetters(), a.dropLetters())
	return cmd
}

// letter is what these verbs look at in a dead letter.
type letter struct {
	Job    string `json:"job"`
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
	Input  string `json:"input,omitempty"`
	Output string `json:"output,omitempty"`
	Step   string `json:"step,omitempty"`

	Replayed string `json:"replayed,omitempty"` // when; yes in a list
	Count    int64  `json:"count"`              // of the kind omitted: how many are not there
}

// where is what dropped it: of a row the step or output, though the input may be known.
func (l letter) where() string { return cmp.Or(l.Step, l.Output, l.Input) }

// eachLetter calls visit for every dead letter of a job, the oldest first; for all jobs
// if name is empty.
func (a *app) eachLetter(name string, visit func(l letter, line []byte) error) error {
	p, err := a.load("", config.Source{NoScripts: true})
	if err != nil {
		return err
	}
	jobs, err := jobFolders(p.Options.Dir)
	if err != nil {
		return err
	}
	found := false
	for _, job := range jobs {
		if name != "" && !strings.EqualFold(job, name) {
			continue
		}
		found = true
		files, err := filepath.Glob(filepath.Join(p.Options.Dir, "jobs", url.PathEscape(job), "dead-letter", "*.jsonl"))
		if err != nil {
			return err
		}
		slices.Sort(files) // their names begin with the epoch
		for _, file := range files {
			if err := lettersOf(job, file, visit); err != nil {
				return err
			}
		}
	}
	if name != "" && !found {
		return noSuchJob(p.Options.Dir, name)
	}
	return nil
}

// jobFolders are the names of the jobs that have run on a data folder.
func jobFolders(dir string) (names []string, err error) {
	folders, err := os.ReadDir(filepath.Join(dir, "jobs"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, f := range folders {
		if name, err := url.PathUnescape(f.Name()); err == nil {
			names = append(names, name)
		}
	}
	return names, nil
}

// jobWithFolder is the name of a job, as its folder spells it.
func (a *app) jobWithFolder(dir, name string) (string, error) {
	names, err := jobFolders(dir)
	if err != nil {
		return "", err
	}
	for _, job := range names {
		if strings.EqualFold(job, name) {
			return job, nil
		}
	}
	return "", noSuchJob(dir, name)
}

func noSuchJob(dir, name string) error {
	return withCode(notFound, fmt.Errorf("no job %s has run on %s", name, shortPath(dir)))
}

func lettersOf(job, file string, visit func(l letter, line []byte) error) error {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the running job has just merged or deleted it
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			l := letter{Job: job, Count: 1}
			if err := json.Unmarshal(line, &l); err != nil {
				return fmt.Errorf("reading %s: %w", file, err)
			}
			if err := visit(l, identified(line)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
	}
}

// identified puts the id of a letter in front of what it says.
func identified(line []byte) []byte {
	return append(fmt.Appendf(nil, `{"id":%q,`, deadletter.ID(line)), line[1:]...)
}

func (a *app) listLetters() error {
	form, err := a.form(listForms...)
	if err != nil {
		return err
	}
	counts := make(map[letter]int64)
	err = a.eachLetter("", func(l letter, _ []byte) error {
		n := l.Count
		l.Count = 0
		l.Reason, _, _ = strings.Cut(l.Reason, ":")
		if l.Replayed != "" {
			l.Replayed = "yes"
		}
		counts[l] += n
		return nil
	})
	if err != nil {
		return err
	}
	list := make([]letter, 0, len(counts))
	for l, n := range counts {
		l.Count = n
		list = append(list, l)
	}
	slices.SortFunc(list, func(x, y letter) int {
		return cmp.Or(cmp.Compare(x.Job, y.Job), cmp.Compare(y.Count, x.Count), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Reason, y.Reason), cmp.Compare(x.where(), y.where()), cmp.Compare(x.Replayed, y.Replayed))
	})
	return a.printList(form, list, "Job\tCount\tKind\tWhere\tReason\tReplayed", func(out io.Writer) {
		for _, l := range list {
			fmt.Fprintf(out, "%s\t%d\t%s\t%s\t%s\t%s\n", l.Job, l.Count, l.Kind, cmp.Or(l.where(), "-"), cmp.Or(l.Reason, "-"), cmp.Or(l.Replayed, "no"))
		}
	})
}

func (a *app) showLetters(job, kind string, most int) error {
	var kept [][]byte // the newest, if there is a bound
	err := a.eachLetter(job, func(l letter, line []byte) error {
		if kind != "" && !strings.EqualFold(l.Kind, kind) {
			return nil
		}
		if most <= 0 {
			_, err := a.stdout.Write(line)
			return err
		}
		if kept = append(kept, line); len(kept) > 2*most {
			kept = slices.Clone(kept[len(kept)-most:])
		}
		return nil
	})
	for _, line := range kept[max(0, len(kept)-max(most, 0)):] {
		if err == nil {
			_, err = a.stdout.Write(line)
		}
	}
	return err
}
