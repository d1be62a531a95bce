package exec

import (
	"encoding/binary"
	"sort"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
	"spate/stream/state"
)

// orderedAggregate runs aggregations with sliding or session windows: its rows
// come in total order. Windows of other kinds beside them run as always.
type orderedAggregate struct {
	schema *column.Schema
	subs   []Operator // one per window
}

func newOrderedAggregate(n *plan.Aggregate) (Operator, error) {
	o := &orderedAggregate{schema: SchemaOf(n.Columns())}
	for _, w := range n.Windows {
		one := *n
		one.Windows = []plan.Window{w}
		var sub Operator
		var err error
		switch w.Kind {
		case plan.Sliding:
			sub, err = newSliding(&one)
		case plan.Session:
			sub, err = newSession(&one)
		default:
			sub, err = NewAggregate(&one)
		}
		if err != nil {
			return nil, err
		}
		o.subs = append(o.subs, sub)
	}
	return o, nil
}

// Process implements Operator.
func (o *orderedAggregate) Process(_ int, b *column.Batch, _ Emit) error {
	for _, s := range o.subs {
		if err := s.Process(0, b, nil); err != nil {
			return err
		}
	}
	return nil
}

// collected keeps what the windows emit, to bring it in order of time.
type collected struct{ batches []*column.Batch }

func (c *collected) Rows(b *column.Batch) error {
	for from := 0; from < b.Rows; {
		var rows []int32
		at := b.Time[from]
		for ; from < b.Rows && b.Time[from] == at; from++ {
			rows = append(rows, int32(from))
		}
		c.batches = append(c.batches, b.Gather(rows))
	}
	return nil
}

func (c *collected) Advance(column.Ticks) error { return nil }

// Advance implements Operator.
func (o *orderedAggregate) Advance(w column.Ticks, out Emit) error {
	var c collected
	for _, s := range o.subs {
		if err := s.Advance(w, &c); err != nil {
			return err
		}
	}
	// Each batch holds rows of one time.
	sort.SliceStable(c.batches, func(i, j int) bool { return c.batches[i].Time[0] < c.batches[j].Time[0] })
	for _, b := range c.batches {
		if err := out.Rows(b); err != nil {
			return err
		}
	}
	return out.Advance(w)
}

// snapshot appends the state.
func (o *orderedAggregate) snapshot(dst []byte) []byte {
	for _, s := range o.subs {
		b := s.(interface{ snapshot([]byte) []byte }).snapshot(nil)
		dst = append(binary.AppendUvarint(dst, uint64(len(b))), b...)
	}
	return dst
}

// restore takes a snapshot into a new operator.
func (o *orderedAggregate) restore(b []byte) error {
	r := &stateReader{b: b}
	for _, s := range o.subs {
		part := r.text()
		if r.err != nil {
			break
		}
		if err := s.(interface{ restore([]byte) error }).restore([]byte(part)); err != nil {
			return err
		}
	}
	return r.done()
}

// evaluated are the keys and arguments of an aggregation over one batch.
type evaluated struct {
	rows       compute.Rows
	keys, args []compute.Operand
}

func (g *grouping) evaluate(b *column.Batch) (*evaluated, error) {
	e := &evaluated{rows: compute.Rows{N: b.Rows, Live: b.Live}, args: make([]compute.Operand, len(g.aggs))}
	for _, k := range g.keys {
		o, err := k.eval(b, e.rows)
		if err != nil {
			return nil, rowError(b, err)
		}
		e.keys = append(e.keys, o)
	}
	for i := range g.aggs {
		if g.aggs[i].arg == nil {
			continue
		}
		var err *compute.RowError
		if e.args[i], err = g.aggs[i].arg.eval(b, e.rows); err != nil {
			return nil, rowError(b, err)
		}
	}
	return e, nil
}

// item is one row of an aggregation, kept for as long as its window needs it.
type item struct {
	pos  column.Position
	keys []column.Value
	args []column.Value
}

