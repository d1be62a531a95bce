package interop

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// flinkCase is one question in both languages: the columns of both answers are the same,
// the last is a time.
type flinkCase struct {
	name, spate, flink string
}

// The answers are those of another engine, over rows of which many stand at the ends of
// windows, at the same time as others, and a millisecond beside.
func TestFlinkGivesTheSameRows(t *testing.T) {
	t.Parallel()
	program := tool(t, "PyFlink", "flink", "bin", "python")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	root := t.TempDir()
	args := []string{script(t, "flink_queries.py")}
	cases := make(map[string][]flinkCase)
	for name, late := range map[string]int{"ordered": 0, "disorder": 6} { // seconds that a row may come late
		dir := filepath.Join(root, name)
		args = append(args, dir)
		cases[name] = flinkCases(r)
		askSpate(t, r, dir, cases[name], late)
	}
	want := make(map[string][]string)
	for line := range strings.Lines(output(t, 10*time.Minute, nil, "", program, args...)) {
		var of struct {
			Folder, Query string
			Row           []any
		}
		if err := json.Unmarshal([]byte(line), &of); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		key := of.Folder + "/" + of.Query
		want[key] = append(want[key], flinkRow(t, of.Row))
	}
	for name, list := range cases {
		for _, c := range list {
			got, want := spateRows(t, filepath.Join(root, name, "out", c.name+".jsonl")), want[name+"/"+c.name]
			slices.Sort(got)
			slices.Sort(want)
			if len(got) < 20 {
				t.Errorf("%s of %s: %d rows say nothing", c.name, name, len(got))
			}
			if d := apart(got, want); d != "" {
				t.Errorf("%s\n%s\n%s rows of Spate alone (-) and of Flink alone (+):\n%s", c.spate, c.flink, name, d)
			}
		}
	}
}

// askSpate fills a folder with two streams and with the questions, and has Spate answer.
func askSpate(t *testing.T, r *rand.Rand, dir string, cases []flinkCase, late int) {
	var queries []map[string]string
	var statements []string
	for _, c := range cases {
		queries = append(queries, map[string]string{"name": c.name, "sql": c.flink})
		statements = append(statements, c.spate+";")
	}
	list, err := json.Marshal(queries)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "queries.json"), string(list))
	write(t, filepath.Join(dir, "disorder.txt"), strconv.Itoa(late+1))
	write(t, filepath.Join(dir, "q.asaql"), strings.Join(statements, "\n"))
	args := []string{"eval", "--query", filepath.Join(dir, "q.asaql"), "--output-dir", filepath.Join(dir, "out"),
		"--arrival", "at", "--late", "infinite", "--disorder", fmt.Sprintf("%ds", late+1)}
	for _, name := range []string{"i", "j", "single"} {
		lines, csv := flinkStream(r, 600, late, name == "single")
		write(t, filepath.Join(dir, name+".csv"), csv)
		write(t, filepath.Join(dir, name+".jsonl"), lines)
		args = append(args, "--input", name+"="+filepath.Join(dir, name+".jsonl"))
	}
	output(t, time.Minute, nil, "", binary, args...)
}

// flinkStream makes the same rows as JSON lines, with the time they arrive, and as CSV. In
// a single one no two rows of a key have one time: those are peers for Flink's LAG, which
// gives the last of them to all.
func flinkStream(r *rand.Rand, n, late int, single bool) (lines, csv string) {
	base := time.Date(2026, 1, 5, 11, 59, 50, 0, time.UTC)
	at := base
	var sl, sc strings.Builder
	type row struct {
		k  int
		ts time.Time
	}
	made := make(map[row]bool)
	for range n {
		at = at.Add(time.Duration([]int{0, 0, 1, 37, 999, 1000, 1001, 2000, 2500}[r.IntN(9)]) * time.Millisecond)
		ts := at
		if late > 0 {
			ts = at.Add(-time.Duration(r.IntN(late*2+1)) * 500 * time.Millisecond)
		}
		k, v := r.IntN(5), r.IntN(200)-100
		if made[row{k, ts}] && single {
			continue
		}
		made[row{k, ts}] = true
		fmt.Fprintf(&sl, `{"k":"k%d","v":%d,"ts":%q,"at":%q}`+"\n", k, v, ts.Format("2006-01-02T15:04:05.000Z"), at.Format("2006-01-02T15:04:05.000Z"))
		fmt.Fprintf(&sc, "k%d,%d,%s\n", k, v, ts.Format("2006-01-02 15:04:05.000"))
	}
	return sl.String(), sc.String()
}

