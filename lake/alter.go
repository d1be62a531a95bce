package lake

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"spate/lake/delta"
	"spate/lake/query"
	"spate/sql/syntax"
)

// alter carries out ALTER TABLE.
func (s *Statements) alter(ctx context.Context, t *delta.Table, st *syntax.AlterTable) error {
	var change func(*delta.Snapshot) (*delta.Change, error)
	switch st.Kind {
	case syntax.AddColumns:
		return addColumns(ctx, t, st)
	case syntax.SetProperties:
		change = func(s *delta.Snapshot) (*delta.Change, error) { return setProperties(s, st) }
	case syntax.UnsetProperties:
		change = func(s *delta.Snapshot) (*delta.Change, error) { return unsetProperties(s, st) }
	case syntax.ColumnComment, syntax.DropNotNull:
		change = func(s *delta.Snapshot) (*delta.Change, error) { return changeColumn(s, st) }
	case syntax.SetNotNull:
		change = func(snap *delta.Snapshot) (*delta.Change, error) { return s.setNotNull(ctx, t, snap, st) }
	case syntax.RenameColumn:
		change = func(s *delta.Snapshot) (*delta.Change, error) { return renameColumn(s, st) }
	case syntax.DropColumns:
		change = func(s *delta.Snapshot) (*delta.Change, error) { return dropColumns(s, st) }
	default:
		return query.Unsupported(st.Span, "ALTER TABLE ... "+string(st.Kind))
	}
	_, err := t.Alter(ctx, change)
	return err
}

func addColumns(ctx context.Context, t *delta.Table, st *syntax.AlterTable) error {
	var cols []delta.Column
	for i := range st.Columns {
		c, err := columnOf(&st.Columns[i])
		if err != nil {
			return err
		}
		if c.Metadata != nil {
			return query.Unsupported(st.Columns[i].Span, "ADD COLUMNS of a generated column")
		}
		if !c.Nullable {
			return query.Mistake(4901, st.Columns[i].Span, "Column %s takes no NULL, and rows that are there have no value.", c.Name)
		}
		cols = append(cols, c)
	}
	snap, err := t.Snapshot(ctx)
	if err != nil {
		return err
	}
	for i, c := range cols {
		if delta.FindColumn(snap.Columns, c.Name) != nil || delta.FindColumn(cols[:i], c.Name) != nil {
			return query.Mistake(2705, st.Columns[i].Span, "Column names in each table must be unique. Column name '%s' is specified more than once.", c.Name)
		}
	}
	_, err = t.AddColumns(ctx, snap, cols)
	return err
}

func setProperties(s *delta.Snapshot, st *syntax.AlterTable) (*delta.Change, error) {
	set, mapped := map[string]string{}, false
	for _, p := range st.Properties {
		if strings.EqualFold(p.Key, "delta.columnMapping.mode") && p.Value == string(delta.MapName) {
			mapped = s.Mapping() == delta.MapNone
			continue
		}
		// Who maps columns names the versions that know of it, as Spark wants; they follow anyway.
		if low := strings.ToLower(p.Key); low == "delta.minreaderversion" && p.Value == "2" || low == "delta.minwriterversion" && p.Value == "5" {
			continue
		}
		key, err := propertyOf(p)
		if err != nil {
			return nil, err
		}
		set[key] = p.Value
	}
	c := &delta.Change{}
	if mapped {
		var err error
		if c, err = s.MapColumns(); err != nil {
			return nil, err
		}
		maps.Copy(c.Metadata.Configuration, set)
	} else {
		c.Metadata = s.WithProperties(set, nil)
	}
	if maps.Equal(c.Metadata.Configuration, s.Metadata.Configuration) {
		return nil, nil
	}
	all := map[string]string{}
	for _, p := range st.Properties {
		all[p.Key] = p.Value
	}
	c.Operation, c.Parameters = "SET TBLPROPERTIES", map[string]any{"properties": jsonText(all)}
	return c, nil
}

