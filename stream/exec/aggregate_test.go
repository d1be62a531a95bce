package exec

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
	"spate/stream/state"
)

// event is a row of a test: its position, its key columns and its arguments.
type event struct {
	pos  column.Position
	cols []column.Value // x, y, a number, a number or text, a bigint
}

var eventColumns = &column.Schema{Fields: []column.Field{{Name: "x"}, {Name: "y"}, {Name: "v"}, {Name: "u"}, {Name: "n"}}}

// rowsOf makes a batch of events.
func rowsOf(events []event) *column.Batch {
	b := &column.Batch{Schema: eventColumns, Rows: len(events)}
	builders := make([]*column.Builder, len(eventColumns.Fields))
	for c := range builders {
		builders[c] = column.NewBuilder(nil)
	}
	for _, e := range events {
		b.Time, b.Arrived = append(b.Time, e.pos.Time), append(b.Arrived, e.pos.Arrived)
		b.Seq, b.Index = append(b.Seq, e.pos.Seq), append(b.Index, e.pos.Index)
		for c, bl := range builders {
			bl.Append(e.cols[c])
		}
	}
	for _, bl := range builders {
		b.Cols = append(b.Cols, bl.Vector())
	}
	return b
}

func agg(f plan.AggFunc, col int, t column.Kind, distinct bool) plan.Agg {
	a := plan.Agg{Column: plan.Column{Name: string(f)}, Func: f, ArgType: t, Distinct: distinct, Where: syntax.Span{From: syntax.Pos{Line: 3, Col: 4}}}
	if col >= 0 {
		a.Arg = &plan.Col{Index: col}
	}
	return a
}

// aggregation groups events by x and y.
func aggregation(windows []plan.Window, aggs ...plan.Agg) *plan.Aggregate {
	n := &plan.Aggregate{In: new(plan.Input), Windows: windows, Aggs: aggs, WindowID: len(windows) > 1}
	for k, name := range []string{"x", "y"} {
		n.Keys = append(n.Keys, plan.Item{Column: plan.Column{Name: name}, Expr: &plan.Col{Index: k}})
	}
	return n
}

// printed gathers rows as text: position, then the columns with their kinds.
type printed struct{ lines []string }

func (p *printed) Rows(b *column.Batch) error {
	if b.Rows == 0 || b.Rows > maxOutRows {
		return fmt.Errorf("a batch of %d rows", b.Rows)
	}
	for i := range b.Rows {
		vals := make([]column.Value, len(b.Cols))
		for c := range b.Cols {
			vals[c] = b.Cols[c].At(i)
		}
		p.lines = append(p.lines, printRow(column.PositionOf(b, i), vals))
	}
	return nil
}

func (p *printed) Advance(column.Ticks) error { return nil }

func printRow(at column.Position, vals []column.Value) string {
	s := fmt.Sprintf("%d %d %d %d:", at.Time, at.Arrived, at.Seq, at.Index)
	for _, v := range vals {
		s += " " + string(column.AppendJSON(nil, v)) + "/" + v.Kind.String()
		if v.Kind == column.Float64 && math.Signbit(v.Float()) {
			s += "-"
		}
	}
	return s
}

// expected computes the rows of an aggregation by definition.
func expected(n *plan.Aggregate, events []event) []string {
	type row struct {
		at   column.Position
		key  string
		vals []column.Value
	}
	events = slices.Clone(events)
	slices.SortFunc(events, func(a, b event) int {
		if a.pos.Before(b.pos) {
			return -1
		}
		return 1
	})
	var rows []row
	for w := range n.Windows {
		type group struct {
			end column.Ticks
			key string
		}
		members := make(map[group][]event)
		for _, e := range events {
			for _, end := range windowsOf(&n.Windows[w], e.pos.Time) {
				key := column.AppendKey(column.AppendKey(nil, e.cols[0]), e.cols[1])
				id := group{end, string(key)}
				members[id] = append(members[id], e)
			}
		}
		for id, in := range members {
			r := row{at: in[0].pos, key: id.key, vals: slices.Clone(in[0].cols[:2])}
			r.at.Time = id.end
			r.at.Index += int64(w) * column.Branch
			for _, a := range n.Aggs {
				r.vals = append(r.vals, valueOver(&a, in))
			}
			if n.WindowID {
				r.vals = append(r.vals, column.TextOf(n.Windows[w].ID))
			}
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.at.Time, b.at.Time), comparePlaces(&a.at, &b.at), strings.Compare(a.key, b.key))
	})
	var out []string
	for _, r := range rows {
		out = append(out, printRow(r.at, r.vals))
	}
	return out
}

// windowsOf lists the ends of the windows that hold t, trying every instant.
func windowsOf(w *plan.Window, t column.Ticks) []column.Ticks {
	if w.Kind == plan.Snapshot {
		return []column.Ticks{t}
	}
	var ends []column.Ticks
	for end := t; end < t+w.Size; end++ {
		if (end-w.Offset)%w.Hop == 0 {
			ends = append(ends, end)
		}
	}
	return ends
}

