package exec

import (
	"encoding/binary"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
	"spate/stream/state"
)

// Analytic appends a column per LAG, LAST or ISFIRST. Its input is in total
// order.
type Analytic struct {
	funcs  []*analyticFunc
	schema *column.Schema
}

type analyticFunc struct {
	spec  plan.AnalyticFunc
	arg   value
	other value // LAG and LAST: the default
	when  predicate
	keys  []value
	table *groupTable
	state []history // by group of table
	sweep column.Ticks
	ids   []int32 // group of each row
	tuple []uint32
	truth []compute.Truth
	mixed bool // a value was kept that a float vector cannot hold
}

// history is the state of one partition key: the last rows that qualified,
// oldest first.
type history struct {
	times  []column.Ticks
	values []column.Value
	hit    column.Ticks // ISFIRST: end of the interval of the last hit
	used   column.Ticks
}

// NewAnalytic compiles n.
func NewAnalytic(n *plan.Analytic) (*Analytic, error) {
	a := &Analytic{schema: SchemaOf(n.Columns())}
	for _, spec := range n.Funcs {
		f := &analyticFunc{spec: spec, table: newGroupTable(len(spec.Keys), nil)}
		var err error
		if f.keys, err = compileAll(spec.Keys); err != nil {
			return nil, err
		}
		f.tuple = make([]uint32, len(f.keys))
		if spec.Arg != nil {
			if f.arg, err = compile(spec.Arg); err != nil {
				return nil, err
			}
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
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	res := *b
	res.Schema = a.schema
	res.Cols = make([]column.Vector, len(b.Cols), len(b.Cols)+len(a.funcs))
	copy(res.Cols, b.Cols)
	for _, f := range a.funcs {
		v, err := f.process(b, rows)
		if err != nil {
			return rowError(b, err)
		}
		res.Cols = append(res.Cols, v)
	}
	return out.Rows(&res)
}

func (f *analyticFunc) process(b *column.Batch, rows compute.Rows) (column.Vector, *compute.RowError) {
	keys := make([]compute.Operand, len(f.keys))
	for k, key := range f.keys {
		o, err := key.eval(b, rows)
		if err != nil {
			return column.Vector{}, err
		}
		keys[k] = o
	}
	f.ids = grown(f.ids, b.Rows)
	f.table.idsOf(keys, b, rows, f.ids)
	for len(f.state) < f.table.groups {
		f.state = append(f.state, history{hit: -1})
	}
	var arg, other compute.Operand
	var err *compute.RowError
	if f.arg != nil {
		if arg, err = f.arg.eval(b, rows); err != nil {
			return column.Vector{}, err
		}
	}
	if f.other != nil {
		if other, err = f.other.eval(b, rows); err != nil {
			return column.Vector{}, err
		}
	}
	if f.when != nil {
		f.truth = grown(f.truth, b.Rows)
		if err = f.when.test(b, rows, f.truth); err != nil {
			return column.Vector{}, err
		}
	}
	if v := arg.Vec; f.spec.Kind == plan.Lag && f.spec.Offset == 1 && f.when == nil && f.other == nil && v != nil && v.Kind == column.Float64 {
		if out, ok := f.lagFloats(b, rows, v); ok {
			return out, nil
		}
	}
	return compute.Map(rows, func(i int) (column.Value, error) {
		st := f.of(i, b.Time[i])
		qualifies := f.when == nil || f.truth[i] == compute.True
		return f.step(st, b.Time[i], qualifies, func() column.Value { return arg.At(i) }, func() column.Value { return other.At(i) }), nil
	})
}

// of returns the state of the partition of row i.
func (f *analyticFunc) of(i int, t column.Ticks) *history {
	st := &f.state[f.ids[i]]
	st.used = t
	return st
}

func (f *analyticFunc) step(st *history, t column.Ticks, qualifies bool, arg, other func() column.Value) column.Value {
	switch f.spec.Kind {
	case plan.IsFirst:
		end := t.CeilTo(f.spec.Limit, 0)
		if !qualifies || st.hit == end {
			return column.IntOf(0)
		}
		st.hit = end
		return column.IntOf(1)
	case plan.Last:
		if qualifies {
			f.keep(st, t, arg(), 1)
		}
		return f.found(st, 1, t, other)
	}
	v := f.found(st, f.spec.Offset, t, other)
	if qualifies {
		f.keep(st, t, arg(), f.spec.Offset)
	}
	return v
}

func (f *analyticFunc) found(st *history, back int, t column.Ticks, other func() column.Value) column.Value {
	if k := len(st.times) - back; k >= 0 && t-st.times[k] <= f.spec.Limit {
		return st.values[k]
	}
	return other()
}

// keep remembers a row that qualifies.
func (f *analyticFunc) keep(st *history, t column.Ticks, v column.Value, n int) {
	f.mixed = f.mixed || !fitsFloat(v)
	st.push(t, v, n)
}

func (st *history) push(t column.Ticks, v column.Value, keep int) {
	if len(st.times) == keep {
		copy(st.times, st.times[1:])
		copy(st.values, st.values[1:])
		st.times[keep-1], st.values[keep-1] = t, v
		return
	}
	st.times, st.values = append(st.times, t), append(st.values, v)
}

// lagFloats is the fast path of LAG(x, 1) over numbers.
func (f *analyticFunc) lagFloats(b *column.Batch, rows compute.Rows, v *column.Vector) (column.Vector, bool) {
	if f.mixed {
		return column.Vector{}, false
	}
	out := column.Vector{Kind: column.Float64, Floats: make([]float64, b.Rows), Valid: make([]uint64, column.Words(b.Rows))}
	for k := range rows.Len() {
		i := rows.Row(k)
		t := b.Time[i]
		st := f.of(i, t)
		if len(st.times) == 0 {
			st.times, st.values = make([]column.Ticks, 1), make([]column.Value, 1)
		} else if t-st.times[0] <= f.spec.Limit {
			switch p := &st.values[0]; p.Kind {
			case column.Float64:
				out.Floats[i] = p.Float()
				column.SetBit(out.Valid, i)
			case column.Int64:
				out.Floats[i] = float64(p.Int())
				column.SetBit(out.Valid, i)
				if out.Whole == nil {
					out.Whole = make([]uint64, column.Words(b.Rows))
				}
				column.SetBit(out.Whole, i)
			}
		}
		st.times[0] = t
		switch {
		case v.Valid != nil && !column.Bit(v.Valid, i):
			st.values[0] = column.Value{}
		case v.Whole != nil && column.Bit(v.Whole, i):
			st.values[0] = column.IntOf(int64(v.Floats[i]))
		default:
			st.values[0].SetFloat(v.Floats[i])
		}
	}
	return out, true
}

func fitsFloat(v column.Value) bool {
	switch v.Kind {
	case column.Null, column.Float64:
		return true
	case column.Int64:
		return v.Int() <= 1<<53 && v.Int() >= -(1<<53)
	}
	return false
}

// Advance implements Operator. From time to time it forgets keys that have been
// silent for longer than the limit.
func (a *Analytic) Advance(w column.Ticks, out Emit) error {
	for _, f := range a.funcs {
		if w >= f.sweep && w != column.EndOfTime {
			f.sweep = w + max(f.spec.Limit, column.Minute)
			f.forget(w)
		}
	}
	return out.Advance(w)
}

func (f *analyticFunc) forget(w column.Ticks) {
	live := 0
	for i := range f.state {
		if f.state[i].used >= w-f.spec.Limit {
			live++
		}
	}
	if len(f.state) < 1024 || live*2 > len(f.state) {
		return
	}
	old, state := f.table, f.state
	f.table, f.state = newGroupTable(len(f.keys), nil), nil
	for g := range state {
		if state[g].used >= w-f.spec.Limit {
			f.adopt(old, g, state[g])
		}
	}
}

func (f *analyticFunc) adopt(from *groupTable, g int, st history) {
	for k := range f.tuple {
		f.tuple[k] = f.table.cols[k].code(from.key(g, k))
	}
	f.table.find(f.tuple)
	f.state = append(f.state, st)
}

// snapshot appends the state.
func (a *Analytic) snapshot(dst []byte) []byte {
	for _, f := range a.funcs {
		dst = appendTicks(dst, f.sweep)
		dst = f.table.appendWith(dst, func(dst []byte, g int) []byte {
			st := &f.state[g]
			dst = appendTicks(appendTicks(dst, st.used), st.hit)
			dst = binary.AppendUvarint(dst, uint64(len(st.times)))
			for i := range st.times {
				dst = column.AppendBinary(appendTicks(dst, st.times[i]), st.values[i])
			}
			return dst
		})
	}
	return dst
}

// restore takes a snapshot into a new operator.
func (a *Analytic) restore(b []byte) error {
	r := &stateReader{b: b}
	for _, f := range a.funcs {
		f.sweep = r.ticks()
		f.table.readWith(r, func(int) {
			st := history{used: r.ticks(), hit: r.ticks()}
			for range r.count() {
				st.times = append(st.times, r.ticks())
				v := r.value()
				st.values = append(st.values, v)
				f.mixed = f.mixed || !fitsFloat(v)
			}
			f.state = append(f.state, st)
		})
	}
	return r.done()
}

// Freeze implements Operator.
func (a *Analytic) Freeze() (state.Frozen, error) { return whole(a.snapshot(nil)), nil }

// Load implements Operator.
func (a *Analytic) Load(e state.Entry) error { return a.restore(e.Value) }
