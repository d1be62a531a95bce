package column

import (
	"math"
	"strings"
)

// Kind is the kind of a value, and of a vector whose values all have it.
type Kind uint8

// The kinds of the language. Null is the kind of a missing value only; Any is
// the kind of a vector whose values differ in kind, and of no value.
const (
	Null Kind = iota
	Bool
	Int64
	Float64
	Time
	Text
	Record
	Array
	Any
)

// String returns the name that Stream Analytics gives the kind.
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "bit"
	case Int64:
		return "bigint"
	case Float64:
		return "float"
	case Time:
		return "datetime"
	case Text:
		return "nvarchar(max)"
	case Record:
		return "record"
	case Array:
		return "array"
	}
	return "any"
}

// Value is one value with its kind. The zero Value is NULL.
type Value struct {
	Kind Kind
	num  uint64
	str  string
	rec  *RecordValue
	arr  []Value
}

// RecordValue is an ordered list of named values.
type RecordValue struct {
	Names  []string
	Values []Value
}

// Constructors.
func BoolOf(b bool) Value {
	v := Value{Kind: Bool}
	if b {
		v.num = 1
	}
	return v
}

// IntOf returns a bigint.
func IntOf(i int64) Value { return Value{Kind: Int64, num: uint64(i)} }

// FloatOf returns a float.
func FloatOf(f float64) Value { return Value{Kind: Float64, num: math.Float64bits(f)} }

// TimeOf returns a datetime.
func TimeOf(t Ticks) Value { return Value{Kind: Time, num: uint64(t)} }

// TextOf returns a text.
func TextOf(s string) Value { return Value{Kind: Text, str: s} }

// RecordOf returns a record; r must not change any more.
func RecordOf(r *RecordValue) Value { return Value{Kind: Record, rec: r} }

// ArrayOf returns an array; a must not change any more.
func ArrayOf(a []Value) Value { return Value{Kind: Array, arr: a} }

// IsNull reports whether v is NULL.
func (v Value) IsNull() bool { return v.Kind == Null }

// Bool returns the bit of a Bool.
func (v Value) Bool() bool { return v.num != 0 }

// Int returns the number of an Int64.
func (v Value) Int() int64 { return int64(v.num) }

// Float returns the number of a Float64.
func (v Value) Float() float64 { return math.Float64frombits(v.num) }

// Ticks returns the instant of a Time.
func (v Value) Ticks() Ticks { return Ticks(v.num) }

// Text returns the characters of a Text.
func (v Value) Text() string { return v.str }

// Bits are the bits of a Bool, Int64, Float64 or Time.
func (v Value) Bits() uint64 { return v.num }

// OfBits is the value whose Bits are those; of kind Null it is NULL.
func OfBits(k Kind, bits uint64) Value { return Value{Kind: k, num: bits} }

// Record returns the fields of a Record, nil for other kinds.
func (v Value) Record() *RecordValue { return v.rec }

// Array returns the elements of an Array.
func (v Value) Array() []Value { return v.arr }

// Field returns the field called name: the exact spelling first, else the
// first that is equal ignoring case; NULL if there is none or v is no record.
func (v Value) Field(name string) Value {
	if i := v.FieldIndex(name); i >= 0 {
		return v.rec.Values[i]
	}
	return Value{}
}

// FieldIndex is the place of the field that Field returns, -1 if there is none.
func (v Value) FieldIndex(name string) int {
	if v.rec == nil {
		return -1
	}
	for i, n := range v.rec.Names {
		if n == name {
			return i
		}
	}
	for i, n := range v.rec.Names {
		if len(n) == len(name) && strings.EqualFold(n, name) {
			return i
		}
	}
	return -1
}

// Number returns v as a float if it is a bigint, float or bit.
func (v Value) Number() (float64, bool) {
	switch v.Kind {
	case Int64:
		return float64(v.Int()), true
	case Float64:
		return v.Float(), true
	case Bool:
		return float64(v.num), true
	}
	return 0, false
}

// SetFloat makes v the float f.
func (v *Value) SetFloat(f float64) {
	if v.Kind == Float64 {
		v.num = math.Float64bits(f)
		return
	}
	*v = FloatOf(f)
}

// EqualNames reports whether two field names are equal ignoring case.
func EqualNames(a, b string) bool { return a == b || len(a) == len(b) && strings.EqualFold(a, b) }
