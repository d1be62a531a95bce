package exec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
	"spate/stream/state"
)

// Analytic appends a column per LAG, LAST, ISFIRST, function that looks for anomalies or
// aggregate with OVER. Its input is in
// total order.
type Analytic struct {
	skips
	funcs  []*analyticFunc
	schema *column.Schema
}

type analyticFunc struct {
	histories
	kind   plan.AnalyticKind
	offset int // LAG: rows back
	arg    value
	other  value // LAG and LAST: the default; nil: NULL
	when   predicate
	args   []value // PARTITION BY
	ids    []int32 // history of each row
	tuple  []compute.Operand

	// What compute has found for each row.
	truth              []compute.Truth // of WHEN
	argValue, defValue compute.Operand
	chosen             []int32 // scratch

	over *overRows // of an aggregate, which has no histories; nil: none
}

// maxAnalytic is how many functions one step may have: the number of a function is
// one byte of its keys in the state.
const maxAnalytic = state.EveryShard

// NewAnalytic compiles n.
func NewAnalytic(n *plan.Analytic) (*Analytic, error) {
	if len(n.Funcs) > maxAnalytic {
		e := &UnsupportedError{What: fmt.Sprintf("more than %d analytic functions in one step", maxAnalytic)}
		if arg := n.Funcs[maxAnalytic].Arg; arg != nil {
			e.Where = arg.Span()
		}
		return nil, e
	}
	a := &Analytic{schema: SchemaOf(n.Columns())}
	for i, spec := range n.Funcs {
		f := &analyticFunc{kind: spec.Kind, offset: 1}
		if spec.Agg != nil {
			var err error
			if f.over, err = newOverRows(&n.Funcs[i]); err != nil {
				return nil, err
			}
		}
		if spec.Kind == plan.Lag {
			f.offset = spec.Offset
		}
		f.histories = newHistories(len(spec.Keys), f.offset, spec.Limit, spec.Kind == plan.IsFirst)
		var err error
		if f.args, err = compileAll(spec.Keys); err != nil {
			return nil, err
		}
		f.tuple = make([]compute.Operand, len(f.args))
		if spec.Arg != nil {
			if f.arg, err = compile(spec.Arg); err != nil {
				return nil, err
			}
		}
		if spec.Anomaly != nil {
			f.detect = newDetector(&n.Funcs[i])
			f.arg = &mapped{of: []value{f.arg}, e: spec.Arg, f: anomalyValue(strings.ToLower(spec.Kind.String()))}
		}
		if spec.Default != nil {
			if f.other, err = compile(spec.Default); err != nil {
				return nil, err
			}
		}
		if spec.When != nil {
			if f.when, err = compilePredicate(spec.When); err != nil {
				return nil, err
			}
		}
		a.funcs = append(a.funcs, f)
	}
	return a, nil
}

// Process implements Operator.
func (a *Analytic) Process(_ int, b *column.Batch, out Emit) error {
	if b.Live != nil && len(b.Live)*2 < b.Rows {
		b = b.Compact()
	}
	b, err := sound(a, b, a.skip)
	if b == nil {
		return err
	}
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	res := *b
	res.Schema = a.schema
	res.Cols = make([]column.Vector, len(b.Cols), len(b.Cols)+len(a.funcs))
	copy(res.Cols, b.Cols)
	var bad failedRows
	for _, f := range a.funcs {
		v, err := f.process(b, rows, &bad, a.skip)
		if err != nil {
			return err
		}
		res.Cols = append(res.Cols, v)
	}
	if len(bad) > 0 {
		return a.passGood(&res, bad, out)
	}
	return out.Rows(&res)
}

// passGood passes the rows on that have results.
func (a *Analytic) passGood(b *column.Batch, bad failedRows, out Emit) error {
	slices.SortStableFunc(bad, func(x, y failedRow) int { return cmp.Compare(x.row, y.row) })
	good := []int32{}
	for _, i := range liveRows(b) {
		if len(bad) == 0 || bad[0].row != int(i) {
			good = append(good, i)
			continue
		}
		a.skip(b, int(i), bad[0].err)
		for len(bad) > 0 && bad[0].row == int(i) {
			bad = bad[1:]
		}
	}
	if len(good) == 0 {
		return nil
	}
	return out.Rows(b.WithLive(good))
}

func (a *Analytic) compute(b *column.Batch) *compute.RowError {
	for _, f := range a.funcs {
		if err := f.compute(b); err != nil {
			return err
		}
	}
	return nil
}

// Advance implements Operator. Histories that are too old for any row to come are
// forgotten.
func (a *Analytic) Advance(w column.Ticks, out Emit) error {
	for _, f := range a.funcs {
		if f.over != nil {
			f.over.advance(w)
		} else {
			f.forget(w)
		}
	}
	return out.Advance(w)
}

// Freeze implements Operator.
func (a *Analytic) Freeze() (state.Frozen, error) {
	put, gone := make([][]frozenHistory, len(a.funcs)), make([][][]byte, len(a.funcs))
	some := false
	over := make([]state.Frozen, len(a.funcs))
	for i, f := range a.funcs {
		if f.over != nil {
			over[i] = f.over.freeze()
			some = some || over[i] != nil
			continue
		}
		put[i], gone[i] = f.freeze()
		some = some || len(put[i]) > 0 || len(gone[i]) > 0
	}
	if !some {
		return nil, nil
	}
	return func(to *state.Section) {
		var key, value []byte
		for i := range put {
			if over[i] != nil {
				over[i](to.Under(byte(i)))
			}
			for _, k := range gone[i] {
				to.Delete(append(append(key[:0], byte(i)), k...))
			}
			for k := range put[i] {
				h := &put[i][k]
				key = append(key[:0], byte(i))
				for _, v := range h.key {
					key = column.AppendKey(key, v)
				}
				value = h.append(value[:0])
				to.Put(state.Group(state.Hash(0, key[1:])), key, value)
			}
		}
	}, nil
}

