package conform_test

import (
	"fmt"
	"testing"

	"spate/column"
	"spate/conform"
)

// tiedEvents are events over two partitions of which three each have one time.
func tiedEvents(t *testing.T, n int) []conform.Event {
	t.Helper()
	base, _ := column.ParseTicks("2026-01-05T00:00:00Z")
	var out []conform.Event
	for i := range n {
		at := base + column.Ticks(i/3)*column.Second
		rows, err := conform.Records(fmt.Appendf(nil, `{"t":%q,"u":%q,"k":"%c","d":%d,"v":%d,"a":[%d,[%d,"x"],%d]}`, at, at+column.Second, 'a'+i%3, i%5, i, i%2, i%3, i%5))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, conform.Event{Input: "i", Partition: i % 2, Arrival: at, Value: rows[0]})
	}
	return out
}

// One event that comes through several members of a UNION or into several windows has
// rows that tie in time, arrival and message. They have an order all the same, and each
// is kept while it waits, however the job is run.
func TestRowsOfOneEventHaveAnOrder(t *testing.T) {
	union := "WITH s AS (SELECT k AS key, v FROM i TIMESTAMP BY t UNION ALL SELECT %s) SELECT key, v, LAG(v) OVER (%sLIMIT DURATION(minute, 1)) AS p INTO o FROM s"
	windows := "WITH s AS (SELECT k, COUNT(*) AS n, MIN(v) AS v FROM i TIMESTAMP BY t GROUP BY k, Windows(%s)) SELECT k, v, n, LAG(v) OVER (%sLIMIT DURATION(minute, 1)) AS p INTO o FROM s"
	parts := "WITH s AS (SELECT k, v, e.ArrayValue AS e FROM i TIMESTAMP BY t CROSS APPLY GetArrayElements(a) AS e) SELECT v, e, LAG(v) OVER (%[1]sLIMIT DURATION(minute, 1)) AS p, LAG(e) OVER (%[1]sLIMIT DURATION(minute, 1)) AS q INTO o FROM s"
	scripts := map[string]string{
		"members of other keys":  fmt.Sprintf(union, "d AS key, v FROM i TIMESTAMP BY t", "PARTITION BY key "),
		"members of one key":     fmt.Sprintf(union, "k AS key, v + 1000 AS v FROM i TIMESTAMP BY t", "PARTITION BY key "),
		"members of two times":   fmt.Sprintf(union, "k AS key, v + 1000 AS v FROM i TIMESTAMP BY DATEADD(second, -1, u)", "PARTITION BY key "),
		"windows, one order":     fmt.Sprintf(windows, "TumblingWindow(second, 2), HoppingWindow(second, 4, 2)", ""),
		"windows, sliding":       fmt.Sprintf(windows, "SlidingWindow(second, 2), SlidingWindow(second, 4)", "PARTITION BY k "),
		"windows of three kinds": fmt.Sprintf(windows, "SlidingWindow(second, 2), TumblingWindow(second, 2), HoppingWindow(second, 6, 2)", ""),
		"a window and a LAG": `WITH a AS (SELECT k, COUNT(*) AS n FROM i TIMESTAMP BY t GROUP BY k, TumblingWindow(second, 1)),
b AS (SELECT k, LAG(v) OVER (PARTITION BY k LIMIT DURATION(minute, 1)) AS n FROM i TIMESTAMP BY t),
s AS (SELECT k, n FROM a UNION ALL SELECT k, n FROM b UNION ALL SELECT k, n FROM a)
SELECT k, n, LAG(n) OVER (LIMIT DURATION(minute, 1)) AS p INTO o FROM s`,
		"parts, one order":        fmt.Sprintf(parts, ""),
		"parts, by what they are": fmt.Sprintf(parts, "PARTITION BY GetType(e) "),
		"parts of parts": `WITH s AS (SELECT v, e.ArrayIndex AS x, e.ArrayValue AS e FROM i TIMESTAMP BY t CROSS APPLY GetArrayElements(a) AS e),
u AS (SELECT v, e, x, f.ArrayValue AS y FROM s OUTER APPLY GetArrayElements(TRY_CAST(e AS array)) AS f)
SELECT v, x, y, LAG(v * 100 + x) OVER (PARTITION BY y LIMIT DURATION(minute, 1)) AS p, LAG(y) OVER (PARTITION BY x LIMIT DURATION(minute, 1)) AS q INTO o FROM u`,
		"parts behind an order of parts": `WITH s AS (SELECT v, e.ArrayIndex AS x, e.ArrayValue AS e FROM i TIMESTAMP BY t CROSS APPLY GetArrayElements(a) AS e),
l AS (SELECT v, x, e, LAG(v) OVER (PARTITION BY x LIMIT DURATION(minute, 1)) AS p FROM s),
u AS (SELECT l.v, l.x, l.p, f.ArrayValue AS y FROM l OUTER APPLY GetArrayElements(TRY_CAST(l.e AS array)) AS f)
SELECT v, x, y, p, LAG(v * 100 + x) OVER (LIMIT DURATION(minute, 1)) AS q INTO o FROM u`,
		"pairs of parts": `WITH s AS (SELECT x.v, e.ArrayValue AS e, y.v AS w FROM i x TIMESTAMP BY t CROSS APPLY GetArrayElements(x.a) AS e
JOIN i y TIMESTAMP BY t ON e.ArrayValue = y.d AND DATEDIFF(second, x, y) BETWEEN -1 AND 2)
SELECT v, e, w, LAG(v * 100 + w) OVER (LIMIT DURATION(minute, 1)) AS p INTO o FROM s`,
		"parts of pairs": `WITH s AS (SELECT x.v, e.ArrayIndex AS e, y.v AS w FROM i x TIMESTAMP BY t JOIN i y TIMESTAMP BY t ON x.k = y.k AND DATEDIFF(second, x, y) BETWEEN -1 AND 2
CROSS APPLY GetArrayElements(y.a) AS e)
SELECT v, e, w, LAG(v * 100 + w) OVER (LIMIT DURATION(minute, 1)) AS p INTO o FROM s`,
		"first parts of groups": `WITH s AS (SELECT e.ArrayValue AS e, COUNT(*) AS n FROM i TIMESTAMP BY t CROSS APPLY GetArrayElements(a) AS e GROUP BY e.ArrayValue, TumblingWindow(second, 3))
SELECT e, n, LAG(e) OVER (LIMIT DURATION(minute, 1)) AS p INTO o FROM s`,
	}
	hows := map[string]conform.Streaming{
		"a message at a time":        {Batch: 1},
		"batches of 7":               {Batch: 7},
		"one batch":                  {},
		"4 shards":                   {Batch: 7, Shards: []int{4}},
		"128 shards":                 {Batch: 7, Shards: []int{128}},
		"restarts":                   {Behind: every(conform.Restart)},
		"restarts, 4 shards":         {Behind: every(conform.Restart), Shards: []int{4}},
		"restarts into other shards": {Behind: every(conform.Restart), Shards: []int{4, 1, 3, 128, 2, 8, 1}},
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			job, err := conform.Compile(script)
			if err != nil {
				t.Fatal(err)
			}
			events := tiedEvents(t, 60)
			o := conform.Options{Late: column.Minute, Disorder: 2 * column.Second}
			want, err := conform.Reference(t.Context(), job, events, o)
			if err != nil {
				t.Fatal(err)
			}
			for how, s := range hows {
				got, err := s.Run(t.Context(), job, events, o)
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				if err := conform.Compare(conform.AsRecords(got), conform.AsRecords(want), conform.Exact, false); err != nil {
					t.Errorf("%s: %v", how, err)
				}
			}
		})
	}
}

// A window without keys is in one shard, and its state is found there again, whatever
// the number of shards becomes.
func TestWindowsWithoutKeysMoveBetweenShards(t *testing.T) {
	for _, window := range []string{"SlidingWindow(second, 3)", "SessionWindow(second, 3, 60)", "Windows(SlidingWindow(second, 3), TumblingWindow(second, 5))"} {
		job, err := conform.Compile("SELECT COUNT(*) AS n, MAX(v) AS v, System.Timestamp() AS e INTO o FROM i TIMESTAMP BY t GROUP BY " + window)
		if err != nil {
			t.Fatal(err)
		}
		events := tiedEvents(t, 60)
		o := conform.Options{Late: column.Minute}
		want, err := conform.Reference(t.Context(), job, events, o)
		if err != nil {
			t.Fatal(err)
		}
		s := conform.Streaming{Behind: turns(conform.GoOn, conform.GoOn, conform.GoOn, conform.Restart), Shards: []int{1, 3, 128, 128, 16, 128}}
		got, err := s.Run(t.Context(), job, events, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := conform.Compare(conform.AsRecords(got), conform.AsRecords(want), conform.Exact, false); err != nil {
			t.Errorf("%s: %v", window, err)
		}
	}
}
