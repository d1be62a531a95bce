package exec

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// keyed is what TopOne and CollectTop add for rows whose argument and first key is v.
func keyed(c *aggregate, vs ...column.Value) []column.Value {
	bl := column.NewBuilder(nil)
	b := &column.Batch{Rows: len(vs), Time: make([]column.Ticks, len(vs))}
	for _, v := range vs {
		bl.Append(v)
	}
	vec := bl.Vector()
	b.Cols = []column.Vector{vec}
	o, failed := c.withKeys(compute.Operand{Vec: &vec}, b, compute.Rows{N: len(vs)})
	if failed != nil {
		panic(failed)
	}
	out := make([]column.Value, len(vs))
	for i := range out {
		out[i] = o.At(i)
	}
	return out
}

// Datetimes and numbers have no common order: a group with both has no result, on whatever
// way they meet, though only one of them is among the first rows.
func TestKeysOfTimesAndNumbersAreAnError(t *testing.T) {
	c, err := compileAggregate(ordered(agg(plan.TopOne, 0, column.Null, false), 0))
	if err != nil {
		t.Fatal(err)
	}
	in := keyed(&c, column.TextOf("2026-01-01"), column.IntOf(3), column.Value{})
	date, three, null := in[0], in[1], in[2]
	for name, meet := range map[string]func(s accumulators){
		"added": func(s accumulators) { s.add(0, date, column.Position{}); s.add(0, three, column.Position{}) },
		"merged": func(s accumulators) {
			s.add(0, date, column.Position{})
			s.add(1, three, column.Position{})
			s.merge(0, s, 1)
		},
	} {
		s := newAccumulators(&c)
		s.grow(2)
		meet(s)
		back := newAccumulators(&c)
		back.grow(1)
		back.readFrom(&stateReader{b: s.appendTo(nil, 0)}, 0)
		for _, of := range []accumulators{s, back, s.clone([]int32{0})} {
			if _, err := of.result(0); err == nil || !strings.Contains(err.Error(), "cannot compare datetimes with numbers") {
				t.Errorf("%s: error %v", name, err)
			}
		}
		s.reset(0)
		s.add(0, null, column.Position{})
		s.add(0, date, column.Position{})
		if v, err := s.result(0); err != nil || v.Text() != "2026-01-01" {
			t.Errorf("%s: emptied and filled again: %v, %v", name, v, err)
		}
	}
}

// A bit, a record and a text that is neither a number nor a time are no keys.
func TestKeysThatCannotBeTaken(t *testing.T) {
	c, _ := compileAggregate(ordered(agg(plan.CollectTop, 0, column.Null, false), 2))
	for _, bad := range []column.Value{column.BoolOf(true), column.TextOf("x"), column.ArrayOf(nil), column.RecordOf(&column.RecordValue{})} {
		bl := column.NewBuilder(nil)
		for _, v := range []column.Value{column.IntOf(1), {}, bad, bad} {
			bl.Append(v)
		}
		vec := bl.Vector()
		b := &column.Batch{Rows: 4, Time: make([]column.Ticks, 4), Cols: []column.Vector{vec}}
		if _, failed := c.withKeys(compute.Operand{Vec: &vec}, b, compute.Rows{N: 4}); failed == nil || failed.Row != 2 {
			t.Errorf("%s: %v, want an error of row 2", bad.Kind, failed)
		}
		if _, failed := c.withKeys(compute.Operand{Vec: &vec}, b, compute.Rows{N: 4, Live: []int32{0, 1}}); failed != nil {
			t.Errorf("%s: rows that do not come: %v", bad.Kind, failed)
		}
	}
}