// Load implements Operator.
func (a *Analytic) Load(e state.Entry) error {
	if len(e.Key) == 0 || int(e.Key[0]) >= len(a.funcs) {
		return errState
	}
	f := a.funcs[e.Key[0]]
	if f.over != nil {
		e.Key = e.Key[1:]
		return f.over.load(e)
	}
	return f.load(e.Value)
}

// compute evaluates the expressions of the function: the argument for rows that WHEN
// takes, the others for all.
func (f *analyticFunc) compute(b *column.Batch) *compute.RowError {
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	if err := operands(f.args, b, f.tuple); err != nil {
		return err
	}
	if f.when != nil {
		f.truth = grown(f.truth, b.Rows)
		if err := f.when.test(b, rows, f.truth); err != nil {
			return err
		}
	}
	var err *compute.RowError
	if f.over != nil {
		f.argValue, err = f.over.argument(b, f.chosenOf(rows))
		return err
	}
	if f.arg != nil {
		if f.argValue, err = f.arg.eval(b, f.taken(rows)); err != nil {
			return err
		}
	}
	if f.other != nil {
		f.defValue, err = f.other.eval(b, rows)
	}
	return err
}

// taken are the rows for which the argument is computed.
func (f *analyticFunc) taken(rows compute.Rows) compute.Rows {
	if _, plain := f.arg.(columnRef); f.when == nil || plain {
		return rows // it cannot fail
	}
	return f.chosenOf(rows)
}

// chosenOf are the rows that qualify.
func (f *analyticFunc) chosenOf(rows compute.Rows) compute.Rows {
	if f.when == nil {
		return rows
	}
	if f.chosen = f.chosen[:0]; f.chosen == nil {
		f.chosen = []int32{} // nil were all rows
	}
	for k := range rows.Len() {
		if i := rows.Row(k); f.truth[i] == compute.True {
			f.chosen = append(f.chosen, int32(i))
		}
	}
	return compute.Rows{N: rows.N, Live: f.chosen}
}

// process computes the function for the rows of the batch that was computed last.
func (f *analyticFunc) process(b *column.Batch, rows compute.Rows, bad *failedRows, skip Skip) (column.Vector, error) {
	if f.over != nil {
		arg := f.argValue
		f.argValue = compute.Operand{}
		defer clear(f.tuple)
		return f.overRows(b, rows, f.tuple, arg, bad, skip)
	}
	return f.look(b, rows), nil
}

// look is LAG, LAST, ISFIRST and what looks for anomalies.
func (f *analyticFunc) look(b *column.Batch, rows compute.Rows) column.Vector {
	f.ids = grown(f.ids, b.Rows)
	f.idsOf(f.tuple, b, rows, f.ids)
	arg, other := f.argValue, f.defValue
	clear(f.tuple)
	f.argValue, f.defValue = compute.Operand{}, compute.Operand{}
	switch {
	case f.kind == plan.IsFirst:
		return f.first(b, rows)
	case f.detect != nil:
		return f.anomalies(b, rows, arg)
	}
	if v := arg.Vec; v != nil && f.offset == 1 && f.other == nil {
		switch {
		case v.Kind == column.Float64 && f.kinds.within(floatKinds):
			return f.floats(b, rows, v)
		case v.Kind == column.Text && f.kinds.within(kindsOf(column.Text)):
			return f.texts(b, rows, v)
		case isInts(v.Kind) && f.kinds.within(kindsOf(v.Kind)):
			return f.ints(b, rows, v)
		}
	}
	return f.values(b, rows, arg, other)
}

func isInts(k column.Kind) bool {
	return k == column.Bool || k == column.Int64 || k == column.Time
}

// qualifies reports whether a row is one that the function remembers.
func (f *analyticFunc) qualifies(i int) bool { return f.when == nil || f.truth[i] == compute.True }

// first is ISFIRST: the interval of a row is (end-limit, end].
func (f *analyticFunc) first(b *column.Batch, rows compute.Rows) column.Vector {
	out := column.Vector{Kind: column.Int64, Ints: make([]int64, b.Rows)}
	for k := range rows.Len() {
		i := rows.Row(k)
		if !f.qualifies(i) {
			continue
		}
		g := f.ids[i]
		if end := b.Time[i].CeilTo(f.limit, 0); f.of[g].newest != end {
			f.touch(g, end)
			out.Ints[i] = 1
		}
	}
	return out
}

// values is LAG and LAST, the general way. LAST looks when the row itself is
// remembered, LAG before.
func (f *analyticFunc) values(b *column.Batch, rows compute.Rows, arg, other compute.Operand) column.Vector {
	out := column.NewBuilder(nil)
	for k := range rows.Len() {
		i := rows.Row(k)
		for out.Rows() < i {
			out.Append(column.Value{})
		}
		g, t := f.ids[i], b.Time[i]
		keep := f.qualifies(i)
		if keep && f.kind == plan.Last {
			f.keep(g, t, arg.At(i))
		}
		if v := f.back(g, t); v != nil {
			out.Append(*v)
		} else {
			out.Append(other.At(i))
		}
		if keep && f.kind == plan.Lag {
			f.keep(g, t, arg.At(i))
		}
	}
	for out.Rows() < b.Rows {
		out.Append(column.Value{})
	}
	return out.Vector()
}
