//go:build cgo && !noduckdb

package duckdb_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"spate/blob"
	"spate/column"
	"spate/lake"
	"spate/lake/delta"
	"spate/lake/parquetfile"
)

// pruned are columns of every type that a file of ours has, with random values and
// constants that lie among them.
var pruned = []struct {
	column  delta.Column
	typ     parquetfile.Type
	value   func(r *rand.Rand, file int) column.Value
	literal func(r *rand.Rand) string
}{
	{delta.Column{Name: "s", Type: delta.String}, parquetfile.Type{Kind: parquetfile.String},
		func(r *rand.Rand, f int) column.Value { return column.TextOf(texts(r, f)) },
		func(r *rand.Rand) string { return "'" + strings.ReplaceAll(texts(r, r.IntN(12)), "'", "''") + "'" }},
	{delta.Column{Name: "d", Type: delta.Double}, parquetfile.Type{Kind: parquetfile.Double},
		func(r *rand.Rand, f int) column.Value { return column.FloatOf(number(r, f)) },
		func(r *rand.Rand) string { return fmt.Sprint(number(r, r.IntN(12))) }},
	{delta.Column{Name: "r", Type: delta.Float}, parquetfile.Type{Kind: parquetfile.Float},
		func(r *rand.Rand, f int) column.Value { return column.FloatOf(float64(float32(number(r, f)))) },
		func(r *rand.Rand) string {
			return fmt.Sprintf([]string{"%v", "CAST(%v AS real)", "CAST(%v AS float)"}[r.IntN(3)], number(r, r.IntN(12)))
		}},
	{delta.Column{Name: "l", Type: delta.Long}, parquetfile.Type{Kind: parquetfile.Long},
		func(r *rand.Rand, f int) column.Value { return column.IntOf(int64(f*10 + r.IntN(12))) },
		func(r *rand.Rand) string { return fmt.Sprint(r.IntN(130)) }},
	{delta.Column{Name: "i", Type: delta.Integer}, parquetfile.Type{Kind: parquetfile.Integer},
		func(r *rand.Rand, f int) column.Value { return column.IntOf(int64(f*10 - 40)) },
		func(r *rand.Rand) string { return fmt.Sprint(r.IntN(13)*10 - 40) }},
	{delta.Column{Name: "h", Type: delta.Short}, parquetfile.Type{Kind: parquetfile.Short},
		func(r *rand.Rand, f int) column.Value { return column.IntOf(int64(-f + r.IntN(2))) },
		func(r *rand.Rand) string { return fmt.Sprintf("%d.5", -r.IntN(13)) }},
	{delta.Column{Name: "b", Type: delta.Byte}, parquetfile.Type{Kind: parquetfile.Byte},
		func(r *rand.Rand, f int) column.Value { return column.IntOf(int64(f)) },
		func(r *rand.Rand) string { return fmt.Sprint(r.IntN(13)) }},
	{delta.Column{Name: "dec", Type: delta.Decimal(18, 3)}, parquetfile.Type{Kind: parquetfile.Decimal, Precision: 18, Scale: 3},
		func(r *rand.Rand, f int) column.Value {
			return column.IntOf(123456789012345000 + int64(f)*10 + int64(r.IntN(12)))
		},
		func(r *rand.Rand) string { return fmt.Sprintf("123456789012345.%03d", r.IntN(130)) }},
	{delta.Column{Name: "day", Type: delta.Date}, parquetfile.Type{Kind: parquetfile.Date},
		func(r *rand.Rand, f int) column.Value {
			return column.TimeOf(column.TicksOf(clockNow) + column.Ticks(f)*column.Day)
		},
		func(r *rand.Rand) string { return "'" + clockNow.AddDate(0, 0, r.IntN(13)).Format("2006-01-02") + "'" }},
	{delta.Column{Name: "at", Type: delta.Timestamp}, parquetfile.Type{Kind: parquetfile.Timestamp},
		func(r *rand.Rand, f int) column.Value { return column.TimeOf(column.TicksOf(moment(r, f))) },
		func(r *rand.Rand) string {
			return "'" + moment(r, r.IntN(12)).Format([]string{"2006-01-02T15:04:05.000000", "2006-01-02T15:04:05.000", "2006-01-02"}[r.IntN(3)]) + "'"
		}},
	{delta.Column{Name: "z", Type: delta.Boolean}, parquetfile.Type{Kind: parquetfile.Boolean},
		func(r *rand.Rand, f int) column.Value { return column.BoolOf(f%3 == 0 || r.IntN(2) == 0) },
		func(r *rand.Rand) string { return fmt.Sprint(r.IntN(2)) }},
}

