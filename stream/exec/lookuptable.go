package exec

import (
	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// Table is the reference side of a Lookup while its snapshots are in effect: rows by key.
// It is immutable, and any goroutine may read it.
type Table struct {
	cols   []column.Vector  // of the rows, and behind them of one that is NULL
	n      int              // rows
	groups map[string]int32 // by encoded key
	first  []int32          // group g has the rows list[first[g]:first[g+1]], in their order
	list   []int32
	single bool // no group has several rows
}

// tableSide computes what a table needs of its rows.
type tableSide struct {
	keys  []value
	on    predicate
	tuple []compute.Operand
	truth []compute.Truth
}

func newTableSide(n *plan.Lookup) (*tableSide, error) {
	s := &tableSide{tuple: make([]compute.Operand, len(n.Keys))}
	var err error
	if s.keys, err = compileAll(n.KeyOf(1)); err != nil {
		return nil, err
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
	return operands(s.keys, b, s.tuple)
}

// NewTable makes a table of all rows of the Ref of n. Rows for which an expression fails
// are an error or, where skip is set, left out.
func NewTable(n *plan.Lookup, b *column.Batch, skip Skip) (*Table, error) {
	side, err := newTableSide(n)
	if err != nil {
		return nil, err
	}
	t := &Table{cols: withNull(b), groups: make(map[string]int32), n: b.Rows, single: true}
	of := make([]int32, 0, b.LiveRows()) // groups of rows
	var rows []int32
	if b, err = sound(side, b, skip); err != nil {
		return nil, err
	}
	if b != nil {
		for _, i := range liveRows(b) {
			if side.on != nil && side.truth[i] != compute.True {
				continue
			}
			key, ok := keyOfRow(nil, side.tuple, int(i))
			if !ok {
				continue
			}
			g, known := t.groups[string(key)]
			if !known {
				g = int32(len(t.groups))
				t.groups[string(key)] = g
			}
			t.single = t.single && !known
			rows, of = append(rows, i), append(of, g)
		}
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

// gather are the columns of some rows; number n is the row of NULLs.
func (t *Table) gather(rows []int32) []column.Vector {
	out := make([]column.Vector, len(t.cols))
	for c := range t.cols {
		out[c] = t.cols[c].Gather(rows)
	}
	return out
}

// mostEntries bounds the dictionary of a column: what compares texts looks through it, once
// a batch.
const mostEntries = 1 << 10

// withNull are the columns of a batch with a row of NULLs behind the others.
func withNull(b *column.Batch) []column.Vector {
	out := make([]column.Vector, len(b.Cols))
	for c := range b.Cols {
		v := &b.Cols[c]
		var dict *column.Dict
		if v.Kind == column.Text && v.Codes != nil && v.Dict.Len() <= mostEntries {
			dict = column.NewDict()
		}
		to := column.NewBuilder(dict)
		for i := range b.Rows {
			to.Append(v.At(i))
		}
		to.Append(column.Value{})
		out[c] = to.Vector()
	}
	return out
}
