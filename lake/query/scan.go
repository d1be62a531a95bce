package query

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// scan is one table in FROM. The binder tells it which columns are read and
// what holds for every row that counts; emit then chooses the files.
type scan struct {
	id    string
	table *Table
	used  []bool  // by column
	preds []bound // all of them hold for every row that counts
	order *scanOrder
	rows  int64 // only so many rows at the head of order count; -1: all
}

// scanOrder is the first key by which the rows are wanted.
type scanOrder struct {
	column int
	desc   bool
}

// marker stands for the scan in emitted SQL until the files are known. No
// literal holds NUL.
func (s *scan) marker() string { return "\x00" + s.id + "\x00" }

// chosen is a file that may hold rows that count.
type chosen struct {
	*File
	stats fileStats
}

// choose skips files by partition values and statistics, and orders what is left.
func (s *scan) choose() []chosen {
	var out []chosen
	for i := range s.table.Files {
		f := chosen{File: &s.table.Files[i]}
		if len(s.preds) > 0 || s.order != nil {
			f.stats = parseStats(f.Stats)
		}
		if s.mayHold(&f) {
			out = append(out, f)
		}
	}
	if s.order != nil {
		out = s.head(out)
	}
	return out
}

func (s *scan) mayHold(f *chosen) bool {
	for _, p := range s.preds {
		lo, hi, empty := f.bounds(&s.table.Columns[p.col.index])
		if empty {
			return false // only NULLs, which no comparison holds for
		}
		switch p.op {
		case "=":
			if lo != nil && compareValues(*lo, p.value) > 0 || hi != nil && compareValues(*hi, p.value) < 0 {
				return false
			}
		case "<":
			if lo != nil && compareValues(*lo, p.value) >= 0 {
				return false
			}
		case "<=":
			if lo != nil && compareValues(*lo, p.value) > 0 {
				return false
			}
		case ">":
			if hi != nil && compareValues(*hi, p.value) <= 0 {
				return false
			}
		case ">=":
			if hi != nil && compareValues(*hi, p.value) < 0 {
				return false
			}
		}
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
		lo, hi, _ := f.bounds(col)
		if lo != nil && col.Type.isText() { // blanks at the end of a text do not count in an order
			lo = lowest(lo)
		}
		x := span{chosen: f, near: lo, far: hi, nulls: true}
		if s.order.desc {
			x.near, x.far = hi, lo
		}
		nulls, known := f.nulls(col)
		x.nulls = !known || nulls > 0
		if f.stats.NumRecords != nil && known {
			x.rows = max(0, *f.stats.NumRecords-nulls-f.DeletedRows)
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

// emit writes the scan: a SELECT whose columns are c1, c2, ... of the table.
func (s *scan) emit(ctx context.Context, req *Request, stats *Stats) (string, error) {
	files := s.choose()
	if n, ok := s.counted(files); ok {
		stats.FilesSkipped += len(s.table.Files)
		return fmt.Sprintf("SELECT 1 AS c0 FROM range(%d)", n), nil
	}
	stats.FilesOpened += len(files)
	stats.FilesSkipped += len(s.table.Files) - len(files)
	if len(files) == 0 {
		return s.empty(), nil
	}
	deleted := false
	for _, f := range files {
		stats.BytesOpened += f.Size
		req.Files = append(req.Files, f.Path)
		if p := patternOf(f.Path); p != f.Path {
			req.Files = append(req.Files, p) // the engine asks for the right to it too
		}
		if f.Deleted != nil {
			rows, err := f.Deleted(ctx)
			if err != nil {
				return "", fmt.Errorf("read deletion vector of %s: %w", f.Path, err)
			}
			req.Deleted = append(req.Deleted, Deleted{File: f.Path, Rows: rows})
			deleted = true
		}
	}
	var branches []string
	for _, g := range s.groups(files) {
		branches = append(branches, s.branch(g, deleted))
	}
	return strings.Join(branches, " UNION ALL "), nil
}

// counted is the number of rows when nothing else of them matters and the log
// knows it: COUNT(*) then opens no file.
func (s *scan) counted(files []chosen) (rows int64, ok bool) {
	const most = 100_000_000 // beyond it, reading the files' own counts is faster
	if len(s.preds) > 0 || slices.Contains(s.used, true) {
		return 0, false
	}
	for _, f := range files {
		n := parseStats(f.Stats).NumRecords
		if n == nil || *n < f.DeletedRows {
			return 0, false
		}
		rows += *n - f.DeletedRows
	}
	return rows, rows <= most
}

// empty is a scan of no file.
func (s *scan) empty() string {
	items := make([]string, len(s.table.Columns))
	for i, c := range s.table.Columns {
		items[i] = fmt.Sprintf("CAST(NULL AS %s) AS c%d", c.Type.engine(), i+1)
	}
	return "SELECT " + strings.Join(items, ", ") + " WHERE false"
}

// groups gathers files with equal values of the partition columns that are
// read, in the order in which the files came.
func (s *scan) groups(files []chosen) [][]chosen {
	var names []string
	for i, c := range s.table.Columns {
		if c.Partition && s.used[i] {
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

// patternOf is the pattern that only path matches: the engine reads file names as
// patterns.
func patternOf(path string) string { return patternEscapes.Replace(path) }

var patternEscapes = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]")

// branch reads files whose partition values are equal.
func (s *scan) branch(files []chosen, deleted bool) string {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = Quote(patternOf(f.Path))
	}
	sure := s.sureColumns(files)
	var items, missing []string
	for i, c := range s.table.Columns {
		name := fmt.Sprintf("c%d", i+1)
		switch {
		case !s.used[i]:
			continue
		case c.Partition:
			v, err := partitionValue(files[0].Partition[c.Physical], c.Type)
			if err != nil {
				v = Value{}
			}
			items = append(items, engineLiteral(c.Type, v)+" AS "+name)
			continue
		case !sure[i]:
			missing = append(missing, "CAST(NULL AS "+c.raw()+") AS "+quoteName(c.Physical))
		}
		items = append(items, c.read("r."+quoteName(c.Physical))+" AS "+name)
	}
	if len(items) == 0 {
		items = []string{"1 AS c0"} // count(*): rows without columns
	}
	options := ", hive_partitioning = false"
	if len(missing) > 0 || s.table.Widened {
		options += ", union_by_name = true"
	}
	if deleted {
		options += ", filename = 'spate filename', file_row_number = true"
	}
	from := "read_parquet([" + strings.Join(paths, ", ") + "]" + options + ")"
	if len(missing) > 0 {
		// A column that no file may have, because it was added later.
		from = "(SELECT * FROM " + from + " UNION ALL BY NAME SELECT " + strings.Join(missing, ", ") + " WHERE false)"
	}
	sql := "SELECT " + strings.Join(items, ", ") + " FROM " + from + " AS r"
	var where []string
	for _, p := range s.preds {
		if c := &s.table.Columns[p.col.index]; !c.Partition && sure[p.col.index] && !c.Nested {
			// Written on the stored column, so that the engine can skip row groups.
			where = append(where, "r."+quoteName(c.Physical)+" "+p.op+" "+c.stored(p.value))
		}
	}
	if deleted {
		where = append(where, "NOT EXISTS (SELECT 1 FROM spate_deleted AS d WHERE d.file = r.\"spate filename\" AND d.pos = r.file_row_number)")
	}
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	return sql
}

// sureColumns marks the columns that every file has for sure: writers put the
// columns that a file has into its statistics.
func (s *scan) sureColumns(files []chosen) []bool {
	sure := make([]bool, len(s.table.Columns))
	for i := range sure {
		sure[i] = true
	}
	for _, f := range files {
		st := f.stats
		if st.NullCount == nil {
			st = parseStats(f.Stats)
		}
		for i, c := range s.table.Columns {
			_, counted := st.NullCount[c.Physical]
			_, bounded := st.MinValues[c.Physical]
			sure[i] = sure[i] && (counted || bounded || c.Partition)
		}
	}
	return sure
}

// raw is the engine's type of a column as it is stored.
func (c *TableColumn) raw() string {
	if c.Zoned {
		return "TIMESTAMPTZ"
	}
	if c.Nested {
		return "VARCHAR"
	}
	return c.Type.engine()
}

// read turns a stored column into its type.
func (c *TableColumn) read(sql string) string {
	if c.Nested {
		return "CAST(to_json(" + sql + ") AS VARCHAR)"
	}
	return "CAST(" + sql + " AS " + c.Type.engine() + ")"
}

// stored writes a constant for a comparison with the stored column.
func (c *TableColumn) stored(v Value) string {
	switch v.Kind {
	case KindTime, KindDate:
		text := "TIMESTAMP '" + engineTime(v.Ticks()) + "'"
		if c.Zoned {
			return "CAST(" + text + " AS TIMESTAMPTZ)"
		}
		return text
	case KindInt:
		return engineLiteral(Type{ID: BigInt}, v)
	case KindDecimal:
		whole, frac, _ := strings.Cut(strings.TrimPrefix(v.str, "-"), ".")
		return engineLiteral(Type{ID: Decimal, Prec: max(1, len(whole)+len(frac)), Scale: len(frac)}, v)
	case KindFloat:
		return engineLiteral(Type{ID: Float}, v)
	}
	return engineLiteral(Type{ID: VarChar}, v)
}