func texts(r *rand.Rand, f int) string {
	s := string(rune('a'+f)) + []string{"", " ", "  ", "!", "\t", "x", "'", "ü", strings.Repeat("y", 40), strings.Repeat("😀", 20)}[r.IntN(10)]
	return s + []string{"", " ", "z"}[r.IntN(3)]
}

func number(r *rand.Rand, f int) float64 { return float64(f)*10 + float64(r.IntN(110))/10 + 0.1 }

func moment(r *rand.Rand, f int) time.Time {
	return clockNow.Add(time.Duration(f)*7*time.Hour + time.Duration(r.IntN(3))*500*time.Microsecond + time.Duration(r.IntN(3))*time.Hour)
}

// condition is a random condition over the columns.
func condition(r *rand.Rand, depth int) string {
	if depth > 0 {
		switch r.IntN(5) {
		case 0:
			return "(" + condition(r, depth-1) + " AND " + condition(r, depth-1) + ")"
		case 1:
			return "(" + condition(r, depth-1) + " OR " + condition(r, depth-1) + ")"
		case 2:
			return "NOT (" + condition(r, depth-1) + ")"
		}
	}
	c := &pruned[r.IntN(len(pruned))]
	name := c.column.Name
	switch r.IntN(7) {
	case 0:
		return name + []string{" IS NULL", " IS NOT NULL"}[r.IntN(2)]
	case 1:
		return fmt.Sprintf("%s %sIN (%s, %s, %s)", name, []string{"", "NOT "}[r.IntN(2)], c.literal(r), c.literal(r), c.literal(r))
	case 2:
		if name != "z" {
			return fmt.Sprintf("%s %sBETWEEN %s AND %s", name, []string{"", "NOT "}[r.IntN(2)], c.literal(r), c.literal(r))
		}
	case 3:
		if name == "s" {
			return fmt.Sprintf("s %sLIKE %s", []string{"", "NOT "}[r.IntN(2)], strings.TrimSuffix(c.literal(r), "'")+[]string{"%'", "_%'", "'"}[r.IntN(3)])
		}
		if name == "at" {
			return fmt.Sprintf("CAST(at AS date) %s '%s'", []string{"=", "<>", "<", ">="}[r.IntN(4)], moment(r, r.IntN(12)).Format("2006-01-02"))
		}
	case 4:
		return c.literal(r) + " " + []string{"=", "<>", "<", "<=", ">", ">="}[r.IntN(6)] + " " + name
	}
	return name + " " + []string{"=", "<>", "<", "<=", ">", ">="}[r.IntN(6)] + " " + c.literal(r)
}

