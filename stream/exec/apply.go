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

	runs  []partsRun // of the batch under way
	parts int        // in them
	index []int64
	turns bool // some index is not 0

	dict  *column.Dict // of names
	order []string     // the names of the record before, and their codes
	codes []uint32

	last column.Position // of the row that was taken apart last, without its turn
	turn int64
}

// partsRun is parts of one row that follow one another.
type partsRun struct {
	row    int32
	from   int            // the place of the first
	values []column.Value // nil: none, the row comes once without a part
	names  []string       // of fields
}

func (r *partsRun) len() int { return max(len(r.values), 1) }

// NewApply compiles n.
func NewApply(n *plan.Apply) (*Apply, error) {
	arg, err := compile(n.Arg)
	if err != nil {
		return nil, err
	}
	names := n.Kind.Names()
	a := &Apply{node: n, schema: SchemaOf(n.Columns()), arg: arg, names: names[:], turn: -1}
	if n.Kind == plan.Properties {
		a.dict = column.NewDict()
	}
	return a, nil
}

// mostNames is how many names the dictionary of names has, about: names may be anything.
const mostNames = 1 << 14

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
	r := partsRun{row: int32(i), values: v.Array()}
	if rec := v.Record(); rec != nil {
		r.values, r.names = rec.Values, rec.Names
	}
	if len(r.values) == 0 {
		if r.values = nil; !a.node.Outer {
			return nil
		}
	}
	base := column.PositionOf(b, i)
	base.Index &^= column.Branch - 1
	if base != a.last {
		a.last, a.turn = base, -1
	}
	for left := r.len(); left > 0; {
		n := min(left, outputRows-a.parts)
		run := r
		if n < left {
			run.values, r.values = r.values[:n], r.values[n:]
			if r.names != nil {
				run.names, r.names = r.names[:n], r.names[n:]
			}
			r.from += n
		}
		left -= n
		a.runs, a.parts = append(a.runs, run), a.parts+n
		for range n {
			a.turn = min(a.turn+1, column.Branch-1)
			a.index = append(a.index, base.Index+a.turn)
		}
		a.turns = a.turns || base.Index+a.turn != 0
		if a.parts == outputRows {
			if err := a.flush(b, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush emits the rows that were made of b.
func (a *Apply) flush(b *column.Batch, out Emit) error {
	if a.parts == 0 {
		return nil
	}
	rows := make([]int32, 0, a.parts)
	for i := range a.runs {
		for range a.runs[i].len() {
			rows = append(rows, a.runs[i].row)
		}
	}
	kept := *b
	kept.Schema, kept.Live, kept.Index, kept.Cols = a.schema, nil, nil, make([]column.Vector, 0, len(a.schema.Fields))
	for _, c := range a.node.Keep {
		kept.Cols = append(kept.Cols, b.Cols[c])
	}
	res := kept.Gather(rows)
	if a.turns {
		res.Index, a.index = a.index, make([]int64, 0, outputRows)
	}
	for _, m := range a.node.Makes {
		switch {
		case m.What == plan.PartValue:
			res.Cols = append(res.Cols, a.values())
		case m.What == plan.PartWhole:
			res.Cols = append(res.Cols, a.wholes())
		case a.node.Kind == plan.Properties:
			res.Cols = append(res.Cols, a.fieldNames())
		default:
			res.Cols = append(res.Cols, a.places())
		}
	}
	clear(a.runs)
	a.runs, a.parts, a.index, a.turns = a.runs[:0], 0, a.index[:0], false
	return out.Rows(res)
}

// places are the places of elements.
func (a *Apply) places() column.Vector {
	v := column.Vector{Kind: column.Int64, Ints: make([]int64, 0, a.parts)}
	none := false
	for i := range a.runs {
		r := &a.runs[i]
		none = none || r.values == nil
		for k := range r.len() {
			v.Ints = append(v.Ints, int64(r.from+k))
		}
	}
	if none {
		v.Valid = a.some()
	}
	return v
}

// some are the rows that have a part.
func (a *Apply) some() []uint64 {
	valid := make([]uint64, column.Words(a.parts))
	n := 0
	for i := range a.runs {
		for range a.runs[i].values {
			column.SetBit(valid, n)
			n++
		}
		if len(a.runs[i].values) == 0 {
			n++
		}
	}
	return valid
}

// fieldNames are the names of fields. Records mostly have those of the record before.
func (a *Apply) fieldNames() column.Vector {
	if a.dict.Len() > mostNames {
		a.dict, a.order, a.codes = column.NewDict(), nil, nil
	}
	v := column.Vector{Kind: column.Text, Codes: make([]uint32, 0, a.parts)}
	none := false
	for i := range a.runs {
		r := &a.runs[i]
		if len(r.names) == 0 {
			v.Codes, none = append(v.Codes, 0), true
			continue
		}
		for k, name := range r.names {
			at := r.from + k
			if at < len(a.order) && a.order[at] == name {
				v.Codes = append(v.Codes, a.codes[at])
				continue
			}
			code := a.dict.CodeOf(name)
			if at == len(a.order) {
				a.order, a.codes = append(a.order, name), append(a.codes, code)
			} else if at < len(a.order) {
				a.order[at], a.codes[at] = name, code
			}
			v.Codes = append(v.Codes, code)
		}
	}
	if none {
		v.Valid = a.some()
	}
	v.Dict = a.dict.View()
	return v
}

// values are the parts. Of one kind without NULL, as they mostly are, they are copied by
// their kind.
func (a *Apply) values() column.Vector {
	switch first := a.first(); first {
	case column.Record, column.Array:
		v := column.Vector{Kind: column.Any, Anys: make([]column.Value, a.parts)}
		n := 0
		for i := range a.runs {
			copy(v.Anys[n:], a.runs[i].values)
			n += a.runs[i].len()
		}
		return v
	case column.Float64:
		if v, ok := a.floats(); ok {
			return v
		}
	case column.Int64, column.Bool, column.Time:
		if v, ok := a.ints(first); ok {
			return v
		}
	}
	b := column.NewBuilder(nil)
	for i := range a.runs {
		for _, x := range a.runs[i].values {
			b.Append(x)
		}
		if len(a.runs[i].values) == 0 {
			b.Append(column.Value{})
		}
	}
	return b.Vector()
}

// first is the kind of the first part.
func (a *Apply) first() column.Kind {
	if r := &a.runs[0]; len(r.values) > 0 {
		return r.values[0].Kind
	}
	return column.Null
}

func (a *Apply) floats() (column.Vector, bool) {
	v := column.Vector{Kind: column.Float64, Floats: make([]float64, 0, a.parts)}
	for i := range a.runs {
		list := a.runs[i].values
		for k := range list {
			if list[k].Kind != column.Float64 {
				return v, false
			}
			v.Floats = append(v.Floats, list[k].Float())
		}
	}
	return v, len(v.Floats) == a.parts
}

func (a *Apply) ints(kind column.Kind) (column.Vector, bool) {
	v := column.Vector{Kind: kind, Ints: make([]int64, 0, a.parts)}
	for i := range a.runs {
		list := a.runs[i].values
		for k := range list {
			if list[k].Kind != kind {
				return v, false
			}
			v.Ints = append(v.Ints, int64(list[k].Bits()))
		}
	}
	return v, len(v.Ints) == a.parts
}

// wholes are places and values as records.
func (a *Apply) wholes() column.Vector {
	v := column.Vector{Kind: column.Any, Anys: make([]column.Value, 0, a.parts)}
	for i := range a.runs {
		r := &a.runs[i]
		for k, x := range r.values {
			place := column.IntOf(int64(r.from + k))
			if r.names != nil {
				place = column.TextOf(r.names[k])
			}
			v.Anys = append(v.Anys, column.RecordOf(&column.RecordValue{Names: a.names, Values: []column.Value{place, x}}))
		}
		if len(r.values) == 0 {
			v.Anys = append(v.Anys, column.Value{})
		}
	}
	return v
}
