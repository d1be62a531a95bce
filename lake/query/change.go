package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"spate/lake/delta"
	"spate/sql/syntax"
)

// Change is a statement that changes rows of a table. Where a row is not said to be changed it
// stays as its file has it.
type Change struct {
	// All: every row goes; there is nothing to look at.
	All bool

	s       *Session
	name    *syntax.Name
	alias   *syntax.Ident
	set     []syntax.Assignment // of UPDATE
	where   syntax.Expr         // nil: every row
	query   *syntax.Query       // of INSERT
	columns []syntax.Ident      // that INSERT names; nil: all

	// Of the try that Hits has begun, so that Rest finds the same rows: when it was, and the
	// tables that conditions look at.
	now    time.Time
	tables map[string]*Table
}

// Rows are rows to be written: what the engine runs, and what its columns are.
type Rows struct {
	Request *Request // its columns are those of Columns, as files have them
	Columns []RowColumn
	Stats   Stats
}

// RowColumn is a column of rows to be written.
type RowColumn struct {
	Name      string // as files have it
	ID        int    // in files; 0: none
	Type      delta.Type
	Partition bool
	NotNull   bool
}

// Hit is a file with rows that a change is about.
type Hit struct {
	Path string // of File
	Rows int64
}

// target puts the table that is changed in sight of conditions. Other mentions of the table
// see all of its files.
func (b *binder) target(c *Change, t *Table, files []File) (*env, *scan, string, error) {
	part := *t
	part.Files = files
	sc := &scan{id: b.id("s"), table: &part, used: make([]bool, len(t.Columns)), rows: -1, stored: true}
	b.scans = append(b.scans, sc)
	src := &source{alias: c.name.Last().Name, scan: sc}
	for _, p := range c.name.Parts {
		src.path = append(src.path, p.Name)
	}
	if c.alias != nil {
		src.alias, src.path = c.alias.Name, nil
	}
	id := b.id("t")
	for i, col := range t.Columns {
		src.cols = append(src.cols, sourceColumn{name: col.Name, typ: b.columnType(col.Type), sql: fmt.Sprintf("%s.c%d", id, i+1), src: &columnRef{sc, i}})
	}
	b.now, b.tables = c.now, c.tables
	in := &env{}
	return in, sc, id, in.add(src, c.name.Loc())
}

// hit is the condition under which a row is changed.
func (b *binder) hit(c *Change, in *env) (*node, error) {
	if c.where == nil {
		return &node{sql: "true", pred: true}, nil
	}
	in.noAgg = "in WHERE"
	return b.condition(c.where, in)
}

// Hits finds the files with rows that are changed, and how many each has.
func (c *Change) Hits(ctx context.Context, t *Table) ([]Hit, error) {
	b := c.s.binder(ctx)
	c.now, c.tables = b.now, map[string]*Table{lower(t.Database) + "." + lower(t.Name): t}
	in, sc, id, err := b.target(c, t, t.Files)
	if err != nil {
		return nil, err
	}
	n, err := b.hit(c, in)
	if err != nil {
		return nil, err
	}
	in.prune(n.implied)
	in.skipBy(n.holds)
	req := &Request{Kinds: []Kind{KindText, KindInt}}
	req.SQL, err = b.finish("SELECT "+id+".file AS c1, count(*) AS c2 FROM ("+sc.marker()+") AS "+id+" WHERE "+n.sql+" GROUP BY "+id+".file", req, &Stats{})
	if err != nil {
		return nil, err
	}
	rows, err := c.s.Engine.Read(ctx, req)
	if err != nil {
		return nil, err
	}
	out := make([]Hit, len(rows))
	for i, r := range rows {
		out[i] = Hit{r[0].Text(), r[1].Int()}
	}
	return out, nil
}