// TestSkippedFilesHoldNoWantedRow compares every answer with that over the same files
// without statistics and partitions.
func TestSkippedFilesHoldNoWantedRow(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	store := blob.NewLocal(t.TempDir())
	columns := []delta.Column{{Name: "id", Type: delta.Long, Nullable: true}}
	parts := []parquetfile.Column{{Name: "id", Type: parquetfile.Type{Kind: parquetfile.Long}, Nullable: true}}
	for _, p := range pruned {
		p.column.Nullable = true
		columns = append(columns, p.column)
		parts = append(parts, parquetfile.Column{Name: p.column.Name, Type: p.typ, Nullable: true})
	}
	full, err := delta.Create(t.Context(), store, "full", delta.Definition{Columns: columns, PartitionBy: []delta.Partition{{DateOf: "at"}}})
	if err != nil {
		t.Fatal(err)
	}
	bare, err := delta.Create(t.Context(), store, "bare", delta.Definition{Columns: columns})
	if err != nil {
		t.Fatal(err)
	}
	id := int64(0)
	commit := func(table *delta.Table, path, body, stats string, values map[string]*string) {
		t.Helper()
		info, err := store.Create(t.Context(), table.Prefix()+"/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := table.Commit(t.Context(), &delta.Transaction{Operation: "WRITE", Adds: []*delta.Add{{Path: path, Size: info.Size, DataChange: true, PartitionValues: values, Stats: stats}}}); err != nil {
			t.Fatal(err)
		}
	}
	for f := range 24 {
		// Files with NULLs, without, and with nothing else, in each column.
		builders := make([]*column.Builder, len(parts))
		for i := range builders {
			builders[i] = column.NewBuilder(nil)
		}
		nulls := make([]int, len(pruned))
		for i := range nulls {
			nulls[i] = []int{0, 0, 3, 1}[r.IntN(4)]
		}
		day := ""
		for range 6 {
			id++
			builders[0].Append(column.IntOf(id))
			for i, p := range pruned {
				v := p.value(r, f%12)
				if p.column.Name == "at" { // one day in a file
					if at := v.Ticks(); day == "" {
						day = delta.DateText(at)
					} else if delta.DateText(at) != day {
						v = column.Value{}
					}
				}
				if nulls[i] == 1 && p.column.Name != "at" || nulls[i] == 3 && r.IntN(2) == 0 {
					v = column.Value{}
				}
				builders[i+1].Append(v)
			}
		}
		vecs := make([]*column.Vector, len(builders))
		for i, b := range builders {
			v := b.Vector()
			vecs[i] = &v
		}
		var body bytes.Buffer
		w, err := parquetfile.NewWriter(&body, parts, parquetfile.Options{})
		if err == nil {
			err = w.Append(vecs, nil, 6)
		}
		if err != nil {
			t.Fatal(err)
		}
		stats, err := w.Close()
		if err != nil {
			t.Fatal(err)
		}
		text := full.Known().StatsOf(columns, stats)
		if f%5 == 4 {
			text = ""
		}
		commit(full, fmt.Sprintf("atDate=%s/f%d.parquet", day, f), body.String(), text, map[string]*string{"atDate": &day})
		commit(bare, fmt.Sprintf("f%d.parquet", f), body.String(), "", map[string]*string{})
	}
	// Half of what is known of the files comes out of a checkpoint.
	if err := full.Checkpoint(t.Context(), full.Known()); err != nil {
		t.Fatal(err)
	}
	cat, err := lake.NewCatalog(lake.Options{Store: store, Tables: []lake.TableSpec{{Database: "telemetry", Name: "full_", Prefix: "full"}, {Database: "telemetry", Name: "bare", Prefix: "bare"}}})
	if err != nil {
		t.Fatal(err)
	}
	s := session(t, cat)
	skipped := 0
	for n := range 200 {
		where := condition(r, n%4)
		tail := " ORDER BY id"
		if n%10 == 9 {
			tail = fmt.Sprintf(" ORDER BY %s%s, id OFFSET 0 ROWS FETCH NEXT 4 ROWS ONLY", pruned[r.IntN(len(pruned))].column.Name, []string{"", " DESC"}[r.IntN(2)])
		}
		if n%20 == 19 {
			where = "1 = 1"
		}
		sql := "SELECT id FROM %s WHERE " + strings.ReplaceAll(where, "%", "%%") + tail
		plan, err := s.Explain(t.Context(), fmt.Sprintf(sql, "full_"))
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		skipped += plan.Stats.FilesSkipped
		got, want := answer(t, s, fmt.Sprintf(sql, "full_")), answer(t, s, fmt.Sprintf(sql, "bare"))
		if got != want || strings.HasPrefix(got, "error") {
			t.Errorf("WHERE %s%s\n got %q\nwant %q", where, tail, got, want)
		}
	}
	if skipped < 700 {
		t.Errorf("only %d of %d files were skipped", skipped, 200*24)
	}
	t.Logf("%d of %d files were skipped", skipped, 200*24)

	// Ends of columns are looked for in the files that may have them.
	skipped = 0
	for n := range 60 {
		a, b := pruned[r.IntN(len(pruned))].column, pruned[r.IntN(len(pruned))].column
		if a.Type == delta.Boolean || b.Type == delta.Boolean {
			continue // it has no order
		}
		items := fmt.Sprintf([]string{"MIN(%s) AS x, MAX(%s) AS y", "MAX(%s) AS x, COUNT(*) AS n, MAX(%s) AS y", "MIN(%s) AS x, MIN(f.%s) AS y, COUNT_BIG(*) AS n"}[n%3], a.Name, b.Name)
		sql := "SELECT " + items + " FROM %s AS f"
		plan, err := s.Explain(t.Context(), fmt.Sprintf(sql, "full_"))
		if err != nil {
			t.Fatalf("%s: %v", items, err)
		}
		skipped += plan.Stats.FilesSkipped
		got, want := answer(t, s, fmt.Sprintf(sql, "full_")), answer(t, s, fmt.Sprintf(sql, "bare"))
		if got != want || strings.HasPrefix(got, "error") {
			t.Errorf("SELECT %s\n got %q\nwant %q", items, got, want)
		}
	}
	if skipped < 200 {
		t.Errorf("for ends only %d of %d files were skipped", skipped, 60*24)
	}
	t.Logf("for ends %d of %d files were skipped", skipped, 60*24)
}
