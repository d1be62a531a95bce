package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Queries in the dialect of Spark have Spark's answers.
func TestSparkDialect(t *testing.T) {
	t.Parallel()
	program := tool(t, "PySpark", "spark", "bin", "python")
	jars := filepath.Dir(tool(t, "Delta's jars for Spark", "jars", "delta-storage-4.4.0.jar"))
	i := newInstance(t, variant{})
	i.spate("query", "--dialect", "spark", `CREATE TABLE t (id INT, n INT, l BIGINT, d DOUBLE, f FLOAT, dec DECIMAL(10,3), s STRING, b BOOLEAN, day DATE, ts TIMESTAMP) USING DELTA;
		INSERT INTO t VALUES
		(1, 1, -7L, 1.5D, 1.5F, 12.345BD, 'abc', true, DATE '2026-03-01', TIMESTAMP '2026-03-01 10:11:12.123456'),
		(2, 3, 9000000000L, -2.5D, 0.1F, -0.5, 'abc ', false, DATE '2026-03-02', TIMESTAMP '2026-03-02 00:00:00'),
		(3, 4, 0, 1234567.891D, 3.4E20F, 1.005, 'Übung', true, DATE '2024-02-29', TIMESTAMP '2026-03-02 23:59:59.9'),
		(4, 2, 5, 0D, 0F, 99.995, '', false, DATE '1999-12-31', TIMESTAMP '1999-12-31 12:00:00'),
		(5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
		(6, 3, 12, 1E-7, 1E10F, 0, 'a_b', true, DATE '2026-03-02', TIMESTAMP '2026-03-02 00:00:01')`)
	raw, err := os.ReadFile(filepath.Join("testdata", "spark_dialect.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var queries, lines []string
	fails := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		lines = append(lines, strings.TrimPrefix(line, "! "))
		if rest, ok := strings.CutPrefix(line, "= "); ok {
			line = "SELECT id, CAST((" + rest + ") AS STRING) AS x FROM t ORDER BY id"
		} else if rest, ok := strings.CutPrefix(line, "! "); ok {
			line, fails[rest] = rest, true
		}
		queries = append(queries, line)
	}
	table := filepath.Join(i.data, "lake", "spate", "telemetry-data", "telemetry.db", "t")
	answers := strings.Split(strings.TrimSpace(output(t, 5*time.Minute, nil, strings.Join(lines, "\n"), program, script(t, "spark_dialect.py"), jars, table)), "\n")
	if len(answers) != len(queries) {
		t.Fatalf("%d answers of Spark to %d queries", len(answers), len(queries))
	}
	wrong, own := 0, i.askAll(queries)
	for k, q := range queries {
		var spark struct {
			Columns []string
			Rows    [][]any
			Error   string
		}
		decode(t, []byte(answers[k]), &spark)
		if fails[q] != (spark.Error != "") {
			t.Errorf("%s\nSpark: %s", q, answers[k])
			continue
		}
		answer := own[k]
		if fails[q] {
			if answer.err == "" {
				t.Errorf("%s\nhas an answer, want an error as Spark's: %s", q, spark.Error)
			}
			continue
		}
		if answer.err != "" {
			t.Errorf("%s\n%s", q, answer.err)
			continue
		}
		want, got := fmt.Sprint(spark.Columns, "\n"), []string{}
		for _, c := range answer.Columns {
			got = append(got, c.Name)
		}
		have := fmt.Sprint(got, "\n")
		for _, row := range spark.Rows {
			for _, v := range row {
				want += sparkCell(v) + "|"
			}
			want += "\n"
		}
		for _, row := range answer.Rows {
			have += cells(t, row) + "\n"
		}
		if have != want {
			wrong++
			t.Errorf("%s\nSpate: %sSpark: %s", q, have, want)
		}
	}
	t.Logf("%d queries, %d with another answer", len(queries), wrong)
}

// sparkCell is a value of an answer of Spark. Numbers are compared as numbers.
func sparkCell(v any) string {
	if n, ok := v.(json.Number); ok {
		return plainNumber(n.String())
	}
	if s, ok := v.(string); ok {
		return plainNumber(s)
	}
	return fmt.Sprint(v)
}

// plainNumber is one text for every way to write a number.
func plainNumber(s string) string {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return s
}

// cells are the values of a row in their order.
func cells(t *testing.T, row json.RawMessage) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(row)))
	d.UseNumber()
	out := ""
	for n := 0; ; n++ {
		tok, err := d.Token()
		if err != nil {
			return out
		}
		if _, brace := tok.(json.Delim); brace {
			n = -1
			continue
		}
		if n%2 == 1 {
			out += sparkCell(tok) + "|"
		}
	}
}

// ownAnswer is Spate's answer to a query, or its error.
type ownAnswer struct {
	Columns []struct{ Name string }
	Rows    []json.RawMessage
	err     string
}

// askAll asks queries in the dialect of Spark, as many at once as have answers.
func (i *instance) askAll(queries []string) (all []ownAnswer) {
	i.t.Helper()
	for len(all) < len(queries) {
		text, said, err := try(i.t, time.Minute, i.env, strings.Join(queries[len(all):], ";\n"), binary, "query", "--dialect", "spark", "-o", "json", "-f", i.file, "--data", i.data)
		for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
			var a ownAnswer
			if d.Decode(&a) != nil {
				break // an answer that ends with an error
			}
			all = append(all, a)
		}
		if err != nil {
			all = append(all, ownAnswer{err: said})
		}
	}
	return all
}
