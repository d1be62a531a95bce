package config

import (
	"slices"
	"strings"
	"time"

	"spate/pipeline"
	"spate/sql/syntax"
)

var tableKeys = section[pipeline.Table]{
	key("path", ChangeLive, "Folder below `<storage.path>/lake/<account>/<container>`.", tablePath()),
	key("schema", ChangeNever, "A file with one CREATE TABLE ... USING DELTA, or its text. Its PARTITIONED BY and LOCATION count.", tableSchema()).refusal("exists with"),
	key("columns", ChangeNever, "Instead of `schema`: types by column, of string, long, int, double, float, boolean, timestamp, date, binary. Without either the table is made from its first rows.",
		tableColumns()).refusal("exists with"),
	key("partitionBy", ChangeNever, "Columns, and `date(column)`, which is the UTC day of a column.", partitionBy()).refusal("exists partitioned by"),
	key("partitionDate", ChangeNone, "How the column of `date(column)` is declared: a plain column.", word[pipeline.Table]("plain", nil, "plain")),
	key("preset", ChangeNone, "Versions of Delta's protocol: reader 1, writer 2.", word[pipeline.Table]("default", nil, "default")),
	key("flush", ChangeInside, "When rows are committed.", optional(flushKeys, func(t *pipeline.Table) *pipeline.Flush { return &t.Flush })),
	key("optimize", ChangeInside, "How small files are packed, where jobs write the table.", optional(optimizeKeys, func(t *pipeline.Table) *pipeline.Optimize { return &t.Optimize })),
	key("vacuum", ChangeInside, "When files go that no version needs, where jobs write the table.", optional(vacuumKeys, func(t *pipeline.Table) *pipeline.Vacuum { return &t.Vacuum })),
	later[pipeline.Table]("properties", "comment", "checkpointInterval", "schemaEvolution"),
}

var optimizeKeys = section[pipeline.Optimize]{
	key("enabled", ChangeLive, "`false`: files stay as the jobs have written them.", unless(func(o *pipeline.Optimize) *bool { return &o.Off })),
	key("targetFileSize", ChangeLive, "Files of about this size are left alone. Without it `delta.targetFileSize` of the table counts.",
		saying("128MiB", size(0, 1<<20, 1<<30, func(o *pipeline.Optimize) *int64 { return &o.TargetFileSize }))),
	key("interval", ChangeLive, "How often the table is looked at.", duration(time.Minute, time.Second, 24*time.Hour,
		func(o *pipeline.Optimize) *time.Duration { return &o.Interval })),
	key("age", ChangeLive, "A partition that got no file for so long is packed whole; a table without partitions is one.", duration(time.Hour, time.Minute, maxDuration,
		func(o *pipeline.Optimize) *time.Duration { return &o.Age })),
	key("zorderBy", ChangeLive, "Columns by which the rows of such a partition are clustered, once: those that queries ask for.",
		list(func(o *pipeline.Optimize) *[]string { return &o.ZOrderBy })),
}

var vacuumKeys = section[pipeline.Vacuum]{
	key("retain", ChangeLive, "How long files stay that no version names any more; below 168h with `force`. Without it `delta.deletedFileRetentionDuration` of the table counts.",
		saying("168h", duration(0, time.Hour, maxDuration, func(v *pipeline.Vacuum) *time.Duration { return &v.Retain }))),
	key("interval", ChangeLive, "How often they are looked for.", duration(24*time.Hour, time.Minute, maxDuration,
		func(v *pipeline.Vacuum) *time.Duration { return &v.Interval })),
	key("force", ChangeLive, "`true`: `retain` may be less than what keeps queries and versions of the last week readable.",
		boolean(false, func(v *pipeline.Vacuum) *bool { return &v.Force })),
}

// weekOfFiles is what Delta keeps removed files for where a table does not say.
const weekOfFiles = 168 * time.Hour

