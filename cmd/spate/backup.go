package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spate/config"
	"spate/datafolder"
)

func (a *app) backup() *cobra.Command {
	return &cobra.Command{Use: "backup FOLDER", Short: "Copy the data folder of a running or a stopped pipeline, as it is at one moment",
		Long: `Copy the data folder of a running or a stopped pipeline into a new folder: events, tables,
jobs, notifications, metrics, keys. A running pipeline goes on. 'spate restore' makes a data
folder of it, from which every job goes on as after a crash at that moment.`,
		Args: cobra.ExactArgs(1),
		RunE: do(func(cmd *cobra.Command, args []string) error { return a.makeBackup(cmd.Context(), args[0]) })}
}

func (a *app) restore() *cobra.Command {
	return &cobra.Command{Use: "restore FOLDER", Short: "Make a data folder of a backup; --data says which",
		Args: cobra.ExactArgs(1),
		RunE: do(func(cmd *cobra.Command, args []string) error { return a.restoreBackup(cmd.Context(), args[0]) })}
}

func (a *app) makeBackup(ctx context.Context, to string) (err error) {
	form, err := a.form(listForms...)
	if err != nil {
		return err
	}
	i, err := a.instance()
	if err != nil {
		return err
	}
	if i.dir == "" {
		return withCode(usage, errors.New("a backup is made of a data folder on this machine: name it with --data too"))
	}
	if i.dir, err = filepath.Abs(i.dir); err != nil {
		return err
	}
	if _, err := os.Stat(datafolder.HubsDir(i.dir)); errors.Is(err, fs.ErrNotExist) {
		return withCode(notFound, fmt.Errorf("no pipeline has run on %s", shortPath(i.dir)))
	}
	if a.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.timeout)
		defer cancel()
	}
	lock, err := datafolder.Take(i.dir)
	if err == nil {
		defer func() { err = errors.Join(err, lock.Close()) }()
		c, err := datafolder.Backup(ctx, i.dir, to, nil, strings.TrimSpace(versionText()))
		return a.printCopied(form, c, err)
	}
	if !errors.Is(err, datafolder.ErrLocked) {
		return err
	}
	if i.address == "" {
		return noConsole(err)
	}
	stage, err := datafolder.NewStage(i.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	var answer map[string]string
	err = i.call(ctx, http.MethodPost, "/api/backup?stage="+stage.Name(), cmpTimeout(a.timeout), &answer)
	if err != nil {
		return answerCode(err)
	}
	c, err := datafolder.Backup(ctx, i.dir, to, stage, strings.TrimSpace(versionText()))
	return a.printCopied(form, c, err)
}

func (a *app) restoreBackup(ctx context.Context, from string) error {
	form, err := a.form(listForms...)
	if err != nil {
		return err
	}
	dir := a.data
	if dir == "" {
		p, err := a.load("", config.Source{NoScripts: true})
		if err != nil {
			return err
		}
		dir = p.Options.Dir
	}
	if a.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.timeout)
		defer cancel()
	}
	c, err := datafolder.Restore(ctx, from, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return withCode(notFound, err)
	}
	return a.printCopied(form, c, err)
}

// printCopied tells what was copied.
func (a *app) printCopied(form string, c datafolder.Copied, err error) error {
	if errors.Is(err, datafolder.ErrTarget) {
		return withCode(usage, err)
	}
	if err != nil {
		return err
	}
	err = a.printList(form, c, "What\tFiles\tBytes", func(out io.Writer) {
		files, bytes := 0, int64(0)
		for _, p := range c.Parts {
			fmt.Fprintf(out, "%s\t%d\t%d\n", p.Part, p.Files, p.Bytes)
			files, bytes = files+p.Files, bytes+p.Bytes
		}
		fmt.Fprintf(out, "all\t%d\t%d\n", files, bytes)
	})
	if err != nil {
		return err
	}
	if !a.quiet {
		fmt.Fprintf(a.stderr, "%s: copied from %s, as it was %s\n", shortPath(c.Folder), shortPath(c.From), c.Made.Format(time.RFC3339))
	}
	return nil
}
