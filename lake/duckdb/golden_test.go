//go:build cgo && !noduckdb

package duckdb_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"spate/blob"
	"spate/lake"
	"spate/lake/delta"
	"spate/lake/query"
)

// shared is a folder beside the project that tests read.
func shared(t *testing.T, elem ...string) string {
	t.Helper()
	dir := filepath.Join(append([]string{"..", "..", "..", "shared"}, elem...)...)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is needed: %v", dir, err)
		}
		t.Skipf("%s is not there", dir)
	}
	return dir
}

// refused are the golden tables that need a feature we do not read.
var refused = map[string]string{"spark_variant": "variantType"}

func TestGoldenTablesReadAsSparkReadsThem(t *testing.T) {
	dir := shared(t, "golden", "delta")
	cases, err := filepath.Glob(filepath.Join(dir, "*", "expected.jsonl"))
	if err != nil || len(cases) == 0 {
		t.Fatalf("no golden tables: %v", err)
	}
	eng := engine(t, query.Limits{})
	for _, expected := range cases {
		name := filepath.Base(filepath.Dir(expected))
		t.Run(name, func(t *testing.T) {
			cat, err := lake.NewCatalog(lake.Options{Store: blob.NewLocal(filepath.Dir(expected)), Tables: []lake.TableSpec{{Name: "t", Prefix: "delta"}}})
			if err != nil {
				t.Fatal(err)
			}
			s := &query.Session{Catalog: cat, Engine: eng}
			if feature := refused[name]; feature != "" {
				if _, err := s.Run(t.Context(), "SELECT * FROM t"); !errors.Is(err, delta.ErrUnsupported) || !strings.Contains(err.Error(), feature) {
					t.Errorf("%v, want a refusal that names %s", err, feature)
				}
				return
			}
			sameRows(t, s, "SELECT * FROM t", expected)
			versions, err := filepath.Glob(filepath.Join(filepath.Dir(expected), "expected.v*.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range versions {
				v := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "expected.v"), ".jsonl")
				sameRows(t, s, "SELECT * FROM t VERSION AS OF "+v, file)
			}
		})
	}
}

