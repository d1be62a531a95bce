package query

import (
	"fmt"
	"strings"

	"spate/sql/syntax"
)

// ends is what a query wants of a scan that asks for the least and the greatest values of
// columns alone: files that can have none of them are not opened.
type ends struct {
	least, greatest []int // columns
	count           bool  // and the number of all rows
}

// endsOf are the ends that a SELECT without conditions asks for; nil if it asks for anything else.
func (b *binder) endsOf(s *syntax.Select, q *syntax.Query, in *env) *ends {
	if s.Where != nil || s.GroupBy != nil || s.Having != nil || s.Distinct || q != nil && len(q.OrderBy) > 0 || len(in.sources) != 1 || in.sources[0].scan == nil {
		return nil
	}
	src := in.sources[0]
	e := &ends{}
	for _, it := range s.Items {
		c, ok := it.Expr.(*syntax.Call)
		if !ok || c.Over != nil || c.Distinct || c.WithinGroup != nil || c.Nulls != "" || len(c.Args) != 1 {
			return nil
		}
		name := strings.ToUpper(nameText(c.Name))
		if isStar(c.Args[0]) && (name == "COUNT" || name == "COUNT_BIG" && !b.spark()) {
			e.count = true
			continue
		}
		p, ok := c.Args[0].(*syntax.Path)
		if !ok || name != "MIN" && name != "MAX" || len(p.Parts) > 1 && !src.matches(p.Parts[:len(p.Parts)-1]) {
			return nil
		}
		found := -1
		for i := range src.cols {
			if sameName(src.cols[i].name, p.Parts[len(p.Parts)-1].Name) {
				if found >= 0 {
					return nil
				}
				found = i
			}
		}
		if found < 0 || src.cols[found].src == nil || !hasEnds(src.cols[found].typ) {
			return nil
		}
		if at := src.cols[found].src.index; name == "MIN" {
			e.least = append(e.least, at)
		} else {
			e.greatest = append(e.greatest, at)
		}
	}
	if len(e.least)+len(e.greatest) == 0 {
		return nil // COUNT(*) is counted
	}
	return e
}

// hasEnds reports whether the bounds of files surround all values of a type: those of texts may
// be cut, and those of floats may leave NaN out.
func hasEnds(t Type) bool {
	return t.isInteger() || t.ID == Decimal || t.hasDate()
}

// open are the files that may have an end, and how many rows the others have.
func (e *ends) open(s *scan, files []chosen) (open []chosen, others int64) {
	type span struct {
		lo, hi []*Value // by column that is wanted
		empty  []bool

		unknown bool // how many rows it has
	}
	wanted := append(append([]int(nil), e.least...), e.greatest...)
	spans := make([]span, len(files))
	limits := make([]*Value, len(wanted)) // no end lies beyond
	for i := range files {
		f := &files[i]
		n, counted := f.rows()
		spans[i].unknown = !counted || n < f.DeletedRows
		for k, at := range wanted {
			col := &s.table.Columns[at]
			lo, hi, empty := f.bounds(col, s.table)
			spans[i].lo, spans[i].hi, spans[i].empty = append(spans[i].lo, lo), append(spans[i].hi, hi), append(spans[i].empty, empty)
			nulls, known := f.nulls(col)
			if !known || spans[i].unknown || f.DeletedRows > 0 || n <= nulls {
				continue // it may have no value that is left
			}
			// A value of the file is at most its upper bound, and at least its lower one.
			if k < len(e.least) {
				if hi != nil && (limits[k] == nil || compareValues(*hi, *limits[k]) < 0) {
					limits[k] = hi
				}
			} else if lo != nil && (limits[k] == nil || compareValues(*lo, *limits[k]) > 0) {
				limits[k] = lo
			}
		}
	}
	for i, f := range files {
		needed := spans[i].unknown
		for k := range wanted {
			end, beyond := spans[i].lo[k], 1
			if k >= len(e.least) {
				end, beyond = spans[i].hi[k], -1
			}
			needed = needed || !spans[i].empty[k] && (end == nil || limits[k] == nil || compareValues(*end, *limits[k])*beyond <= 0)
		}
		if needed {
			open = append(open, f)
		} else {
			n, _ := f.rows()
			others += n - f.DeletedRows
		}
	}
	return open, others
}

// nothings are so many rows without values.
func (s *scan) nothings(n int64) string {
	items := []string{"1 AS c0"}
	for i, c := range s.table.Columns {
		if s.used[i] {
			items = append(items, fmt.Sprintf("CAST(NULL AS %s) AS c%d", c.Type.engine(), i+1))
		}
	}
	if len(items) > 1 {
		items = items[1:]
	}
	return "SELECT " + strings.Join(items, ", ") + fmt.Sprintf(" FROM range(%d)", n)
}
