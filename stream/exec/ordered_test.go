package exec_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"spate/column"
	"spate/stream/exec"
	"spate/stream/state"
)

// counts runs rows at the times given, of key a, and prints count and time of the rows
// that come out, the time less the first one's.
func counts(t *testing.T, window string, times ...column.Ticks) string {
	t.Helper()
	c := compileScript(t, "SELECT k, COUNT(*) AS c INTO o FROM i GROUP BY k, "+window)
	k := newKeyed(t, c, nowhere)
	for _, at := range times {
		p := column.Position{Time: column.UnixEpoch + at, Arrived: column.UnixEpoch + at}
		if err := k.process([]*modelRow{{at: p, k: column.TextOf("a")}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.advance(column.EndOfTime); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range k.out.rows {
		out = append(out, fmt.Sprintf("%d at %s", r.vals[1].Int(), printed(r.at.Time-column.UnixEpoch)))
	}
	return strings.Join(out, ", ")
}

// printed prints a time as seconds and the ticks that they lack or exceed.
func printed(t column.Ticks) string {
	switch t % column.Second {
	case 0:
		return fmt.Sprint(int64(t / column.Second))
	case 1:
		return fmt.Sprintf("%d+1", t/column.Second)
	}
	return fmt.Sprintf("%d-1", t/column.Second+1)
}

// What happens at and beside the limits of a window.
func TestLimitsOfOrderedWindows(t *testing.T) {
	const s = column.Second
	for _, c := range []struct {
		window string
		times  []column.Ticks
		want   string
	}{
		{"SlidingWindow(second, 10)", []column.Ticks{s, 11*s - 1}, "1 at 1, 2 at 11-1, 1 at 11"},
		{"SlidingWindow(second, 10)", []column.Ticks{s, 11 * s}, "1 at 1, 1 at 11"},
		{"SlidingWindow(second, 10)", []column.Ticks{s, 11*s + 1}, "1 at 1, 1 at 11+1"},
		{"SlidingWindow(second, 10)", []column.Ticks{s, s, s}, "3 at 1"},
		{"SlidingWindow(second, 10)", []column.Ticks{s, s, 11 * s, 11 * s, 11 * s}, "2 at 1, 3 at 11"},
		{"SessionWindow(second, 5, 60)", []column.Ticks{s, 6*s - 1}, "2 at 11-1"},
		{"SessionWindow(second, 5, 60)", []column.Ticks{s, 6 * s}, "2 at 11"},
		{"SessionWindow(second, 5, 60)", []column.Ticks{s, 6*s + 1}, "1 at 6, 1 at 11+1"},
		// A fresh session lives to the grid point behind the next; a row at it belongs to
		// it; one that goes on behind a cut is cut at the next.
		{"SessionWindow(second, 5, 5)", []column.Ticks{s, 5 * s, 10 * s}, "3 at 10"},
		{"SessionWindow(second, 5, 5)", []column.Ticks{s, 5 * s, 10*s + 1}, "2 at 10, 1 at 15+1"},
		{"SessionWindow(second, 6, 5)", []column.Ticks{s, 5 * s, 10*s + 1, 15 * s, 15*s + 1}, "2 at 10, 2 at 15, 1 at 20"},
		{"SessionWindow(second, 6, 5)", []column.Ticks{5 * s, 10 * s, 15 * s}, "2 at 10, 1 at 15"},
	} {
		if got := counts(t, c.window, c.times...); got != c.want {
			t.Errorf("%s over rows at %v: %s, want %s", c.window, c.times, got, c.want)
		}
	}
}

// Values that cannot be compared fail while both are in a window, and only then.
func TestExtremesOfMixedKinds(t *testing.T) {
	number, time := column.IntOf(1), column.TextOf("2026-01-05")
	for _, c := range []struct {
		name  string
		gap   column.Ticks
		vals  []column.Value
		fails string
	}{
		{"both in the window", 10*column.Second - 1, []column.Value{number, time}, "cannot compare datetimes"},
		{"one leaves as the other enters", 10 * column.Second, []column.Value{number, time}, ""},
		{"at one instant", 0, []column.Value{time, {}, number}, "cannot compare datetimes"},
		{"a word", 1, []column.Value{number, column.TextOf("x")}, "Cannot convert value 'x'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKeyed(t, compileScript(t, "SELECT MIN(m) AS lo INTO o FROM i GROUP BY SlidingWindow(second, 10)"), nowhere)
			var rows []*modelRow
			for i, v := range c.vals {
				at := column.UnixEpoch + column.Ticks(i)*c.gap
				rows = append(rows, &modelRow{at: column.Position{Time: at, Arrived: at}, m: v})
			}
			err := k.process(rows)
			if err == nil {
				err = k.advance(column.EndOfTime)
			}
			if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("error %v, want %q", err, c.fails)
			}
		})
	}
}

// MIN and MAX of a column with a static type, over the last three rows.
func TestExtremesOfTypedColumns(t *testing.T) {
	texts := []string{"5", "-0.0", "x", "", "17", "0", "0.0", "é", "3", "3", "17", "2026-01-05", "2026-01-05T00:00:01Z", "1"}
	for _, kind := range []string{"nvarchar(max)", "bigint", "float", "datetime", "bit"} {
		c := compileScript(t, fmt.Sprintf("SELECT MIN(TRY_CAST(m AS %s)) AS lo, MAX(TRY_CAST(m AS %[1]s)) AS hi INTO o FROM i GROUP BY SlidingWindow(second, 3)", kind))
		k := newKeyed(t, c, nowhere)
		var rows []*modelRow
		for i, x := range texts {
			at := column.UnixEpoch + column.Ticks(i)*column.Second
			rows = append(rows, &modelRow{at: column.Position{Time: at, Arrived: at}, m: column.TextOf(x)})
		}
		if err := k.process(rows); err != nil {
			t.Fatal(err)
		}
		if err := k.advance(rows[len(rows)-1].at.Time + 1); err != nil {
			t.Fatal(err)
		}
		of := map[string]column.Kind{"nvarchar(max)": column.Text, "bigint": column.Int64, "float": column.Float64, "datetime": column.Time, "bit": column.Bool}[kind]
		for i := range texts {
			var lo, hi column.Value
			for _, x := range texts[max(0, i-2) : i+1] {
				v, ok := column.Cast(column.TextOf(x), of)
				if !ok {
					continue
				}
				if o, _ := column.Compare(v, lo); lo.IsNull() || o == column.Less || o == column.Equal && math.Signbit(v.Float()) {
					lo = v
				}
				if o, _ := column.Compare(v, hi); hi.IsNull() || o == column.Greater || o == column.Equal && math.Signbit(hi.Float()) {
					hi = v
				}
			}
			want := modelOut{at: k.out.rows[i].at, vals: []column.Value{lo, hi}}
			if got := k.out.rows[i].String(); got != want.String() {
				t.Errorf("%s, row %d: %s, want %s", kind, i, got, want.String())
			}
		}
	}
}

// Keys that come and go are forgotten, and those that stay keep their rows, over many
// more groups than are alive at once.
func TestManyGroupsComeAndGo(t *testing.T) {
	for _, c := range []struct {
		window  string
		routing func(*modelRow) []byte
	}{
		{"SlidingWindow(second, 3)", byKey},
		{"SessionWindow(second, 3, 60) OVER (PARTITION BY k)", byKey},
		{"SessionWindow(second, 3, 60) OVER (PARTITION BY p)", byPartition},
		{"SessionWindow(second, 3, 60)", nowhere},
	} {
		t.Run(c.window, func(t *testing.T) {
			compiled := compileScript(t, "SELECT "+aggregatesOfModel+" INTO o FROM i GROUP BY k, "+c.window)
			k := newKeyed(t, compiled, c.routing)
			var rows []*modelRow
			for i := range 24_000 {
				at := column.UnixEpoch + column.Ticks(i)*column.Millisecond*5
				r := &modelRow{at: column.Position{Time: at, Arrived: at, Seq: int64(i)}}
				switch {
				case i%3 == 0:
					r.k = column.TextOf("stays")
				case i%6 == 1:
					r.k = column.FloatOf(float64(i / 4)) // prints otherwise than the other half
				default:
					r.k = column.IntOf(int64(i / 4))
				}
				r.p, r.n, r.m = column.IntOf(int64(i/8)), column.IntOf(int64(i)), column.FloatOf(float64(i*7919%1009))
				rows = append(rows, r)
			}
			want, err := modelRun(compiled.node, rows, c.routing)
			if err != nil {
				t.Fatal(err)
			}
			for from := 0; from < len(rows); from += 500 {
				if err := k.process(rows[from : from+500]); err != nil {
					t.Fatal(err)
				}
				if err := k.advance(rows[from+499].at.Time); err != nil {
					t.Fatal(err)
				}
				if from%1500 == 0 {
					k.checkpoint()
				}
				if from == 18_000 {
					k.restore(1)
				}
			}
			if err := k.advance(column.EndOfTime); err != nil {
				t.Fatal(err)
			}
			k.settled()
			k.check(want)
		})
	}
}

// broken fails at the first rows and counts what it is given.
type broken struct{ rows, marks int }

var errBroken = errors.New("the pipe is broken")

func (b *broken) Rows(*column.Batch) error { b.rows++; return errBroken }

func (b *broken) Advance(column.Ticks) error { b.marks++; return nil }

// An error of what follows ends Advance at once.
func TestOrderedWindowsStopWhereTheirReaderDoes(t *testing.T) {
	for _, window := range []string{
		"SlidingWindow(second, 3)", "SessionWindow(second, 3, 60) OVER (PARTITION BY k)",
		"Windows(SlidingWindow(second, 3), SessionWindow(second, 3, 60))",
	} {
		c := compileScript(t, "SELECT k, COUNT(*) AS c INTO o FROM i GROUP BY k, "+window)
		op := c.operator(t)
		if err := op.Process(0, c.batch(benchRows(0, 5000, func(i int) string { return fmt.Sprint(i) })), nil); err != nil {
			t.Fatal(err)
		}
		var out broken
		if err := op.Advance(column.EndOfTime, &out); !errors.Is(err, errBroken) || out.rows != 1 || out.marks != 0 {
			t.Errorf("%s: error %v behind %d batches and %d watermarks", window, err, out.rows, out.marks)
		}
	}
}

// changes lists the entries that a checkpoint puts.
func changes(t *testing.T, op exec.Operator) int {
	t.Helper()
	k := &keyed{t: t, shards: []exec.Operator{op}, own: true}
	k.checkpoint()
	return k.entries()
}

// A checkpoint writes what changed since the one before.
func TestCheckpointsWriteWhatChanged(t *testing.T) {
	for _, window := range []string{"SlidingWindow(second, 3)", "SessionWindow(second, 3, 60) OVER (PARTITION BY k)"} {
		c := compileScript(t, "SELECT k, COUNT(*) AS c INTO o FROM i GROUP BY k, "+window)
		op := c.operator(t)
		add := func(from, n int) {
			if err := op.Process(0, c.batch(benchRows(from, n, func(i int) string { return fmt.Sprint(i % 1000) })), nil); err != nil {
				t.Fatal(err)
			}
		}
		add(0, 1000)
		if n := changes(t, op); n != 1000 {
			t.Errorf("%s: %d entries at first, want 1000", window, n)
		}
		add(1000, 7)
		if n := changes(t, op); n != 7 {
			t.Errorf("%s: %d entries behind 7 rows more, want 7", window, n)
		}
		if n := changes(t, op); n != 0 {
			t.Errorf("%s: %d entries behind nothing, want none", window, n)
		}
	}
}

// Entries that are damaged are an error and no other state.
func TestDamagedEntriesOfWindows(t *testing.T) {
	for _, window := range []string{
		"SlidingWindow(second, 3)", "SessionWindow(second, 3, 60) OVER (PARTITION BY k)",
		"Windows(SlidingWindow(second, 3), SessionWindow(second, 3, 60))",
	} {
		c := compileScript(t, "SELECT "+aggregatesOfModel+" INTO o FROM i GROUP BY k, "+window)
		k := newKeyed(t, c, nowhere)
		if err := k.process(benchRows(0, 1, device)); err != nil {
			t.Fatal(err)
		}
		if err := k.advance(column.UnixEpoch + 1); err != nil {
			t.Fatal(err)
		}
		k.checkpoint()
		k.settled()
		err := state.Scan(k.readers(1), func(_ string, e state.Entry) error {
			for n := range e.Value {
				bad := e
				bad.Value = e.Value[:n]
				if err := c.operator(t).Load(bad); err == nil {
					t.Errorf("%s: no error for %d of %d bytes of a value", window, n, len(e.Value))
				}
			}
			bad := e
			bad.Key = slices.Concat(e.Key, []byte("more"))
			bad.Value = slices.Concat(e.Value, []byte("more"))
			if err := c.operator(t).Load(bad); err == nil {
				t.Errorf("%s: no error for an entry with bytes behind it", window)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
