package exec

import (
	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
	"spate/stream/state"
)

// overRows is an aggregate with OVER (LIMIT DURATION): over the rows of a key that
// qualified and are no older than the limit, the present one among them. They are those of
// a window that slides from row to row.
type overRows struct {
	*sliding
	gone [][]byte // keys of rows that have left and are in the state
}

func newOverRows(f *plan.AnalyticFunc) (*overRows, error) {
	a, err := compileAggregate(*f.Agg)
	if err != nil {
		return nil, err
	}
	s := &sliding{
		grouping: &grouping{aggs: []aggregate{a}, keys: make([]value, len(f.Keys))}, size: f.Limit,
		table: newGroupKeys(len(f.Keys)), log: rowLog{args: 1},
		odd: make(map[int64][]column.Value), extreme: make([]*slidingExtremes, 1),
	}
	s.accs = []accumulators{newAccumulators(&s.aggs[0])}
	if a.spec.Func == plan.Min || a.spec.Func == plan.Max {
		s.extreme[0] = newSlidingExtremes(&s.aggs[0], 0)
	}
	return &overRows{sliding: s}, nil
}

// argument computes what the aggregate looks at.
func (o *overRows) argument(b *column.Batch, rows compute.Rows) (compute.Operand, *compute.RowError) {
	a := &o.aggs[0]
	if a.arg == nil || rows.Len() == 0 {
		return compute.Operand{}, nil
	}
	v, err := a.arg.eval(b, rows)
	if err != nil {
		return v, err
	}
	if v, err = a.argument(v, rows); err != nil {
		return v, err
	}
	return a.withKeys(v, b, rows)
}

// overRows computes the aggregate for the rows of a batch, of which keys are those of
// PARTITION BY. Rows that have no result are put into bad.
func (f *analyticFunc) overRows(b *column.Batch, rows compute.Rows, keys []compute.Operand, arg compute.Operand, bad *failedRows, skip Skip) (column.Vector, error) {
	o := f.over
	f.ids = grown(f.ids, b.Rows)
	o.table.idsOf(keys, b, rows, f.ids)
	o.room()
	out := column.NewBuilder(nil)
	for k := range rows.Len() {
		i := rows.Row(k)
		for out.Rows() < i {
			out.Append(column.Value{})
		}
		o.expire(b.Time[i] - o.size)
		g := f.ids[i]
		if f.qualifies(i) {
			v := arg.At(i)
			if x := o.extreme[0]; x != nil {
				v = x.normal(v)
			}
			p := column.PositionOf(b, i)
			o.push(p, o.turns.next(p.Time, o.forms[g].keyGroup), g, v)
		}
		v, err := o.over(g)
		if err != nil {
			if failed := bad.add(i, o.failed(0, b.Time[i], err), skip); failed != nil {
				return column.Vector{}, failed
			}
		}
		out.Append(v)
	}
	for out.Rows() < b.Rows {
		out.Append(column.Value{})
	}
	return out.Vector(), nil
}

// push takes a row into the window of its group.
func (o *overRows) push(p column.Position, turn uint32, g int32, v column.Value) {
	o.hold(g)
	block := o.log.push(p, turn, g)
	if o.aggs[0].arg != nil {
		block.args[0].append(v)
	}
	o.enter(block, len(block.time)-1)
}

// expire takes the rows before a time out of their windows.
func (o *overRows) expire(before column.Ticks) {
	for o.log.from < o.log.to {
		b, i := o.log.at(o.log.from)
		if b.time[i] >= before {
			return
		}
		if o.log.from < o.saved.to {
			o.gone = append(o.gone, appendRowKey(nil, b.position(i), o.forms[b.group[i]].keyGroup, b.turnAt(i)))
		}
		o.leave(b, i)
	}
}

// over is the result over the rows of a group; there may be none.
func (o *overRows) over(g int32) (column.Value, error) {
	if o.groups[g].inside == 0 {
		o.accs[0].reset(g)
		return o.accs[0].result(g)
	}
	return o.result(0, g)
}

// advance says that all rows before w have come.
func (o *overRows) advance(w column.Ticks) {
	if w == column.EndOfTime {
		return
	}
	o.expire(w - o.size)
	o.renumber()
}

// freeze takes what changed since the last freeze; nil if nothing did.
func (o *overRows) freeze() state.Frozen {
	f := &frozenSliding{aggs: o.aggs, forms: o.forms}
	gone := o.gone
	o.gone = nil
	begin := max(o.saved.to, o.log.from)
	f.rows = o.log.frozen(begin, o.log.to)
	o.saved.to = o.log.to
	if begin == o.log.to && gone == nil {
		return nil
	}
	return func(to *state.Section) {
		for _, key := range gone {
			to.Delete(key)
		}
		f.write(to)
	}
}

// load takes a row of the state; they come in order.
func (o *overRows) load(e state.Entry) error {
	p, turn, err := readRowKey(e.Key)
	if err != nil {
		return err
	}
	r := &stateReader{b: e.Value}
	keys := make([]column.Value, len(o.keys))
	for k := range keys {
		keys[k] = r.value()
	}
	var v column.Value
	if o.aggs[0].arg != nil {
		v = r.value()
	}
	if err := r.done(); err != nil {
		return err
	}
	g := o.table.id(keys)
	o.room()
	o.turns.seen(p.Time, o.forms[g].keyGroup, turn)
	o.push(p, turn, g, v)
	o.saved.to = o.log.to
	return nil
}
