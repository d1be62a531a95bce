package delta

import (
	"bytes"
	"cmp"
	"slices"

	"spate/column"
	"spate/lake/parquetfile"
)

// joinVectors puts the row groups of a bin behind each other.
func joinVectors(groups [][]*column.Vector, counts []int, cols []parquetfile.Column) ([]*column.Vector, int) {
	total := 0
	for _, n := range counts {
		total += n
	}
	out := make([]*column.Vector, len(cols))
	for c := range cols {
		var v *column.Vector
		for g := range groups {
			if groups[g][c] != nil {
				v = &column.Vector{Kind: groups[g][c].Kind, Valid: make([]uint64, column.Words(total))}
				break
			}
		}
		if out[c] = v; v == nil {
			continue
		}
		at := 0
		for g := range groups {
			from := groups[g][c]
			for i := range counts[g] {
				if from != nil && !from.IsNull(i) {
					column.SetBit(v.Valid, at+i)
				}
			}
			switch {
			case from == nil && v.Kind == column.Float64:
				v.Floats = append(v.Floats, make([]float64, counts[g])...)
			case from == nil && v.Kind == column.Text:
				for range counts[g] {
					v.Ends = append(v.Ends, uint32(len(v.Bytes)))
				}
			case from == nil:
				v.Ints = append(v.Ints, make([]int64, counts[g])...)
			case v.Kind == column.Float64:
				v.Floats = append(v.Floats, from.Floats...)
			case v.Kind == column.Text:
				base := uint32(len(v.Bytes))
				v.Bytes = append(v.Bytes, from.Bytes...)
				for _, e := range from.Ends {
					v.Ends = append(v.Ends, base+e)
				}
			default:
				v.Ints = append(v.Ints, from.Ints...)
			}
			at += counts[g]
		}
	}
	return out, total
}

// zOrder returns the rows along a Z curve through the ranks of the columns.
func zOrder(vecs []*column.Vector, order []int, rows int) []int32 {
	bits := min(32, 64/len(order))
	keys := make([]uint64, rows)
	for k, c := range order {
		rank := ranks(vecs[c], rows)
		for i, r := range rank {
			word := uint64(r) << (32 - bitsOf(rows)) >> (32 - bits) // the ranks fill the bits from the top
			for b := range bits {
				keys[i] |= word >> b & 1 << (b*len(order) + len(order) - 1 - k)
			}
		}
	}
	out := make([]int32, rows)
	for i := range out {
		out[i] = int32(i)
	}
	slices.SortStableFunc(out, func(a, b int32) int { return cmp.Compare(keys[a], keys[b]) })
	return out
}

func bitsOf(n int) int {
	b := 1
	for n>>b > 0 {
		b++
	}
	return b
}

// ranks numbers the values of a column in their order; equal ones have one rank,
// nulls come first.
func ranks(v *column.Vector, rows int) []uint32 {
	out := make([]uint32, rows)
	if v == nil {
		return out
	}
	sorted := make([]int32, rows)
	for i := range sorted {
		sorted[i] = int32(i)
	}
	compare := func(a, b int32) int {
		na, nb := v.IsNull(int(a)), v.IsNull(int(b))
		switch {
		case na || nb:
			return cmp.Compare(btoi(!na), btoi(!nb))
		case v.Kind == column.Text:
			return bytes.Compare(v.TextAt(int(a)), v.TextAt(int(b)))
		case v.Kind == column.Float64:
			return cmp.Compare(v.Floats[a], v.Floats[b])
		}
		return cmp.Compare(v.Ints[a], v.Ints[b])
	}
	slices.SortFunc(sorted, compare)
	for i := 1; i < rows; i++ {
		r := out[sorted[i-1]]
		if compare(sorted[i-1], sorted[i]) != 0 {
			r = uint32(i)
		}
		out[sorted[i]] = r
	}
	return out
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
