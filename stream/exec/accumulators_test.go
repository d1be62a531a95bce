package exec

import (
	"bytes"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

var families = map[string]plan.Agg{
	"COUNT(*)":        agg(plan.Count, -1, column.Null, false),
	"COUNT":           agg(plan.Count, 0, column.Null, false),
	"COUNT(DISTINCT)": agg(plan.Count, 0, column.Null, true),
	"SUM":             agg(plan.Sum, 0, column.Null, false),
	"SUM of bigints":  agg(plan.Sum, 0, column.Int64, false),
	"AVG of bigints":  agg(plan.Avg, 0, column.Int64, false),
	"MIN":             agg(plan.Min, 0, column.Null, false),
	"MAX of bigints":  agg(plan.Max, 0, column.Int64, false),
	"MIN of texts":    agg(plan.Min, 0, column.Text, false),
	"MAX of times":    agg(plan.Max, 0, column.Time, false),
	"VAR":             agg(plan.Var, 0, column.Float64, false),
	"STDEVP":          agg(plan.StdevP, 0, column.Null, false),

	"PERCENTILE_CONT":            share(agg(plan.PercentileCont, 0, column.Null, false), 1, 3),
	"PERCENTILE_DISC of bigints": share(agg(plan.PercentileDisc, 0, column.Int64, false), 1, 2),
	"COLLECT":                    agg(plan.Collect, 0, column.Null, false),
	"TOPONE":                     ordered(agg(plan.TopOne, 0, column.Int64, false), 0),
	"COLLECTTOP":                 ordered(agg(plan.CollectTop, 0, column.Null, false), 3),
}

// share is a percentile.
func share(a plan.Agg, part, of int64) plan.Agg {
	a.Share = big.NewRat(part, of)
	return a
}

// ordered is an aggregate of the first rows by the column, down, then by a constant.
func ordered(a plan.Agg, top int) plan.Agg {
	a.Top = top
	a.Order = []plan.OrderKey{{Expr: a.Arg, Desc: true}, {Expr: &plan.Const{Value: column.IntOf(1)}}}
	return a
}

// arguments draws values of one static type.
func arguments(a plan.Agg) *rapid.Generator[column.Value] {
	null := rapid.Just(column.Value{})
	switch a.ArgType {
	case column.Int64:
		return rapid.OneOf(null, rapid.Map(rapid.Int64Range(-1<<40, 1<<40), column.IntOf))
	case column.Text:
		return rapid.OneOf(null, rapid.Map(rapid.StringN(0, 3, -1), column.TextOf))
	case column.Time:
		return rapid.OneOf(null, rapid.Map(rapid.Int64Range(0, 100), func(i int64) column.Value { return column.TimeOf(column.Ticks(i)) }))
	}
	floats := rapid.OneOf(rapid.Float64Range(-10, 10), rapid.Float64Range(-1e150, 1e150), rapid.Float64Range(-1e-300, 1e-300), rapid.Just(math.Copysign(0, -1)))
	return rapid.OneOf(null, rapid.Map(floats, column.FloatOf), rapid.Map(rapid.Int64Range(-3, 3), column.IntOf), rapid.Just(column.TextOf(" 2.5 ")))
}

func stateOf(s accumulators, g int32) string { return string(s.appendTo(nil, g)) }

// However values come to a state, it is the same state, and takes the same way back.
func TestAccumulatorsAreFunctionsOfTheirValues(t *testing.T) {
	for name, spec := range families {
		t.Run(name, func(t *testing.T) {
			c, err := compileAggregate(spec)
			if err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(t *rapid.T) {
				values := rapid.SliceOfN(arguments(spec), 0, 12).Draw(t, "values")
				s := newAccumulators(&c)
				s.grow(5)
				ids := make([]int32, len(values)) // by rows: 0; in two parts: 1 and 2; value by value: 3
				bl := column.NewBuilder(nil)
				b := &column.Batch{Rows: len(values)}
				for _, v := range values {
					bl.Append(v)
					b.Time = append(b.Time, rapid.SampledFrom([]column.Ticks{1, 1, 2, 3}).Draw(t, "time"))
				}
				vec := bl.Vector()
				b.Cols = []column.Vector{vec}
				var live []int32
				if rapid.Bool().Draw(t, "listed") {
					live = upTo(len(values))
				}
				rows := compute.Rows{N: len(values), Live: live}
				arg, failed := c.argument(compute.Operand{Vec: &vec}, rows)
				if failed == nil {
					arg, failed = c.withKeys(arg, b, rows)
				}
				if failed != nil {
					t.Fatal(failed)
				}
				s.addRows(ids, arg, b, rows)
				for i, v := range values {
					if c.order != nil {
						v = arg.At(i)
					}
					values[i] = v
					s.add(3, v, column.PositionOf(b, i))
					s.add(1+int32(i%2), v, column.PositionOf(b, i))
				}
				want := stateOf(s, 3)
				odd := stateOf(s, 2)
				copied := s.clone([]int32{2, 1})
				s.merge(2, s, 1)
				for g, how := range map[int32]string{0: "rows", 2: "merged"} {
					if stateOf(s, g) != want {
						t.Fatalf("%s: state %x, want %x", how, stateOf(s, g), want)
					}
				}
				if stateOf(copied, 0) != odd || stateOf(copied, 1) != stateOf(s, 1) {
					t.Fatal("a clone is another state, or changes with its origin")
				}
				back := newAccumulators(&c)
				back.grow(1)
				r := &stateReader{b: []byte(want)}
				if back.readFrom(r, 0); r.done() != nil || stateOf(back, 0) != want {
					t.Fatalf("read back as %x, want %x: %v", stateOf(back, 0), want, r.done())
				}
				a, errA := s.result(3)
				restored, errB := back.result(0)
				if (errA == nil) != (errB == nil) || !bytes.Equal(column.AppendBinary(nil, a), column.AppendBinary(nil, restored)) {
					t.Fatalf("result %v (%v), read back %v (%v)", a, errA, restored, errB)
				}
				if s.invertible() {
					s.unmerge(2, s, 1)
					if stateOf(s, 2) != odd {
						t.Fatalf("unmerged: state %x, want %x", stateOf(s, 2), odd)
					}
					for i, v := range values {
						s.remove(3, v, column.PositionOf(b, i))
					}
				} else {
					s.reset(3)
				}
				if stateOf(s, 3) != stateOf(s, 4) {
					t.Fatalf("emptied: state %x, want %x", stateOf(s, 3), stateOf(s, 4))
				}
			})
		})
	}
}

