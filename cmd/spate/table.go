package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spate/config"
	"spate/lake"
	"spate/lake/query"
)

func (a *app) table() *cobra.Command {
	cmd := &cobra.Command{Use: "table", Short: "The tables of a running or a stopped pipeline: what they are, and their upkeep",
		Args: func(cmd *cobra.Command, args []string) error {
			return cobra.NoArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	list := &cobra.Command{Use: "list", Short: "All tables, with versions, files and bytes", Args: cobra.NoArgs,
		RunE: do(func(cmd *cobra.Command, _ []string) error { return a.listTables(cmd.Context()) })}
	describe := a.tableVerb("describe TABLE", "Columns, partitions, place and properties", nil, func(*cobra.Command) tableStatement {
		return func(s *query.Session, t string) (string, error) { return "DESCRIBE EXTENDED " + t, nil }
	})
	history := a.tableVerb("history TABLE", "The versions of a table, the newest first; -o json says all of them",
		[]string{"version", "timestamp", "operation", "operationMetrics", "engineInfo"}, func(cmd *cobra.Command) tableStatement {
			limit := cmd.Flags().Int("limit", 0, "so many at most; 0: all")
			return func(s *query.Session, t string) (string, error) {
				if *limit > 0 {
					return "DESCRIBE HISTORY " + t + " LIMIT " + strconv.Itoa(*limit), nil
				}
				return "DESCRIBE HISTORY " + t, nil
			}
		})
	optimize := a.tableVerb("optimize TABLE", "Pack small files, or cluster rows by columns", nil, func(cmd *cobra.Command) tableStatement {
		where := cmd.Flags().String("where", "", "condition on the partition columns: only these partitions")
		by := cmd.Flags().StringSlice("zorder-by", nil, "columns by which queries ask, such as DeviceId,Timestamp")
		return func(s *query.Session, t string) (string, error) {
			sql := "OPTIMIZE " + t
			if *where != "" {
				sql += " WHERE " + *where
			}
			if len(*by) > 0 {
				var quoted []string
				for _, c := range *by {
					quoted = append(quoted, bracketed(strings.TrimSpace(c)))
				}
				sql += " ZORDER BY (" + strings.Join(quoted, ", ") + ")"
			}
			return sql, nil
		}
	})
	vacuum := a.tableVerb("vacuum TABLE", "Delete files that no version needs", nil, func(cmd *cobra.Command) tableStatement {
		retain := cmd.Flags().String("retain", "", "how long removed files stay, such as 168h; default: what the table says, a week")
		dry := cmd.Flags().Bool("dry-run", false, "name the files, delete nothing")
		force := cmd.Flags().Bool("force", false, "keep less than the table says: queries that run and older versions may lose their files")
		return func(s *query.Session, t string) (string, error) {
			s.Force = *force
			sql := "VACUUM " + t
			if *retain != "" {
				d, err := config.ParseDuration(*retain)
				if err != nil {
					return "", withCode(usage, fmt.Errorf("--retain: %w", err))
				}
				sql += " RETAIN " + strconv.FormatFloat(d.Hours(), 'f', -1, 64) + " HOURS"
			}
			if *dry {
				sql += " DRY RUN"
			}
			return sql, nil
		}
	})
	restore := a.tableVerb("restore TABLE", "Make a table what it was", nil, func(cmd *cobra.Command) tableStatement {
		version := cmd.Flags().Int64("version", -1, "the version that it was")
		at := cmd.Flags().String("timestamp", "", "the time at which it was, such as 2026-01-02T03:04:05Z")
		return func(s *query.Session, t string) (string, error) {
			switch {
			case *version >= 0 == (*at != ""):
				return "", withCode(usage, errors.New("say --version or --timestamp"))
			case *version >= 0:
				return fmt.Sprintf("RESTORE %s TO VERSION AS OF %d", t, *version), nil
			}
			when, err := time.Parse(time.RFC3339Nano, *at)
			if err != nil {
				return "", withCode(usage, fmt.Errorf("--timestamp %s: want a time such as 2026-01-02T03:04:05Z", *at))
			}
			return fmt.Sprintf("RESTORE %s TO TIMESTAMP AS OF '%s'", t, when.UTC().Format("2006-01-02 15:04:05.999")), nil
		}
	})
	analyze := a.tableVerb("analyze TABLE", "Count rows, and the values of columns, for the catalog; describe shows them", nil, func(cmd *cobra.Command) tableStatement {
		all := cmd.Flags().Bool("all-columns", false, "about how many values each column has")
		columns := cmd.Flags().StringSlice("columns", nil, "about how many values these columns have")
		return func(s *query.Session, t string) (string, error) {
			sql := "ANALYZE TABLE " + t + " COMPUTE STATISTICS"
			switch {
			case *all:
				sql += " FOR ALL COLUMNS"
			case len(*columns) > 0:
				var quoted []string
				for _, c := range *columns {
					quoted = append(quoted, bracketed(strings.TrimSpace(c)))
				}
				sql += " FOR COLUMNS " + strings.Join(quoted, ", ")
			}
			return sql + "; DESCRIBE EXTENDED " + t, nil
		}
	})
	cmd.AddCommand(list, describe, history, optimize, vacuum, restore, analyze)
	return cmd
}

// tableStatement is what a verb has the session do with a table, whose name is quoted.
type tableStatement func(s *query.Session, table string) (sql string, err error)

func (a *app) tableVerb(use, short string, only []string, flags func(*cobra.Command) tableStatement) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1)}
	sql := flags(cmd)
	cmd.RunE = do(func(cmd *cobra.Command, args []string) error {
		form, err := a.form("table", "json", "jsonl", "csv")
		if err != nil {
			return err
		}
		var parts []string
		for part := range strings.SplitSeq(args[0], ".") {
			parts = append(parts, bracketed(part))
		}
		return a.withSession(cmd.Context(), func(ctx context.Context, s *query.Session) error {
			text, err := sql(s, strings.Join(parts, "."))
			if err != nil {
				return err
			}
			return a.ask(ctx, s, text, form, queryFlags{only: only})
		})
	})
	return cmd
}

