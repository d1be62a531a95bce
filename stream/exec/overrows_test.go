package exec_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"spate/column"
)

// The rows of an aggregate with OVER leave memory and state when no row to come can see
// them: while others come, and by the clock alone. A freeze writes what is new, and what
// was written is what a new step goes on with.
func TestRowsOfAggregatesWithOverLeaveTheState(t *testing.T) {
	in, node := analyticOf(t, "SELECT k, SUM(v) OVER (PARTITION BY k LIMIT DURATION(second, 10)) AS a, MAX(v) OVER (PARTITION BY k LIMIT DURATION(second, 10)) AS b INTO o FROM i")
	a := newAnalytic(t, node)
	var saved savedFiles
	var out rowsOf
	r := rand.New(rand.NewPCG(5, 5))
	at := column.Ticks(0)
	for round := range 60 {
		var events []event
		for i := range 100 {
			at += column.Second / 100
			events = append(events, event{at: at, k: column.TextOf(fmt.Sprint("key", i%3)), v: column.IntOf(int64(round))})
		}
		out = rowsOf{}
		if err := a.Process(0, batchOfEvents(r, in, events, nil), &out); err != nil {
			t.Fatal(err)
		}
		if err := a.Advance(at, &out); err != nil {
			t.Fatal(err)
		}
		saved.freeze(t, a)
		saved.merge(t)
		if n := saved.entries(t); n > 2*1001 {
			t.Fatalf("after %d seconds: %d rows in the state of two functions, 1001 are seen", round+1, n)
		}
		if round%7 == 3 {
			a = newAnalytic(t, node)
			saved.load(t, a)
		}
	}
	if f, err := a.Freeze(); f != nil || err != nil {
		t.Errorf("nothing changed, and yet there is something to write: %v", err)
	}
	// The last row sees those of its key from second 50 to 60, both ends among them.
	want := 0
	for i := range 1001 {
		if n := 5999 - i; n%100%3 == 99%3 {
			want += n / 100
		}
	}
	last := out.vals[len(out.vals)-1]
	if got := last[len(last)-2].Float(); got != float64(want) {
		t.Errorf("the last sum is %v, want %d", got, want)
	}
	if err := a.Advance(at+10*column.Second, &out); err != nil {
		t.Fatal(err)
	}
	if err := a.Advance(at+10*column.Second+2, &out); err != nil {
		t.Fatal(err)
	}
	saved.freeze(t, a)
	saved.merge(t)
	if n := saved.entries(t); n != 0 {
		t.Errorf("%d rows in the state after a silence", n)
	}
}
