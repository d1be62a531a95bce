package exec

import (
	"fmt"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// Apply takes a value of each row apart and gives a row for each part. Rows of one place,
// which are apart by their turns, come behind one another in that order: it numbers the
// turns anew.
type Apply struct {
	stateless
	skips
	node   *plan.Apply
	schema *column.Schema
	arg    value
	names  []string // of a part as a record

	list compute.Operand // of the batch that was computed last

	rows  []int32 // of the batch under way: the row that each row to come is a part of
	index []int64
	turns bool // some index is not 0
	place *column.Builder
	part  *column.Builder
	whole []column.Value
	dict  *column.Dict // of names

	last column.Position // of the row that was taken apart last, without its turn
	turn int64
}

// NewApply compiles n.
func NewApply(n *plan.Apply) (*Apply, error) {
	arg, err := compile(n.Arg)
	if err != nil {
		return nil, err
	}
	names := n.Kind.Names()
	a := &Apply{node: n, schema: SchemaOf(n.Columns()), arg: arg, names: names[:], turn: -1}
	for _, m := range n.Makes {
		switch m.What {
		case plan.PartPlace:
			a.place = column.NewBuilder(nil)
			a.newNames()
		case plan.PartValue:
			a.part = column.NewBuilder(nil)
		case plan.PartWhole:
			a.whole = []column.Value{}
		}
	}
	return a, nil
}

// mostNames is how many names the dictionary of names has, about: names may be anything.
const mostNames = 1 << 14

// newNames begins a dictionary.
func (a *Apply) newNames() {
	if a.node.Kind == plan.Properties {
		a.dict = column.NewDict()
		a.place = column.NewBuilder(a.dict)
	}
}

// Process implements Operator.
func (a *Apply) Process(_ int, b *column.Batch, out Emit) error {
	b, err := sound(a, b, a.skip)
	if b == nil {
		return err
	}
	for k := range b.LiveRows() {
		i := b.Row(k)
		if err := a.expand(b, i, a.list.At(i), out); err != nil {
			return err
		}
	}
	a.list = compute.Operand{}
	return a.flush(b, out)
}

// compute implements computer.
func (a *Apply) compute(b *column.Batch) *compute.RowError {
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	var err *compute.RowError
	if a.list, err = a.arg.eval(b, rows); err != nil {
		return at(a.node.Arg, err)
	}
	of := a.node.Kind.Of()
	for k := range rows.Len() {
		i := rows.Row(k)
		if v := a.list.At(i); v.Kind != of && !v.IsNull() {
			return &compute.RowError{Row: i, Err: &placed{a.refused(v), a.node.Where}}
		}
	}
	return nil
}

// refused is the error of a value that cannot be taken apart.
func (a *Apply) refused(v column.Value) error {
	from := a.node.Where.From
	return fmt.Errorf("Cannot cast value of type '%s' to type '%s' in expression '%s'. At line '%d' and column '%d'. TRY_CAST function can be used to handle values with unexpected type.",
		v.Kind, a.node.Kind.Of(), a.node.Text, from.Line, from.Col)
}

// expand adds the parts of a row.
func (a *Apply) expand(b *column.Batch, i int, v column.Value, out Emit) error {
	n := 0
	rec := v.Record()
	if rec != nil {
		n = len(rec.Values)
	} else {
		n = len(v.Array())
	}
	if n == 0 && !a.node.Outer {
		return nil
	}
	base := column.PositionOf(b, i)
	base.Index &^= column.Branch - 1
	if base != a.last {
		a.last, a.turn = base, -1
	}
	if n == 0 {
		a.row(i)
		a.none()
		return a.full(b, out)
	}
	for k := range n {
		a.row(i)
		if rec != nil {
			a.property(rec, k)
		} else {
			a.element(v.Array()[k], k)
		}
		if err := a.full(b, out); err != nil {
			return err
		}
	}
	return nil
}

// row begins a part of row i.
func (a *Apply) row(i int) {
	a.turn = min(a.turn+1, column.Branch-1)
	index := a.last.Index + a.turn
	a.rows, a.index = append(a.rows, int32(i)), append(a.index, index)
	a.turns = a.turns || index != 0
}

func (a *Apply) element(v column.Value, k int) {
	if a.place != nil {
		a.place.Append(column.IntOf(int64(k)))
	}
	if a.part != nil {
		a.part.Append(v)
	}
	if a.whole != nil {
		a.whole = append(a.whole, column.RecordOf(&column.RecordValue{Names: a.names, Values: []column.Value{column.IntOf(int64(k)), v}}))
	}
}

func (a *Apply) property(rec *column.RecordValue, k int) {
	if a.place != nil {
		a.place.Append(column.TextOf(rec.Names[k]))
	}
	if a.part != nil {
		a.part.Append(rec.Values[k])
	}
	if a.whole != nil {
		a.whole = append(a.whole, column.RecordOf(&column.RecordValue{Names: a.names, Values: []column.Value{column.TextOf(rec.Names[k]), rec.Values[k]}}))
	}
}

// none is what a row without parts has.
func (a *Apply) none() {
	if a.place != nil {
		a.place.Append(column.Value{})
	}
	if a.part != nil {
		a.part.Append(column.Value{})
	}
	if a.whole != nil {
		a.whole = append(a.whole, column.Value{})
	}
}

// full emits the rows of a batch if they are many.
func (a *Apply) full(b *column.Batch, out Emit) error {
	if len(a.rows) < outputRows {
		return nil
	}
	return a.flush(b, out)
}

// flush emits the rows that were made of b.
func (a *Apply) flush(b *column.Batch, out Emit) error {
	n := len(a.rows)
	if n == 0 {
		return nil
	}
	kept := *b
	kept.Schema, kept.Live, kept.Index, kept.Cols = a.schema, nil, nil, make([]column.Vector, 0, len(a.schema.Fields))
	for _, c := range a.node.Keep {
		kept.Cols = append(kept.Cols, b.Cols[c])
	}
	res := kept.Gather(a.rows)
	if a.turns {
		res.Index, a.index = a.index, make([]int64, 0, outputRows)
	}
	for _, m := range a.node.Makes {
		switch m.What {
		case plan.PartPlace:
			res.Cols = append(res.Cols, a.place.Vector())
		case plan.PartValue:
			res.Cols = append(res.Cols, a.part.Vector())
		case plan.PartWhole:
			res.Cols = append(res.Cols, column.Vector{Kind: column.Any, Anys: a.whole})
			a.whole = make([]column.Value, 0, outputRows)
		}
	}
	if a.dict != nil && a.dict.Len() > mostNames {
		a.newNames()
	}
	a.rows, a.index, a.turns = a.rows[:0], a.index[:0], false
	return out.Rows(res)
}