// bracketed is a name as T-SQL quotes it.
func bracketed(name string) string { return "[" + strings.ReplaceAll(name, "]", "]]") + "]" }

// withSession gives a session on the tables of the data folder.
func (a *app) withSession(ctx context.Context, use func(context.Context, *query.Session) error) error {
	p, err := a.load("", config.Source{NoScripts: true})
	if err != nil {
		return err
	}
	if err := mustHaveTables(p.Options); err != nil {
		return err
	}
	if a.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.timeout)
		defer cancel()
	}
	s, closeEngine, err := session(p.Options, queryFlags{}, a.timeout)
	if err != nil {
		return err
	}
	err = use(ctx, s)
	if e := closeEngine(); err == nil {
		err = e
	}
	return err
}

// listedTable is a table as `spate table list` shows it.
type listedTable struct {
	Database string `json:"database"`
	Name     string `json:"name"`
	Version  int64  `json:"version"`
	Files    int    `json:"files"`
	Bytes    int64  `json:"bytes"`
	Rows     *int64 `json:"rows"` // null: the statistics do not tell
	Problem  string `json:"problem,omitempty"`
}

func (a *app) listTables(ctx context.Context) error {
	form, err := a.form(listForms...)
	if err != nil {
		return err
	}
	list := []listedTable{}
	err = a.withSession(ctx, func(ctx context.Context, s *query.Session) error {
		catalog := s.Tables.(*lake.Statements).Catalog
		specs, err := catalog.Tables(ctx)
		if err != nil {
			return err
		}
		for _, spec := range specs {
			one := listedTable{Database: strings.ToLower(spec.Database), Name: strings.ToLower(spec.Name)}
			t, err := catalog.Delta(ctx, spec.Database, spec.Name)
			switch {
			case errors.Is(err, query.ErrNotWritten):
				one.Version, one.Problem = -1, "nothing was written to it yet"
			case err != nil: // the others are shown all the same
				one.Version, one.Problem = -1, err.Error()
			default:
				snap := t.Known()
				one.Version, one.Files, one.Bytes = snap.Version, len(snap.Files()), snap.Size()
				if n, ok := snap.Rows(); ok {
					one.Rows = &n
				}
			}
			list = append(list, one)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.printList(form, list, "table\tversion\tfiles\tbytes\trows", func(out io.Writer) {
		for _, t := range list {
			if t.Version < 0 {
				fmt.Fprintf(out, "%s.%s\t-\t-\t-\t%s\n", t.Database, t.Name, t.Problem)
				continue
			}
			rows := "-"
			if t.Rows != nil {
				rows = strconv.FormatInt(*t.Rows, 10)
			}
			fmt.Fprintf(out, "%s.%s\t%d\t%d\t%d\t%s\n", t.Database, t.Name, t.Version, t.Files, t.Bytes, rows)
		}
	})
}
