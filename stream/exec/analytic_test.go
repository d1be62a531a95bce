package exec_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"spate/column"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/stream/exec"
	"spate/stream/reorder"
)

// analyticOf returns the input and the analytic step of a script.
func analyticOf(t testing.TB, script string) (*plan.Input, *plan.Analytic) {
	t.Helper()
	job, errs, _ := bind.Script(script, bind.Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for n := job.Outputs[0].In; ; n = n.Inputs()[0] {
		if a, ok := n.(*plan.Analytic); ok {
			return job.Inputs[0], a
		}
	}
}

func newAnalytic(t testing.TB, n *plan.Analytic) *exec.Analytic {
	t.Helper()
	a, err := exec.NewAnalytic(n)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// event is a row of the model: k, v and w are its columns.
type event struct {
	at      column.Ticks
	k, v, w column.Value
}

// batchOfEvents makes a batch for an input; rows that are dead are between.
func batchOfEvents(r *rand.Rand, in *plan.Input, events []event, dict *column.Dict) *column.Batch {
	b := &column.Batch{Schema: exec.SchemaOf(in.Columns())}
	cols := make([]*column.Builder, len(in.Cols))
	for c := range cols {
		cols[c] = column.NewBuilder(dict)
	}
	add := func(e event) {
		b.Time, b.Seq = append(b.Time, e.at), append(b.Seq, int64(b.Rows))
		for c := range cols {
			switch in.Cols[c].Name {
			case "k":
				cols[c].Append(e.k)
			case "w":
				cols[c].Append(e.w)
			default:
				cols[c].Append(e.v)
			}
		}
		b.Rows++
	}
	dead := r.IntN(3) == 0
	for _, e := range events {
		if dead {
			for r.IntN(4) == 0 {
				add(event{at: e.at, k: column.TextOf("dead"), v: column.IntOf(7), w: column.IntOf(1)})
			}
			b.Live = append(b.Live, int32(b.Rows))
		}
		add(e)
	}
	for c := range cols {
		b.Cols = append(b.Cols, cols[c].Vector())
	}
	return b
}

// wantOf is what a function gives for row i, by looking at all rows before.
func wantOf(f *plan.AnalyticFunc, events []event, i int) column.Value {
	e := events[i]
	qualifies := func(x event) bool { return f.When == nil || x.w.Kind == column.Int64 && x.w.Int() == 1 }
	equal := func(x event) bool {
		return len(f.Keys) == 0 || string(column.AppendKey(nil, x.k)) == string(column.AppendKey(nil, e.k))
	}
	if f.Kind == plan.IsFirst {
		if !qualifies(e) {
			return column.IntOf(0)
		}
		for _, x := range events[:i] {
			if equal(x) && qualifies(x) && x.at.CeilTo(f.Limit, 0) == e.at.CeilTo(f.Limit, 0) {
				return column.IntOf(0)
			}
		}
		return column.IntOf(1)
	}
	from, back := i-1, f.Offset
	if f.Kind == plan.Last {
		from, back = i, 1
	}
	for k := from; k >= 0; k-- {
		x := events[k]
		if !equal(x) || !qualifies(x) {
			continue
		}
		if back--; back > 0 {
			continue
		}
		if e.at-x.at <= f.Limit {
			return x.v
		}
		break
	}
	if f.Default != nil {
		return column.IntOf(-5)
	}
	return column.Value{}
}

const analyticScript = `SELECT k, v, w,
	LAG(v) OVER (PARTITION BY k LIMIT DURATION(second, 5)) AS a,
	LAG(v) OVER (PARTITION BY k LIMIT DURATION(second, 50) WHEN w = 1) AS b,
	LAG(v, 3) OVER (PARTITION BY k LIMIT DURATION(second, 9)) AS c,
	LAG(v, 2, -5) OVER (LIMIT DURATION(second, 2) WHEN w = 1) AS d,
	LAST(v) OVER (PARTITION BY k LIMIT DURATION(second, 3) WHEN w = 1) AS e,
	ISFIRST(second, 4) OVER (PARTITION BY k WHEN w = 1) AS f,
	ISFIRST(second, 2) AS g
INTO o FROM i`

// drawValues returns values of the kinds that a column of a stream may have.
func drawValues(r *rand.Rand) func() column.Value {
	form := r.IntN(6)
	return func() column.Value {
		if r.IntN(5) == 0 {
			return column.Value{}
		}
		switch form {
		case 0:
			return column.FloatOf(float64(r.IntN(100)) / 4)
		case 1:
			return column.IntOf(int64(r.IntN(100)))
		case 2:
			if r.IntN(2) == 0 {
				return column.IntOf(int64(r.IntN(9)))
			}
			return column.FloatOf(0.5)
		case 3:
			return column.TextOf(fmt.Sprint("text", r.IntN(20)))
		case 4:
			return column.IntOf(1<<60 + int64(r.IntN(9)))
		}
		if r.IntN(2) == 0 {
			return column.BoolOf(true)
		}
		return column.TextOf("x")
	}
}

// Each function gives what its definition says, however the rows are cut into batches
// and wherever checkpoints and restores fall.
func TestAnalyticFunctionsAreWhatTheySay(t *testing.T) {
	in, node := analyticOf(t, analyticScript)
	if len(node.Funcs) != 7 {
		t.Fatalf("%d functions in one step", len(node.Funcs))
	}
	for seed := range uint64(250) {
		r := rand.New(rand.NewPCG(seed, 11))
		a := newAnalytic(t, node)
		var events []event
		var out rowsOf
		var saved savedFiles
		at := column.Ticks(0)
		draw := drawValues(r)
		for range 20 {
			if r.IntN(4) == 0 {
				draw = drawValues(r)
			}
			n := len(events)
			for range 1 + r.IntN(12) {
				at += column.Ticks(r.IntN(4)) * column.Second / 2
				e := event{at: at, v: draw(), w: column.IntOf(int64(r.IntN(2)))}
				switch key := int64(r.IntN(4)); r.IntN(3) {
				case 0:
					e.k = column.IntOf(key)
				case 1:
					e.k = column.FloatOf(float64(key))
				default:
					e.k = column.TextOf(fmt.Sprint(key))
				}
				events = append(events, e)
			}
			var dict *column.Dict
			if r.IntN(2) == 0 {
				dict = column.NewDict()
			}
			if err := a.Process(0, batchOfEvents(r, in, events[n:], dict), &out); err != nil {
				t.Fatal(err)
			}
			if r.IntN(2) == 0 {
				if err := a.Advance(at, &out); err != nil {
					t.Fatal(err)
				}
			}
			if saved.cut(t, r, a) {
				a = newAnalytic(t, node)
				saved.load(t, a)
			}
		}
		if len(out.vals) != len(events) {
			t.Fatalf("seed %d: %d rows, want %d", seed, len(out.vals), len(events))
		}
		for i := range events {
			cols := out.vals[i][len(in.Cols):]
			for f := range node.Funcs {
				if want := wantOf(&node.Funcs[f], events, i); !same(cols[f], want) {
					t.Fatalf("seed %d: row %d of key %v: function %d gives %v, want %v", seed, i, events[i].k, f, cols[f], want)
				}
			}
		}
	}
}

// Keys that fall silent leave the table and the state: while others come, and by the
// clock alone.
func TestSilentKeysAreForgotten(t *testing.T) {
	in, node := analyticOf(t, "SELECT k, LAG(v) OVER (PARTITION BY k LIMIT DURATION(second, 10)) AS a INTO o FROM i")
	a := newAnalytic(t, node)
	var saved savedFiles
	var out counter
	r := rand.New(rand.NewPCG(5, 5))
	const perSecond = 1000 // keys, each of which speaks once
	at := column.Ticks(0)
	for round := range 100 {
		var events []event
		for i := range perSecond {
			at += column.Second / perSecond
			events = append(events, event{at: at, k: column.TextOf(fmt.Sprint("key", round*perSecond+i)), v: column.FloatOf(1)})
		}
		if err := a.Process(0, batchOfEvents(r, in, events, nil), &out); err != nil {
			t.Fatal(err)
		}
		if err := a.Advance(at, &out); err != nil {
			t.Fatal(err)
		}
		saved.freeze(t, a)
		saved.merge(t)
		if n := saved.entries(t); n > 3*10*perSecond {
			t.Fatalf("after %d seconds: %d keys in the state, %d are live", round+1, n, 10*perSecond)
		}
	}
	for range 1000 {
		at += column.Second
		if err := a.Advance(at, &out); err != nil {
			t.Fatal(err)
		}
	}
	saved.freeze(t, a)
	if n := saved.entries(t); n != 0 {
		t.Errorf("%d keys in the state after a long silence", n)
	}
}

// A freeze writes the keys that were touched, not all.
func TestAnalyticFreezeWritesTouchedKeys(t *testing.T) {
	in, node := analyticOf(t, "SELECT k, LAG(v, 4) OVER (PARTITION BY k LIMIT DURATION(hour, 10)) AS a INTO o FROM i")
	a := newAnalytic(t, node)
	var out counter
	r := rand.New(rand.NewPCG(5, 5))
	send := func(keys int) int {
		var events []event
		for i := range keys {
			events = append(events, event{at: column.Second, k: column.IntOf(int64(i)), v: column.FloatOf(1)})
		}
		if err := a.Process(0, batchOfEvents(r, in, events, nil), &out); err != nil {
			t.Fatal(err)
		}
		var saved savedFiles
		saved.freeze(t, a)
		return saved.entries(t)
	}
	if n := send(1000); n != 1000 {
		t.Errorf("%d entries for 1000 keys", n)
	}
	if n := send(3); n != 3 {
		t.Errorf("%d entries for 3 keys of 1000", n)
	}
	if f, err := a.Freeze(); f != nil || err != nil {
		t.Errorf("nothing changed, and yet there is something to write: %v", err)
	}
}

// LAG behind the buffer that brings the rows of several partitions into order, which
// come a microsecond apart from one partition after the other.
func BenchmarkLag(b *testing.B) {
	for _, c := range []struct {
		name, expr string
	}{{"float", "v"}, {"text", "k"}, {"offset=100", "v, 100"}} {
		for _, sources := range []int{1, 4} {
			b.Run(fmt.Sprintf("%s/sources=%d", c.name, sources), func(b *testing.B) {
				in, node := analyticOf(b, "SELECT v, k, LAG("+c.expr+") OVER (PARTITION BY k LIMIT DURATION(minute, 5)) AS p INTO o FROM i")
				benchLag(b, in, node, sources)
			})
		}
	}
}

// lagged is the analytic step as what a buffer emits to.
type lagged struct {
	a   *exec.Analytic
	out counter
}

func benchLag(b *testing.B, in *plan.Input, node *plan.Analytic, sources int) {
	const rows, devices = 1024, 1000
	dicts := make([]*column.Dict, sources)
	for s := range dicts {
		dicts[s] = column.NewDict()
	}
	names := make([]string, devices)
	for i := range names {
		names[i] = fmt.Sprint("device-", i)
	}
	var packets [][]*column.Batch // made before: they are not what is measured
	for round := range 64 / sources {
		p := make([]*column.Batch, sources)
		for s := range p {
			x := &column.Batch{Schema: exec.SchemaOf(in.Columns()), Rows: rows, Time: make([]column.Ticks, rows), Seq: make([]int64, rows)}
			k, v := column.NewBuilder(dicts[s]), column.NewBuilder(nil)
			for i := range rows {
				x.Time[i] = column.UnixEpoch + column.Ticks((round*rows+i)*sources+s)*10
				x.Seq[i] = int64(s)<<46 | int64(round*rows+i)
				k.Append(column.TextOf(names[(i*7+s*13)%devices]))
				v.Append(column.FloatOf(float64(i) + 0.5))
			}
			for _, c := range in.Cols {
				if c.Name == "k" {
					x.Cols = append(x.Cols, k.Vector())
				} else {
					x.Cols = append(x.Cols, v.Vector())
				}
			}
			p[s] = x
		}
		packets = append(packets, p)
	}
	l := lagged{a: newAnalytic(b, node)}
	emit := func(x *column.Batch) error { return l.a.Process(0, x, &l.out) }
	b.ReportAllocs()
	for b.Loop() {
		l.a = newAnalytic(b, node)
		buf := reorder.New(exec.SchemaOf(in.Columns()), sources)
		for _, p := range packets {
			for s, x := range p {
				buf.Add(s, x)
				buf.Reach(s, column.Position{Time: x.Time[rows-1], Arrived: x.Time[rows-1], Seq: x.Seq[rows-1] + 1})
				if err := buf.Release(emit); err != nil {
					b.Fatal(err)
				}
				if err := l.a.Advance(buf.Least().Time, &l.out); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(l.out), "ns/row")
}
