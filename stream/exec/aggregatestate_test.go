package exec

import (
	"sync"
	"testing"

	"spate/column"
	"spate/stream/state"
)

// A partition goes on while what it gave is merged, and the end goes on while what
// it froze is written: for the race detector, and nothing may be lost.
func TestPartialsAndFrozenStateAreReadBesideTheirOwners(t *testing.T) {
	n := aggregation(testWindows[:1], testAggs...)
	h := newHalves(t, n, 1)
	partials := make(chan []Partial, 4)
	frozen := make(chan state.Frozen, 4)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(partials)
		for i := range 200 {
			var events []event
			for k := range 20 {
				events = append(events, one(5, column.IntOf(int64(i+k)), column.FloatOf(1e100)))
			}
			if err := h.parts[0].Add(rowsOf(events)); err != nil {
				t.Error(err)
			}
			partials <- h.parts[0].Take(column.EndOfTime)
		}
	})
	wg.Go(func() {
		defer close(frozen)
		for list := range partials {
			for _, p := range list {
				h.end.Merge(p)
			}
			f, err := h.end.Freeze()
			if err != nil {
				t.Error(err)
			}
			frozen <- f
		}
	})
	for f := range frozen {
		h.later = f
		h.write(t)
	}
	wg.Wait()
	if got := len(entriesOf(t, h.files)); got != 1+219 {
		t.Errorf("%d entries, want 220", got)
	}
	h.restart(t)
	if err := h.advance(column.EndOfTime); err != nil {
		t.Fatal(err)
	}
	if got := len(h.out.lines); got != 219 {
		t.Errorf("%d rows, want 219", got)
	}
}

// Entries that no aggregation wrote are an error or a state, and no panic.
func FuzzAggregateState(f *testing.F) {
	n := aggregation(testWindows, testAggs...)
	h := newHalves(f, n, 1)
	if err := h.parts[0].Add(rowsOf([]event{{pos: column.Position{Time: 7}, cols: []column.Value{column.IntOf(1), column.TextOf("a"), column.FloatOf(1), column.IntOf(2), column.IntOf(3)}}})); err != nil {
		f.Fatal(err)
	}
	if err := h.barrier(f); err != nil {
		f.Fatal(err)
	}
	h.write(f)
	for _, e := range entriesOf(f, h.files) {
		f.Add(e.Key, e.Value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		end, err := NewFinisher(n)
		if err != nil {
			t.Fatal(err)
		}
		if end.Load(entry(key, value)) == nil {
			_ = end.Advance(column.EndOfTime, &failing{limit: 3})
		}
	})
}