func unsetProperties(s *delta.Snapshot, st *syntax.AlterTable) (*delta.Change, error) {
	var keys []string
	for _, k := range st.Keys {
		have := ""
		for name := range s.Metadata.Configuration {
			if strings.EqualFold(name, k) {
				have = name
			}
		}
		switch {
		case have == "" && st.IfExists:
			continue
		case have == "":
			return nil, query.Mistake(50000, st.Span, "The table has no property %s.", k)
		}
		if _, err := delta.CheckProperty(have, s.Metadata.Configuration[have]); err != nil || strings.HasPrefix(strings.ToLower(have), "spate.") {
			return nil, query.Unsupported(st.Span, "UNSET of the property "+have)
		}
		keys = append(keys, have)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	return &delta.Change{Operation: "UNSET TBLPROPERTIES", Parameters: map[string]any{"properties": jsonList(keys), "ifExists": strconv.FormatBool(st.IfExists)},
		Metadata: s.WithProperties(nil, keys)}, nil
}

// columnAt finds the column that a statement names.
func columnAt(s *delta.Snapshot, p *syntax.Path) (int, error) {
	if len(p.Parts) > 1 {
		return 0, query.Unsupported(p.Loc(), "ALTER TABLE of a field of a column")
	}
	i := slices.IndexFunc(s.Columns, func(c delta.Column) bool { return strings.EqualFold(c.Name, p.Parts[0].Name) })
	if i < 0 {
		return 0, query.Mistake(207, p.Loc(), "Invalid column name '%s'.", p.Parts[0].Name)
	}
	return i, nil
}

func changeColumn(s *delta.Snapshot, st *syntax.AlterTable) (*delta.Change, error) {
	i, err := columnAt(s, st.Column)
	if err != nil {
		return nil, err
	}
	cols := slices.Clone(s.Columns)
	switch st.Kind {
	case syntax.ColumnComment:
		cols[i].Comment = st.Comment
	case syntax.SetNotNull:
		cols[i].Nullable = false
	case syntax.DropNotNull:
		cols[i].Nullable = true
	}
	m, err := s.WithColumns(cols)
	if err != nil {
		return nil, err
	}
	if m.SchemaString == s.Metadata.SchemaString {
		return nil, nil
	}
	c := &cols[i]
	field := map[string]any{"name": c.Name, "type": string(c.Type), "nullable": c.Nullable, "metadata": map[string]any{}}
	if c.Comment != "" {
		field["metadata"] = map[string]any{"comment": c.Comment}
	}
	return &delta.Change{Operation: "CHANGE COLUMN", Parameters: map[string]any{"column": jsonText(field)}, Metadata: m}, nil
}

// setNotNull looks whether rows have no value. No rows may come between that and the change.
func (s *Statements) setNotNull(ctx context.Context, t *delta.Table, snap *delta.Snapshot, st *syntax.AlterTable) (*delta.Change, error) {
	c, err := changeColumn(snap, st)
	if err != nil || c == nil {
		return c, err
	}
	if s.Engine == nil {
		return nil, fmt.Errorf("SET NOT NULL needs the query engine, and there is none")
	}
	i, err := columnAt(snap, st.Column)
	if err != nil {
		return nil, err
	}
	view, err := query.TableOf("", t.Prefix(), snap, s.Catalog.o.Store)
	if err != nil {
		return nil, err
	}
	n, err := query.CountNulls(ctx, s.Engine, view, i)
	if err != nil {
		return nil, err
	}
	if n > 0 {
		return nil, query.Mistake(515, st.Column.Loc(), "Column %s has no value in %d rows, so it cannot be NOT NULL.", snap.Columns[i].Name, n)
	}
	c.ReadsTable = true
	return c, nil
}

// mapped refuses what files would contradict as long as they call columns by their names.
func mapped(s *delta.Snapshot, st *syntax.AlterTable) error {
	if s.Mapping() != delta.MapNone {
		return nil
	}
	e := query.Mistake(50000, st.Span, "DELTA_UNSUPPORTED_%s: files know the columns of this table by their names.", map[syntax.Alteration]string{
		syntax.RenameColumn: "RENAME_COLUMN", syntax.DropColumns: "DROP_COLUMN"}[st.Kind])
	e.Hint = "ALTER TABLE ... SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name') makes it possible, for readers that know column mapping."
	return e
}

func renameColumn(s *delta.Snapshot, st *syntax.AlterTable) (*delta.Change, error) {
	if err := mapped(s, st); err != nil {
		return nil, err
	}
	i, err := columnAt(s, st.Column)
	if err != nil {
		return nil, err
	}
	old := s.Columns[i].Name
	if c := delta.FindColumn(s.Columns, st.To.Name); c != nil && c.Name != old {
		return nil, query.Mistake(2705, st.Span, "Column names in each table must be unique. Column name '%s' is specified more than once.", st.To.Name)
	}
	if err := free(s, old, st); err != nil {
		return nil, err
	}
	cols := slices.Clone(s.Columns)
	cols[i].Name = st.To.Name
	m, err := s.WithColumns(cols)
	if err != nil {
		return nil, err
	}
	m.PartitionColumns = slices.Clone(m.PartitionColumns)
	for k, p := range m.PartitionColumns {
		if p == old {
			m.PartitionColumns[k] = st.To.Name
		}
	}
	return &delta.Change{Operation: "RENAME COLUMN", Parameters: map[string]any{"oldColumnPath": old, "newColumnPath": st.To.Name}, Metadata: m}, nil
}

func dropColumns(s *delta.Snapshot, st *syntax.AlterTable) (*delta.Change, error) {
	if err := mapped(s, st); err != nil {
		return nil, err
	}
	cols := slices.Clone(s.Columns)
	var names []string
	for _, p := range st.Drop {
		i, err := columnAt(s, p)
		if err != nil {
			return nil, err
		}
		name := s.Columns[i].Name
		if slices.Contains(s.Metadata.PartitionColumns, name) {
			return nil, query.Mistake(50000, p.Loc(), "Column %s is a partition column, and cannot be dropped.", name)
		}
		if err := free(s, name, st); err != nil {
			return nil, err
		}
		cols = slices.DeleteFunc(cols, func(c delta.Column) bool { return c.Name == name })
		names = append(names, name)
	}
	if len(cols) <= len(s.Metadata.PartitionColumns) {
		return nil, query.Mistake(50000, st.Span, "A table needs a column that is no partition column.")
	}
	m, err := s.WithColumns(cols)
	if err != nil {
		return nil, err
	}
	return &delta.Change{Operation: "DROP COLUMNS", Parameters: map[string]any{"columns": jsonList(names)}, Metadata: m}, nil
}

// free refuses to rename or drop a column that another one is made from.
func free(s *delta.Snapshot, name string, st *syntax.AlterTable) error {
	for _, d := range s.PartitionDates() {
		if d.Source == name || d.Column == name {
			return query.Mistake(50000, st.Span, "Column %s is the day of %s, so neither can be renamed or dropped.", d.Column, d.Source)
		}
	}
	return nil
}
