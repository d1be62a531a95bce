package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"spate/config"
)

// app is one run of the command: its streams and global flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	file      string
	data      string
	address   string
	token     string
	example   bool
	output    string
	quiet     bool
	verbose   bool
	logFormat string
	timeout   time.Duration
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "spate",
		Short:         "A telemetry pipeline in one process: Event Hubs, Stream Analytics, Delta tables",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noVerb,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Version:       versionText(),
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if a.output != "" && cmd.Annotations[formless] != "" {
				return withCode(usage, fmt.Errorf("-o %s: this verb has one form", a.output))
			}
			return nil
		},
	}
	root.SetVersionTemplate("{{.Version}}")
	f := root.PersistentFlags()
	f.StringVarP(&a.file, "file", "f", "", "pipeline file, or a folder that holds spate.yaml (default: the current folder)")
	f.StringVar(&a.data, "data", "", "data folder, instead of the pipeline file's")
	f.BoolVar(&a.example, "example", false, "the built-in example, whatever is in the current folder")
	f.StringVar(&a.address, "address", os.Getenv("SPATE_ADDRESS"), "console of a running instance, such as http://127.0.0.1:8790")
	f.StringVar(&a.token, "token", os.Getenv("SPATE_TOKEN"), "token of a running instance that --address names")
	f.StringVarP(&a.output, "output", "o", "", "output form; which ones depends on the verb")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "no progress, warnings only")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "more log")
	f.StringVar(&a.logFormat, "log-format", "text", "text or json")
	f.DurationVar(&a.timeout, "timeout", 0, "give up after this time")
	root.AddCommand(a.up(), a.simulate(), a.eval(), a.query(), a.metrics(), a.job(), a.deadletter(), a.hub(), a.table(), a.backup(), a.restore(), a.status(), a.connectionString(), a.check(), a.test(), a.certs(), a.bench(), a.version(), worker(), a.producers())
	root.SetFlagErrorFunc(wrongFlag)
	root.SuggestionsMinimumDistance = 2
	checkArgs(root)
	a.complete(root)
	showExamples(root)
	return root
}

// load reads the pipeline that the flags and an argument name; without one it is the
// built-in example.
func (a *app) load(path string, src config.Source) (*config.Pipeline, error) {
	if path != "" && a.file != "" {
		return nil, withCode(usage, errors.New("the pipeline is named twice: by argument and by --file"))
	}
	if path == "" {
		path = a.file
	}
	src.Path, src.Data = path, a.data
	if a.example {
		if path != "" {
			return nil, withCode(usage, fmt.Errorf("--example is a pipeline of its own: leave %s away", path))
		}
		return config.Example(src)
	}
	p, err := config.Load(src)
	if errors.Is(err, config.ErrNoPipeline) {
		if path != "" {
			return nil, withCode(usage, fmt.Errorf("%s holds no spate.yaml and no .asaql script", path))
		}
		return config.Example(src)
	}
	return p, err
}

// formless marks verbs that print in one form only: they refuse -o.
const formless = "formless"

var oneForm = map[string]string{formless: "true"}

// form is the value of -o, which must be one of forms; the first is the default.
func (a *app) form(forms ...string) (string, error) {
	if a.output == "" {
		return forms[0], nil
	}
	for _, f := range forms {
		if f == a.output {
			return f, nil
		}
	}
	return "", withCode(usage, fmt.Errorf("-o %s: this verb has %v", a.output, forms))
}

// logger writes to w.
func (a *app) logger(w io.Writer, level slog.Level) (*slog.Logger, error) {
	switch {
	case a.verbose:
		level = slog.LevelDebug
	case a.quiet:
		level = slog.LevelWarn
	}
	o := &slog.HandlerOptions{Level: level}
	switch a.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, withCode(usage, fmt.Errorf("--log-format %s: want text or json", a.logFormat))
}

// terminal says whether a person sits at a stream.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
