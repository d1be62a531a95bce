package spate

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"spate/blob"
	"spate/connector"
	"spate/connector/deltatable"
	"spate/lake/delta"
	"spate/metric"
	"spate/sql/plan"
)

// tables are the Delta tables of a pipeline.
type tables struct {
	store   blob.Store
	opts    Options
	metrics *metric.Recorder
	options map[string]Table // by database.table in lower case
}

func openTables(store blob.Store, o Options, m *metric.Recorder) *tables {
	t := &tables{store: store, opts: o, metrics: m, options: make(map[string]Table)}
	for _, tb := range o.Tables {
		t.options[strings.ToLower(tableName(o, tb.Database, tb.Name))] = tb
	}
	return t
}

// declared are the tables there are now.
func (p *Pipeline) declared() *tables {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tables
}

func tableName(o Options, database, name string) string {
	if d, n, ok := strings.Cut(name, "."); ok {
		return d + "." + n
	}
	if database == "" {
		database = o.Storage.Database
	}
	return database + "." + name
}

// Location returns the path of a table below the data folder.
func (t Table) location(o Options) string {
	p := t.Path
	if p == "" {
		d, n, _ := strings.Cut(tableName(o, t.Database, t.Name), ".")
		p = d + ".db/" + n
	}
	return path.Join("lake", o.Storage.Account, o.Storage.Container, p)
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

func (t *tables) find(name string) (Table, error) {
	tb, ok := t.options[strings.ToLower(tableName(t.opts, "", name))]
	if !ok {
		return Table{}, fmt.Errorf("table %s is not declared", name)
	}
	return tb, nil
}

// sink opens the sink of a job's output to a table. cols are the columns that
// the output brings: a table without declared columns is made from them and from
// the first rows.
func (t *tables) sink(ctx context.Context, job, output, name string, strict bool, cols []plan.Column) (connector.Sink, error) {
	tb, err := t.find(name)
	if err != nil {
		return nil, err
	}
	o := deltatable.Options{
		Store: t.store, Path: tb.location(t.opts), Output: output,
		Clock: t.opts.Clock, Log: t.opts.Log, Metrics: t.metrics, Strict: strict, Name: tableName(t.opts, tb.Database, tb.Name),
	}
	if def := definitionOf(tb); len(tb.Columns) > 0 {
		o.Create = def
	} else {
		o.Infer = &deltatable.Inference{Columns: knownColumns(cols), PartitionBy: def.PartitionBy, Name: def.Name}
	}
	s, err := deltatable.Open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("opening table %s for output %s of job %s: %w", name, output, job, err)
	}
	return s, nil
}

// knownColumns are the columns whose names the query knows, with the types that
// it knows.
func knownColumns(cols []plan.Column) []delta.Column {
	var out []delta.Column
	for _, c := range cols {
		if !c.Star && delta.FindColumn(out, c.Name) == nil {
			out = append(out, delta.Column{Name: c.Name, Type: deltatable.TypeOf(c.Type)})
		}
	}
	return out
}

func definitionOf(t Table) *delta.Definition {
	d := &delta.Definition{Name: t.Name}
	for _, c := range t.Columns {
		d.Columns = append(d.Columns, delta.Column{Name: c.Name, Type: delta.Type(sparkType(c.Type)), Nullable: !c.NotNull})
	}
	for _, p := range t.PartitionBy {
		if p.Date {
			d.PartitionBy = append(d.PartitionBy, delta.Partition{DateOf: p.Column})
		} else {
			d.PartitionBy = append(d.PartitionBy, delta.Partition{Column: p.Column})
		}
	}
	return d
}

// sparkType is the name that Delta gives a type of Spark's DDL.
func sparkType(name string) string {
	switch name {
	case "int":
		return "integer"
	case "bigint":
		return "long"
	case "smallint":
		return "short"
	case "tinyint":
		return "byte"
	}
	return name
}
