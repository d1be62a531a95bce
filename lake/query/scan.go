package query

import (
	"context"
	"fmt"
	"strings"
)

// scan is one table in FROM. The binder tells it which columns are read and
// what holds for every row that counts; emit then chooses the files.
type scan struct {
	id    string
	table *Table
	used  []bool  // by column
	preds []bound // all of them hold for every row that counts
	// filters hold for them too; files are skipped by them, and they are not emitted.
	filters []*filter
	order   *scanOrder
	rows    int64 // only so many rows at the head of order count; -1: all
}

// scanOrder is the first key by which the rows are wanted.
type scanOrder struct {
	column int
	desc   bool
}

// marker stands for the scan in emitted SQL until the files are known. No
// literal holds NUL.
func (s *scan) marker() string { return "\x00" + s.id + "\x00" }

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

// empty is a scan of no file.
func (s *scan) empty() string {
	items := make([]string, len(s.table.Columns))
	for i, c := range s.table.Columns {
		items[i] = fmt.Sprintf("CAST(NULL AS %s) AS c%d", c.Type.engine(), i+1)
	}
	return "SELECT " + strings.Join(items, ", ") + " WHERE false"
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
