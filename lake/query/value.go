package query

import (
	"math"

	"spate/column"
)

// Kind is the form of a value in a result.
type Kind uint8

// The forms of values.
const (
	KindNull Kind = iota
	KindBool
	KindInt
	KindFloat
	KindDecimal   // text with all digits of the scale
	KindText      //
	KindBinary    //
	KindTime      // an instant
	KindDate      // midnight of a day
	KindTimeOfDay // microseconds since midnight
)

// Value is one value of a result row. The zero Value is NULL.
type Value struct {
	Kind Kind
	num  int64
	str  string
}

// Bool is the value of a KindBool.
func (v Value) Bool() bool { return v.num != 0 }

// Int is the value of a KindInt, and the microseconds of a KindTimeOfDay.
func (v Value) Int() int64 { return v.num }

// Float is the value of a KindFloat.
func (v Value) Float() float64 { return math.Float64frombits(uint64(v.num)) }

// Text is the value of a KindText or KindDecimal.
func (v Value) Text() string { return v.str }

// Binary is the value of a KindBinary.
func (v Value) Binary() []byte { return []byte(v.str) }

// Ticks is the value of a KindTime or KindDate.
func (v Value) Ticks() column.Ticks { return column.Ticks(v.num) }

// IsNull reports whether v is NULL.
func (v Value) IsNull() bool { return v.Kind == KindNull }

// TextValue, IntValue and TimeValue are values of results that are made by statements.
func TextValue(s string) Value { return textValue(KindText, s) }

// IntValue is a whole number.
func IntValue(i int64) Value { return intValue(i) }

// BitValue is a bit.
func BitValue(b bool) Value { return boolValue(b) }

// TimeValue is an instant.
func TimeValue(t column.Ticks) Value { return timeValue(KindTime, t) }

func boolValue(b bool) Value {
	if b {
		return Value{Kind: KindBool, num: 1}
	}
	return Value{Kind: KindBool}
}
func intValue(i int64) Value           { return Value{Kind: KindInt, num: i} }
func floatValue(f float64) Value       { return Value{Kind: KindFloat, num: int64(math.Float64bits(f))} }
func textValue(k Kind, s string) Value { return Value{Kind: k, str: s} }
func timeValue(k Kind, t column.Ticks) Value {
	return Value{Kind: k, num: int64(t)}
}

// Column describes one column of a result.
type Column struct {
	Name string // empty where the query gives it none
	Type Type
}
