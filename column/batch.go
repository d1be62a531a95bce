package column

// Field is one column of a schema. A Star field holds records whose fields
// stand in the field's place when the row is printed or projected by `*`.
type Field struct {
	Name string
	Star bool
}

// Schema names the columns of a batch.
type Schema struct {
	Fields []Field
}

// A Batch is immutable once it leaves the function that built it: keep it,
// share it, read it anywhere.
type Batch struct {
	Schema *Schema
	Rows   int
	Time   []Ticks  // System.Timestamp() of each row
	Cols   []Vector // one per schema field
	Live   []int32  // rows that survive filters, ascending; nil means all

	// Where the rows stand in the total order: event time, arrival time, message, place
	// in the message, branch. A row that an aggregation made stands where the first row of its
	// group stood.
	Arrived []Ticks // nil where it equals Time
	Seq     []int64 // orders messages: input, partition and offset in one number, or the line of a file
	Index   []int64 // place in the message, as Position has it; nil: all 0
}

// LiveRows is the number of rows that survive filters.
func (b *Batch) LiveRows() int {
	if b.Live != nil {
		return len(b.Live)
	}
	return b.Rows
}

// Row returns the index of the k-th live row.
func (b *Batch) Row(k int) int {
	if b.Live != nil {
		return int(b.Live[k])
	}
	return k
}

// WithLive returns a batch that shares everything but the list of live rows.
func (b *Batch) WithLive(live []int32) *Batch {
	c := *b
	c.Live = live
	return &c
}

// Compact returns a batch that holds only the live rows of b.
func (b *Batch) Compact() *Batch {
	if b.Live == nil {
		return b
	}
	return b.Gather(b.Live)
}

// Gather returns a batch of the rows listed, in that order.
func (b *Batch) Gather(rows []int32) *Batch {
	out := &Batch{Schema: b.Schema, Rows: len(rows), Cols: make([]Vector, len(b.Cols))}
	out.Time = gatherOf(b.Time, rows)
	out.Arrived = gatherOf(b.Arrived, rows)
	out.Seq = gatherOf(b.Seq, rows)
	out.Index = gatherOf(b.Index, rows)
	for c := range b.Cols {
		out.Cols[c] = b.Cols[c].Gather(rows)
	}
	return out
}

// Gather returns the rows listed, in that order.
func (v *Vector) Gather(rows []int32) Vector {
	out := Vector{Kind: v.Kind}
	n := len(rows)
	if v.Valid != nil {
		out.Valid = gatherBits(v.Valid, rows)
	}
	switch {
	case v.Kind == Any:
		out.Anys = make([]Value, n)
		for k, i := range rows {
			out.Anys[k] = v.Anys[i]
		}
	case v.Kind == Float64:
		out.Floats = make([]float64, n)
		for k, i := range rows {
			out.Floats[k] = v.Floats[i]
		}
		if v.Whole != nil {
			out.Whole = gatherBits(v.Whole, rows)
		}
	case v.Kind == Text && v.Codes != nil:
		out.Codes, out.Dict = make([]uint32, n), v.Dict
		for k, i := range rows {
			out.Codes[k] = v.Codes[i]
		}
	case v.Kind == Text:
		out.Ends = make([]uint32, n)
		size := 0
		for _, i := range rows {
			size += len(v.TextAt(int(i)))
		}
		out.Bytes = make([]byte, 0, size)
		for k, i := range rows {
			out.Bytes = append(out.Bytes, v.TextAt(int(i))...)
			out.Ends[k] = uint32(len(out.Bytes))
		}
	default:
		out.Ints = make([]int64, n)
		for k, i := range rows {
			out.Ints[k] = v.Ints[i]
		}
	}
	return out
}

func gatherBits(m []uint64, rows []int32) []uint64 {
	out := make([]uint64, Words(len(rows)))
	for k, i := range rows {
		if Bit(m, int(i)) {
			SetBit(out, k)
		}
	}
	return out
}

func gatherOf[T any](from []T, rows []int32) []T {
	if from == nil {
		return nil
	}
	out := make([]T, len(rows))
	for k, i := range rows {
		out[k] = from[i]
	}
	return out
}