// Rest are the rows of some files as they are after the change, for the rows that Hits has found.
func (c *Change) Rest(ctx context.Context, t *Table, files []File) (*Rows, error) {
	b := c.s.binder(ctx)
	in, sc, id, err := b.target(c, t, files)
	if err != nil {
		return nil, err
	}
	hit, err := b.hit(c, in)
	if err != nil {
		return nil, err
	}
	news, err := b.assigned(c, t, in)
	if err != nil {
		return nil, err
	}
	items, out := make([]string, len(t.Columns)), &Rows{Request: &Request{}}
	for i := range t.Columns {
		items[i] = fmt.Sprintf("%s.r%d", id, i+1)
		if news[i] != "" {
			items[i] = "CASE WHEN " + hit.sql + " THEN " + news[i] + " ELSE " + items[i] + " END"
		}
	}
	where := ""
	if c.set == nil {
		where = " WHERE NOT coalesce((" + hit.sql + "), false)"
	} else {
		t.derive(items, func(i int) bool { return news[i] != "" }, hit.sql)
	}
	out.Columns = t.rowColumns()
	out.Request.SQL, err = b.finish("SELECT "+namedAs(items, out.Columns)+" FROM ("+sc.marker()+") AS "+id+where, out.Request, &out.Stats)
	return out, err
}

// Packed are the rows of some files as they are, clustered by columns if there are any: along a
// Z curve through ranges of their values.
func Packed(ctx context.Context, e *Engine, t *Table, files []File, by []string) (*Rows, error) {
	part := *t
	part.Files = files
	sc := &scan{id: "s1", table: &part, used: make([]bool, len(t.Columns)), rows: -1, stored: true, none: e.none}
	out := &Rows{Request: &Request{}, Columns: t.rowColumns()}
	text, err := sc.emit(ctx, out.Request, &out.Stats)
	if err != nil {
		return nil, err
	}
	items := make([]string, len(t.Columns))
	for i := range t.Columns {
		items[i] = fmt.Sprintf("t.r%d", i+1)
	}
	order := ""
	if len(by) > 0 {
		// Of each column the range of a row, of 1,024; their bits by turns.
		var ranges, bits []string
		for k, name := range by {
			i := slices.IndexFunc(t.Columns, func(c TableColumn) bool { return sameName(c.Name, name) })
			if i < 0 {
				return nil, fmt.Errorf("cluster by %s: there is no such column", name)
			}
			ranges = append(ranges, fmt.Sprintf("ntile(1024) OVER (ORDER BY s.r%d) - 1 AS z%d", i+1, k))
			for bit := range 10 {
				bits = append(bits, fmt.Sprintf("(((t.z%d >> %d) & 1)::HUGEINT << %d)", k, bit, bit*len(by)+len(by)-1-k))
			}
			order += fmt.Sprintf(", t.r%d", i+1)
		}
		text = "SELECT *, " + strings.Join(ranges, ", ") + " FROM (" + text + ") AS s"
		order = " ORDER BY " + strings.Join(bits, " | ") + order
	}
	out.Request.SQL = "SELECT " + namedAs(items, out.Columns) + " FROM (" + text + ") AS t" + order
	return out, nil
}

// assigned are the new values of an UPDATE as files have them; empty for columns that stay.
func (b *binder) assigned(c *Change, t *Table, in *env) ([]string, error) {
	news := make([]string, len(t.Columns))
	in.noAgg = "in SET"
	for _, a := range c.set {
		parts := a.Column.Parts
		name := parts[len(parts)-1].Name
		i := slices.IndexFunc(t.Columns, func(col TableColumn) bool { return sameName(col.Name, name) })
		switch {
		case len(parts) > 2:
			return nil, unsupported(a.Column.Loc(), "UPDATE of a field of a column")
		case i < 0:
			return nil, errorf(207, a.Column.Loc(), "Invalid column name '%s'.", name)
		case news[i] != "":
			return nil, errorf(264, a.Loc(), "The column name '%s' is specified more than once in the SET clause.", t.Columns[i].Name)
		}
		n, err := b.value(a.Value, in)
		if err != nil {
			return nil, err
		}
		if news[i], err = b.stored(n, &t.Columns[i], a.Loc()); err != nil {
			return nil, err
		}
	}
	return news, nil
}

// stored turns a value into what files have of a column.
func (b *binder) stored(n *node, c *TableColumn, at syntax.Span) (string, error) {
	if c.Nested != nil && !n.null {
		return "", unsupported(at, "Writing a struct, array or map, as column "+c.Name+" has,")
	}
	n, err := b.convert(n, c.Type, castImplicit, at)
	if err != nil {
		return "", err
	}
	if c.Type.isText() && !n.null {
		n = &node{sql: "CAST(" + n.sql + " AS VARCHAR)", typ: c.Type}
	}
	return "CAST(" + n.sql + " AS " + c.written() + ")", nil
}