// flinkCases asks for windows of drawn sizes. Flink's begin at 1970, those of Stream
// Analytics at year 1: the offset is the difference.
func flinkCases(r *rand.Rand) []flinkCase {
	const form = "'yyyy-MM-dd''T''HH:mm:ss.SSS'"
	end := "DATE_FORMAT(window_end, " + form + ")"
	offset := func(step int) int { return (step - int(62135596800%int64(step))) % step }
	group := "GROUP BY k, window_start, window_end"
	tumble := 2 + r.IntN(12)
	hop := 1 + r.IntN(5)
	size := hop * (2 + r.IntN(5))
	gap := 1 + r.IntN(4)
	limit := 1 + r.IntN(6)
	from := r.IntN(5) - 3
	to := from + r.IntN(5)
	return []flinkCase{
		{"tumbling",
			fmt.Sprintf("SELECT k, COUNT(*) AS n, SUM(v) AS s, AVG(v) AS a, MIN(v) AS lo, MAX(v) AS hi, System.Timestamp() AS t INTO tumbling FROM i TIMESTAMP BY ts GROUP BY k, TumblingWindow(second, %d)", tumble),
			fmt.Sprintf("SELECT k, COUNT(*), SUM(v), AVG(CAST(v AS DOUBLE)), MIN(v), MAX(v), %s FROM TABLE(TUMBLE(TABLE i, DESCRIPTOR(rowtime), INTERVAL '%d' SECOND, INTERVAL '%d' SECOND)) %s", end, tumble, offset(tumble), group)},
		{"hopping",
			fmt.Sprintf("SELECT k, COUNT(*) AS n, SUM(v) AS s, COUNT(DISTINCT v) AS d, System.Timestamp() AS t INTO hopping FROM i TIMESTAMP BY ts GROUP BY k, HoppingWindow(second, %d, %d)", size, hop),
			fmt.Sprintf("SELECT k, COUNT(*), SUM(v), COUNT(DISTINCT v), %s FROM TABLE(HOP(TABLE i, DESCRIPTOR(rowtime), INTERVAL '%d' SECOND, INTERVAL '%d' SECOND, INTERVAL '%d' SECOND)) %s", end, hop, size, offset(hop), group)},
		{"session",
			fmt.Sprintf("SELECT k, COUNT(*) AS n, SUM(v) AS s, System.Timestamp() AS t INTO session FROM i TIMESTAMP BY ts GROUP BY k, SessionWindow(second, %d, 7200) OVER (PARTITION BY k)", gap),
			fmt.Sprintf("SELECT k, COUNT(*), SUM(v), DATE_FORMAT(window_end + INTERVAL '0.001' SECOND, %s) FROM TABLE(SESSION(TABLE i PARTITION BY k, DESCRIPTOR(rowtime), INTERVAL '%d' SECOND)) %s", form, gap, group)},
		{"lag",
			fmt.Sprintf("SELECT k, v, LAG(v) OVER (PARTITION BY k LIMIT DURATION(second, %d)) AS p, System.Timestamp() AS t INTO lag FROM single TIMESTAMP BY ts", limit),
			fmt.Sprintf("SELECT k, v, CASE WHEN pts >= ts - INTERVAL '%d' SECOND THEN pv END, DATE_FORMAT(ts, %s) FROM (SELECT *, LAG(v, 1) OVER w AS pv, LAG(ts, 1) OVER w AS pts FROM single WINDOW w AS (PARTITION BY k ORDER BY rowtime))", limit, form)},
		{"joined",
			fmt.Sprintf("SELECT i.k, i.v, j.v AS w, System.Timestamp() AS t INTO joined FROM i TIMESTAMP BY ts JOIN j TIMESTAMP BY ts ON i.k = j.k AND DATEDIFF(second, i, j) BETWEEN %d AND %d", from, to),
			fmt.Sprintf("SELECT i.k, i.v, j.v, DATE_FORMAT(CASE WHEN i.ts > j.ts THEN i.ts ELSE j.ts END, %s) FROM i JOIN j ON i.k = j.k AND j.rowtime BETWEEN i.rowtime - INTERVAL '%d' SECOND AND i.rowtime + INTERVAL '%d' SECOND AND TIMESTAMPDIFF(SECOND, FLOOR(i.ts TO SECOND), FLOOR(j.ts TO SECOND)) BETWEEN %d AND %d", form, 1-from, to+1, from, to)},
		{"cascade",
			fmt.Sprintf("WITH w AS (SELECT k, SUM(v) AS s FROM i TIMESTAMP BY ts GROUP BY k, TumblingWindow(second, %d)) SELECT COUNT(*) AS n, SUM(s) AS s, System.Timestamp() AS t INTO cascade FROM w GROUP BY TumblingWindow(second, %d)", hop, size),
			fmt.Sprintf("WITH w AS (SELECT k, SUM(v) AS s, window_time AS rowtime FROM TABLE(TUMBLE(TABLE i, DESCRIPTOR(rowtime), INTERVAL '%d' SECOND, INTERVAL '%d' SECOND)) GROUP BY k, window_start, window_end, window_time) SELECT COUNT(*), SUM(s), %s FROM TABLE(TUMBLE(TABLE w, DESCRIPTOR(rowtime), INTERVAL '%d' SECOND, INTERVAL '%d' SECOND)) GROUP BY window_start, window_end", hop, offset(hop), end, size, offset(size))},
	}
}

// flinkRow prints a row: numbers to twelve digits, the time that ends it to the millisecond.
func flinkRow(t testing.TB, row []any) string {
	t.Helper()
	var s []string
	for _, v := range row[:len(row)-1] {
		if f, ok := v.(float64); ok {
			v = strconv.FormatFloat(f, 'g', 12, 64)
		}
		s = append(s, fmt.Sprint(v))
	}
	at, err := time.Parse("2006-01-02T15:04:05", strings.TrimSuffix(row[len(row)-1].(string), "Z"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(append(s, at.Format("15:04:05.000000")), " ")
}

// spateRows reads the rows of an output, their columns in the order of the text.
func spateRows(t testing.TB, file string) (rows []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var row []any
		d := json.NewDecoder(strings.NewReader(line))
		for n := 0; ; n++ {
			token, err := d.Token()
			if err != nil {
				break
			}
			if _, brace := token.(json.Delim); !brace && n%2 == 0 {
				row = append(row, token)
			}
		}
		rows = append(rows, flinkRow(t, row))
	}
	return rows
}

// apart lists what only one of two sorted lists has.
func apart(a, b []string) string {
	var s strings.Builder
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			fmt.Fprintf(&s, "- %s\n", a[0])
			a = a[1:]
		case len(a) == 0 || b[0] < a[0]:
			fmt.Fprintf(&s, "+ %s\n", b[0])
			b = b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
	return s.String()
}
