package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"spate/lake/delta"
	"spate/lake/query"
	"spate/sql/syntax"
)

// checkName refuses names that are no names of folders: where a table lies is made from them.
func checkName(name string, at syntax.Span) error {
	if name == "" || name == "." || name == ".." || len(name) > 128 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) }) {
		return query.Mistake(50000, at, "'%s' cannot be the name of a table or a database: it names a folder.", name)
	}
	return nil
}

func (s *Statements) createDatabase(ctx context.Context, a *query.Action) error {
	st := a.Statement.(*syntax.CreateDatabase)
	if err := checkName(a.Database, st.Name.Loc()); err != nil {
		return err
	}
	has, err := s.Catalog.hasDatabase(ctx, a.Database)
	if err != nil {
		return err
	}
	if has {
		if st.IfNotExists {
			return nil
		}
		return query.Mistake(1801, st.Name.Loc(), "Database '%s' already exists. Choose a different database name.", a.Database)
	}
	d := database{Name: a.Database, Comment: st.Comment}
	if st.Location != "" {
		if d.Prefix, err = s.Catalog.place(st.Location); err != nil {
			return err
		}
	}
	return s.Catalog.edit(ctx, func(e *entries) error {
		e.Databases[strings.ToLower(d.Name)] = d
		return nil
	})
}

// createTable makes a table, or names one that is there.
func (s *Statements) createTable(ctx context.Context, a *query.Action) (*query.Result, error) {
	st := a.Statement.(*syntax.CreateTable)
	spec, managed, err := s.newTable(ctx, a, st)
	if err != nil {
		return nil, err
	}
	old, err := s.Catalog.find(ctx, spec.Database, spec.Name)
	exists := err == nil
	if err != nil && !errors.Is(err, query.ErrNoTable) {
		return nil, err
	}
	if exists {
		_, err := s.Catalog.o.Open.Open(ctx, old.Prefix)
		if errors.Is(err, delta.ErrNotATable) { // it is named, by the pipeline file, and not made yet
			exists, spec.Prefix, managed = false, old.Prefix, false
		} else if err != nil {
			return nil, err
		}
	}
	if !exists {
		if err := s.apart(ctx, spec, st.Name.Loc()); err != nil {
			return nil, err
		}
	}
	switch {
	case exists && st.IfNotExists:
		return nil, nil
	case exists && !st.OrReplace:
		return nil, query.Mistake(2714, st.Name.Loc(), "There is already a table named '%s' in the database.", spec.Name)
	case exists:
		spec.Prefix = old.Prefix
	}
	if st.As != nil || exists {
		res, err := s.createAs(ctx, spec, exists, st, a)
		if err != nil {
			return nil, err
		}
		return res, s.register(ctx, spec, managed)
	}
	d, err := definition(st)
	if err != nil {
		return nil, err
	}
	if len(d.Columns) == 0 { // a name for what is there
		if _, err = s.Catalog.o.Open.Open(ctx, spec.Prefix); errors.Is(err, delta.ErrNotATable) {
			return nil, query.Mistake(50000, st.Name.Loc(), "The table has no columns, and there is no Delta table in its place to take them from.")
		}
	} else {
		_, err = s.Catalog.o.Open.OpenOrCreate(ctx, spec.Prefix, d)
	}
	if err != nil {
		return nil, err
	}
	return nil, s.register(ctx, spec, managed)
}

// apart refuses a table within the folder of another one: VACUUM of the outer one would delete the
// files of the inner one.
func (s *Statements) apart(ctx context.Context, spec TableSpec, at syntax.Span) error {
	refuse := func(other string) error {
		return query.Mistake(50000, at, "The table cannot lie in %s: there is a table in %s, and VACUUM of one would delete files of the other.", spec.Prefix, other)
	}
	for outer := path.Dir(spec.Prefix); outer != "."; outer = path.Dir(outer) {
		for _, err := range s.Catalog.o.Store.List(ctx, outer+"/_delta_log/", "") {
			if err != nil {
				return err
			}
			return refuse(outer)
		}
	}
	for info, err := range s.Catalog.o.Store.List(ctx, spec.Prefix+"/", "") {
		if err != nil {
			return err
		}
		inner, _, found := strings.Cut(info.Key, "/_delta_log/")
		if found && inner == spec.Prefix { // the table itself, which gets a name
			return nil
		}
		if found {
			return refuse(inner)
		}
	}
	return nil
}