// written is the engine's type of the column in new files.
func (c *TableColumn) written() string {
	if c.Nested != nil {
		return engineShape(c.Nested)
	}
	if c.Delta == "" {
		return c.Type.engine()
	}
	return engineShape(&delta.Shape{Primitive: c.Delta})
}

// rowColumns are the columns of rows of the table.
func (t *Table) rowColumns() []RowColumn {
	out := make([]RowColumn, len(t.Columns))
	for i, c := range t.Columns {
		out[i] = RowColumn{Name: c.Physical, ID: c.ID, Type: c.Delta, Partition: c.Partition, NotNull: c.NotNull}
	}
	return out
}

// derive makes the day columns of rows whose times are new. items are the columns of a row; one
// that is set to another day is an error, of rows for which the condition holds.
func (t *Table) derive(items []string, given func(i int) bool, hit string) {
	for i := range t.Columns {
		source := &t.Columns[i]
		if source.Day == "" || !given(i) {
			continue
		}
		k := slices.IndexFunc(t.Columns, func(c TableColumn) bool { return c.Physical == source.Day })
		day := "CAST(" + items[i] + " AS DATE)"
		if source.Zoned {
			day = "CAST(make_timestamp(epoch_us(" + items[i] + ")) AS DATE)"
		}
		if given(k) {
			say := Quote(Raised(50000, fmt.Sprintf("Column %s is not the day of %s.", t.Columns[k].Name, source.Name)))
			items[k] = "CASE WHEN " + hit + " AND " + items[k] + " <> " + day + " THEN CAST(error(" + say + ") AS DATE) ELSE coalesce(" + items[k] + ", " + day + ") END"
		} else {
			items[k] = "CASE WHEN " + hit + " THEN " + day + " ELSE " + items[k] + " END"
		}
	}
}

func namedAs(items []string, cols []RowColumn) string {
	var out []string
	for i, c := range cols {
		out = append(out, items[i]+" AS "+quoteName(c.Name))
	}
	return strings.Join(out, ", ")
}

// Added are the rows of an INSERT.
func (c *Change) Added(ctx context.Context, t *Table) (*Rows, error) {
	b := c.s.binder(ctx)
	rel, err := b.inserted(c.query)
	if err != nil {
		return nil, err
	}
	at := make([]int, len(t.Columns)) // which column of the query a column gets; -1: none
	for i := range at {
		at[i] = -1
	}
	if c.columns == nil {
		for i := range t.Columns {
			at[i] = i
		}
		// The days that Spate makes may be left out.
		if n := len(rel.cols); n < len(t.Columns) && n == len(t.Columns)-t.days() {
			n = 0
			for i := range t.Columns {
				if at[i] = -1; !t.isDay(i) {
					at[i] = n
					n++
				}
			}
		} else if n != len(t.Columns) {
			return nil, errorf(213, c.name.Loc(), "Column name or number of supplied values does not match table definition: %d for %d.", n, len(t.Columns))
		}
	} else {
		if len(c.columns) != len(rel.cols) {
			return nil, errorf(110, c.name.Loc(), "There are %d columns in the INSERT statement, and %d values.", len(c.columns), len(rel.cols))
		}
		for k, id := range c.columns {
			i := slices.IndexFunc(t.Columns, func(col TableColumn) bool { return sameName(col.Name, id.Name) })
			switch {
			case i < 0:
				return nil, errorf(207, id.Span, "Invalid column name '%s'.", id.Name)
			case at[i] >= 0:
				return nil, errorf(264, id.Span, "The column name '%s' is specified more than once in the column list of an INSERT.", t.Columns[i].Name)
			}
			at[i] = k
		}
	}
	id := b.id("q")
	items, out := make([]string, len(t.Columns)), &Rows{Request: &Request{}}
	for i := range t.Columns {
		col := &t.Columns[i]
		if at[i] < 0 {
			items[i] = "CAST(NULL AS " + col.written() + ")"
			continue
		}
		from := rel.cols[at[i]]
		n := &node{sql: fmt.Sprintf("%s.c%d", id, at[i]+1), typ: from.typ, null: from.typ.ID == Unknown, at: c.name.Loc()}
		if items[i], err = b.stored(n, col, c.name.Loc()); err != nil {
			var mistake *Error
			if errors.As(err, &mistake) && mistake.Number != 40517 {
				mistake.Message = "Column " + col.Name + ": " + mistake.Message
			}
			return nil, err
		}
	}
	t.derive(items, func(i int) bool { return at[i] >= 0 }, "true")
	out.Columns = t.rowColumns()
	out.Request.SQL, err = b.finish("SELECT "+namedAs(items, out.Columns)+" FROM ("+rel.sql+") AS "+id, out.Request, &out.Stats)
	return out, err
}

