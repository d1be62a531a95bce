package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spate/config"
	"spate/suite"
)

// testFlags are the flags of test.
type testFlags struct {
	run, junit, outputDir, config string
	update, watch                 bool
}

func (a *app) test() *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:         "test [PATH...]",
		Short:       "Run the tests of scripts: events go in, rows are compared",
		Annotations: oneForm,
	}
	fl := cmd.Flags()
	fl.StringVar(&f.run, "run", "", "only tests whose PATH/NAME the pattern matches")
	fl.StringVar(&f.junit, "junit", "", "write the results there as JUnit XML, which CI tools read")
	fl.BoolVar(&f.update, "update", false, "what is expected becomes what came out")
	fl.BoolVar(&f.watch, "watch", false, "run again when a file changes, until Ctrl-C")
	fl.StringVar(&f.outputDir, "output-dir", "", "write the rows of each test there, and testResultSummary.json of a project")
	fl.StringVar(&f.config, "test-config", "", "test configuration of a project (default: its test/testConfig.json)")
	cmd.RunE = do(func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			args = []string{"."}
			if a.file != "" {
				args = []string{a.file}
			}
		} else if a.file != "" {
			return withCode(usage, errors.New("what is tested is named twice: by argument and by --file"))
		}
		o := suite.Options{Update: f.update, OutputDir: f.outputDir}
		if f.run != "" {
			var err error
			if o.Run, err = regexp.Compile(f.run); err != nil {
				return withCode(usage, fmt.Errorf("--run: %w", err))
			}
		}
		var err error
		if o.Log, err = a.logger(a.stderr, 4); err != nil {
			return err
		}
		if f.watch {
			return a.watchTests(cmd.Context(), &f, o, args)
		}
		sources, _, err := a.findTests(&f, args)
		if err != nil {
			return err
		}
		return a.runTests(cmd.Context(), &f, o, sources)
	})
	return cmd
}

// findTests finds the tests at some paths, and the files that they are made of, in order.
func (a *app) findTests(f *testFlags, paths []string) (sources []*suite.Source, files []string, err error) {
	for _, path := range paths {
		if st, err := os.Stat(path); err == nil && st.IsDir() { // as a whole it changes with reports, too
			for _, of := range []string{"spate.yaml", "spate.yml", "asaproj.json", "*.txtar", "tests/*.txtar"} {
				files = append(files, filepath.Join(path, of))
			}
		} else {
			files = append(files, path)
		}
		found, err := suite.Find(path, f.config, func(file string) (*config.Pipeline, error) {
			return config.Load(config.Source{Path: file, Data: a.data, NoScripts: true})
		})
		if err != nil {
			return nil, files, withCode(usage, err)
		}
		sources = append(sources, found...)
	}
	for _, s := range sources {
		files = append(files, s.Files...)
	}
	slices.Sort(files)
	return sources, slices.Compact(files), nil
}

// runTests runs tests once.
func (a *app) runTests(ctx context.Context, f *testFlags, o suite.Options, sources []*suite.Source) error {
	tests := o.Selected(sources)
	if len(tests) == 0 {
		return withCode(notFound, fmt.Errorf("--run %s matches none of %s", f.run, several(countTests(sources), "test")))
	}
	begin := time.Now()
	var results []*suite.Result
	failures := 0
	for _, t := range tests {
		r, err := suite.Run(ctx, t, o)
		if err != nil {
			return err
		}
		results = append(results, r)
		a.printResult(r)
		if r.Failed {
			failures++
		}
	}
	if f.junit != "" {
		if err := suite.WriteJUnit(f.junit, begin, results); err != nil {
			return err
		}
	}
	if o.OutputDir != "" {
		if err := suite.WriteSummaries(o.OutputDir, results); err != nil {
			return err
		}
	}
	if failures > 0 {
		fmt.Fprintf(a.stdout, "%d of %s failed\n", failures, several(len(tests), "test"))
		return withCode(differs, errSaid)
	}
	passes := "passes"
	if len(tests) > 1 {
		passes = "pass"
	}
	fmt.Fprintf(a.stdout, "%s %s\n", several(len(tests), "test"), passes)
	return nil
}

func countTests(sources []*suite.Source) (n int) {
	for _, s := range sources {
		n += len(s.Tests)
	}
	return n
}

// printResult prints what became of a test: what passes only if that is asked for.
func (a *app) printResult(r *suite.Result) {
	for _, file := range r.Updated {
		fmt.Fprintf(a.stdout, "updated %s\n", shortPath(file))
	}
	switch {
	case r.Failed:
		fmt.Fprintf(a.stdout, "FAIL %s: %s\n", shortPath(r.Test.Source.Name), r.Test.Name)
		for line := range strings.Lines(r.Text) {
			_, _ = io.WriteString(a.stdout, "  "+line)
		}
	case !a.quiet:
		fmt.Fprintf(a.stdout, "ok   %s: %s\n", shortPath(r.Test.Source.Name), r.Test.Name)
	}
}

// watchTests runs tests again and again, each time one of their files has changed. It ends
// with ctx.
func (a *app) watchTests(ctx context.Context, f *testFlags, o suite.Options, paths []string) error {
	w := &watcher{}
	for {
		sources, files, err := a.findTests(f, paths)
		for !slices.Equal(files, w.files) { // how they are is looked at before they are read
			w.files = files
			w.seen = w.look()
			sources, files, err = a.findTests(f, paths)
		}
		if err == nil {
			err = a.runTests(ctx, f, o, sources)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			a.exit(ctx, err) // prints what is wrong; its code is for the end of the process, and the next change may mend it
		}
		fmt.Fprintln(a.stderr, "waiting for a change")
		if err := w.wait(ctx); err != nil {
			return err
		}
	}
}