// newTable says where a new table is to lie, and whether its files are the catalog's.
func (s *Statements) newTable(ctx context.Context, a *query.Action, st *syntax.CreateTable) (spec TableSpec, managed bool, err error) {
	switch {
	case st.Using != "" && st.Using != "DELTA":
		return spec, false, query.Unsupported(st.Span, "A table USING "+st.Using)
	case len(st.ClusterBy) > 0:
		return spec, false, query.Unsupported(st.Span, "CLUSTER BY")
	case strings.EqualFold(a.Database, "delta"):
		spec = TableSpec{Database: a.Database, Name: a.Table}
		spec.Prefix, err = s.Catalog.place(a.Table)
		return spec, false, err
	}
	has, err := s.Catalog.hasDatabase(ctx, a.Database)
	if err != nil {
		return spec, false, err
	}
	if !has {
		return spec, false, query.Mistake(911, st.Name.Loc(), "Database '%s' does not exist. Make sure that the name is entered correctly.", a.Database)
	}
	if err := checkName(a.Table, st.Name.Loc()); err != nil {
		return spec, false, err
	}
	spec = TableSpec{Database: a.Database, Name: a.Table}.complete()
	if st.Location != "" {
		spec.Prefix, err = s.Catalog.place(st.Location)
		return spec, false, err
	}
	e, _, err := s.Catalog.entries(ctx)
	if err != nil {
		return spec, false, err
	}
	if d, ok := e.Databases[strings.ToLower(a.Database)]; ok && d.Prefix != "" {
		spec.Prefix = d.Prefix + "/" + spec.Name
	}
	return spec, true, nil
}

// register notes a table in the catalog, unless the pipeline file names it.
func (s *Statements) register(ctx context.Context, spec TableSpec, managed bool) error {
	if strings.EqualFold(spec.Database, "delta") || slices.ContainsFunc(s.Catalog.specs, func(o TableSpec) bool { return o.key() == spec.key() }) {
		return nil
	}
	return s.Catalog.edit(ctx, func(e *entries) error {
		if old, ok := e.Tables[spec.key()]; ok && old.Prefix == spec.Prefix {
			managed = old.Managed
		}
		e.Tables[spec.key()] = entry{Database: spec.Database, Name: spec.Name, Prefix: spec.Prefix, Managed: managed}
		delete(e.Dropped, spec.Prefix)
		return nil
	})
}

// createAs makes a table with the rows of a query, or replaces the one that is there; all in one
// version. Without a query the new table is empty.
func (s *Statements) createAs(ctx context.Context, spec TableSpec, replace bool, st *syntax.CreateTable, a *query.Action) (*query.Result, error) {
	d, err := definition(st)
	if err != nil {
		return nil, err
	}
	fill := func(*delta.Snapshot) ([]*delta.Add, error) { return nil, nil }
	n := int64(0)
	if st.As != nil {
		if len(st.Columns) > 0 {
			return nil, query.Mistake(50000, st.Columns[0].Span, "CREATE TABLE ... AS SELECT takes its columns from the query.")
		}
		if s.Engine == nil {
			return nil, errors.New("CREATE TABLE ... AS SELECT needs the query engine, and there is none")
		}
		var rows func([]delta.PartitionDate, []string) (*query.Rows, error)
		if d.Columns, rows, err = a.Change.Selected(ctx); err != nil {
			return nil, err
		}
		fill = func(snap *delta.Snapshot) ([]*delta.Add, error) {
			r, err := rows(snap.PartitionDates(), snap.Metadata.PartitionColumns)
			if err != nil {
				return nil, err
			}
			w := &files{engine: s.Engine, store: s.Catalog.o.Store, prefix: spec.Prefix, snap: snap, target: targetOf(snap)}
			adds, k, err := w.write(ctx, r)
			n = k
			return adds, err
		}
	}
	if err := s.Catalog.o.Open.Fill(ctx, spec.Prefix, d, replace, fill); err != nil {
		return nil, err
	}
	if st.As == nil {
		return nil, nil
	}
	return query.NewResult(numbers("num_affected_rows"), [][]query.Value{{query.IntValue(n)}}), nil
}

