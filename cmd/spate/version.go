package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"spate/lake/duckdb"
	"spate/workload"
	"spate/workload/ingest"
)

// release is the version in the making.
const release = "0.1.0"

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, revision and platform",
		Args:  cobra.NoArgs,
		RunE: do(func(*cobra.Command, []string) error {
			form, err := a.form("text", "json")
			if err != nil {
				return err
			}
			if form == "json" {
				revision, date := built()
				return a.printJSON(map[string]string{"version": release, "revision": revision, "date": date, "go": runtime.Version(), "platform": platform(), "queries": duckdb.Version})
			}
			_, err = io.WriteString(a.stdout, versionText())
			return err
		}),
	}
}

func versionText() string {
	revision, date := built()
	return fmt.Sprintf("spate %s (%s, %s, %s, %s, %s)\n", release, revision, date, runtime.Version(), platform(), cmp.Or(duckdb.Version, "no DuckDB"))
}

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// built says of which revision this build is.
func built() (revision, date string) {
	revision, date = "unknown revision", "unknown date"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case "vcs.time":
			date = s.Value
		}
	}
	return
}

// worker is the child process of the query engine.
func worker() *cobra.Command {
	return &cobra.Command{
		Use: "duckdb-worker", Hidden: true, Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) { os.Exit(duckdb.Main(os.Stdin, os.Stdout)) },
	}
}

// producers are the child process of `spate bench ingest`.
func (a *app) producers() *cobra.Command {
	return &cobra.Command{
		Use: workload.ProducersVerb, Hidden: true, Args: cobra.NoArgs,
		RunE: do(func(cmd *cobra.Command, _ []string) error {
			return ingest.Produce(cmd.Context(), a.stdin, a.stdout, ingest.Dialers())
		}),
	}
}