func valueOver(a *plan.Agg, in []event) column.Value {
	if a.Arg == nil {
		return column.IntOf(int64(len(in)))
	}
	var vals []column.Value
	for _, e := range in {
		v := e.cols[a.Arg.(*plan.Col).Index]
		if v.IsNull() {
			continue
		}
		if v.Kind == column.Text && a.Func != plan.Count {
			v, _ = column.ParseFloat(v.Text())
		}
		vals = append(vals, v)
	}
	if a.Func == plan.Count {
		if a.Distinct {
			seen := make(map[string]bool)
			for _, v := range vals {
				seen[string(column.AppendKey(nil, v))] = true
			}
			return column.IntOf(int64(len(seen)))
		}
		return column.IntOf(int64(len(vals)))
	}
	if len(vals) == 0 {
		return column.Value{}
	}
	sum, squares, least, greatest := new(big.Rat), new(big.Rat), math.Inf(1), math.Inf(-1)
	for _, v := range vals {
		f, _ := v.Number()
		x := new(big.Rat).SetFloat64(f)
		sum.Add(sum, x)
		squares.Add(squares, x.Mul(x, x))
		if f < least || f == 0 && least == 0 && math.Signbit(f) {
			least = f
		}
		if f > greatest || f == 0 && greatest == 0 && !math.Signbit(f) {
			greatest = f
		}
	}
	f, _ := sum.Float64()
	switch a.Func {
	case plan.Min:
		return column.FloatOf(least)
	case plan.Max:
		return column.FloatOf(greatest)
	case plan.Sum:
		if a.ArgType == column.Int64 {
			return column.IntOf(int64(f))
		}
		return column.FloatOf(f)
	case plan.Avg:
		return column.FloatOf(f / float64(len(vals)))
	}
	n := new(big.Rat).SetInt64(int64(len(vals))) // VARP
	squares.Quo(squares, n)
	sum.Quo(sum, n)
	v, _ := squares.Sub(squares, sum.Mul(sum, sum)).Float64()
	return column.FloatOf(v)
}

var testAggs = []plan.Agg{
	agg(plan.Count, -1, column.Null, false), agg(plan.Count, 2, column.Null, false), agg(plan.Count, 3, column.Null, true),
	agg(plan.Sum, 2, column.Null, false), agg(plan.Avg, 3, column.Null, false), agg(plan.Sum, 4, column.Int64, false),
	agg(plan.Min, 2, column.Null, false), agg(plan.Max, 2, column.Null, false), agg(plan.Max, 3, column.Null, false),
	agg(plan.VarP, 2, column.Null, false),
}

// halves is an aggregation as a job runs it: a half per partition and one for all.
type halves struct {
	node  *plan.Aggregate
	parts []*Aggregator
	end   *Finisher
	files [][]byte
	later state.Frozen // not yet written: it runs beside what comes
	out   printed
}

func newHalves(t testing.TB, n *plan.Aggregate, parts int) *halves {
	h := &halves{node: n, parts: make([]*Aggregator, parts)}
	h.renew(t)
	return h
}

func (h *halves) renew(t testing.TB) {
	t.Helper()
	var err error
	for i := range h.parts {
		if h.parts[i], err = NewAggregator(h.node); err != nil {
			t.Fatal(err)
		}
	}
	if h.end, err = NewFinisher(h.node); err != nil {
		t.Fatal(err)
	}
}

func (h *halves) take(part int, w column.Ticks) error {
	for _, p := range h.parts[part].Take(w) {
		h.end.Merge(p)
	}
	return nil
}

func (h *halves) advance(w column.Ticks) error {
	for p := range h.parts {
		if err := h.take(p, w); err != nil {
			return err
		}
	}
	return h.end.Advance(w, &h.out)
}

// barrier freezes everything; what it gives is written behind the next changes.
func (h *halves) barrier(t testing.TB) error {
	t.Helper()
	h.write(t)
	for p := range h.parts {
		if err := h.take(p, column.EndOfTime); err != nil {
			return err
		}
	}
	var err error
	h.later, err = h.end.Freeze()
	return err
}

func (h *halves) write(t testing.TB) {
	t.Helper()
	if h.later == nil {
		return
	}
	w := state.NewWriter()
	h.later(w.Step("step", 0, state.Groups))
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	h.files, h.later = append(h.files, b.Bytes()), nil
}

func readers(files [][]byte) []io.Reader {
	var out []io.Reader
	for _, f := range files {
		out = append(out, bytes.NewReader(f))
	}
	return out
}

// restart forgets all but the files.
func (h *halves) restart(t testing.TB) {
	t.Helper()
	h.write(t)
	h.renew(t)
	if err := state.Scan(readers(h.files), func(_ string, e state.Entry) error { return h.end.Load(e) }); err != nil {
		t.Fatal(err)
	}
}