func (e *evaluated) item(b *column.Batch, i int) item {
	it := item{pos: column.PositionOf(b, i), keys: make([]column.Value, len(e.keys)), args: make([]column.Value, len(e.args))}
	for k, o := range e.keys {
		it.keys[k] = o.At(i)
	}
	for k, o := range e.args {
		it.args[k] = o.At(i)
	}
	return it
}

func (it *item) key() string {
	var b []byte
	for _, v := range it.keys {
		b = column.AppendKey(b, v)
	}
	return string(b)
}

func (it *item) appendTo(dst []byte) []byte {
	dst = appendTicks(appendTicks(dst, it.pos.Time), it.pos.Arrived)
	dst = binary.AppendVarint(binary.AppendVarint(dst, it.pos.Seq), int64(it.pos.Index))
	for _, v := range it.keys {
		dst = column.AppendBinary(dst, v)
	}
	for _, v := range it.args {
		dst = column.AppendBinary(dst, v)
	}
	return dst
}

func (g *grouping) readItem(r *stateReader) item {
	it := item{pos: column.Position{Time: r.ticks(), Arrived: r.ticks(), Seq: r.varint(), Index: int32(r.varint())}}
	for range g.keys {
		it.keys = append(it.keys, r.value())
	}
	for range g.aggs {
		it.args = append(it.args, r.value())
	}
	return it
}

// apply adds one row to the accumulators of a group.
func (g *grouping) apply(accs []accumulators, to int32, it *item) error {
	for a := range g.aggs {
		if err := accs[a].add(to, it.args[a]); err != nil {
			return &Error{Where: g.aggs[a].spec.Where, Time: it.pos.Time, Err: err}
		}
	}
	return nil
}

// outRow is one output row before it is put into columns.
type outRow struct {
	keys []column.Value
	accs []accumulators
}

// batchOf makes the output rows of one instant.
func (g *grouping) batchOf(rows []outRow, at column.Ticks) (*column.Batch, error) {
	t := newGroupTable(len(g.keys), g.newAllAccumulators())
	groups := make([]int, len(rows))
	t.groups = len(rows)
	t.room()
	for i, r := range rows {
		groups[i] = i
		for k := range g.keys {
			t.codes = append(t.codes, t.cols[k].code(r.keys[k]))
		}
		for a := range t.accs {
			if err := t.accs[a].merge(int32(i), r.accs[a], 0); err != nil {
				return nil, err
			}
		}
	}
	return g.rows(t, groups, at, g.node.Windows[0].ID)
}

// rows makes the output rows of groups of one window.
func (g *grouping) rows(t *groupTable, groups []int, end column.Ticks, id string) (*column.Batch, error) {
	b := &column.Batch{Schema: g.schema, Rows: len(groups), Time: make([]column.Ticks, len(groups))}
	for i := range b.Time {
		b.Time[i] = end
	}
	for k := range g.keys {
		bl := column.NewBuilder(nil)
		for _, gr := range groups {
			bl.Append(t.key(gr, k))
		}
		b.Cols = append(b.Cols, bl.Vector())
	}
	for a := range g.aggs {
		bl := column.NewBuilder(nil)
		for _, gr := range groups {
			v, err := t.accs[a].result(int32(gr))
			if err != nil {
				return nil, &Error{Where: g.aggs[a].spec.Where, Time: end, Err: err}
			}
			bl.Append(v)
		}
		b.Cols = append(b.Cols, bl.Vector())
	}
	if g.node.WindowID {
		v := column.Value{}
		if id != "" {
			v = column.TextOf(id)
		}
		b.Cols = append(b.Cols, column.Constant(v, len(groups)))
	}
	return b, nil
}

// Freeze implements Operator.
func (o *orderedAggregate) Freeze() (state.Frozen, error) { return whole(o.snapshot(nil)), nil }

// Load implements Operator.
func (o *orderedAggregate) Load(e state.Entry) error { return o.restore(e.Value) }
