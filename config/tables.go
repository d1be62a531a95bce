package config

import (
	"slices"
	"strings"
	"time"

	"spate/pipeline"
	"spate/sql/syntax"
)

func (l *loader) tables(o *object) {
	if o == nil {
		return
	}
	o.each(func(name string, e *entry) {
		o.named(e, tableName)
		if t := o.r.object(e.value, join(o.path, name)); t != nil {
			l.table(name, e, t)
		}
	})
}

func (l *loader) table(name string, at *entry, o *object) {
	t := pipeline.Table{Database: l.o.Storage.Database, Name: name}
	if db, rest, ok := strings.Cut(name, "."); ok {
		t.Database, t.Name = db, rest
	}
	t.Path = t.Database + ".db/" + t.Name
	pathKey := o.take("path")
	if pathKey != nil {
		if s, ok := o.textOf(pathKey); ok {
			t.Path = l.tablePath(o, pathKey, s)
		}
	}
	schema, columns := o.take("schema"), o.take("columns")
	switch {
	case schema != nil && columns != nil:
		o.fail(columns, "E207", "keep one of the two", "schema and columns exclude each other")
	case schema != nil:
		l.tableSchema(o, schema, pathKey, &t)
	case columns != nil:
		l.tableColumns(o, columns, &t)
	default:
		o.r.fail(at.at, "W515", o.path, "give it a schema file or columns", "%s: no schema: it is inferred from the first rows", t.Name)
	}
	l.partitionBy(o, &t)
	o.oneOf("partitionDate", "plain", "plain")
	o.oneOf("preset", "default", "default")
	if f := o.child("flush"); f != nil {
		t.Flush.Interval = f.duration("interval", time.Second, 100*time.Millisecond, time.Hour)
		f.later("rows", "bytes")
		f.done()
	}
	o.later("properties", "comment", "optimize", "vacuum", "checkpointInterval", "schemaEvolution")
	o.done()
	for _, other := range l.o.Tables {
		if strings.EqualFold(other.Database, t.Database) && strings.EqualFold(other.Name, t.Name) {
			o.r.fail(at.at, "E103", o.path, "", "the table %s.%s is defined already", t.Database, t.Name)
		}
		if other.Path == t.Path {
			o.r.fail(at.at, "E207", o.path, "", "the tables %s and %s have one path, %s", other.Name, t.Name, t.Path)
		}
	}
	l.o.Tables = append(l.o.Tables, t)
}

// tablePath is path below the container, without the prefix that names it.
func (l *loader) tablePath(o *object, e *entry, path string) string {
	if strings.Contains(path, "://") {
		prefix := "abfss://" + l.o.Storage.Container + "@" + l.o.Storage.Account + ".dfs.core.windows.net/"
		rest, ok := strings.CutPrefix(path, prefix)
		if !ok {
			o.fail(e, "E303", "want a path below the container, or "+prefix+"...", "%s: tables elsewhere are not supported yet", path)
			return path
		}
		path = rest
	}
	path = strings.Trim(path, "/")
	if path == "" || strings.Contains("/"+path+"/", "/../") || strings.Contains("/"+path+"/", "/./") || strings.Contains(path, "\\") {
		o.fail(e, "E303", "want a path below the container", "%q is not a table path", path)
	}
	return path
}

func (l *loader) tableSchema(o *object, e, pathKey *entry, t *pipeline.Table) {
	s, ok := o.textOf(e)
	if !ok {
		return
	}
	src, file := s, ""
	if !strings.ContainsAny(strings.TrimSpace(s), " \n\t") {
		data, err := l.folder.read(s)
		if err != nil {
			o.fail(e, "E303", "", "%v", err)
			return
		}
		src, file = string(data), resolvePath(l.folder.dir, s)
	}
	d, errs := parseDDL(src)
	if len(errs) > 0 {
		for _, err := range errs {
			if file == "" {
				o.fail(e, "E400", err.Hint, "line %d column %d: %s", err.Span.From.Line, err.Span.From.Col, err.Msg)
			} else {
				l.sqlProblem(file, src, join(o.path, e.key), err)
			}
		}
		return
	}
	t.Columns, t.PartitionBy = d.columns, d.partitionBy
	if d.location != "" {
		location := l.tablePath(o, e, d.location)
		if pathKey != nil && location != t.Path {
			o.fail(e, "E207", "", "LOCATION %s is not the path %s", location, t.Path)
		}
		t.Path = location
	}
}

func (l *loader) tableColumns(o *object, e *entry, t *pipeline.Table) {
	cols := o.r.object(e.value, join(o.path, e.key))
	if cols == nil {
		return
	}
	cols.each(func(name string, e *entry) {
		cols.named(e, sqlName)
		s, ok := cols.textOf(e)
		if !ok {
			return
		}
		typ, ok := columnTypes[strings.ToUpper(s)]
		if !ok {
			cols.fail(e, "E206", "types are string, long, int, double, float, boolean, timestamp, date, binary", "the type %q is not supported yet", s)
			return
		}
		if hasColumn(t.Columns, name) {
			cols.fail(e, "E103", "", "the column is there twice")
		}
		t.Columns = append(t.Columns, pipeline.TableColumn{Name: name, Type: typ})
	})
}

func (l *loader) partitionBy(o *object, t *pipeline.Table) {
	var keys []pipeline.PartitionBy
	given := o.list("partitionBy", func(e *entry) {
		s, ok := o.textOf(e)
		if !ok {
			return
		}
		by, ok := parsePartition(s)
		if !ok {
			o.fail(e, "E309", "want a column or date(column)", "%q is not a partition", s)
			return
		}
		if len(t.Columns) > 0 && !hasColumn(t.Columns, by.Column) {
			var names []string
			for _, c := range t.Columns {
				names = append(names, c.Name)
			}
			o.fail(e, "E309", didYouMean(by.Column, names), "there is no column %s", by.Column)
			return
		}
		keys = append(keys, by)
	})
	if !given {
		return
	}
	if len(t.PartitionBy) > 0 && !slices.Equal(t.PartitionBy, keys) {
		o.fail(o.find("partitionBy"), "E207", "", "the schema says PARTITIONED BY otherwise")
	}
	t.PartitionBy = keys
}

// sqlProblem reports a mistake in a file of SQL.
func (r *reader) sqlProblem(file, src, path string, err *syntax.Error) {
	at := err.Span.From
	r.problems = append(r.problems, Problem{File: file, Line: at.Line, Column: at.Col, Code: "E400", Severity: "error",
		Path: path, Message: err.Msg, Hint: err.Hint, excerpt: excerpt(src, at.Line, at.Col)})
}

// needTable checks that a table exists.
func (l *loader) needTable(o *object, e *entry, name string) {
	l.refs = append(l.refs, func() {
		if l.findTable(name) != nil {
			return
		}
		var names []string
		for _, t := range l.o.Tables {
			names = append(names, t.Name)
		}
		hint := didYouMean(name, names)
		if hint == "" {
			hint = "tables are defined under tables"
		}
		o.fail(e, "E301", hint, "there is no table %q", name)
	})
}

// findTable finds table or database.table.
func (l *loader) findTable(name string) *pipeline.Table {
	db := l.o.Storage.Database
	if d, rest, ok := strings.Cut(name, "."); ok {
		db, name = d, rest
	}
	for i := range l.o.Tables {
		if t := &l.o.Tables[i]; strings.EqualFold(t.Name, name) && strings.EqualFold(t.Database, db) {
			return t
		}
	}
	return nil
}