// The order of keys is one, bigints beyond 2^53 and floats mixed: else the result would
// depend on which row came first.
func TestKeysHaveOneOrder(t *testing.T) {
	key := rapid.OneOf(
		rapid.Map(rapid.OneOf(rapid.Int64(), rapid.Int64Range(1<<53-2, 1<<53+3), rapid.Int64Range(math.MaxInt64-2, math.MaxInt64)), column.IntOf),
		rapid.Map(rapid.OneOf(rapid.Float64(), rapid.Float64Range(1<<53-2, 1<<53+3), rapid.SampledFrom([]float64{1 << 63, -1 << 63, 0.5, -0.5, math.Copysign(0, -1)})), column.FloatOf),
		rapid.Just(column.Value{}))
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := key.Draw(t, "a"), key.Draw(t, "b"), key.Draw(t, "c")
		if compareKey(&a, &b) != -compareKey(&b, &a) {
			t.Fatal("not one order of two")
		}
		if x, y := compareKey(&a, &b), compareKey(&b, &c); x <= 0 && y <= 0 && compareKey(&a, &c) != min(x, y) {
			t.Fatalf("%d, %d, but %d", x, y, compareKey(&a, &c))
		}
		if a.Kind == column.Int64 && b.Kind == column.Float64 {
			want := exactNumber(a).Cmp(exactNumber(b))
			if got := compareKey(&a, &b); got != want {
				t.Fatalf("%d, want %d", got, want)
			}
		}
	})
}

// TopOne and CollectTop keep as many rows as they give, however many come.
func TestTopKeepsNoMoreThanItGives(t *testing.T) {
	c, _ := compileAggregate(ordered(agg(plan.CollectTop, 0, column.Null, false), 2))
	s := newAccumulators(&c).(*ranked)
	s.grow(1)
	for i := range 1000 {
		s.add(0, keyed(&c, column.IntOf(int64(i*7919%1000)))[0], column.Position{Time: column.Ticks(i)})
	}
	if n := cap(s.lists[0].rows); n > 4 {
		t.Errorf("room for %d rows is kept", n)
	}
	v, err := s.result(0)
	if got := string(column.AppendJSON(nil, v)); err != nil || got != `[{"rank":1,"value":999},{"rank":2,"value":998}]` {
		t.Errorf("%s, %v", got, err)
	}
}

func TestPercentilesOfTheReference(t *testing.T) {
	for _, x := range []struct {
		f        plan.AggFunc
		part, of int64
		desc     bool
		values   []float64
		want     string
	}{
		{plan.PercentileCont, 95, 100, false, []float64{.98, .93, .78, .99, .89}, "0.988"},
		{plan.PercentileDisc, 95, 100, false, []float64{.98, .93, .78, .99, .89}, "0.99"},
		{plan.PercentileDisc, 95, 100, true, []float64{.98, .93, .78, .99, .89}, "0.78"},
		{plan.PercentileCont, 0, 1, false, []float64{3, 1, 2}, "1.0"},
		{plan.PercentileCont, 1, 1, false, []float64{3, 1, 2}, "3.0"},
		{plan.PercentileDisc, 0, 1, false, []float64{3, 1, 2}, "1.0"},
		{plan.PercentileDisc, 7, 100, false, []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, "1.0"},
		{plan.PercentileDisc, 7, 10, false, []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, "7.0"},
		{plan.PercentileCont, 1, 2, false, []float64{math.MaxFloat64, -math.MaxFloat64}, "0.0"},
		{plan.PercentileCont, 1, 2, false, nil, "null"},
	} {
		a := share(agg(x.f, 0, column.Float64, false), x.part, x.of)
		a.Desc = x.desc
		c, err := compileAggregate(a)
		if err != nil {
			t.Fatal(err)
		}
		s := newAccumulators(&c)
		s.grow(1)
		for _, v := range x.values {
			s.add(0, column.FloatOf(v), column.Position{})
		}
		v, err := s.result(0)
		if got := string(column.AppendJSON(nil, v)); err != nil || got != x.want {
			t.Errorf("%s of %v at %d/%d: %s, %v, want %s", x.f, x.values, x.part, x.of, got, err, x.want)
		}
	}
}