// definition reads the columns, partitions and properties of a CREATE TABLE.
func definition(st *syntax.CreateTable) (delta.Definition, error) {
	d := delta.Definition{Description: st.Comment, Properties: map[string]string{}}
	for i := range st.Columns {
		c, err := columnOf(&st.Columns[i])
		if err != nil {
			return d, err
		}
		d.Columns = append(d.Columns, c)
	}
	for _, p := range st.PartitionedBy {
		if p.Column != nil {
			c, err := columnOf(p.Column)
			if err != nil {
				return d, err
			}
			d.Columns = append(d.Columns, c)
			d.PartitionBy = append(d.PartitionBy, delta.Partition{Column: c.Name})
			continue
		}
		column, day, ok := partitionOf(p.Expr)
		if !ok {
			return d, query.Unsupported(p.Span, "PARTITIONED BY an expression other than DATE(column)")
		}
		if st.As == nil {
			c := delta.FindColumn(d.Columns, column)
			if c == nil {
				return d, query.Mistake(207, p.Span, "Invalid column name '%s'.", column)
			}
			column = c.Name
		}
		if day {
			d.PartitionBy = append(d.PartitionBy, delta.Partition{DateOf: column})
		} else {
			d.PartitionBy = append(d.PartitionBy, delta.Partition{Column: column})
		}
	}
	for _, p := range st.Properties {
		key, err := propertyOf(p)
		if err != nil {
			return d, err
		}
		d.Properties[key] = p.Value
	}
	return d, nil
}

// propertyOf is the name of a property that a table may be given.
func propertyOf(p syntax.Property) (string, error) {
	if strings.HasPrefix(strings.ToLower(p.Key), "spate.") {
		return "", query.Mistake(50000, p.Span, "The property %s is Spate's own.", p.Key)
	}
	key, err := delta.CheckProperty(p.Key, p.Value)
	if err != nil {
		return "", query.Mistake(50000, p.Span, "%v.", err)
	}
	return key, nil
}

// partitionOf is the column of a partition, or whose day it is.
func partitionOf(e syntax.Expr) (column string, day, ok bool) {
	switch e := e.(type) {
	case *syntax.Path:
		return e.Parts[len(e.Parts)-1].Name, false, len(e.Parts) == 1
	case *syntax.Call:
		if strings.EqualFold(e.Name.Last().Name, "date") && len(e.Args) == 1 {
			column, again, ok := partitionOf(e.Args[0])
			return column, true, ok && !again
		}
	case *syntax.Cast:
		if strings.EqualFold(e.Func, "CAST") && e.Type.Name == "DATE" {
			column, again, ok := partitionOf(e.X)
			return column, true, ok && !again
		}
	}
	return "", false, false
}

func columnOf(c *syntax.ColumnDef) (delta.Column, error) {
	out := delta.Column{Name: c.Name.Name, Nullable: !c.NotNull, Comment: c.Comment}
	if c.Default != nil {
		return out, query.Unsupported(c.Span, "A DEFAULT of a column")
	}
	var err error
	if out.Type, err = typeOf(c.Type); err != nil {
		return out, err
	}
	if c.Generated != nil {
		source, day, ok := partitionOf(c.Generated)
		if !ok || !day || out.Type != delta.Date {
			return out, query.Unsupported(c.Generated.Loc(), "GENERATED ALWAYS AS an expression other than CAST(column AS DATE)")
		}
		text, err := json.Marshal("CAST(" + source + " AS DATE)")
		if err != nil {
			return out, fmt.Errorf("column %s: %w", c.Name.Name, err)
		}
		out.Metadata = map[string]json.RawMessage{delta.GenerationKey: text}
	}
	return out, nil
}

