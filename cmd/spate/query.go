package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"spate/blob"
	"spate/config"
	"spate/jobs"
	"spate/lake"
	"spate/lake/query"
	"spate/pipeline"
	"spate/sql/syntax"
)

// queryFlags are the flags of query.
type queryFlags struct {
	database string
	dialect  string // "" for tsql
	maxRows  int
	params   []string
	explain  bool
	stats    bool
	memory   string   // of the engine, "" for the default
	spill    string   // on disk, "" for the default
	only     []string // columns of a table for people; nil: all
}

// sqlWords keeps SQL that begins with a comment from being taken for a flag.
func sqlWords(args []string) []string {
	words := slices.Clone(args)
	for i, w := range words {
		if strings.HasPrefix(w, "--") && len(w) > 2 && unicode.IsSpace(rune(w[2])) {
			words[i] = " " + w
		}
	}
	return words
}

func (a *app) query() *cobra.Command {
	var f queryFlags
	cmd := &cobra.Command{
		Use:   "query [SQL]",
		Short: "Ask the tables, of a running or a stopped pipeline",
		Long:  "Ask the tables. The SQL is the argument, a file named with --file (NAME.sql), or standard input.",
		Args:  cobra.MaximumNArgs(1),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.dialect, "dialect", "tsql", "of the SQL: tsql or spark")
	fl.StringVar(&f.database, "database", "", "database of tables named without one")
	fl.IntVar(&f.maxRows, "max-rows", 10000, "rows at most; 0: all")
	fl.StringArrayVar(&f.params, "param", nil, "NAME=VALUE: the value of @NAME")
	fl.BoolVar(&f.explain, "explain", false, "print the plan, run nothing")
	fl.BoolVar(&f.stats, "stats", false, "files, bytes and time on standard error")
	fl.StringVar(&f.memory, "memory", "1GiB", "of a query; what does not fit is spilled")
	fl.StringVar(&f.spill, "spill", "16GiB", "room on disk for what does not fit into memory; 0: none")
	cmd.RunE = do(func(cmd *cobra.Command, args []string) error {
		form, err := a.form("table", "json", "jsonl", "csv", "parquet", "arrow")
		if err != nil {
			return err
		}
		if err := query.CheckFormat(form); err != nil {
			return withCode(usage, err)
		}
		sql := strings.Join(args, "")
		if strings.EqualFold(filepath.Ext(a.file), ".sql") { // not a pipeline
			if sql != "" {
				return withCode(usage, errors.New("the query is given twice: by argument and by --file"))
			}
			data, err := os.ReadFile(a.file)
			if err != nil {
				return withCode(usage, err)
			}
			sql, a.file = string(data), ""
		}
		if sql == "" {
			if terminal(a.stdin) {
				return withCode(usage, errors.New("name the query: spate query \"SELECT ...\", or give it on standard input"))
			}
			data, err := io.ReadAll(a.stdin)
			if err != nil {
				return err
			}
			sql = string(data)
		}
		p, err := a.load("", config.Source{NoScripts: true})
		if err != nil {
			return err
		}
		if _, ok := dialects[f.dialect]; !ok {
			return withCode(usage, fmt.Errorf("--dialect %s: want tsql or spark", f.dialect))
		}
		if !query.Creates(sql, dialects[f.dialect]) {
			if err := mustHaveTables(p.Options); err != nil {
				return err
			}
		}
		ctx := cmd.Context()
		if a.timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, a.timeout)
			defer cancel()
		}
		s, closeEngine, err := session(p.Options, f, a.timeout)
		if err != nil {
			return err
		}
		err = a.ask(ctx, s, sql, form, f)
		if e := closeEngine(); err == nil {
			err = e
		}
		return err
	})
	return cmd
}

// dialects are the languages of query.
var dialects = map[string]syntax.Dialect{"": syntax.TSQL, "tsql": syntax.TSQL, "spark": syntax.Spark}