// checkMaintenance checks what is said of the upkeep of a table.
func (l *loader) checkMaintenance(o *object, at *entry, t *pipeline.Table) {
	if t.Vacuum.Retain > 0 && t.Vacuum.Retain < weekOfFiles && !t.Vacuum.Force {
		o.r.fail(at.at, "E205", o.path, "say force: true too, if nobody reads versions that are older",
			"vacuum.retain %s of %s is less than 168h: queries that run and versions of the last week may lose their files", FormatDuration(t.Vacuum.Retain), t.Name)
	}
	if len(t.Optimize.ZOrderBy) > 8 {
		o.r.fail(at.at, "E309", o.path, "", "optimize.zorderBy of %s names %d columns: want 8 at most", t.Name, len(t.Optimize.ZOrderBy))
	}
	for _, name := range t.Optimize.ZOrderBy {
		declared := slices.ContainsFunc(t.Columns, func(c pipeline.TableColumn) bool { return strings.EqualFold(c.Name, name) })
		partition := slices.ContainsFunc(t.PartitionBy, func(p pipeline.PartitionBy) bool {
			return !p.Date && strings.EqualFold(p.Column, name) || p.Date && strings.EqualFold(p.Column+"Date", name)
		})
		switch {
		case partition:
			o.r.fail(at.at, "E309", o.path, "", "optimize.zorderBy of %s names %s: files of one value of a partition column lie together already", t.Name, name)
		case len(t.Columns) > 0 && !declared:
			o.r.fail(at.at, "E309", o.path, "", "optimize.zorderBy of %s: the table has no column %s", t.Name, name)
		}
	}
}

var flushKeys = section[pipeline.Flush]{
	key("interval", ChangeLive, "How often; it is the checkpoint interval of the jobs that write the table.", duration(time.Second, 100*time.Millisecond, time.Hour,
		func(f *pipeline.Flush) *time.Duration { return &f.Interval })),
	key("rows", ChangeLive, "Rows of the table that do not wait for the interval; 0: they do.", integer(0, 0, 1_000_000_000, func(f *pipeline.Flush) *int64 { return &f.Rows })),
	key("bytes", ChangeLive, "Bytes of files that do not wait for it.", size(64<<20, 64<<10, 1<<40, func(f *pipeline.Flush) *int64 { return &f.Bytes })),
}

func tableNames() value[pipeline.Options] {
	return names[pipeline.Options, pipeline.Table]{rule: tableName, keys: tableKeys,
		at:    func(o *pipeline.Options) *[]pipeline.Table { return &o.Tables },
		name:  func(t *pipeline.Table) *string { return &t.Name },
		begin: (*loader).beginTable, check: (*loader).checkTable,
		title: func(t *pipeline.Table) string { return t.Database + "." + t.Name },
	}.value()
}

func (l *loader) beginTable(t *pipeline.Table) {
	t.Database = l.o.Storage.Database
	if db, rest, ok := strings.Cut(t.Name, "."); ok {
		t.Database, t.Name = db, rest
	}
	t.Path = t.Database + ".db/" + t.Name
}

// checkTable checks a table, and those before it.
func (l *loader) checkTable(o *object, at *entry, t *pipeline.Table) {
	if o.find("schema") == nil && o.find("columns") == nil {
		o.r.fail(at.at, "W515", o.path, "give it a schema file or columns", "%s: no schema: it is inferred from the first rows", t.Name)
	}
	l.checkMaintenance(o, at, t)
	for _, other := range l.o.Tables {
		if strings.EqualFold(other.Database, t.Database) && strings.EqualFold(other.Name, t.Name) {
			o.r.fail(at.at, "E103", o.path, "", "the table %s.%s is defined already", t.Database, t.Name)
		}
		if other.Path == t.Path {
			o.r.fail(at.at, "E207", o.path, "", "the tables %s and %s have one path, %s", other.Name, t.Name, t.Path)
		}
	}
}

