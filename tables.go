package spate

import (
	"context"
	"fmt"
	"strings"

	"spate/blob"
	"spate/connector"
	"spate/connector/deltatable"
	"spate/lake/delta"
	"spate/metric"
	"spate/pipeline"
	"spate/sql/plan"
)

// tables are the Delta tables of a pipeline.
type tables struct {
	store   blob.Store
	opts    pipeline.Options
	metrics *metric.Recorder
	options map[string]pipeline.Table // by database.table in lower case
}

func openTables(store blob.Store, o pipeline.Options, m *metric.Recorder) *tables {
	t := &tables{store: store, opts: o, metrics: m, options: make(map[string]pipeline.Table)}
	for _, tb := range o.Tables {
		t.options[strings.ToLower(tb.FullName(o.Storage))] = tb
	}
	return t
}

// declared are the tables there are now.
func (p *Pipeline) declared() *tables {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tables
}

func (t *tables) find(name string) (pipeline.Table, error) {
	tb, ok := t.options[strings.ToLower(t.opts.Storage.FullName("", name))]
	if !ok {
		return pipeline.Table{}, fmt.Errorf("table %s is not declared", name)
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
		Store: t.store, Path: tb.Location(t.opts.Storage), Output: output,
		Clock: t.opts.Clock, Log: t.opts.Log, Metrics: t.metrics, Strict: strict, Name: tb.FullName(t.opts.Storage),
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

func definitionOf(t pipeline.Table) *delta.Definition {
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
