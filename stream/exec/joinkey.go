package exec

import (
	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// joinKey gives values of different kinds that may be equal one form. Nearly all columns
// have their form already, and are passed on.
type joinKey struct {
	of    value
	apply *mapped
	plain map[*column.Dict][]bool // by dictionary: the codes of texts that have their form
}

// plainDicts bounds the dictionaries that are known.
const plainDicts = 64

func compileJoinKey(e *plan.Call) (value, error) {
	of, err := compile(e.Args[0])
	if err != nil {
		return nil, err
	}
	f, _ := compute.Lookup(plan.JoinKey)
	return &joinKey{of: of, apply: &mapped{of: []value{of}, e: e, f: f.Apply}, plain: make(map[*column.Dict][]bool)}, nil
}

func (k *joinKey) eval(b *column.Batch, rows compute.Rows) (compute.Operand, *compute.RowError) {
	o, err := k.of.eval(b, rows)
	if err != nil || o.Vec != nil && k.formed(o.Vec, rows) {
		return o, err
	}
	return k.apply.eval(b, rows)
}

// formed reports whether all rows of a column have their form.
func (k *joinKey) formed(v *column.Vector, rows compute.Rows) bool {
	switch v.Kind {
	case column.Float64, column.Time:
		return true
	case column.Int64:
		for i := range rows.Len() {
			if n := v.Ints[rows.Row(i)]; n > 1<<53 || n < -(1<<53) {
				return false
			}
		}
		return true
	case column.Text:
		if v.Codes != nil {
			return k.codesFormed(v, rows)
		}
		for i := range rows.Len() {
			if !formedText(v.TextAt(rows.Row(i))) {
				return false
			}
		}
		return true
	}
	return false
}

func (k *joinKey) codesFormed(v *column.Vector, rows compute.Rows) bool {
	owner := v.Dict.Owner()
	known, ok := k.plain[owner]
	if !ok && len(k.plain) >= plainDicts {
		clear(k.plain)
	}
	for c := len(known); c < v.Dict.Len(); c++ {
		known = append(known, c == 0 || formedText([]byte(v.Dict.StringAt(uint32(c)))))
	}
	k.plain[owner] = known
	for i := range rows.Len() {
		if !known[v.Codes[rows.Row(i)]] {
			return false
		}
	}
	return true
}

// formedText reports whether a text can be no number, bit or time: what it begins with says
// so of nearly all.
func formedText(s []byte) bool {
	if len(s) == 0 {
		return true
	}
	switch c := s[0]; {
	case c >= '0' && c <= '9', c == '+', c == '-', c == '.', c <= ' ', c >= 0x80:
		return false
	case c == 't', c == 'T', c == 'f', c == 'F':
		_, bit := column.ParseBit(string(s))
		return !bit
	}
	return true
}
