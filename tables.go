package spate

import (
	"context"
	"fmt"
	"path"
	"strings"

	"spate/blob"
	"spate/connector"
	"spate/connector/deltatable"
	"spate/lake/delta"
)

// tables are the Delta tables of a pipeline.
type tables struct {
	store   blob.Store
	opts    Options
	options map[string]Table // by database.table in lower case
}

func openTables(_ context.Context, store blob.Store, o Options) (*tables, error) {
	t := &tables{store: store, opts: o, options: make(map[string]Table)}
	for _, tb := range o.Tables {
		t.options[strings.ToLower(tableName(o, tb.Database, tb.Name))] = tb
	}
	return t, nil
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

func (t *tables) find(name string) (Table, error) {
	tb, ok := t.options[strings.ToLower(tableName(t.opts, "", name))]
	if !ok {
		return Table{}, fmt.Errorf("table %s is not declared", name)
	}
	return tb, nil
}

// sink opens the sink of a job's output to a table.
func (t *tables) sink(ctx context.Context, job, output, name string) (connector.Sink, error) {
	tb, err := t.find(name)
	if err != nil {
		return nil, err
	}
	o := deltatable.Options{
		Store: t.store, Path: tb.location(t.opts), AppID: job + "/" + output + "/#state",
		Clock: t.opts.Clock, Log: t.opts.Log,
	}
	if len(tb.Columns) > 0 {
		o.Create = definitionOf(tb)
	}
	s, err := deltatable.Open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("opening table %s for output %s of job %s: %w", name, output, job, err)
	}
	return s, nil
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
