package exec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"spate/column"
	"spate/sql/plan"
	"spate/stream/state"
)

var testWindows = []plan.Window{
	{Kind: plan.Tumbling, Size: 10, Hop: 10, ID: "t"}, {Kind: plan.Hopping, Size: 10, Hop: 4, ID: "h"}, {Kind: plan.Snapshot, ID: "s"},
}

func entry(key, value []byte) state.Entry {
	return state.Entry{Key: key, Value: value, Group: state.Group(state.Hash(0, key))}
}

func entriesOf(t testing.TB, files [][]byte) []state.Entry {
	t.Helper()
	var out []state.Entry
	err := state.Scan(readers(files), func(_ string, e state.Entry) error {
		out = append(out, state.Entry{Key: slices.Clone(e.Key), Group: e.Group, Value: slices.Clone(e.Value)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// one is an event of a key whose values are all the same number.
func one(at column.Ticks, key column.Value, v column.Value) event {
	return event{pos: column.Position{Time: at, Arrived: at, Seq: int64(at)}, cols: []column.Value{key, column.TextOf("y"), v, v, column.IntOf(1)}}
}

// A group prints its keys as its own first row in total order has them, whatever the
// other groups saw and however the rows are spread.
func TestKeysPrintAsTheFirstRowOfTheGroupHasThem(t *testing.T) {
	n := aggregation(testWindows[:1], testAggs[0])
	var events []event
	for i, k := range []struct {
		x column.Value
		y string
	}{{column.IntOf(1), "a"}, {column.FloatOf(1), "b"}, {column.IntOf(1), "a"}, {column.FloatOf(1), "b"}} {
		e := one(column.Ticks(i+1), k.x, column.Value{})
		e.cols[1] = column.TextOf(k.y)
		events = append(events, e)
	}
	for spread := range 256 { // every way over four partitions
		h := newHalves(t, n, 4)
		for i, e := range events {
			if err := h.parts[spread>>(2*i)&3].Add(rowsOf([]event{e})); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.advance(column.EndOfTime); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(h.out.lines, "; ")
		if want := `10 1 1 0: 1/bigint "a"/nvarchar(max) 2/bigint; 10 2 2 0: 1.0/float "b"/nvarchar(max) 2/bigint`; got != want {
			t.Fatalf("spread %08b: got %s, want %s", spread, got, want)
		}
	}
}

// An error of MIN or MAX stops the job at its place, with and without a checkpoint
// between the two rows.
func TestCheckpointDoesNotSwallowAnError(t *testing.T) {
	n := aggregation(testWindows[:1], agg(plan.Min, 3, column.Null, false), testAggs[0])
	for _, freeze := range []bool{false, true} {
		op, err := NewAggregate(n)
		if err != nil {
			t.Fatal(err)
		}
		var out printed
		run := func() error {
			for i, v := range []column.Value{column.TextOf("2026-01-01T00:00:00Z"), column.FloatOf(3), column.FloatOf(7)} {
				if err := op.Process(0, rowsOf([]event{one(column.Ticks(9+i), column.IntOf(1), v)}), &out); err != nil {
					return err
				}
				if freeze {
					if _, err := op.Freeze(); err != nil {
						return err
					}
				}
			}
			return op.Advance(column.EndOfTime, &out)
		}
		var e *Error
		if err := run(); !errors.As(err, &e) || e.Where.From.Line != 3 || !strings.Contains(err.Error(), "cannot compare") {
			t.Errorf("freeze %v: error %v, rows %q", freeze, err, out.lines)
		}
	}
}

// The rows of the windows before one that fails are out.
func TestErrorOfAWindowComesBehindTheOnesBefore(t *testing.T) {
	n := aggregation(testWindows[2:], testAggs[0], agg(plan.Sum, 2, column.Null, false))
	h := newHalves(t, n, 1)
	big := column.FloatOf(1.5e308)
	if err := h.parts[0].Add(rowsOf([]event{one(1, column.IntOf(1), big), one(2, column.IntOf(1), big), one(3, column.IntOf(1), big), one(3, column.IntOf(1), big)})); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if err := h.advance(column.EndOfTime); !errors.As(err, &e) || e.Time != 3 {
		t.Errorf("error %v", err)
	}
	if len(h.out.lines) != 2 {
		t.Errorf("rows %q, want two", h.out.lines)
	}
}

// What is frozen is what has changed; what was loaded has not.
func TestFreezeWritesWhatChanged(t *testing.T) {
	n := aggregation(testWindows, testAggs...)
	h := newHalves(t, n, 1)
	add := func(events ...event) {
		t.Helper()
		if err := h.parts[0].Add(rowsOf(events)); err != nil {
			t.Fatal(err)
		}
		if err := h.barrier(t); err != nil {
			t.Fatal(err)
		}
		h.write(t)
	}
	for i := range 100 {
		add(one(22, column.IntOf(int64(i)), column.FloatOf(1)))
	}
	all := entriesOf(t, h.files)
	if len(all) != 1+3*100 {
		t.Fatalf("%d entries, want one per group and pane", len(all))
	}
	add(one(22, column.IntOf(5), column.FloatOf(1)))
	if got := entriesOf(t, h.files[len(h.files)-1:]); len(got) != 1+3 {
		t.Errorf("%d entries for one group of three panes, want 4", len(got))
	}
	h.restart(t)
	if f, err := h.end.Freeze(); f != nil || err != nil {
		t.Errorf("a state that was just loaded has changes: %v", err)
	}
	if err := h.advance(28); err != nil { // emits the snapshot and a hopping window
		t.Fatal(err)
	}
	if err := h.barrier(t); err != nil {
		t.Fatal(err)
	}
	h.write(t)
	if got := entriesOf(t, h.files); len(got) != 1+2*100 {
		t.Errorf("%d entries behind the snapshot window, want 201", len(got))
	}
	if err := h.advance(column.EndOfTime); err != nil {
		t.Fatal(err)
	}
	if err := h.barrier(t); err != nil {
		t.Fatal(err)
	}
	h.write(t)
	if got := entriesOf(t, h.files); len(got) != 1 {
		t.Errorf("%d entries behind all windows, want 1", len(got))
	}
}

// Equal groups have equal entries, whatever way they came about.
func TestStateDoesNotDependOnTheWay(t *testing.T) {
	n := aggregation(testWindows, testAggs...)
	var events []event
	for i := range 60 {
		events = append(events, one(column.Ticks(20+i%3), column.IntOf(int64(i%7)), column.FloatOf(1e17/float64(i+1))))
	}
	var first []state.Entry
	for parts := 1; parts <= 4; parts++ {
		h := newHalves(t, n, parts)
		for i, e := range events {
			if err := h.parts[i*i%parts].Add(rowsOf([]event{e})); err != nil {
				t.Fatal(err)
			}
			if i%(parts*5) == 7 {
				if err := h.barrier(t); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := h.barrier(t); err != nil {
			t.Fatal(err)
		}
		h.write(t)
		got := entriesOf(t, h.files)
		if first == nil {
			first = got
		}
		if fmt.Sprint(got) != fmt.Sprint(first) {
			t.Errorf("%d partitions: other entries", parts)
		}
	}
}

// Keys that come once do not stay.
func TestDictionariesForget(t *testing.T) {
	n := aggregation([]plan.Window{{Kind: plan.Tumbling, Size: 10, Hop: 10, ID: "t"}, {Kind: plan.Hopping, Size: 10, Hop: 5, ID: "h"}}, testAggs[0], testAggs[6])
	h := newHalves(t, n, 2)
	for i := range 400 {
		var events []event
		for k := range 100 {
			events = append(events, one(column.Ticks(1+i), column.IntOf(int64(i*100+k)), column.FloatOf(float64(k))))
		}
		if err := h.parts[i%2].Add(rowsOf(events)); err != nil {
			t.Fatal(err)
		}
		if err := h.advance(column.Ticks(1 + i)); err != nil {
			t.Fatal(err)
		}
	}
	for name, k := range map[string]*groupKeys{"partition": h.parts[0].dict, "end": h.end.dict} {
		if k.groups > 20_000 {
			t.Errorf("the dictionary of the %s holds %d groups of 40000, with some 1000 in the windows", name, k.groups)
		}
	}
	if err := h.advance(column.EndOfTime); err != nil {
		t.Fatal(err)
	}
	if got, want := len(h.out.lines), 40_000*3; got != want {
		t.Errorf("%d rows, want %d", got, want)
	}
}

// failing takes so many batches.
type failing struct {
	batches, rows int
	last          column.Ticks
	limit         int
}

var errEnough = errors.New("enough")

func (f *failing) Rows(b *column.Batch) error {
	for _, at := range b.Time {
		if at < f.last {
			return fmt.Errorf("a row of %d behind one of %d", at, f.last)
		}
		f.last = at
	}
	f.batches++
	f.rows += b.Rows
	if f.batches == f.limit {
		return errEnough
	}
	return nil
}

func (f *failing) Advance(column.Ticks) error { return nil }

// A week by seconds is a row per second, in few batches, and whoever takes the rows
// can stop it.
func TestWeekBySeconds(t *testing.T) {
	const week = 7 * 24 * 3600
	n := aggregation([]plan.Window{{Kind: plan.Hopping, Size: 7 * column.Day, Hop: column.Second}}, testAggs[0], testAggs[7])
	for _, limit := range []int{0, 3} {
		op, err := NewAggregate(n)
		if err != nil {
			t.Fatal(err)
		}
		out := &failing{limit: limit}
		if err := op.Process(0, rowsOf([]event{one(column.UnixEpoch, column.IntOf(1), column.FloatOf(1))}), out); err != nil {
			t.Fatal(err)
		}
		err = op.Advance(column.EndOfTime, out)
		switch {
		case limit > 0 && (!errors.Is(err, errEnough) || out.batches != limit):
			t.Errorf("error %v behind %d batches, want to stop at %d", err, out.batches, limit)
		case limit == 0 && (err != nil || out.rows != week || out.batches != (week+maxOutRows-1)/maxOutRows):
			t.Errorf("%d rows in %d batches, want %d: %v", out.rows, out.batches, week, err)
		}
	}
}
