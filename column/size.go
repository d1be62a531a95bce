package column

import "unsafe"

// Bytes is about how much memory the rows of the batch take, live or not. A
// dictionary that is shared counts for nothing.
func (b *Batch) Bytes() int64 {
	n := 8*int64(len(b.Time)+len(b.Seq)) + 4*int64(len(b.Index)+len(b.Live))
	if len(b.Arrived) > 0 && len(b.Time) > 0 && &b.Arrived[0] != &b.Time[0] {
		n += 8 * int64(len(b.Arrived))
	}
	for c := range b.Cols {
		n += b.Cols[c].bytes()
	}
	return n
}

func (v *Vector) bytes() int64 {
	n := 8*int64(len(v.Valid)+len(v.Ints)+len(v.Floats)+len(v.Whole)) + 4*int64(len(v.Ends)+len(v.Codes)) + int64(len(v.Bytes))
	for i := range v.Anys {
		n += v.Anys[i].bytes()
	}
	return n
}

const valueBytes = int64(unsafe.Sizeof(Value{}))

func (v *Value) bytes() int64 {
	n := valueBytes + int64(len(v.str))
	for i := range v.arr {
		n += v.arr[i].bytes()
	}
	if v.rec != nil {
		for i := range v.rec.Values {
			n += int64(unsafe.Sizeof("")) + v.rec.Values[i].bytes()
		}
	}
	return n
}
