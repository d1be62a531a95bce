package query

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// chosen is a file that may hold rows that count.
type chosen struct{ *File }

// choose skips files by partition values and statistics, and orders what is left.
func (s *scan) choose() []chosen {
	out := make([]chosen, 0, len(s.table.Files))
	for i := range s.table.Files {
		f := chosen{&s.table.Files[i]}
		f.index(s.table)
		if s.mayHold(&f) {
			out = append(out, f)
		}
	}
	if s.order != nil {
		out = s.head(out)
	}
	return out
}

// mayHold reports whether a file may hold rows for which the conditions hold.
func (s *scan) mayHold(f *chosen) bool {
	for i := range s.preds {
		if !s.may(f, &s.preds[i]) {
			return false
		}
	}
	for _, x := range s.filters {
		if !s.mayPass(f, x) {
			return false
		}
	}
	return true
}

// may reports whether a file may hold a row that fulfils a comparison.
func (s *scan) may(f *chosen, p *bound) bool {
	c := &s.table.Columns[p.col.index]
	switch p.op {
	case isNull:
		n, known := f.nulls(c)
		if c.Partition {
			v, ok := f.Partition[c.Physical]
			return !ok || v == nil || !c.Type.isText() && *v == ""
		}
		return !known || n > 0
	case notNull:
		_, _, empty := f.bounds(c, s.table)
		return !empty
	}
	lo, hi, empty := f.bounds(c, s.table)
	if empty {
		return false // only NULLs, which no comparison holds for
	}
	switch p.op {
	case "=":
		return (lo == nil || compareValues(*lo, p.value) <= 0) && (hi == nil || compareValues(*hi, p.value) >= 0)
	case "<>":
		// Bounds of a text may have been cut.
		return c.Type.isText() && !c.Partition || lo == nil || hi == nil || compareValues(*lo, p.value) != 0 || compareValues(*hi, p.value) != 0
	case "<":
		return lo == nil || compareValues(*lo, p.value) < 0
	case "<=":
		return lo == nil || compareValues(*lo, p.value) <= 0
	case ">":
		return hi == nil || compareValues(*hi, p.value) > 0
	case ">=":
		return hi == nil || compareValues(*hi, p.value) >= 0
	}
	return true
}

// head sorts files so that those with the first rows come first and, when only
// so many rows are wanted, drops the files that lie behind them all.
func (s *scan) head(files []chosen) []chosen {
	col := &s.table.Columns[s.order.column]
	type span struct {
		chosen
		near, far *Value // ends of the file in the direction of the order; nil: unknown
		rows      int64  // rows with a value, at least; 0 if unknown
		nulls     bool   // may hold NULLs
	}
	sign := 1
	if s.order.desc {
		sign = -1
	}
	spans := make([]span, len(files))
	for i, f := range files {
		lo, hi, _ := f.bounds(col, s.table)
		if lo != nil && col.Type.isText() { // blanks at the end of a text do not count in an order
			lo = lowest(lo)
		}
		x := span{chosen: f, near: lo, far: hi, nulls: true}
		if s.order.desc {
			x.near, x.far = hi, lo
		}
		nulls, known := f.nulls(col)
		x.nulls = !known || nulls > 0
		if n, ok := f.rows(); ok && known {
			x.rows = max(0, n-nulls-f.DeletedRows)
		}
		spans[i] = x
	}
	if s.rows >= 0 {
		byFar := slices.Clone(spans)
		slices.SortStableFunc(byFar, func(a, b span) int { return sign * compareEnds(a.far, b.far, sign) })
		var limit *Value
		have := int64(0)
		for _, x := range byFar {
			if x.far == nil {
				continue
			}
			// NULL is the lowest value: going up it comes first, and such rows fill
			// the head before any other.
			if have += x.rows; have >= s.rows {
				limit = x.far
				break
			}
		}
		if limit != nil {
			spans = slices.DeleteFunc(spans, func(x span) bool {
				if x.near == nil || !s.order.desc && x.nulls {
					return false
				}
				return sign*compareValues(*x.near, *limit) > 0
			})
		}
	}
	sort.SliceStable(spans, func(i, j int) bool { return sign*compareEnds(spans[i].near, spans[j].near, sign) < 0 })
	out := make([]chosen, len(spans))
	for i, x := range spans {
		out[i] = x.chosen
	}
	return out
}

// lowest is what lies before a text and before all behind it, whatever blanks follow them.
func lowest(v *Value) *Value {
	s := v.str
	if i := strings.IndexFunc(s, func(r rune) bool { return r < ' ' }); i >= 0 {
		s = s[:i]
	}
	low := textValue(KindText, strings.TrimRight(s, " "))
	return &low
}

// compareEnds puts an unknown end first in the direction of sign.
func compareEnds(a, b *Value, sign int) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -sign
	case b == nil:
		return sign
	}
	return compareValues(*a, *b)
}

// counted is the number of rows when nothing else of them matters and the log
// knows it: COUNT(*) then opens no file.
func (s *scan) counted(files []chosen) (rows int64, ok bool) {
	const most = 100_000_000 // beyond it, reading the files' own counts is faster
	if s.stored || len(s.preds) > 0 || len(s.filters) > 0 || slices.Contains(s.used, true) {
		return 0, false
	}
	for _, f := range files {
		n, ok := f.rows()
		if !ok || n < f.DeletedRows {
			return 0, false
		}
		rows += n - f.DeletedRows
	}
	return rows, rows <= most
}

// groups gathers files with equal values of the partition columns that are
// read, in the order in which the files came.
func (s *scan) groups(files []chosen) [][]chosen {
	var names []string
	for i, c := range s.table.Columns {
		if c.Partition && (s.used[i] || s.stored) {
			names = append(names, c.Physical)
		}
	}
	if len(names) == 0 {
		return [][]chosen{files}
	}
	var out [][]chosen
	at := map[string]int{}
	for _, f := range files {
		var key strings.Builder
		for _, n := range names {
			if v := f.Partition[n]; v != nil {
				fmt.Fprintf(&key, "%d:%s", len(*v), *v)
			} else {
				key.WriteByte('-')
			}
		}
		k, ok := at[key.String()]
		if !ok {
			k = len(out)
			at[key.String()] = k
			out = append(out, nil)
		}
		out[k] = append(out[k], f)
	}
	return out
}
