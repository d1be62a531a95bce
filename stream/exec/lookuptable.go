package exec

import (
	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// Table is the reference side of a Lookup while its snapshots are in effect: rows by key.
// It is immutable, and any goroutine may read it.
type Table struct {
	cols   []column.Vector  // of the rows, and of an outer join behind them of one that is NULL
	n      int              // rows
	groups map[string]int32 // by encoded key
	first  []int32          // group g has the rows list[first[g]:first[g+1]], in their order
	list   []int32
	single bool   // no group has several rows
	probe  *probe // finds groups without encoding; nil: the keys are not made for it
}

// tableSide computes what a table needs of its rows.
type tableSide struct {
	keys  []value
	on    predicate
	raw   []value // the keys as they are, without a form
	tuple []compute.Operand
	own   []compute.Operand // of raw
	truth []compute.Truth
}

func newTableSide(n *plan.Lookup) (*tableSide, error) {
	s := &tableSide{tuple: make([]compute.Operand, len(n.Keys)), own: make([]compute.Operand, len(n.Keys))}
	var err error
	if s.keys, err = compileAll(n.KeyOf(1)); err != nil {
		return nil, err
	}
	for _, k := range n.Keys {
		v, err := compile(n.Side(1, k.(*plan.Call).Args[1]))
		if err != nil {
			return nil, err
		}
		s.raw = append(s.raw, v)
	}
	if on := n.Side(1, n.OnRight); on != nil {
		s.on, err = compilePredicate(on)
	}
	return s, err
}

// checkTable compiles what a table needs.
func checkTable(n *plan.Lookup) error {
	_, err := newTableSide(n)
	return err
}

func (s *tableSide) compute(b *column.Batch) *compute.RowError {
	if s.on != nil {
		s.truth = grown(s.truth, b.Rows)
		if err := s.on.test(b, compute.Rows{N: b.Rows, Live: b.Live}, s.truth); err != nil {
			return err
		}
	}
	if err := operands(s.raw, b, s.own); err != nil {
		return err
	}
	return operands(s.keys, b, s.tuple)
}

// NewTable makes a table of all rows of the Ref of n. Rows for which an expression fails
// are an error or, where skip is set, left out.
func NewTable(n *plan.Lookup, b *column.Batch, skip Skip) (*Table, error) {
	side, err := newTableSide(n)
	if err != nil {
		return nil, err
	}
	t := &Table{cols: columnsOf(b, n.Outer), groups: make(map[string]int32), n: b.Rows, single: true}
	of := make([]int32, 0, b.LiveRows()) // groups of rows
	var keys []column.Value              // of groups, where each is one value in its form
	formed := len(n.Keys) == 1
	var rows []int32
	var buf []byte
	if b, err = sound(side, b, skip); err != nil {
		return nil, err
	}
	if b != nil {
		for _, i := range liveRows(b) {
			if side.on != nil && side.truth[i] != compute.True {
				continue
			}
			key, ok := keyOfRow(buf[:0], side.tuple, int(i))
			if !ok {
				continue
			}
			buf = key
			g, known := t.groups[string(key)]
			if !known {
				g = int32(len(t.groups))
				t.groups[string(key)] = g
				if formed {
					keys = append(keys, side.own[0].At(int(i)))
				}
			}
			if formed {
				own := side.own[0].At(int(i))
				formed = own.Kind == keys[0].Kind || own.Kind != column.Text && keys[0].Kind != column.Text
				formed = formed && inForm(own, n.Typed())
			}
			t.single = t.single && !known
			rows, of = append(rows, i), append(of, g)
		}
	}
	if formed {
		t.probe = newProbe(keys, n.Typed())
	}
	t.first = make([]int32, len(t.groups)+1)
	for _, g := range of {
		t.first[g+1]++
	}
	for g := 1; g < len(t.first); g++ {
		t.first[g] += t.first[g-1]
	}
	t.list = make([]int32, len(rows))
	next := append([]int32(nil), t.first...)
	for k, g := range of {
		t.list[next[g]] = rows[k]
		next[g]++
	}
	return t, nil
}

// keyOfRow encodes the key of a row; false if a part of it is NULL, which equals nothing.
func keyOfRow(dst []byte, tuple []compute.Operand, i int) ([]byte, bool) {
	for k := range tuple {
		v := tuple[k].At(i)
		if v.IsNull() {
			return nil, false
		}
		dst = column.AppendKey(dst, v)
	}
	return dst, true
}

// group finds the group of a key of other rows.
func (t *Table) group(tuple []compute.Operand, i int) int32 {
	var buf [64]byte
	key, ok := keyOfRow(buf[:0], tuple, i)
	if !ok {
		return notThere
	}
	if g, ok := t.groups[string(key)]; ok {
		return g
	}
	return notThere
}

// mostEntries bounds the dictionary of a column: what compares texts looks through it, once
// a batch.
const mostEntries = 1 << 10

// columnsOf are the columns of a batch, if asked for with a row of NULLs behind the others.
func columnsOf(b *column.Batch, null bool) []column.Vector {
	out := make([]column.Vector, len(b.Cols))
	for c := range b.Cols {
		v := &b.Cols[c]
		to := column.NewBuilder(dictOf(v, b.Rows))
		for i := range b.Rows {
			to.Append(v.At(i))
		}
		if null {
			to.Append(column.Value{})
		}
		out[c] = to.Vector()
	}
	return out
}

// dictOf is the dictionary of a column of few texts; nil: it has others.
func dictOf(v *column.Vector, rows int) *column.Dict {
	if v.Kind != column.Text {
		return nil
	}
	dict := column.NewDict()
	for i := range rows {
		if !v.IsNull(i) {
			dict.Code(v.TextAt(i))
		}
		if dict.Len() > mostEntries {
			return nil
		}
	}
	return dict
}