// session is a query session on the tables of a data folder.
func session(o pipeline.Options, f queryFlags, timeout time.Duration) (*query.Session, func() error, error) {
	store := blob.NewLocal(lake.Folder(o.Dir, o.Storage.Account, o.Storage.Container)) // made by the first table
	var specs []lake.TableSpec
	for _, t := range o.Tables {
		specs = append(specs, lake.TableSpec{Database: t.Database, Name: t.Name, Prefix: t.Path})
	}
	catalog, err := lake.NewCatalog(lake.Options{Store: store, Tables: specs, Discover: true, Databases: []string{o.Storage.Database},
		Root: "abfss://" + o.Storage.Container + "@" + o.Storage.Account + ".dfs.core.windows.net/"})
	if err != nil {
		return nil, nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	limits, err := f.limits(timeout)
	if err != nil {
		return nil, nil, err
	}
	// What a query spills, and what a statement writes before it is whole, lies here.
	scratch, err := os.MkdirTemp("", "spate-query-")
	if err != nil {
		return nil, nil, err
	}
	engine, err := query.NewEngine(query.EngineOptions{Command: []string{program, "duckdb-worker"}, Workers: 1, Limits: limits(scratch)})
	if err != nil {
		os.RemoveAll(scratch)
		return nil, nil, err
	}
	end := func() error {
		catalog.Close()
		return errors.Join(engine.Close(), os.RemoveAll(scratch))
	}
	s := &query.Session{Dialect: dialects[f.dialect], Catalog: catalog, Engine: engine, Database: o.Storage.Database, Params: map[string]query.Param{}}
	s.Tables = &lake.Statements{Catalog: catalog, Engine: engine, Pinned: func(ctx context.Context) (func(string) bool, error) {
		return jobs.Prepared(ctx, blob.NewLocal(o.Dir))
	}}
	if f.database != "" {
		s.Database = f.database
	}
	for _, p := range f.params {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return nil, nil, errors.Join(withCode(usage, fmt.Errorf("--param %s: want NAME=VALUE", p)), end())
		}
		s.Params[strings.ToLower(strings.TrimPrefix(name, "@"))] = query.TextParam(value)
	}
	return s, end, nil
}

// limits are those of the queries of a session, for a folder of its own.
func (f *queryFlags) limits(timeout time.Duration) (func(dir string) query.Limits, error) {
	l := query.Limits{Timeout: timeout}
	for _, x := range []struct {
		flag, text string
		least      int64
		to         *int64
	}{{"--memory", f.memory, 64 << 20, &l.MemoryBytes}, {"--spill", f.spill, 0, &l.SpillBytes}} {
		if x.text == "" {
			continue
		}
		n, err := config.ParseSize(x.text)
		if err == nil && n < x.least {
			err = fmt.Errorf("%s is less than 64MiB", x.text)
		}
		if err != nil {
			return nil, withCode(usage, fmt.Errorf("%s: %w", x.flag, err))
		}
		*x.to = n
	}
	none := f.spill != "" && l.SpillBytes == 0
	return func(dir string) query.Limits {
		l := l
		if l.SpillDir = dir; none { // files of statements are written all the same
			l.SpillBytes = query.NoSpill
		}
		return l
	}, nil
}

// mustHaveTables refuses what asks the tables of an instance that has none.
func mustHaveTables(o pipeline.Options) error {
	dir := lake.Folder(o.Dir, o.Storage.Account, o.Storage.Container)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return withCode(notFound, fmt.Errorf("there are no tables in %s: start the pipeline with `spate up`, or make one with CREATE TABLE", shortPath(dir)))
	}
	return nil
}

func (a *app) ask(ctx context.Context, s *query.Session, sql, form string, f queryFlags) error {
	start := time.Now()
	if f.explain {
		r, err := s.Explain(ctx, sql)
		if err != nil {
			return queryError(err)
		}
		defer r.Close()
		_, err = fmt.Fprintln(a.stdout, strings.Join(r.Plan(), "\n"))
		a.stats(f, r, start)
		return err
	}
	results := 0
	err := s.Each(ctx, sql, func(r *query.Result) error {
		if results++; results > 1 && form != "jsonl" {
			if _, err := fmt.Fprintln(a.stdout); err != nil {
				return err
			}
		}
		if f.only != nil && form == "table" {
			r.Only(f.only...)
		}
		truncated, err := query.Print(a.stdout, form, r, f.maxRows)
		if err != nil {
			return err
		}
		for _, w := range r.Warnings {
			fmt.Fprintln(a.stderr, "note: "+w)
		}
		if truncated {
			fmt.Fprintf(a.stderr, "note: only the first %d rows are shown; --max-rows 0 shows all\n", f.maxRows)
		}
		a.stats(f, r, start)
		start = time.Now()
		return nil
	})
	return queryError(err)
}

func (a *app) stats(f queryFlags, r *query.Result, start time.Time) {
	if f.stats {
		fmt.Fprintf(a.stderr, "%+v, %s\n", r.Stats, time.Since(start).Truncate(time.Millisecond))
	}
}

func queryError(err error) error {
	var mistake *query.Error
	switch {
	case errors.Is(err, query.ErrTimeout):
		return withCode(timedOut, err)
	case errors.As(err, &mistake):
		return withCode(usage, err)
	}
	return err
}
