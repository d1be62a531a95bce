package column

import "unsafe"

// A Vector has one Kind for its whole length: Bool, Int64, Float64, Time, Text
// or Any (Record and Array values live in Any vectors). It is immutable once
// it is part of a batch.
//
// Bool, Int64 and Time use Ints; Float64 uses Floats; plain Text uses Bytes and
// Ends; coded Text uses Codes and Dict; Any uses Anys. The slot of a null row is
// zero.
type Vector struct {
	Kind   Kind
	Valid  []uint64 // bit i set: row i is not null; nil: no nulls
	Ints   []int64
	Floats []float64
	Whole  []uint64 // Float64 only, bit i set: row i was written as an integer and is a bigint; nil: none
	Bytes  []byte   // Text, plain: row i is Bytes[Ends[i-1]:Ends[i]]
	Ends   []uint32
	Codes  []uint32  // Text, coded: row i is Dict.At(Codes[i]); code 0 is null
	Dict   *DictView // set together with Codes
	Anys   []Value
}

// Bit reports bit i of a bitmap.
func Bit(m []uint64, i int) bool { return m[i>>6]>>(uint(i)&63)&1 != 0 }

// SetBit sets bit i of a bitmap.
func SetBit(m []uint64, i int) { m[i>>6] |= 1 << (uint(i) & 63) }

// ClearBit clears bit i of a bitmap.
func ClearBit(m []uint64, i int) { m[i>>6] &^= 1 << (uint(i) & 63) }

// Words is the length of a bitmap of n bits.
func Words(n int) int { return (n + 63) >> 6 }

// IsNull reports whether row i is NULL.
func (v *Vector) IsNull(i int) bool {
	if v.Kind == Any {
		return v.Anys[i].IsNull()
	}
	return v.Valid != nil && !Bit(v.Valid, i)
}

// TextAt returns the bytes of row i of a Text vector; they must not be changed.
func (v *Vector) TextAt(i int) []byte {
	if v.Codes != nil {
		return v.Dict.At(v.Codes[i])
	}
	from := uint32(0)
	if i > 0 {
		from = v.Ends[i-1]
	}
	return v.Bytes[from:v.Ends[i]]
}

// At returns row i as a value. It is the general path: kernels read the slices.
func (v *Vector) At(i int) Value {
	if v.Kind == Any {
		return v.Anys[i]
	}
	if v.Valid != nil && !Bit(v.Valid, i) {
		return Value{}
	}
	switch v.Kind {
	case Bool:
		return BoolOf(v.Ints[i] != 0)
	case Int64:
		return IntOf(v.Ints[i])
	case Time:
		return TimeOf(Ticks(v.Ints[i]))
	case Float64:
		if v.Whole != nil && Bit(v.Whole, i) {
			return IntOf(int64(v.Floats[i]))
		}
		return FloatOf(v.Floats[i])
	case Text:
		if v.Codes != nil {
			return TextOf(v.Dict.StringAt(v.Codes[i]))
		}
		return TextOf(string(v.TextAt(i)))
	}
	return Value{}
}

// Len is the number of rows.
func (v *Vector) Len() int {
	switch v.Kind {
	case Bool, Int64, Time:
		return len(v.Ints)
	case Float64:
		return len(v.Floats)
	case Text:
		if v.Codes != nil {
			return len(v.Codes)
		}
		return len(v.Ends)
	}
	return len(v.Anys)
}

// TimeVector is a vector of times. It shares the memory of times.
func TimeVector(times []Ticks) Vector {
	return Vector{Kind: Time, Ints: unsafe.Slice((*int64)(unsafe.SliceData(times)), len(times))}
}

// DictView is what a batch sees of an append-only dictionary: the entries that
// existed when the batch was built. Entry 0 is NULL.
type DictView struct {
	strings []string
	owner   *Dict
}

// At returns the bytes of an entry.
func (d *DictView) At(code uint32) []byte {
	s := d.strings[code]
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// StringAt returns an entry.
func (d *DictView) StringAt(code uint32) string { return d.strings[code] }

// Len is the number of entries, the null entry included.
func (d *DictView) Len() int { return len(d.strings) }

// Owner identifies the dictionary: codes of views with one owner are equal if
// and only if their texts are.
func (d *DictView) Owner() *Dict { return d.owner }

// Dict is an append-only dictionary. One goroutine owns it; views of it may be
// read by any.
type Dict struct {
	strings []string
	index   map[string]uint32 // nil until a code is looked up
}

// NewDict returns a dictionary that holds only the null entry.
func NewDict() *Dict { return &Dict{strings: []string{""}} }

// Code returns the code of s, adding an entry if it is new.
func (d *Dict) Code(s []byte) uint32 {
	d.makeIndex()
	if c, ok := d.index[string(s)]; ok {
		return c
	}
	return d.Add(string(s))
}

// CodeOf is Code for a string.
func (d *Dict) CodeOf(s string) uint32 {
	d.makeIndex()
	if c, ok := d.index[s]; ok {
		return c
	}
	return d.Add(s)
}

// Add adds s, which the dictionary does not hold, and returns its code. An owner with
// an index of its own uses this alone: the dictionary then has none.
func (d *Dict) Add(s string) uint32 {
	c := uint32(len(d.strings))
	d.strings = append(d.strings, s)
	if d.index != nil {
		d.index[s] = c
	}
	return c
}

func (d *Dict) makeIndex() {
	if d.index != nil {
		return
	}
	d.index = make(map[string]uint32, len(d.strings))
	for c, s := range d.strings[1:] {
		d.index[s] = uint32(c + 1)
	}
}

// Len is the number of entries, the null entry included.
func (d *Dict) Len() int { return len(d.strings) }

// View returns the entries of now.
func (d *Dict) View() *DictView {
	return &DictView{strings: d.strings[:len(d.strings):len(d.strings)], owner: d}
}

// Find returns the code of s, if the view has it.
func (d *DictView) Find(s string) (uint32, bool) {
	for c := 1; c < len(d.strings); c++ {
		if d.strings[c] == s {
			return uint32(c), true
		}
	}
	return 0, false
}
