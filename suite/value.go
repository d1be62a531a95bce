package suite

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"spate/column"
	"spate/column/format"
)

// row is a row of an output, or one that is expected.
type row struct {
	value column.Value // a record
	text  []byte       // as it was written, on one line
	exact string       // rows with the same are equal
	wild  bool         // it holds $any
}

// rules say when two rows are equal.
type rules struct {
	tolerance float64 // of floats, relative to the larger
	subset    bool    // only the fields that are expected count
	ordered   bool    // the order of rows counts
	keyOrder  bool    // the order of fields counts
	kinds     bool    // 3 and 3.0 differ, and a time is its text
}

// rowParser reads rows of JSON as the engine reads events.
type rowParser struct {
	decoder *format.Decoder
	rules   rules
	shapes  bool // key leaves numbers out
}

func newRowParser(r rules) *rowParser {
	return &rowParser{decoder: format.NewDecoder([]format.Column{{Whole: true}}, format.Options{General: true}), rules: r}
}

// parse reads one row. It keeps text.
func (p *rowParser) parse(text []byte) (*row, error) {
	d := p.decoder.Decode(text, []uint32{0}, []uint32{uint32(len(text))}, 0)
	if len(d.Bad) > 0 {
		return nil, fmt.Errorf("this is no row of JSON: byte %d: %s", d.Bad[0].ByteOffset, d.Bad[0].Reason)
	}
	if d.Rows != 1 {
		return nil, fmt.Errorf("want one row, got %d", d.Rows)
	}
	r := &row{value: d.Cols[0].At(0), text: text}
	r.exact = string(p.key(nil, r.value, &r.wild))
	return r, nil
}

const anything = "$any"

// shape is a value without its numbers: values that are the same have the same one.
func (p *rowParser) shape(v column.Value) string {
	var wild bool
	q := *p
	q.shapes = true
	return string(q.key(nil, v, &wild))
}

// key writes a value so that equal values, tolerances aside, have the same text.
func (p *rowParser) key(dst []byte, v column.Value, wild *bool) []byte {
	switch v.Kind {
	case column.Int64:
		if p.shapes {
			return append(dst, '#')
		}
	case column.Record:
		rec := v.Record()
		order := make([]int, len(rec.Names))
		for i := range order {
			order[i] = i
		}
		if !p.rules.keyOrder {
			slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(rec.Names[a], rec.Names[b]) })
		}
		dst = append(dst, '{')
		for _, i := range order {
			dst = append(column.AppendQuoted(dst, rec.Names[i]), ':')
			dst = append(p.key(dst, rec.Values[i], wild), ',')
		}
		return append(dst, '}')
	case column.Array:
		dst = append(dst, '[')
		for _, x := range v.Array() {
			dst = append(p.key(dst, x, wild), ',')
		}
		return append(dst, ']')
	case column.Float64:
		if p.shapes {
			return append(dst, '#')
		}
		if f := v.Float(); !p.rules.kinds && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return strconv.AppendInt(dst, int64(f), 10)
		}
	case column.Text:
		*wild = *wild || v.Text() == anything
		if t, ok := p.instant(v); ok {
			return append(dst, t.String()...)
		}
	}
	return column.AppendJSON(dst, v)
}

// instant is the time that a text says, where texts are compared as times.
func (p *rowParser) instant(v column.Value) (column.Ticks, bool) {
	if p.rules.kinds || v.Kind != column.Text {
		return 0, false
	}
	if s := v.Text(); len(s) > 10 && s[4] == '-' && (s[10] == 'T' || s[10] == 't') {
		return column.ParseTicks(s)
	}
	return 0, false
}

// same reports whether got is what is wanted.
func (p *rowParser) same(want, got column.Value) bool {
	if want.Kind == column.Text && want.Text() == anything {
		return true
	}
	switch {
	case want.Kind == column.Record && got.Kind == column.Record:
		return p.sameRecord(want.Record(), got.Record())
	case want.Kind == column.Array && got.Kind == column.Array:
		return slices.EqualFunc(want.Array(), got.Array(), p.same)
	case number(want) && number(got):
		return p.sameNumber(want, got)
	}
	if a, ok := p.instant(want); ok {
		b, ok := p.instant(got)
		return ok && a == b
	}
	return want.Kind == got.Kind && bytes.Equal(column.AppendJSON(nil, want), column.AppendJSON(nil, got))
}

func (p *rowParser) sameRecord(want, got *column.RecordValue) bool {
	if !p.rules.subset && len(want.Names) != len(got.Names) {
		return false
	}
	for i, name := range want.Names {
		k := slices.Index(got.Names, name)
		if k < 0 || p.rules.keyOrder && k != i || !p.same(want.Values[i], got.Values[k]) {
			return false
		}
	}
	return true
}

func number(v column.Value) bool { return v.Kind == column.Int64 || v.Kind == column.Float64 }

// sameNumber compares whole numbers exactly, and others within the tolerance.
func (p *rowParser) sameNumber(want, got column.Value) bool {
	if want.Kind == column.Int64 && got.Kind == column.Int64 {
		return want.Int() == got.Int()
	}
	if p.rules.kinds && want.Kind != got.Kind {
		return false
	}
	x, _ := want.Number()
	y, _ := got.Number()
	return x == y || math.Abs(x-y) <= p.rules.tolerance*max(math.Abs(x), math.Abs(y)) || math.IsNaN(x) && math.IsNaN(y)
}
