package deltatable

import (
	"slices"
	"strings"

	"spate/column"
)

// hasStar reports whether rows of the schema bring fields that only the rows
// themselves name.
func hasStar(s *column.Schema) bool {
	for i := range s.Fields {
		if s.Fields[i].Star {
			return true
		}
	}
	return false
}

// fieldNames are the names of all fields of the live rows, in the order in
// which they first stand; of names that differ only in case the first.
func fieldNames(b *column.Batch) []string {
	var names []string
	seen := make(map[string]bool)
	add := func(n string) {
		if low := strings.ToLower(n); !seen[low] {
			seen[low] = true
			names = append(names, n)
		}
	}
	star := hasStar(b.Schema)
	for k := range b.LiveRows() {
		for _, n := range fieldsOf(b, b.Row(k)) {
			add(n)
		}
		if !star {
			break
		}
	}
	return names
}

// fieldsOfSchema are the names of the columns without those of stars.
func fieldsOfSchema(s *column.Schema) []string {
	var names []string
	for i := range s.Fields {
		if !s.Fields[i].Star {
			names = append(names, s.Fields[i].Name)
		}
	}
	return names
}

// fieldsOf are the names of the fields of one row, from left to right.
func fieldsOf(b *column.Batch, row int) []string {
	var names []string
	for i := range b.Schema.Fields {
		f := &b.Schema.Fields[i]
		if !f.Star {
			names = append(names, f.Name)
		} else if r := b.Cols[i].At(row).Record(); r != nil {
			names = append(names, r.Names...)
		}
	}
	return names
}

// appendFields appends the names and values of the fields of one row, from left to right.
func appendFields(b *column.Batch, row int, names []string, values []column.Value) ([]string, []column.Value) {
	for i := range b.Schema.Fields {
		f := &b.Schema.Fields[i]
		v := b.Cols[i].At(row)
		if !f.Star {
			names, values = append(names, f.Name), append(values, v)
		} else if r := v.Record(); r != nil {
			names, values = append(names, r.Names...), append(values, r.Values...)
		}
	}
	return names, values
}

// shape is what rows with the same fields have in common.
type shape struct {
	names   []string
	from    []int  // field of each column of the table, the leftmost of its name; -1: none
	extra   int    // fields that the table does not take
	shared  bool   // one that it takes
	differs string // how the fields of a strict output's row are not the table's
}

// mostShapes bounds how many are known at once.
const mostShapes = 16

// shapeOf finds or makes the shape of a row.
func (w *writer) shapeOf(names []string) *shape {
	for _, s := range w.shapes {
		if slices.Equal(s.names, names) {
			return s
		}
	}
	s := &shape{names: slices.Clone(names)}
	for _, list := range [][]target{w.cols, w.parts} {
		for _, c := range list {
			s.from = append(s.from, slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, c.Name) }))
		}
	}
	if w.sink.opts.Strict {
		s.differs = w.layout.differs(names)
	}
	for _, n := range names {
		if w.takes(n) {
			s.shared = true
		} else if s.extra++; !w.sink.opts.Strict {
			w.warnExtra(n)
		}
	}
	if len(w.shapes) < mostShapes {
		w.shapes = append(w.shapes, s)
	} else {
		w.shapes[w.oldest] = s
		w.oldest = (w.oldest + 1) % mostShapes
	}
	return s
}

// flat turns the fields of Star columns into the columns of the table; rows that have none
// of them go to bad.
func (w *writer) flat(b *column.Batch, bad badRows) *column.Batch {
	if w.flatSchema == nil {
		w.flatSchema = &column.Schema{}
		for _, list := range [][]target{w.cols, w.parts} {
			for _, c := range list {
				w.flatSchema.Fields = append(w.flatSchema.Fields, column.Field{Name: c.Name})
			}
		}
	}
	columns := make([]*column.Builder, len(w.flatSchema.Fields))
	for i := range columns {
		columns[i] = column.NewBuilder(nil)
	}
	next := 0 // row of the builders
	null := func(until int) {
		for ; next < until; next++ {
			for _, c := range columns {
				c.Append(column.Value{})
			}
		}
	}
	var names []string
	var values []column.Value
	for k := range b.LiveRows() {
		row := b.Row(k)
		names, values = appendFields(b, row, names[:0], values[:0])
		s := w.shapeOf(names)
		switch {
		case w.sink.opts.Strict:
			if s.differs != "" {
				bad.add(int32(row), "%s", s.differs)
			}
		case !s.shared:
			bad.add(int32(row), "no column of the row is a column of table %s", w.sink.opts.Path)
			fallthrough
		default:
			w.sink.extra.Add(int64(s.extra))
		}
		null(row)
		for i, at := range s.from {
			v := column.Value{}
			if at >= 0 {
				v = values[at]
			}
			columns[i].Append(v)
		}
		next++
	}
	null(b.Rows)
	out := *b
	out.Schema, out.Cols = w.flatSchema, make([]column.Vector, len(columns))
	for i, c := range columns {
		out.Cols[i] = c.Vector()
	}
	return &out
}

func flatColumn(b *column.Batch, name string) (column.Vector, bool) {
	for i := range b.Schema.Fields { // the usual case: no star to the left
		f := &b.Schema.Fields[i]
		if f.Star {
			break
		}
		if strings.EqualFold(f.Name, name) {
			return b.Cols[i], true
		}
	}
	values := make([]column.Value, b.Rows)
	found := false
	for k := range b.LiveRows() {
		row := b.Row(k)
		v, ok := flatValue(b, row, name)
		values[row] = v
		found = found || ok
	}
	if !found {
		return column.Vector{}, false
	}
	build := column.NewBuilder(nil)
	for _, v := range values {
		build.Append(v)
	}
	return build.Vector(), true
}

// hasValue reports whether one of the live rows has a value of the name.
func hasValue(b *column.Batch, name string) bool {
	for i := range b.Schema.Fields { // the usual case, as in flatColumn
		f := &b.Schema.Fields[i]
		if f.Star {
			break
		}
		if strings.EqualFold(f.Name, name) {
			for k := range b.LiveRows() {
				if !isNull(&b.Cols[i], int32(b.Row(k))) {
					return true
				}
			}
			return false
		}
	}
	if !hasStar(b.Schema) {
		return false
	}
	for k := range b.LiveRows() {
		if v, ok := flatValue(b, b.Row(k), name); ok && !v.IsNull() {
			return true
		}
	}
	return false
}

func flatValue(b *column.Batch, row int, name string) (column.Value, bool) {
	for i := range b.Schema.Fields {
		f := &b.Schema.Fields[i]
		if !f.Star {
			if strings.EqualFold(f.Name, name) {
				return b.Cols[i].At(row), true
			}
			continue
		}
		r := b.Cols[i].At(row).Record()
		if r == nil {
			continue
		}
		for k, n := range r.Names {
			if strings.EqualFold(n, name) {
				return r.Values[k], true
			}
		}
	}
	return column.Value{}, false
}
