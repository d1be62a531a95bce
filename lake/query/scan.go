package query

import (
	"context"
	"fmt"
	"slices"
	"strconv"
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
	ends    *ends // nothing else counts; nil: all rows do
	// stored: beside each column cN stands rN, as files have it; and file names the file.
	stored bool
	// none is a file without rows, or empty. Of a list of one file with a schema the engine
	// would read one row group after the other, and all columns of a row at once.
	none string
	plan Scan // what emit has found
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
	others := int64(0) // rows of files that are not opened, and count
	if s.ends != nil {
		if files, others = s.ends.open(s, files); !s.ends.count {
			others = 0
		}
	}
	s.plan = Scan{Database: s.table.Database, Table: s.table.Name, Version: s.table.Version, Read: len(files), Skipped: len(s.table.Files) - len(files)}
	for i, used := range s.used {
		if used || s.stored {
			s.plan.Columns = append(s.plan.Columns, s.table.Columns[i].Name)
		}
	}
	if n, ok := s.counted(files); ok {
		stats.FilesSkipped += len(s.table.Files)
		s.plan.Counted = true
		return fmt.Sprintf("SELECT 1 AS c0 FROM range(%d)", n), nil
	}
	stats.FilesOpened += len(files)
	stats.FilesSkipped += len(s.table.Files) - len(files)
	if len(files) == 0 && others == 0 {
		return s.empty(), nil
	}
	deleted := false
	for _, f := range files {
		stats.BytesOpened += f.Size
		s.plan.Bytes += f.Size
		req.read(f.Path)
		if f.Deleted != nil {
			rows, err := f.Deleted(ctx)
			if err != nil {
				return "", fmt.Errorf("read deletion vector of %s: %w", f.Path, err)
			}
			req.Deleted = append(req.Deleted, deletedOf(f.Path, rows))
			deleted = true
		}
	}
	if s.none != "" {
		req.read(s.none)
	}
	var branches []string
	if others > 0 {
		branches = append(branches, s.nothings(others))
	}
	for _, g := range s.groups(files) {
		if len(g) == 0 {
			continue
		}
		branches = append(branches, s.branch(g, deleted))
	}
	return strings.Join(branches, " UNION ALL "), nil
}

// empty is a scan of no file.
func (s *scan) empty() string {
	var items []string
	for i, c := range s.table.Columns {
		items = append(items, fmt.Sprintf("CAST(NULL AS %s) AS c%d", c.Type.engine(), i+1))
		if s.stored {
			items = append(items, fmt.Sprintf("CAST(NULL AS %s) AS r%d", c.written(), i+1))
		}
	}
	if s.stored {
		items = append(items, "CAST(NULL AS VARCHAR) AS file")
	}
	return "SELECT " + strings.Join(items, ", ") + " WHERE false"
}

// read allows a request to read a file.
func (r *Request) read(path string) {
	r.Files = append(r.Files, path)
	if p := patternOf(path); p != path {
		r.Files = append(r.Files, p) // the engine asks for the right to it too
	}
}

// ReadFile allows a request to read a file, and gives what its SQL reads the file with.
func (r *Request) ReadFile(path string) string {
	r.read(path)
	return "read_parquet(" + Quote(patternOf(path)) + ")"
}

// patternOf is the pattern that only path matches: the engine reads file names as
// patterns.
func patternOf(path string) string { return patternEscapes.Replace(path) }

var patternEscapes = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]")

// branch reads files whose partition values are equal. The engine is told which columns the
// table has, and of which types: a file may lack those that came later, and hold others in
// narrower types.
func (s *scan) branch(files []chosen, deleted bool) string {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = Quote(patternOf(f.Path))
	}
	if len(paths) == 1 && s.none != "" && !s.table.ByID {
		paths = append(paths, Quote(patternOf(s.none)))
	}
	read := slices.Clone(s.used)
	if s.stored {
		for i := range read {
			read[i] = true
		}
	}
	var where []string
	for _, p := range s.preds {
		if c := &s.table.Columns[p.col.index]; !c.Partition && c.Nested == nil && p.op != isNull && p.op != notNull {
			// Written on the stored column, so that the engine can skip row groups.
			read[p.col.index] = true
			where = append(where, fmt.Sprintf("r.c%d %s %s", p.col.index+1, p.op, c.stored(p.value)))
		}
	}
	if deleted && !slices.Contains(read, true) { // with a schema no column of a file is taken for the row number
		read[slices.IndexFunc(s.table.Columns, func(c TableColumn) bool { return !c.Partition })] = true
	}
	var items, schema []string
	for i, c := range s.table.Columns {
		name := fmt.Sprintf("c%d", i+1)
		if read[i] && !c.Partition {
			key := Quote(c.Physical)
			if s.table.ByID {
				key = strconv.Itoa(c.ID)
			}
			schema = append(schema, fmt.Sprintf("%s: {name: '%s', type: %s, default_value: NULL}", key, name, Quote(c.raw())))
		}
		stored, value := "", ""
		switch {
		case !read[i] || !s.used[i] && !s.stored:
			continue
		case c.Partition:
			v, err := partitionValue(files[0].Partition[c.Physical], c.Type)
			if err != nil {
				v = Value{}
			}
			value = engineLiteral(c.Type, v)
			stored = value
		default:
			stored = "r." + name
			value = c.read(stored)
		}
		if s.used[i] {
			items = append(items, value+" AS "+name)
		}
		if s.stored {
			items = append(items, fmt.Sprintf("CAST(%s AS %s) AS r%d", stored, c.written(), i+1))
		}
	}
	if s.stored {
		items = append(items, "r.filename AS file")
	}
	if len(items) == 0 {
		items = []string{"1 AS c0"} // count(*): rows without columns
	}
	options := ""
	if len(schema) > 0 {
		options = ", schema = MAP {" + strings.Join(schema, ", ") + "}"
	}
	sql := "SELECT " + strings.Join(items, ", ") + " FROM read_parquet([" + strings.Join(paths, ", ") + "], hive_partitioning = false" + options + ") AS r"
	if s.table.ByID {
		// Columns of a file without ids cannot be told apart: they would all be NULL.
		list := strings.Join(paths, ", ")
		where = append(where, "(SELECT CASE WHEN count(*) > 0 THEN CAST(error("+Quote(Raised(50000, "The columns of the table are mapped by id, and a data file has no field ids: "))+
			" || min(file_name)) AS BOOLEAN) ELSE true END FROM (SELECT file_name FROM parquet_schema(["+list+"]) GROUP BY file_name HAVING max(field_id) IS NULL))")
	}
	if deleted {
		where = append(where, "NOT EXISTS (SELECT 1 FROM spate_deleted AS d WHERE d.file = r.filename AND d.pos = r.file_row_number)")
	}
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	return sql
}

// raw is the engine's type of a column as it is stored.
func (c *TableColumn) raw() string {
	switch {
	case c.Zoned:
		return "TIMESTAMPTZ"
	case c.Nested != nil:
		return engineShape(c.Nested)
	}
	return c.Type.engine()
}

// read turns a stored column into its type.
func (c *TableColumn) read(sql string) string {
	switch {
	case c.Nested != nil:
		return "CAST(to_json(" + logical(c.Nested, sql, 0) + ") AS VARCHAR)"
	case c.Zoned:
		// The instant in UTC. A cast to TIMESTAMP asks the calendar of the time zone for each
		// value and takes ten times as long.
		return "make_timestamp(epoch_us(" + sql + "))"
	}
	return sql
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
