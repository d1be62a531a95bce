package exec

import (
	"cmp"
	"fmt"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// grouping is what the two halves of an aggregation share: the compiled keys,
// windows and aggregates.
type grouping struct {
	skips
	node   *plan.Aggregate
	keys   []value
	aggs   []aggregate
	grids  []windowGrid // per window
	schema *column.Schema
}

// maxWindows is the number of windows that the state's keys can name.
const maxWindows = 255

func newGrouping(n *plan.Aggregate) (*grouping, error) {
	if len(n.Windows) > maxWindows {
		return nil, fmt.Errorf("an aggregation has %d windows, at most %d are possible", len(n.Windows), maxWindows)
	}
	g := &grouping{node: n, schema: SchemaOf(n.Columns())}
	for _, k := range n.Keys {
		v, err := compile(k.Expr)
		if err != nil {
			return nil, err
		}
		g.keys = append(g.keys, v)
	}
	for _, a := range n.Aggs {
		c, err := compileAggregate(a)
		if err != nil {
			return nil, err
		}
		g.aggs = append(g.aggs, c)
	}
	for i := range n.Windows {
		if w := &n.Windows[i]; w.Kind != plan.Sliding && w.Kind != plan.Session {
			g.grids = append(g.grids, gridOf(w))
		}
	}
	return g, nil
}

// evaluate computes the keys and arguments of the live rows of a batch.
func (g *grouping) evaluate(b *column.Batch, keys, args []compute.Operand) *compute.RowError {
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	if err := operands(g.keys, b, keys); err != nil {
		return err
	}
	for i := range g.aggs {
		if g.aggs[i].arg == nil {
			continue
		}
		o, err := g.aggs[i].arg.eval(b, rows)
		if err != nil {
			return err
		}
		if args[i], err = g.aggs[i].argument(o, rows); err != nil {
			return err
		}
		if args[i], err = g.aggs[i].withKeys(args[i], b, rows); err != nil {
			return err
		}
	}
	return nil
}

// operands computes several expressions for the live rows of a batch.
func operands(of []value, b *column.Batch, to []compute.Operand) *compute.RowError {
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	for k, v := range of {
		var err *compute.RowError
		if to[k], err = v.eval(b, rows); err != nil {
			return err
		}
	}
	return nil
}

// OrderFree reports whether an aggregation gives the same result whatever the
// order of its rows, so that every partition may aggregate on its own.
func OrderFree(n *plan.Aggregate) bool {
	for _, w := range n.Windows {
		if w.Kind == plan.Sliding || w.Kind == plan.Session {
			return false
		}
	}
	return true
}

// newPane returns an empty pane.
func (g *grouping) newPane(window int, end column.Ticks) *pane {
	return &pane{window: window, end: end, keys: len(g.keys), accs: g.newAllAccumulators()}
}

// Partial is the aggregation of the rows of one pane in one partition. Whoever has
// it owns its pane; the view may be read while the partition goes on.
type Partial struct {
	pane *pane
	from *Aggregator // tells the dictionaries of partitions apart; not to be used
	keys *keysView
}

// translation turns the group numbers of one dictionary into those of another, each
// when it first comes.
type translation struct {
	from   *keysView
	to     *groupKeys
	groups []int32 // by number in from; -1: not met
	// forms are those of to for what has form 0 in from, where they are not 0.
	forms map[keyOf]uint32
	tuple []column.Value
}

type keyOf struct {
	group int32 // of from
	key   int
}

func newTranslation(from *keysView, to *groupKeys) *translation {
	return &translation{from: from, to: to, tuple: make([]column.Value, len(from.values))}
}

// pane renumbers the groups of a pane.
func (t *translation) pane(p *pane) {
	for n := len(t.from.codes) / max(len(t.tuple), 1); len(t.groups) < max(n, 1); {
		t.groups = append(t.groups, -1)
	}
	for s, g := range p.ids {
		id := t.groups[g]
		if id < 0 {
			id = t.add(g)
		}
		p.ids[s] = id
		if p.forms == nil && t.forms == nil {
			continue
		}
		for k := range t.tuple {
			switch f := p.form(int32(s), k); {
			case f != 0:
				p.setForm(int32(s), k, t.to.form(id, k, t.from.key(g, k, f)))
			case t.forms != nil:
				p.setForm(int32(s), k, t.forms[keyOf{g, k}])
			}
		}
	}
	p.slots = slotIndex{}
}

func (t *translation) add(g int32) int32 {
	for k := range t.tuple {
		t.tuple[k] = t.from.key(g, k, 0)
	}
	id := t.to.id(t.tuple)
	t.groups[g] = id
	for k := range t.tuple {
		if f := t.to.form(id, k, t.tuple[k]); f != 0 {
			if t.forms == nil {
				t.forms = make(map[keyOf]uint32)
			}
			t.forms[keyOf{g, k}] = f
		}
	}
	return id
}

// comparePlaces orders groups by where their first rows stand, as rows of one time. Rows
// that windows made of one event tie: the earlier one comes first.
func comparePlaces(a, b *column.Position) int {
	if c := cmp.Compare(a.Arrived, b.Arrived); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Seq, b.Seq); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Index, b.Index); c != 0 {
		return c
	}
	return cmp.Compare(a.Time, b.Time)
}
