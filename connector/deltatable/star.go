package deltatable

import (
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

// flatten gives a batch one column for each of names. The leftmost field of a
// name counts, as it does where rows are printed.
func flatten(b *column.Batch, names []string) *column.Batch {
	out := *b
	out.Schema = &column.Schema{}
	out.Cols = nil
	for _, name := range names {
		v, found := flatColumn(b, name)
		if !found {
			continue
		}
		out.Schema.Fields = append(out.Schema.Fields, column.Field{Name: name})
		out.Cols = append(out.Cols, v)
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