// inserted binds the query of an INSERT.
func (b *binder) inserted(q *syntax.Query) (*relation, error) {
	if v, ok := q.Body.(*syntax.Values); ok && q.With == nil && len(q.OrderBy) == 0 {
		return b.values(v, &env{}, nil)
	}
	return b.query(q, &env{}, queryUse{})
}

func (t *Table) isDay(i int) bool {
	return slices.ContainsFunc(t.Columns, func(c TableColumn) bool { return c.Day != "" && c.Day == t.Columns[i].Physical })
}

func (t *Table) days() (n int) {
	for i := range t.Columns {
		if t.isDay(i) {
			n++
		}
	}
	return n
}

// Selected are the rows of a CREATE TABLE ... AS SELECT. days are the day columns that the
// table has besides, made from a column of the query.
func (c *Change) Selected(ctx context.Context) (cols []delta.Column, rows func(day []delta.PartitionDate, partitions []string) (*Rows, error), err error) {
	b := c.s.binder(ctx)
	rel, err := b.query(c.query, &env{}, queryUse{})
	if err != nil {
		return nil, nil, err
	}
	named, err := renamed(rel.cols, nil, c.name.Last().Name, c.name.Loc())
	if err != nil {
		return nil, nil, err
	}
	for _, col := range named {
		cols = append(cols, delta.Column{Name: col.name, Type: col.typ.deltaType(), Nullable: true})
	}
	return cols, func(days []delta.PartitionDate, partitions []string) (*Rows, error) {
		t := &Table{}
		for _, col := range cols {
			tc, err := columnOf(col)
			if err != nil {
				return nil, err
			}
			t.Columns = append(t.Columns, tc)
		}
		id := b.id("q")
		items := make([]string, len(t.Columns))
		for i := range t.Columns {
			n := &node{sql: fmt.Sprintf("%s.c%d", id, i+1), typ: rel.cols[i].typ, null: rel.cols[i].typ.ID == Unknown}
			if items[i], err = b.stored(n, &t.Columns[i], c.name.Loc()); err != nil {
				return nil, err
			}
		}
		for _, d := range days {
			tc, err := columnOf(delta.Column{Name: d.Column, Type: delta.Date, Nullable: true})
			if err != nil {
				return nil, err
			}
			t.Columns, items = append(t.Columns, tc), append(items, "CAST(NULL AS DATE)")
			if source := t.column(d.Source); source != nil {
				source.Day = d.Column
			}
		}
		t.derive(items, func(i int) bool { return i < len(rel.cols) }, "true")
		for i := range t.Columns {
			t.Columns[i].Partition = slices.Contains(partitions, t.Columns[i].Name)
		}
		out := &Rows{Request: &Request{}, Columns: t.rowColumns()}
		out.Request.SQL, err = b.finish("SELECT "+namedAs(items, out.Columns)+" FROM ("+rel.sql+") AS "+id, out.Request, &out.Stats)
		return out, err
	}, nil
}

// deltaType is the type of a table's column that holds values of a type.
func (t Type) deltaType() delta.Type {
	switch t.ID {
	case Bit:
		return delta.Boolean
	case TinyInt, SmallInt:
		return delta.Short
	case Int, Unknown:
		return delta.Integer
	case BigInt:
		return delta.Long
	case Decimal:
		return delta.Decimal(t.Prec, t.Scale)
	case Real:
		return delta.Float
	case Float:
		return delta.Double
	case Date:
		return delta.Date
	case DateTime, DateTime2, DateTimeOffset:
		return delta.Timestamp
	case VarBinary:
		return delta.Binary
	}
	return delta.String
}
