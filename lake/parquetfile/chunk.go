package parquetfile

import (
	"fmt"

	"spate/column"
)

// chunk holds one column of the row group that is being filled. Values are
// dense: nulls have a definition level only.
type chunk struct {
	col  Column
	rows int
	defs []int16 // one per row; empty while no null has come

	ints   []int64
	floats []float64
	bools  []bool
	text   []byte // plain texts as a page stores them: length and bytes
	texts  int    // in text
	coded  bool   // texts are codes of dict
	codes  []int32
	dict   textDict
}

func (c *chunk) reset() {
	c.rows, c.defs = 0, c.defs[:0]
	c.ints, c.floats, c.bools = c.ints[:0], c.floats[:0], c.bools[:0]
	c.text, c.texts, c.codes, c.coded = c.text[:0], 0, c.codes[:0], false
	c.dict.reset()
}

// size is about the memory that the values take.
func (c *chunk) size() int64 {
	return int64(2*len(c.defs) + 8*len(c.ints) + 8*len(c.floats) + len(c.bools) + len(c.text) + 4*len(c.codes) + c.dict.bytes)
}

// wants is the kind of vector that a column takes.
func (t Type) wants() column.Kind {
	switch t.Kind {
	case String, Binary:
		return column.Text
	case Boolean:
		return column.Bool
	case Float, Double:
		return column.Float64
	case Date, Timestamp:
		return column.Time
	}
	return column.Int64
}

// append adds rows of v: those listed, or the first n when rows is nil.
func (c *chunk) append(v *column.Vector, rows []int32, n int) error {
	if rows != nil {
		n = len(rows)
	}
	if v == nil || v.Kind == column.Any && allNull(v, rows, n) {
		return c.appendNulls(n)
	}
	if v.Kind != c.col.Type.wants() {
		return fmt.Errorf("column %s takes %s values, not %s", c.col.Name, c.col.Type.wants(), v.Kind)
	}
	if v.Valid != nil || v.Codes != nil {
		if kept, nulls := c.levels(v, rows, n); nulls > 0 {
			if !c.col.Nullable {
				return fmt.Errorf("column %s takes no NULL", c.col.Name)
			}
			rows = kept
		} else if len(c.defs) > 0 {
			c.defs = appendOnes(c.defs, n)
		}
	} else if len(c.defs) > 0 {
		c.defs = appendOnes(c.defs, n)
	}
	c.rows += n
	switch c.col.Type.Kind {
	case String, Binary:
		c.appendText(v, rows, n)
	case Boolean:
		each(rows, n, func(i int) { c.bools = append(c.bools, v.Ints[i] != 0) })
	case Float, Double:
		c.floats = gather(c.floats, v.Floats, rows, n)
	case Timestamp:
		at := len(c.ints)
		c.ints = gather(c.ints, v.Ints, rows, n)
		for i, t := range c.ints[at:] {
			c.ints[at+i] = column.Ticks(t).UnixMicro()
		}
	case Date:
		at := len(c.ints)
		c.ints = gather(c.ints, v.Ints, rows, n)
		for i, t := range c.ints[at:] {
			c.ints[at+i] = Days(column.Ticks(t))
		}
	default:
		c.ints = gather(c.ints, v.Ints, rows, n)
	}
	return nil
}

// Days returns the day of t, counted from 1970-01-01.
func Days(t column.Ticks) int64 {
	d := t - column.UnixEpoch
	days := int64(d / column.Day)
	if d%column.Day < 0 {
		days--
	}
	return days
}

func (c *chunk) appendNulls(n int) error {
	if n > 0 && !c.col.Nullable {
		return fmt.Errorf("column %s takes no NULL", c.col.Name)
	}
	if len(c.defs) == 0 {
		c.defs = appendOnes(c.defs, c.rows)
	}
	c.rows += n
	for range n {
		c.defs = append(c.defs, 0)
	}
	return nil
}

// levels records which rows are null, if any are, and returns the others.
func (c *chunk) levels(v *column.Vector, rows []int32, n int) (kept []int32, nulls int) {
	null := func(i int) bool {
		return v.Codes != nil && v.Codes[i] == 0 || v.Valid != nil && !column.Bit(v.Valid, i)
	}
	each(rows, n, func(i int) {
		if null(i) {
			nulls++
		}
	})
	if nulls == 0 {
		return nil, 0
	}
	if len(c.defs) == 0 {
		c.defs = appendOnes(c.defs, c.rows)
	}
	kept = make([]int32, 0, n-nulls)
	each(rows, n, func(i int) {
		if null(i) {
			c.defs = append(c.defs, 0)
			return
		}
		c.defs = append(c.defs, 1)
		kept = append(kept, int32(i))
	})
	return kept, nulls
}

func (c *chunk) appendText(v *column.Vector, rows []int32, n int) {
	if c.texts == 0 && len(c.codes) == 0 {
		c.coded = v.Codes != nil && !c.col.Unique
	}
	if rows != nil {
		n = len(rows)
	}
	switch {
	case c.coded && v.Codes != nil:
		c.appendCodes(v, rows, n)
	case c.coded:
		each(rows, n, func(i int) { c.codes = append(c.codes, c.dict.intern(string(v.TextAt(i)))) })
	case v.Codes == nil && rows == nil:
		from := uint32(0)
		for _, end := range v.Ends[:n] {
			c.text = appendText(c.text, v.Bytes[from:end])
			from = end
		}
		c.texts += n
	default:
		each(rows, n, func(i int) { c.text = appendText(c.text, v.TextAt(i)) })
		c.texts += n
	}
	if c.coded && c.dict.full() {
		c.plain()
	}
}

func (c *chunk) appendCodes(v *column.Vector, rows []int32, n int) {
	table := c.dict.known.Of(v.Dict)
	each(rows, n, func(i int) {
		code := v.Codes[i]
		e := table[code]
		if e == 0 {
			e = uint32(c.dict.intern(v.Dict.StringAt(code))) + 1
			table[code] = e
		}
		c.codes = append(c.codes, int32(e-1))
	})
}

// plain writes out the codes of a dictionary that has become too large.
func (c *chunk) plain() {
	for _, code := range c.codes {
		c.text = appendText(c.text, c.dict.entries[code])
	}
	c.texts += len(c.codes)
	c.codes, c.coded = c.codes[:0], false
	c.dict.reset()
}

func allNull(v *column.Vector, rows []int32, n int) bool {
	ok := true
	each(rows, n, func(i int) { ok = ok && v.Anys[i].IsNull() })
	return ok
}

func each(rows []int32, n int, f func(i int)) {
	if rows == nil {
		for i := range n {
			f(i)
		}
		return
	}
	for _, i := range rows {
		f(int(i))
	}
}

func gather[T any](dst, src []T, rows []int32, n int) []T {
	if rows == nil {
		return append(dst, src[:n]...)
	}
	for _, i := range rows {
		dst = append(dst, src[i])
	}
	return dst
}

func appendOnes(dst []int16, n int) []int16 {
	for range n {
		dst = append(dst, 1)
	}
	return dst
}