func tablePath() value[pipeline.Table] {
	return value[pipeline.Table]{Key{Form: FormText, Default: "DATABASE.db/TABLE"},
		func(l *loader, o *object, key string, t *pipeline.Table) {
			if e := o.take(key); e != nil {
				if s, ok := o.textOf(e); ok {
					t.Path = l.tablePath(o, e, s)
				}
			}
		},
		func(_ *Pipeline, t *pipeline.Table) any { return t.Path }}
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

func tableSchema() value[pipeline.Table] {
	return value[pipeline.Table]{Key{Form: FormText},
		func(l *loader, o *object, key string, t *pipeline.Table) {
			if e := o.take(key); e != nil && o.find("columns") == nil {
				if s, ok := o.textOf(e); ok {
					l.tableSchema(o, e, s, t)
				}
			}
		},
		func(_ *Pipeline, t *pipeline.Table) any { // columns cannot say NOT NULL
			if slices.ContainsFunc(t.Columns, func(c pipeline.TableColumn) bool { return c.NotNull }) {
				return ddl(t)
			}
			return nil
		}}
}

// ddl is the schema of a table as text.
func ddl(t *pipeline.Table) string {
	var cols []string
	for _, c := range t.Columns {
		col := c.Name + " " + strings.ToUpper(c.Type)
		if c.NotNull {
			col += " NOT NULL"
		}
		cols = append(cols, col)
	}
	return "CREATE TABLE " + t.Name + " (" + strings.Join(cols, ", ") + ") USING DELTA"
}

func (l *loader) tableSchema(o *object, e *entry, s string, t *pipeline.Table) {
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
		if o.find("path") != nil && location != t.Path {
			o.fail(e, "E207", "", "LOCATION %s is not the path %s", location, t.Path)
		}
		t.Path = location
	}
}

func tableColumns() value[pipeline.Table] {
	return value[pipeline.Table]{Key{Form: FormTexts, Words: typeWords},
		func(_ *loader, o *object, key string, t *pipeline.Table) {
			e := o.take(key)
			if e != nil && o.find("schema") != nil {
				o.fail(e, "E207", "keep one of the two", "schema and columns exclude each other")
			} else if e != nil {
				readColumns(o.part(e), t)
			}
		},
		func(_ *Pipeline, t *pipeline.Table) any {
			out := &fields{}
			for _, c := range t.Columns {
				if c.NotNull {
					return nil // see schema
				}
				out.add(c.Name, c.Type)
			}
			return out
		}}
}

// typeWords are the types of columns.
var typeWords = []string{"string", "long", "int", "double", "float", "boolean", "timestamp", "date", "binary"}

func readColumns(cols *object, t *pipeline.Table) {
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
			cols.fail(e, "E206", "types are "+strings.Join(typeWords, ", "), "the type %q is not supported yet", s)
			return
		}
		if hasColumn(t.Columns, name) {
			cols.fail(e, "E103", "", "the column is there twice")
		}
		t.Columns = append(t.Columns, pipeline.TableColumn{Name: name, Type: typ})
	})
}

func partitionBy() value[pipeline.Table] {
	return value[pipeline.Table]{Key{Form: FormList},
		func(_ *loader, o *object, key string, t *pipeline.Table) { readPartitions(o, key, t) },
		func(_ *Pipeline, t *pipeline.Table) any {
			var out []string
			for _, by := range t.PartitionBy {
				if by.Date {
					out = append(out, "date("+by.Column+")")
				} else {
					out = append(out, by.Column)
				}
			}
			return out
		}}
}

func readPartitions(o *object, key string, t *pipeline.Table) {
	var keys []pipeline.PartitionBy
	for e, s := range o.texts(key) {
		by, ok := parsePartition(s)
		if !ok {
			o.fail(e, "E309", "want a column or date(column)", "%q is not a partition", s)
			continue
		}
		if len(t.Columns) > 0 && !hasColumn(t.Columns, by.Column) {
			var names []string
			for _, c := range t.Columns {
				names = append(names, c.Name)
			}
			o.fail(e, "E309", didYouMean(by.Column, names), "there is no column %s", by.Column)
			continue
		}
		keys = append(keys, by)
	}
	e := o.find(key)
	if e == nil {
		return
	}
	if len(t.PartitionBy) > 0 && !slices.Equal(t.PartitionBy, keys) {
		o.fail(e, "E207", "", "the schema says PARTITIONED BY otherwise")
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
