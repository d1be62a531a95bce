package conform_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"spate/column"
	"spate/conform"
	"spate/conform/random"
)

// matchEvents are a few events of the input i, one or none a second.
func matchEvents(t *rapid.T) []conform.Event {
	arrival, _ := column.ParseTicks("2026-01-05T00:00:00Z")
	var out []conform.Event
	for range rapid.IntRange(0, 7).Draw(t, "events") {
		arrival += column.Ticks(rapid.IntRange(0, 2).Draw(t, "later")) * column.Second
		rows, err := conform.Records(fmt.Appendf(nil, `{"k":%d,"s":%s,"n":%s}`, rapid.IntRange(1, 2).Draw(t, "k"),
			rapid.SampledFrom([]string{`"a"`, `"a"`, `"b"`, "null"}).Draw(t, "s"), rapid.SampledFrom([]string{"0", "1", "2", "3", `"2"`, `"2026-01-05"`, "null"}).Draw(t, "n")))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, conform.Event{Input: "i", Arrival: arrival, Value: rows[0]})
	}
	return out
}

// The engine follows all ways through a pattern at once and finds what going them one behind
// the other finds, over any break.
func TestRandomPatternsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		script := random.Pattern(t)
		job, err := conform.Compile(script)
		if err != nil {
			t.Fatalf("%s\n%v", script, err)
		}
		events := matchEvents(t)
		o := conform.Options{Late: -1, SkipErrors: rapid.Bool().Draw(t, "skip")}
		how := conform.Streaming{Batch: rapid.SampledFrom([]int{1, 7}).Draw(t, "batch"), Shards: rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 4}), 1, 3).Draw(t, "shards")}
		if rapid.Bool().Draw(t, "broken") {
			how.Behind = turns(rapid.SliceOfN(rapid.SampledFrom([]conform.Act{conform.GoOn, conform.Checkpoint, conform.Restart, conform.Crash}), 1, 5).Draw(t, "acts")...)
		}
		agree(t, how, job, script, events, o, byDefinition(t, job, events, o))
	})
}

// A pattern that sets its repetitions into one another has no more ways than it names rows.
func TestAHostilePatternEnds(t *testing.T) {
	var sb strings.Builder
	for i := range 400 {
		fmt.Fprintf(&sb, `{"n":%d,"t":"2026-01-05T00:%02d:%02d.%03dZ"}`+"\n", i, i/100, i%60, i)
	}
	events, err := conform.Records([]byte(sb.String()))
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"((A*)*)* B", "(A | A | . )* B", "((A+)+)+ (A* A*)* B", "(A?){300} (A | .){300} B"} {
		job, err := conform.Compile("SELECT * INTO o FROM i TIMESTAMP BY t MATCH_RECOGNIZE (LIMIT DURATION(hour, 1) MEASURES First(n) AS f PATTERN (" + pattern + ") DEFINE A AS n >= 0, B AS n < 0) AS m")
		if err != nil {
			t.Fatal(err)
		}
		var in []conform.Event
		for _, e := range events {
			in = append(in, conform.Event{Input: "i", Value: e})
			in[len(in)-1].Arrival, _ = column.ParseTicks(e.Field("t").Text())
		}
		rows, err := conform.Streaming{}.Run(t.Context(), job, in, conform.Options{Late: -1})
		if err != nil || len(rows["o"]) != 0 {
			t.Errorf("%s: %d rows, %v", pattern, len(rows["o"]), err)
		}
	}
}

// What an attempt would have to follow without bound is said, and costs it alone.
func TestAMatchOnTooManyWays(t *testing.T) {
	job, err := conform.Compile(`SELECT * INTO o FROM i TIMESTAMP BY t MATCH_RECOGNIZE (LIMIT DURATION(hour, 1) MEASURES First(n) AS f
		PATTERN ((A | B)+ C) DEFINE A AS n >= 0, B AS n >= 0, C AS n = 2000 AND Last(A.n) > First(B.n)) AS m`)
	if err != nil {
		t.Fatal(err)
	}
	var in []conform.Event
	at, _ := column.ParseTicks("2026-01-05T00:00:00Z")
	for i := range 60 {
		in = append(in, conform.Event{Input: "i", Arrival: at, Value: column.RecordOf(&column.RecordValue{Names: []string{"n", "t"},
			Values: []column.Value{column.IntOf(int64(i)), column.TextOf((at + column.Ticks(i)*column.Second).String())}})})
		in[i].Arrival += column.Ticks(i) * column.Second
	}
	if _, err := (conform.Streaming{}).Run(t.Context(), job, in, conform.Options{Late: -1}); err == nil || !strings.Contains(err.Error(), "on more than 1000 ways at once") {
		t.Errorf("error %v", err)
	}
	skipped := 0
	o := conform.Options{Late: -1, SkipErrors: true, Skipped: func(conform.Skipped) { skipped++ }}
	if _, err := (conform.Streaming{}).Run(t.Context(), job, in, o); err != nil || skipped == 0 || skipped == len(in) {
		t.Errorf("%d rows were skipped of %d, %v", skipped, len(in), err)
	}
}
