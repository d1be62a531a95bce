package pipeline

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"time"
)

// Storage names the lake: tables lie under
// <Dir>/lake/<Account>/<Container>/, as abfss://Container@Account would have them.
type Storage struct {
	Account   string // default "spate"
	Container string // default "data"
	Database  string // of tables named without one; default "default"
}

// Table is one Delta table.
type Table struct {
	Database    string // default Storage.Database
	Name        string
	Path        string        // below the container; default "<Database>.db/<Name>"
	Columns     []TableColumn // empty: inferred from the first rows
	PartitionBy []PartitionBy
	Flush       Flush
	Optimize    Optimize
	Vacuum      Vacuum
}

// TableColumn is a column of a table. Type is a Spark type name in lower case:
// string, long, int, double, float, boolean, timestamp, date, binary.
type TableColumn struct {
	Name    string
	Type    string
	NotNull bool
}

// PartitionBy is one partition column: Column itself or, with Date, the column
// "<Column>Date" that holds the UTC day of Column.
type PartitionBy struct {
	Column string
	Date   bool
}

// Flush says how often a job commits to a table. A job commits to all its
// outputs at once: see CommitInterval.
type Flush struct {
	Interval time.Duration // default: the job's CheckpointInterval
	// So many rows, or bytes of files, do not wait for it; 0: they do.
	Rows, Bytes int64
}

// Optimize says how the files of a table are packed while jobs write it.
type Optimize struct {
	Off            bool
	TargetFileSize int64         // default: delta.targetFileSize of the table, else 128 MiB
	Interval       time.Duration // between two looks at the table, default 1m
	Age            time.Duration // a partition that got no file for so long is packed whole, default 1h
	ZOrderBy       []string      // clusters such a partition by these columns, once
}

// Vacuum says how long files stay that no version of a table names any more.
type Vacuum struct {
	Retain   time.Duration // default: delta.deletedFileRetentionDuration of the table, else 168h
	Interval time.Duration // between two runs, default 24h
	Force    bool          // allows Retain below what the table says
}

// FullName is the name of a table with its database: name may hold one, else it is database,
// else the default.
func (s Storage) FullName(database, name string) string {
	if d, n, ok := strings.Cut(name, "."); ok {
		return d + "." + n
	}
	return cmp.Or(database, s.Database) + "." + name
}

// FullName is the name of a table with its database.
func (t Table) FullName(s Storage) string { return s.FullName(t.Database, t.Name) }

// Location is the path of a table below the data folder.
func (t Table) Location(s Storage) string {
	p := t.Path
	if p == "" {
		d, n, _ := strings.Cut(t.FullName(s), ".")
		p = d + ".db/" + n
	}
	return path.Join("lake", s.Account, s.Container, p)
}

// CommitInterval is how often a job commits: own, where it says so, else what
// its tables say. It is an error if they say different things.
func CommitInterval(own time.Duration, tables ...Table) (time.Duration, error) {
	said := "the job's checkpoint.interval"
	for _, t := range tables {
		switch f := t.Flush.Interval; {
		case f == 0 || f == own:
		case own == 0:
			own, said = f, "flush.interval of table "+t.Name
		default:
			return 0, fmt.Errorf("table %s: flush.interval %v beside %v of %s: different intervals in one job are not supported yet", t.Name, f, own, said)
		}
	}
	return own, nil
}