// MIN and MAX over a column without a static type cannot compare times with numbers: such
// a group has no result, on whatever way and in whatever order the two meet.
func TestExtremesOfTimesAndNumbersAreAnError(t *testing.T) {
	c, _ := compileAggregate(agg(plan.Min, 0, column.Null, false))
	date, three := column.TextOf("2026-01-01T00:00:00Z"), column.FloatOf(3)
	floats := column.Vector{Kind: column.Float64, Floats: []float64{3}}
	for name, meet := range map[string]func(s accumulators){
		"value": func(s accumulators) { s.add(0, three, column.Position{}) },
		"rows":  func(s accumulators) { s.addRows([]int32{0}, compute.Operand{Vec: &floats}, nil, compute.Rows{N: 1}) },
		"merge": func(s accumulators) { s.add(1, three, column.Position{}); s.merge(0, s, 1) },
		"a third": func(s accumulators) {
			s.add(0, three, column.Position{})
			s.add(0, date, column.Position{})
			s.add(0, three, column.Position{})
		},
		"merged into": func(s accumulators) {
			s.add(1, three, column.Position{})
			s.merge(1, s, 0)
			s.reset(0)
			s.merge(0, s, 1)
		},
	} {
		s := newAccumulators(&c)
		s.grow(2)
		s.add(0, date, column.Position{})
		meet(s)
		back := newAccumulators(&c)
		back.grow(1)
		back.readFrom(&stateReader{b: s.appendTo(nil, 0)}, 0)
		for _, of := range []accumulators{s, back, s.clone([]int32{0})} {
			if _, err := of.result(0); err == nil || !strings.Contains(err.Error(), "cannot compare") {
				t.Errorf("%s: error %v", name, err)
			}
		}
		s.reset(0)
		s.add(0, three, column.Position{})
		if v, err := s.result(0); err != nil || v.Float() != 3 {
			t.Errorf("%s: emptied and filled again: %v, %v", name, v, err)
		}
	}
}

// What the accumulators cannot add is the error of its row, before anything is added.
func TestArgumentsThatCannotBeTaken(t *testing.T) {
	text, record := column.TextOf("x"), column.RecordOf(&column.RecordValue{})
	for _, x := range []struct {
		spec plan.Agg
		bad  column.Value
	}{
		{agg(plan.Sum, 0, column.Null, false), text}, {agg(plan.Avg, 0, column.Float64, false), record}, {agg(plan.Sum, 0, column.Int64, false), column.FloatOf(1.5)},
		{agg(plan.Max, 0, column.Null, false), text}, {agg(plan.Min, 0, column.Null, false), record},
		{share(agg(plan.PercentileCont, 0, column.Null, false), 1, 2), text}, {share(agg(plan.PercentileDisc, 0, column.Int64, false), 1, 2), record},
		{agg(plan.Var, 0, column.Float64, false), column.FloatOf(1e200)}, {agg(plan.StdevP, 0, column.Null, false), text},
	} {
		c, err := compileAggregate(x.spec)
		if err != nil {
			t.Fatal(err)
		}
		bl := column.NewBuilder(nil)
		for _, v := range []column.Value{column.IntOf(1), {}, x.bad, x.bad, column.IntOf(2)} {
			bl.Append(v)
		}
		v := bl.Vector()
		if _, failed := c.argument(compute.Operand{Vec: &v}, compute.Rows{N: 5}); failed == nil || failed.Row != 2 {
			t.Errorf("%s of %s: %v, want an error of row 2", x.spec.Func, x.bad.Kind, failed)
		}
		if _, failed := c.argument(compute.Operand{Vec: &v}, compute.Rows{N: 5, Live: []int32{0, 1, 4}}); failed != nil {
			t.Errorf("%s: rows that do not come: %v", x.spec.Func, failed)
		}
		if _, failed := c.argument(compute.Operand{Const: x.bad}, compute.Rows{N: 5, Live: []int32{3}}); failed == nil || failed.Row != 3 {
			t.Errorf("%s of a constant %s: %v, want an error of row 3", x.spec.Func, x.bad.Kind, failed)
		}
	}
}

// A sum of bigints may leave their range on the way, but not in the end.
func TestBigintSumOverflowsInTheEndOnly(t *testing.T) {
	c, _ := compileAggregate(agg(plan.Sum, 0, column.Int64, false))
	s := newAccumulators(&c)
	s.grow(1)
	for _, v := range []int64{math.MaxInt64, 1} {
		s.add(0, column.IntOf(v), column.Position{})
	}
	if _, err := s.result(0); err == nil {
		t.Error("2^63 is no error")
	}
	s.add(0, column.IntOf(-1), column.Position{})
	if v, err := s.result(0); err != nil || v.Int() != math.MaxInt64 {
		t.Errorf("got %v, %v", v.Int(), err)
	}
}
