package exec_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"spate/column"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/stream/exec"
)

// matchOf compiles the MATCH_RECOGNIZE of a script.
func matchOf(t testing.TB, clauses string) (*plan.Match, func() *exec.Match) {
	t.Helper()
	job, errs, _ := bind.Script("SELECT * INTO o FROM i MATCH_RECOGNIZE ("+clauses+") AS m", bind.Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var node *plan.Match
	plan.Walk(job, func(n plan.Node) {
		if m, ok := n.(*plan.Match); ok {
			node = m
		}
	})
	return node, func() *exec.Match {
		m, err := exec.NewMatch(node)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
}

// matchBatch makes a batch of the columns k and v.
func matchBatch(node *plan.Match, seq *int64, at []column.Ticks, key func(i int) string, v func(i int) int64) *column.Batch {
	b := &column.Batch{Schema: exec.SchemaOf(node.In.Columns()), Rows: len(at), Time: at, Seq: make([]int64, len(at))}
	ks, vs := column.NewBuilder(nil), column.NewBuilder(nil)
	for i := range at {
		*seq++
		b.Seq[i] = *seq
		ks.Append(column.TextOf(key(i)))
		vs.Append(column.IntOf(v(i)))
	}
	for _, c := range node.In.Columns() {
		if c.Name == "k" {
			b.Cols = append(b.Cols, ks.Vector())
		} else {
			b.Cols = append(b.Cols, vs.Vector())
		}
	}
	return b
}

func listedRows(o *rowsOf) []string {
	var out []string
	for i := range o.at {
		out = append(out, fmt.Sprint(o.at[i], " ", string(column.AppendJSON(nil, column.ArrayOf(o.vals[i])))))
	}
	return out
}

// Keys come and go by the thousand. What is not needed leaves memory and state, and a step
// that is put back from the state goes on as one that was never stopped.
func TestMatchesOverManyKeysGoOn(t *testing.T) {
	for _, clauses := range []string{
		"LIMIT DURATION(second, 5) PARTITION BY k MEASURES First(A.v) AS a, Max(B.v) AS b, Classifier() AS c PATTERN (A B+) DEFINE A AS v < 50, B AS v > Last(v)",
		"LIMIT DURATION(second, 5) PARTITION BY k MEASURES Last(v) AS a PATTERN (A . B) DEFINE A AS v < 50, B AS v > 50",
	} {
		node, fresh := matchOf(t, clauses)
		r := rand.New(rand.NewPCG(3, 4))
		var saved savedFiles
		var whole, broken rowsOf
		one, other := fresh(), fresh()
		at, seq := column.Ticks(0), int64(0)
		for round := range 80 {
			times := make([]column.Ticks, 200)
			for i := range times {
				at += column.Ticks(r.IntN(2)) * column.Second / 100
				times[i] = at
			}
			b := matchBatch(node, &seq, times, func(i int) string { return fmt.Sprint(round*25 + r.IntN(100)) }, func(int) int64 { return int64(r.IntN(100)) })
			for _, m := range []struct {
				op  *exec.Match
				out *rowsOf
			}{{one, &whole}, {other, &broken}} {
				if err := m.op.Process(0, b, m.out); err != nil {
					t.Fatal(err)
				}
				if err := m.op.Advance(at-column.Second/10, m.out); err != nil {
					t.Fatal(err)
				}
			}
			if saved.cut(t, r, other) {
				other = fresh()
				saved.load(t, other)
			}
		}
		for _, m := range []*exec.Match{one, other} {
			out := &whole
			if m == other {
				out = &broken
			}
			if err := m.Advance(column.EndOfTime, out); err != nil {
				t.Fatal(err)
			}
		}
		if a, b := listedRows(&whole), listedRows(&broken); len(a) < 50 || !slices.Equal(a, b) {
			t.Errorf("%s: %d rows without a break, %d over breaks\n%s\n\n%s", clauses, len(a), len(b), strings.Join(a, "\n"), strings.Join(b, "\n"))
		}
		saved.freeze(t, other)
		saved.merge(t)
		if n := saved.entries(t); n > 1 {
			t.Errorf("%s: %d entries are in the state of a step that waits for nothing", clauses, n)
		}
	}
}

// A key from whose rows too many matches may still come begins no others; those are told of,
// and it shows no break.
func TestAKeyHasSoManyAttempts(t *testing.T) {
	node, fresh := matchOf(t, "LIMIT DURATION(second, 20) PARTITION BY k MEASURES First(A.v) AS a PATTERN (A* B) DEFINE A AS v < 90, B AS v >= 90")
	play := func(broken bool) (rows, skipped []string) {
		r := rand.New(rand.NewPCG(7, 8))
		var saved savedFiles
		var out rowsOf
		begin := func() *exec.Match {
			m := fresh()
			m.AtMost(5)
			m.SkipTo(func(b *column.Batch, row int, err *exec.Error) {
				skipped = append(skipped, fmt.Sprint(b.Time[row], " ", b.Cols[0].At(row).Text(), " ", err.Err))
			})
			return m
		}
		m := begin()
		seq := int64(0)
		for i := range 300 {
			at := column.Ticks(i) * column.Second
			b := matchBatch(node, &seq, []column.Ticks{at}, func(int) string { return fmt.Sprint(r.IntN(2)) }, func(int) int64 { return int64(r.IntN(100)) })
			if err := m.Process(0, b, &out); err != nil {
				t.Fatal(err)
			}
			if err := m.Advance(at, &out); err != nil {
				t.Fatal(err)
			}
			if broken {
				saved.freeze(t, m)
				m = begin()
				saved.load(t, m)
			}
		}
		if err := m.Advance(column.EndOfTime, &out); err != nil {
			t.Fatal(err)
		}
		return listedRows(&out), skipped
	}
	rows, skipped := play(false)
	if len(rows) < 20 || len(skipped) < 20 || !strings.Contains(skipped[0], "5 rows of one key from which a match may still come") {
		t.Fatalf("%d rows, %d skipped: %v", len(rows), len(skipped), skipped)
	}
	again, skippedAgain := play(true)
	if !slices.Equal(rows, again) || !slices.Equal(skipped, skippedAgain) {
		t.Errorf("%d rows and %d skipped, over breaks %d and %d", len(rows), len(skipped), len(again), len(skippedAgain))
	}
}
