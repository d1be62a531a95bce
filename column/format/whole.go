package format

import (
	"unsafe"

	"spate/column"
)

// shape is how the values of a template's steps make up the event as a record.
type shape struct {
	names []string // shared by all events of the template
	kids  []kid
}

// kid is one field: the value of a step, or a record.
type kid struct {
	step int
	sub  *shape // nil: a step's value
}

// arena hands out the memory of records and their texts in large pieces, which
// are never reused: what points into them keeps them alive. A nil arena gives
// each its own.
type arena struct {
	bytes   []byte
	values  []column.Value
	records []column.RecordValue
}

const (
	arenaBytes   = 32 << 10
	arenaValues  = 512
	arenaRecords = 64
)

// text copies b.
func (a *arena) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if a == nil || len(b) > arenaBytes/8 {
		return string(b)
	}
	if cap(a.bytes)-len(a.bytes) < len(b) {
		a.bytes = make([]byte, 0, arenaBytes)
	}
	at := len(a.bytes)
	a.bytes = append(a.bytes, b...)
	return unsafe.String(&a.bytes[at], len(b))
}

// list returns n NULLs.
func (a *arena) list(n int) []column.Value {
	if a == nil || n > arenaValues/4 {
		return make([]column.Value, n)
	}
	if n > len(a.values) {
		a.values = make([]column.Value, arenaValues)
	}
	l := a.values[:n:n]
	a.values = a.values[n:]
	return l
}

// event makes a record of s out of the values of the steps.
func (a *arena) event(s *shape, steps []column.Value) column.Value {
	vals := a.list(len(s.kids))
	for i, k := range s.kids {
		if k.sub != nil {
			vals[i] = a.event(k.sub, steps)
		} else {
			vals[i] = steps[k.step]
		}
	}
	return a.recordOf(s.names, vals)
}

// record makes a record of names, which it keeps, and a copy of values.
func (a *arena) record(names []string, values []column.Value) column.Value {
	vals := a.list(len(values))
	copy(vals, values)
	return a.recordOf(names, vals)
}

func (a *arena) recordOf(names []string, values []column.Value) column.Value {
	if a == nil {
		return column.RecordOf(&column.RecordValue{Names: names, Values: values})
	}
	if len(a.records) == 0 {
		a.records = make([]column.RecordValue, arenaRecords)
	}
	r := &a.records[0]
	a.records = a.records[1:]
	r.Names, r.Values = names, values
	return column.RecordOf(r)
}