// sameRows compares the rows of a query with those of a file.
func sameRows(t *testing.T, s *query.Session, sql, expected string) {
	t.Helper()
	r, err := s.Run(t.Context(), sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer r.Close()
	var got []string
	for row, err := range r.Rows() {
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		got = append(got, rowText(r.Columns, row))
	}
	text, err := os.ReadFile(expected)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range bytes.Lines(text) {
		want = append(want, expectedText(t, r.Columns, line))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", sql, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Rows stay what they are when their files are packed, whatever features and types the table has.
func TestGoldenTablesStayAsTheyAreWhenTheyArePacked(t *testing.T) {
	dir := shared(t, "golden", "delta")
	for _, name := range []string{"hand_dv_example", "hand_dv_i", "hand_dv_uprefix", "spark_dv", "spark_dv_v2_cdf", "spark_cm_name", "spark_cm_id",
		"spark_widening", "spark_clustered", "spark_ict", "spark_ntz", "spark_all_types", "rs_all_types", "spark_part_types", "rs_part_types", "rs_cdf"} {
		t.Run(name, func(t *testing.T) {
			lakeDir := t.TempDir()
			if err := os.CopyFS(filepath.Join(lakeDir, "t"), os.DirFS(filepath.Join(dir, name, "delta"))); err != nil {
				t.Fatal(err)
			}
			s := changing(t, lakeDir)
			before, err := delta.Open(t.Context(), blob.NewLocal(lakeDir), "t")
			if err != nil {
				t.Fatal(err)
			}
			old := map[string]bool{}
			for _, a := range before.Known().Files() {
				old[a.Path] = true
			}
			do(t, s, "OPTIMIZE t ZORDER BY (["+before.Known().Columns[0].Name+"])")
			after, err := before.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range after.Files() {
				if a.DeletionVector != nil || old[a.Path] || a.DataChange {
					t.Errorf("%+v was not packed", a)
				}
			}
			sameRows(t, s, "SELECT * FROM t", filepath.Join(dir, name, "expected.jsonl"))
		})
	}
}

// Bounds in the log are cut or rounded by their writers: rows at the bounds must
// be found all the same.
func TestRowsAtTheBoundsOfStatisticsAreFound(t *testing.T) {
	dir := shared(t, "golden", "delta")
	eng := engine(t, query.Limits{})
	f := func(name, where string, want string) {
		t.Helper()
		cat, err := lake.NewCatalog(lake.Options{Store: blob.NewLocal(filepath.Join(dir, name)), Tables: []lake.TableSpec{{Name: "t", Prefix: "delta"}}})
		if err != nil {
			t.Fatal(err)
		}
		s := &query.Session{Catalog: cat, Engine: eng}
		if got := answer(t, s, "SELECT COUNT(*) FROM t WHERE "+where); got != want {
			t.Errorf("%s: %s: got %s rows, want %s", name, where, got, want)
		}
	}
	for _, name := range []string{"rs_all_types", "spark_all_types"} {
		f(name, "dec = 123456789012345.12345", "1")
		f(name, "dec >= 123456789012345.12345", "1")
		f(name, "ts = '2025-03-09T23:59:59.999999Z'", "1")
		f(name, "s = 'zz   '", "1")
		f(name, "s = ''", "1")
		f(name, "l <= -9223372036854775808", "1")
		f(name, "da < '0001-01-02'", "1")
		f(name, "b = 0", "1")
		f(name, "id IN (1, 7)", "1")
		f(name, "s IS NULL AND id < 4", "1")
	}
	f("spark_part_types", "pd IS NOT NULL", "3")
	f("rs_part_types", "ps = ''", "1")
	f("rs_part_types", "pdec = 1.1", "1")
	f("rs_part_types", "pts > '2025-03-09T23:59:59.999998Z'", "1")
}

// rowText and expectedText print a row in one way.
func rowText(cols []query.Column, row []query.Value) string {
	var b strings.Builder
	for i, v := range row {
		b.WriteString(cols[i].Name + "=")
		if v.IsNull() {
			b.WriteString("NULL;")
			continue
		}
		b.WriteString(canonical(string(v.Append(nil, cols[i].Type))) + ";")
	}
	return b.String()
}

// canonical gives JSON text one form, whatever its spacing and order.
func canonical(s string) string {
	var v any
	if len(s) > 0 && (s[0] == '{' || s[0] == '[') && json.Unmarshal([]byte(s), &v) == nil {
		out, _ := json.Marshal(v)
		return string(out)
	}
	return s
}

func expectedText(t *testing.T, cols []query.Column, line []byte) string {
	t.Helper()
	var row map[string]json.RawMessage
	if err := json.Unmarshal(line, &row); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range cols {
		raw, ok := row[c.Name]
		if !ok {
			t.Fatalf("column %s is not in %s", c.Name, line)
		}
		text := string(raw)
		var s string
		if json.Unmarshal(raw, &s) == nil {
			text = s
		}
		switch {
		case string(raw) == "null", text == "NaN", strings.HasSuffix(text, "Infinity") && c.Type.ID != query.NVarChar:
			text = "NULL"
		case c.Type.ID == query.VarBinary:
			bin, err := hex.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			text = base64.StdEncoding.EncodeToString(bin)
		case c.Type.ID == query.DateTime2 && !strings.HasSuffix(text, "Z"):
			text += "Z" // timestamp_ntz
		case c.Type.ID == query.Float || c.Type.ID == query.Real:
			text = strings.Replace(strings.Replace(text, "E+", "e+", 1), "E", "e+", 1)
		}
		b.WriteString(c.Name + "=" + canonical(text) + ";")
	}
	return b.String()
}