func drawWindow(t *rapid.T, id string) plan.Window {
	size := column.Ticks(rapid.IntRange(1, 12).Draw(t, "size"))
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return plan.Window{Kind: plan.Snapshot, ID: id}
	case 1:
		return plan.Window{Kind: plan.Tumbling, Size: size, Hop: size, Offset: column.Ticks(rapid.IntRange(0, int(size)-1).Draw(t, "offset")), ID: id}
	}
	hop := column.Ticks(rapid.IntRange(1, 12).Draw(t, "hop"))
	return plan.Window{Kind: plan.Hopping, Size: size, Hop: hop, Offset: column.Ticks(rapid.IntRange(0, int(hop)-1).Draw(t, "offset")), ID: id}
}

func drawEvents(t *rapid.T) []event {
	one := []column.Value{column.IntOf(1), column.FloatOf(1)}
	x := rapid.SampledFrom(append(one, column.TextOf("1"), column.Value{}, column.FloatOf(0), column.FloatOf(math.Copysign(0, -1)), column.IntOf(0)))
	y := rapid.SampledFrom(append(one, column.TextOf("b")))
	v := rapid.SampledFrom([]column.Value{{}, column.FloatOf(0), column.FloatOf(math.Copysign(0, -1)), column.FloatOf(0.1), column.FloatOf(-2.5), column.IntOf(3), column.FloatOf(1e300), column.FloatOf(-1e300), column.FloatOf(1e-300)})
	u := rapid.SampledFrom([]column.Value{{}, column.TextOf("2.5"), column.FloatOf(0.1), column.IntOf(-7), column.BoolOf(true)})
	n := rapid.SampledFrom([]column.Value{{}, column.IntOf(1), column.IntOf(-9)})
	var out []event
	at := column.Ticks(1000)
	for i := range rapid.IntRange(0, 40).Draw(t, "events") {
		at += column.Ticks(rapid.SampledFrom([]int{0, 0, 1, 1, 2, 3, 30}).Draw(t, "step"))
		big := v.Draw(t, "v")
		if !big.IsNull() && math.Abs(big.Float()) > 1e200 && big.Kind == column.Float64 { // its square is no float
			big = column.FloatOf(big.Float() / 1e200)
		}
		out = append(out, event{
			pos:  column.Position{Time: at, Arrived: at + column.Ticks(rapid.IntRange(0, 2).Draw(t, "late")), Seq: int64(i / 2), Index: int64(i%2) * column.Place},
			cols: []column.Value{x.Draw(t, "x"), y.Draw(t, "y"), big, u.Draw(t, "u"), n.Draw(t, "n")},
		})
	}
	return out
}

// Whatever the windows, the spread over partitions and batches, and the checkpoints,
// the rows are those of the definition, in order.
func TestWindowsGiveTheRowsOfTheirDefinition(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var windows []plan.Window
		for i := range rapid.IntRange(1, 3).Draw(rt, "windows") {
			windows = append(windows, drawWindow(rt, string(rune('a'+i))))
		}
		n := aggregation(windows, testAggs...)
		events := drawEvents(rt)
		h := newHalves(t, n, rapid.IntRange(1, 4).Draw(rt, "partitions"))
		must := func(err error) {
			if err != nil {
				rt.Fatal(err)
			}
		}
		left := slices.Clone(events)
		for len(left) > 0 {
			// Some of the next events, in any order and in batches, then a watermark.
			k := rapid.IntRange(1, len(left)).Draw(rt, "ahead")
			some := rapid.Permutation(left[:k]).Draw(rt, "order")
			now := rapid.IntRange(0, k).Draw(rt, "now")
			for some := some[:now]; len(some) > 0; {
				m := rapid.IntRange(1, len(some)).Draw(rt, "batch")
				must(h.parts[rapid.IntRange(0, len(h.parts)-1).Draw(rt, "partition")].Add(rowsOf(some[:m])))
				some = some[m:]
			}
			rest := append(slices.Clone(some[now:]), left[k:]...)
			slices.SortStableFunc(rest, func(a, b event) int { return cmp.Compare(a.pos.Time, b.pos.Time) })
			left = rest
			w := column.Ticks(0)
			if len(left) > 0 {
				w = left[0].pos.Time
			}
			switch rapid.IntRange(0, 5).Draw(rt, "then") {
			case 0:
				must(h.barrier(t))
			case 1:
				must(h.barrier(t))
				h.restart(t)
			case 2:
				h.write(t)
				if len(h.files) > 1 {
					var base bytes.Buffer
					must(state.Merge(&base, readers(h.files), func(string) bool { return true }))
					h.files = [][]byte{base.Bytes()}
				}
			case 3:
				h.parts[0].newDictionary()
				h.end.newDictionary()
			}
			must(h.advance(w))
		}
		must(h.advance(column.EndOfTime))
		if got, want := h.out.lines, expected(n, events); !slices.Equal(got, want) {
			rt.Fatalf("windows %+v\ngot\n%s\nwant\n%s", windows, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}
