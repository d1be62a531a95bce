package jobs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"spate/connector"
	"spate/connector/deltatable"
	"spate/lake/delta"
	"spate/pipeline"
	"spate/sql/plan"
)

// tables are Delta tables, by database.table in lower case.
type tables map[string]pipeline.Table

// table is a table that a job names.
func (r *Room) table(s *spec, name string) (pipeline.Table, error) {
	tb, ok := s.tables[r.tableKey(name)]
	if !ok {
		return pipeline.Table{}, fmt.Errorf("table %s is not declared", name)
	}
	return tb, nil
}

func (r *Room) tableKey(name string) string {
	return strings.ToLower(r.o.Storage.FullName("", name))
}

// openTable opens the sink of an output to a table. cols are the columns that the output
// brings: a table without declared columns is made from them and from the first rows.
func (r *Room) openTable(ctx context.Context, s *spec, output, name string, strict bool, cols []plan.Column) (connector.Sink, error) {
	tb, err := r.table(s, name)
	if err != nil {
		return nil, err
	}
	o := deltatable.Options{
		Store: r.o.Store, Tables: r.o.Tables, Path: tb.Location(r.o.Storage), Output: output,
		Clock: r.o.Clock, Log: r.o.Log, Metrics: r.o.Metrics, Strict: strict, Name: tb.FullName(r.o.Storage),
		FullRows: tb.Flush.Rows, FullBytes: tb.Flush.Bytes,
	}
	if def := definitionOf(tb); len(tb.Columns) > 0 {
		o.Create = def
	} else {
		o.Infer = &deltatable.Inference{Columns: knownColumns(cols), PartitionBy: def.PartitionBy, Name: def.Name, Properties: def.Properties}
	}
	sink, err := deltatable.Open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("opening table %s for output %s of job %s: %w", name, output, s.name(), err)
	}
	return sink, nil
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
	if t.Flush.Interval < 10*time.Second { // a month of a commit a second is 2.6 million files
		d.Properties = map[string]string{"delta.logRetentionDuration": "interval 7 days"}
	}
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
