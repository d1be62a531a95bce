package exec

import (
	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// The loops of LAG(x, 1) and LAST(x) without a default, for vectors of one kind whose
// histories hold that kind only. They do what values does.

func (f *analyticFunc) floats(b *column.Batch, rows compute.Rows, v *column.Vector) column.Vector {
	out := column.Vector{Kind: column.Float64, Floats: make([]float64, b.Rows), Valid: make([]uint64, column.Words(b.Rows))}
	last := f.kind == plan.Last
	for k := range rows.Len() {
		i := rows.Row(k)
		g, t := f.ids[i], b.Time[i]
		h := &f.of[g]
		keep := f.qualifies(i)
		if keep && last {
			f.keepFloat(g, t, v, i)
		}
		if h.newest != never && t-h.newest <= f.limit {
			switch h.last.Kind {
			case column.Float64:
				out.Floats[i] = h.last.Float()
				column.SetBit(out.Valid, i)
			case column.Int64:
				out.Floats[i] = float64(h.last.Int())
				column.SetBit(out.Valid, i)
				if out.Whole == nil {
					out.Whole = make([]uint64, column.Words(b.Rows))
				}
				column.SetBit(out.Whole, i)
			}
		}
		if keep && !last {
			f.keepFloat(g, t, v, i)
		}
	}
	return out
}

func (f *analyticFunc) keepFloat(g int32, t column.Ticks, v *column.Vector, i int) {
	f.touch(g, t)
	switch h := &f.of[g]; {
	case v.Valid != nil && !column.Bit(v.Valid, i):
		h.last = column.Value{}
	case v.Whole != nil && column.Bit(v.Whole, i):
		h.last = column.IntOf(int64(v.Floats[i]))
		f.kinds |= kindOf(h.last) // none that a float does not hold
	default:
		h.last.SetFloat(v.Floats[i])
		f.kinds |= kindOf(h.last)
	}
}

func (f *analyticFunc) ints(b *column.Batch, rows compute.Rows, v *column.Vector) column.Vector {
	out := column.Vector{Kind: v.Kind, Ints: make([]int64, b.Rows), Valid: make([]uint64, column.Words(b.Rows))}
	last := f.kind == plan.Last
	for k := range rows.Len() {
		i := rows.Row(k)
		g, t := f.ids[i], b.Time[i]
		keep := f.qualifies(i)
		if keep && last {
			f.keep(g, t, v.At(i))
		}
		if h := &f.of[g]; h.newest != never && t-h.newest <= f.limit && !h.last.IsNull() {
			out.Ints[i] = h.last.Int()
			column.SetBit(out.Valid, i)
		}
		if keep && !last {
			f.keep(g, t, v.At(i))
		}
	}
	return out
}

func (f *analyticFunc) texts(b *column.Batch, rows compute.Rows, v *column.Vector) column.Vector {
	out := column.Vector{Kind: column.Text, Ends: make([]uint32, b.Rows), Valid: make([]uint64, column.Words(b.Rows))}
	last := f.kind == plan.Last
	next := 0
	for k := range rows.Len() {
		i := rows.Row(k)
		for ; next < i; next++ {
			out.Ends[next] = uint32(len(out.Bytes))
		}
		g, t := f.ids[i], b.Time[i]
		keep := f.qualifies(i)
		if keep && last {
			f.keep(g, t, v.At(i))
		}
		if h := &f.of[g]; h.newest != never && t-h.newest <= f.limit && !h.last.IsNull() {
			out.Bytes = append(out.Bytes, h.last.Text()...)
			column.SetBit(out.Valid, i)
		}
		if keep && !last {
			f.keep(g, t, v.At(i))
		}
	}
	for ; next < b.Rows; next++ {
		out.Ends[next] = uint32(len(out.Bytes))
	}
	return out
}
