package conform_test

import (
	"testing"

	"pgregory.net/rapid"

	"spate/column"
	"spate/conform"
	"spate/conform/random"
)

// Rows of a LEFT JOIN in shards that stand behind what it has promised are nowhere when a
// checkpoint comes but in its state.
func TestOuterJoinsInShardsOverCheckpoints(t *testing.T) {
	t.Parallel()
	const join = "FROM i x TIMESTAMP BY t LEFT JOIN i y TIMESTAMP BY t ON x.k = y.k AND DATEDIFF(minute, x, y) BETWEEN 0 AND 0"
	scripts := []string{
		`WITH s AS (SELECT z.k AS c, COUNT(*) AS n
FROM i x TIMESTAMP BY t LEFT JOIN (i y TIMESTAMP BY t LEFT JOIN i z TIMESTAMP BY t ON y.u = z.u AND DATEDIFF(minute, y, z) = 0) ON DATEDIFF(second, y, x) = -3 AND x.k = y.m
GROUP BY z.k, System.Timestamp())
SELECT c, COUNT(*) AS n INTO o FROM s GROUP BY c, TumblingWindow(second, 1)`,
		"WITH s AS (SELECT x.k AS k, x.v AS v, y.v AS w, System.Timestamp() AS ts " + join + ") SELECT k, v, w, ts, LAG(v) OVER (LIMIT DURATION(minute, 5)) AS p INTO o FROM s",
		"WITH s AS (SELECT x.k AS k, x.v AS v, y.v AS w " + join + ") SELECT k, COUNT(*) AS n, COUNT(w) AS m INTO o FROM s GROUP BY k, SlidingWindow(second, 5)",
	}
	rapid.Check(t, func(t *rapid.T) {
		script := rapid.SampledFrom(scripts).Draw(t, "script")
		events, o := random.Stream(t)
		job, err := conform.Compile(script)
		if err != nil {
			t.Fatal(err)
		}
		shards := rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 3, 4}), 1, 3).Draw(t, "shards")
		acts := rapid.SliceOfN(rapid.SampledFrom([]conform.Act{conform.Checkpoint, conform.Restart, conform.Crash}), 1, 3).Draw(t, "acts")
		how := conform.Streaming{Batch: 1, Shards: shards, Behind: turns(acts...)}
		agree(t, how, job, script, events, o, byDefinition(t, job, events, o))
	})
}

// Thousands of rows that wait for partners are more than one batch of the state.
func TestAJoinGoesOnWithThousandsOfRows(t *testing.T) {
	t.Parallel()
	job, err := conform.Compile("SELECT x.k, x.n, y.n AS m INTO o FROM i x TIMESTAMP BY t LEFT JOIN i y TIMESTAMP BY t ON x.k = y.k AND DATEDIFF(second, x, y) BETWEEN 29 AND 30 AND y.n % 3 > 0")
	if err != nil {
		t.Fatal(err)
	}
	start, _ := column.ParseTicks("2026-01-05T00:00:00Z") // it is one
	events := make([]conform.Event, 6000)
	for n := range events {
		at := start + column.Ticks(n)*10*column.Millisecond
		events[n] = conform.Event{Input: "i", Partition: n % 3, Arrival: at, Value: column.RecordOf(&column.RecordValue{
			Names: []string{"k", "n", "t"}, Values: []column.Value{column.IntOf(int64(n % 50)), column.IntOf(int64(n)), column.TextOf(at.String())},
		})}
	}
	o := conform.Options{Late: column.Minute}
	want, err := conform.Streaming{}.Run(t.Context(), job, events, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(want["o"]) < 6000 {
		t.Fatalf("%d rows, want one for each event at least", len(want["o"]))
	}
	for _, shards := range [][]int{{1}, {4, 1, 3}} {
		got, err := conform.Streaming{Shards: shards, Behind: func(i int) conform.Act {
			return map[int]conform.Act{2000: conform.Checkpoint, 3500: conform.Restart, 5000: conform.Checkpoint, 5400: conform.Crash}[i]
		}}.Run(t.Context(), job, events, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := conform.Compare(conform.AsRecords(got), conform.AsRecords(want), conform.Exact, true); err != nil {
			t.Errorf("shards %v: %v", shards, err)
		}
	}
}