// typeWords are types of Spark and of T-SQL.
var typeWords = map[string]delta.Type{
	"STRING": delta.String, "VARCHAR": delta.String, "NVARCHAR": delta.String, "CHAR": delta.String, "NCHAR": delta.String, "TEXT": delta.String,
	"LONG": delta.Long, "BIGINT": delta.Long, "INT": delta.Integer, "INTEGER": delta.Integer, "SHORT": delta.Short, "SMALLINT": delta.Short,
	"BYTE": delta.Byte, "TINYINT": delta.Byte, "FLOAT": delta.Float, "REAL": delta.Float, "DOUBLE": delta.Double, "DOUBLE PRECISION": delta.Double,
	"BOOLEAN": delta.Boolean, "BIT": delta.Boolean, "BINARY": delta.Binary, "VARBINARY": delta.Binary, "DATE": delta.Date,
	"TIMESTAMP": delta.Timestamp, "DATETIME2": delta.Timestamp, "DATETIME": delta.Timestamp, "DATETIMEOFFSET": delta.Timestamp,
}

func typeOf(t *syntax.TypeName) (delta.Type, error) {
	switch t.Name {
	case "DECIMAL", "NUMERIC", "DEC":
		p, s := 10, 0
		var err error
		if len(t.Args) > 0 {
			p, err = strconv.Atoi(t.Args[0])
		}
		if len(t.Args) > 1 && err == nil {
			s, err = strconv.Atoi(t.Args[1])
		}
		if d := delta.Decimal(p, s); err == nil && d.Known() {
			return d, nil
		}
		return "", query.Mistake(1001, t.Loc(), "Length or precision specification %s is invalid.", strings.Join(t.Args, ","))
	case "ARRAY", "MAP", "STRUCT":
		return nestedType(t)
	}
	typ, ok := typeWords[t.Name]
	if !ok {
		return "", query.Unsupported(t.Loc(), "The type "+t.Name)
	}
	if len(t.Args) > 0 && typ == delta.String && t.Args[0] != "MAX" {
		return "", query.Unsupported(t.Loc(), "A text of limited length in a table: "+syntax.FormatType(t))
	}
	return typ, nil
}

// nestedType writes the JSON of a struct, array or map.
func nestedType(t *syntax.TypeName) (delta.Type, error) {
	part := func(e *syntax.TypeName) (json.RawMessage, error) {
		typ, err := typeOf(e)
		if err != nil {
			return nil, err
		}
		if typ.Nested() {
			return json.RawMessage(typ), nil
		}
		return json.Marshal(string(typ))
	}
	var parts []json.RawMessage
	for _, e := range t.Elems {
		p, err := part(e.Type)
		if err != nil {
			return "", err
		}
		parts = append(parts, p)
	}
	wrong := query.Mistake(102, t.Loc(), "Incorrect syntax: the type %s.", syntax.FormatType(t))
	var out any
	switch {
	case t.Name == "ARRAY" && len(parts) == 1:
		out = map[string]any{"type": "array", "elementType": parts[0], "containsNull": true}
	case t.Name == "MAP" && len(parts) == 2:
		out = map[string]any{"type": "map", "keyType": parts[0], "valueType": parts[1], "valueContainsNull": true}
	case t.Name == "STRUCT" && len(parts) > 0:
		fields := []any{}
		for i, e := range t.Elems {
			fields = append(fields, map[string]any{"name": e.Name.Name, "type": parts[i], "nullable": true, "metadata": map[string]any{}})
		}
		out = map[string]any{"type": "struct", "fields": fields}
	default:
		return "", wrong
	}
	b, err := json.Marshal(out)
	if err != nil {
		return "", wrong
	}
	return delta.Type(b), nil
}
