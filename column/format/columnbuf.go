package format

import (
	"spate/column"
)

// maxWhole bounds the bigints that a float vector can hold exactly.
const maxWhole = 1 << 53

// columnBuf builds one column of one batch by row index. Rows that are skipped
// become NULL, so absent columns cost nothing per row. A message that turns out
// bad is undone by truncate.
type columnBuf struct {
	kind   column.Kind // Null until the first value or prediction
	filled int         // rows written, nulls included
	size   int         // rows the slices have room for
	vec    column.Vector

	// Across batches.
	predicted column.Kind
	dict      *dictionary
	plain     bool // texts of this batch are not coded
	full      bool // the dictionary is full: a new one with the next batch
	plainLeft int  // batches until coding is tried again
	watched   int  // batches since the counters below began
	rows, new int
	most      bool // of the texts watched before were new
	scratch   []byte
	textBytes int // of a row of the last plain batch, about
}

var noText [slack]byte

// maxTextRoom bounds what a batch reserves for texts because the last one had them.
const maxTextRoom = 1 << 20

// begin starts a batch of about n rows.
func (c *columnBuf) begin(n int) {
	c.vec, c.filled, c.size = column.Vector{}, 0, n
	c.kind = column.Null
	c.plain = c.plainLeft > 0
	if c.full {
		c.dict, c.full = nil, false
	}
	if c.predicted != column.Null {
		c.start(c.predicted)
	}
}

func (c *columnBuf) start(k column.Kind) {
	c.kind = k
	c.vec = column.Vector{Valid: c.vec.Valid}
	switch k {
	case column.Float64:
		c.vec.Floats = make([]float64, c.size)
	case column.Text:
		if c.plain {
			c.vec.Ends = make([]uint32, c.size)
			c.vec.Bytes = make([]byte, 0, min(c.textBytes*c.size, maxTextRoom))
			break
		}
		if c.dict == nil {
			c.dict = newDictionary()
		}
		c.vec.Codes = make([]uint32, c.size)
	case column.Any:
		c.vec.Anys = make([]column.Value, c.size)
	default:
		c.vec.Ints = make([]int64, c.size)
	}
}

func grow[T any](s []T, n int) []T {
	out := make([]T, n)
	copy(out, s)
	return out
}

// room makes the slices hold n rows at least.
func (c *columnBuf) room(n int) {
	if n <= c.size {
		return
	}
	n = max(2*c.size, n, 64)
	c.size = n
	switch {
	case c.vec.Floats != nil:
		c.vec.Floats = grow(c.vec.Floats, n)
	case c.vec.Codes != nil:
		c.vec.Codes = grow(c.vec.Codes, n)
	case c.vec.Ends != nil:
		c.vec.Ends = grow(c.vec.Ends, n)
	case c.vec.Anys != nil:
		c.vec.Anys = grow(c.vec.Anys, n)
	case c.vec.Ints != nil:
		c.vec.Ints = grow(c.vec.Ints, n)
	}
	if c.vec.Valid != nil {
		c.vec.Valid = grow(c.vec.Valid, column.Words(n))
	}
	if c.vec.Whole != nil {
		c.vec.Whole = grow(c.vec.Whole, column.Words(n))
	}
}

// reach makes room for row and fills the rows before it with nulls.
func (c *columnBuf) reach(row int) {
	c.room(row + 1)
	for c.filled < row {
		c.null(c.filled)
	}
}

// null writes NULL to row, which has room and is the next.
func (c *columnBuf) null(row int) {
	if c.vec.Valid == nil {
		c.vec.Valid = make([]uint64, column.Words(c.size))
		for i := range row {
			column.SetBit(c.vec.Valid, i)
		}
	}
	column.ClearBit(c.vec.Valid, row)
	switch c.kind {
	case column.Float64:
		c.vec.Floats[row] = 0
		if c.vec.Whole != nil {
			column.ClearBit(c.vec.Whole, row)
		}
	case column.Text:
		if c.vec.Codes != nil {
			c.vec.Codes[row] = 0
		} else {
			c.vec.Ends[row] = uint32(len(c.vec.Bytes))
		}
	case column.Any:
		c.vec.Anys[row] = column.Value{}
	case column.Null:
	default:
		c.vec.Ints[row] = 0
	}
	c.filled = row + 1
}

// truncate forgets all rows from rows on.
func (c *columnBuf) truncate(rows int) {
	if c.filled <= rows {
		return
	}
	c.filled = rows
	if c.vec.Ends != nil {
		n := uint32(0)
		if rows > 0 {
			n = c.vec.Ends[rows-1]
		}
		c.vec.Bytes = c.vec.Bytes[:n]
	}
}

// onlyNulls reports whether no row so far has a value.
func (c *columnBuf) onlyNulls() bool {
	if c.filled == 0 || c.kind == column.Null {
		return true
	}
	if c.vec.Valid == nil {
		return false
	}
	for i := range c.filled {
		if column.Bit(c.vec.Valid, i) {
			return false
		}
	}
	return true
}

// become prepares row for a value of kind k and returns the kind the vector has then.
func (c *columnBuf) become(row int, k column.Kind) column.Kind {
	if c.filled < row || row >= c.size {
		c.reach(row)
	}
	if k == column.Record || k == column.Array {
		k = column.Any
	}
	if c.kind != k && c.kind != column.Any {
		switch {
		case c.onlyNulls():
			c.start(k)
		case c.kind == column.Float64 && k == column.Int64:
		case c.kind == column.Int64 && k == column.Float64 && c.intsFitFloat():
			c.intsToFloats()
		default:
			c.toAny()
		}
	}
	return c.kind
}

func (c *columnBuf) mark(row int) {
	if c.vec.Valid != nil {
		column.SetBit(c.vec.Valid, row)
	}
	c.filled = row + 1
}

func (c *columnBuf) putFloat(row int, f float64) {
	if c.kind != column.Float64 || row != c.filled || row >= c.size {
		if c.become(row, column.Float64) == column.Any {
			c.vec.Anys[row] = column.FloatOf(f)
			c.mark(row)
			return
		}
	}
	c.vec.Floats[row] = f
	if c.vec.Whole != nil {
		column.ClearBit(c.vec.Whole, row)
	}
	c.mark(row)
}

func (c *columnBuf) putInt(row int, i int64) {
	if c.vec.Whole != nil && row == c.filled && row < c.size && i <= maxWhole && i >= -maxWhole {
		c.vec.Floats[row] = float64(i)
		column.SetBit(c.vec.Whole, row)
		c.mark(row)
		return
	}
	if c.kind != column.Int64 || row != c.filled || row >= c.size {
		k := c.become(row, column.Int64)
		if k == column.Float64 {
			if i <= maxWhole && i >= -maxWhole {
				if c.vec.Whole == nil {
					c.vec.Whole = make([]uint64, column.Words(c.size))
				}
				c.vec.Floats[row] = float64(i)
				column.SetBit(c.vec.Whole, row)
				c.mark(row)
				return
			}
			c.toAny()
			k = column.Any
		}
		if k == column.Any {
			c.vec.Anys[row] = column.IntOf(i)
			c.mark(row)
			return
		}
	}
	c.vec.Ints[row] = i
	c.mark(row)
}

func (c *columnBuf) putBool(row int, b bool) {
	if c.become(row, column.Bool) == column.Any {
		c.vec.Anys[row] = column.BoolOf(b)
	} else {
		c.vec.Ints[row] = 0
		if b {
			c.vec.Ints[row] = 1
		}
	}
	c.mark(row)
}

// putBit writes what true or false is read as.
func (c *columnBuf) putBit(row int, v column.Value) {
	if v.Kind == column.Int64 {
		c.putInt(row, v.Int())
		return
	}
	c.putBool(row, v.Bool())
}

func (c *columnBuf) putTime(row int, t column.Ticks) {
	if c.become(row, column.Time) == column.Any {
		c.vec.Anys[row] = column.TimeOf(t)
	} else {
		c.vec.Ints[row] = int64(t)
	}
	c.mark(row)
}

// putText writes data[from:to]; 16 readable bytes follow to.
func (c *columnBuf) putText(row int, data []byte, from, to int) {
	if c.kind != column.Text || row != c.filled || row >= c.size {
		if c.become(row, column.Text) == column.Any {
			c.vec.Anys[row] = column.TextOf(string(data[from:to]))
			c.mark(row)
			return
		}
	}
	if c.vec.Codes != nil {
		code, added := c.dict.code(data, from, to)
		if code != 0 {
			if added {
				c.new++
			}
			c.vec.Codes[row] = code
			c.mark(row)
			return
		}
		c.full = true
		c.uncode()
	}
	c.vec.Bytes = append(c.vec.Bytes, data[from:to]...)
	c.vec.Ends[row] = uint32(len(c.vec.Bytes))
	c.mark(row)
}

// put writes any value.
func (c *columnBuf) put(row int, v column.Value) {
	switch v.Kind {
	case column.Null:
		if c.filled < row || row >= c.size {
			c.reach(row)
		}
		c.null(row)
	case column.Bool:
		c.putBool(row, v.Bool())
	case column.Int64:
		c.putInt(row, v.Int())
	case column.Float64:
		c.putFloat(row, v.Float())
	case column.Time:
		c.putTime(row, v.Ticks())
	case column.Text:
		c.scratch = append(append(c.scratch[:0], v.Text()...), noText[:]...)
		c.putText(row, c.scratch, 0, len(c.scratch)-slack)
	default:
		if c.become(row, v.Kind) != column.Any {
			c.toAny()
		}
		c.vec.Anys[row] = v
		c.mark(row)
	}
}

func (c *columnBuf) intsFitFloat() bool {
	for _, i := range c.vec.Ints[:c.filled] {
		if i > maxWhole || i < -maxWhole {
			return false
		}
	}
	return true
}

func (c *columnBuf) intsToFloats() {
	ints := c.vec.Ints
	c.start(column.Float64)
	c.vec.Whole = make([]uint64, column.Words(c.size))
	for i := range c.filled {
		c.vec.Floats[i] = float64(ints[i])
		if c.vec.Valid == nil || column.Bit(c.vec.Valid, i) {
			column.SetBit(c.vec.Whole, i)
		}
	}
}

func (c *columnBuf) toAny() {
	old, kind := c.vec, c.kind
	if old.Codes != nil {
		old.Dict = c.dict.dict.View()
	}
	old.Kind = kind
	c.start(column.Any)
	for i := range c.filled {
		c.vec.Anys[i] = old.At(i)
	}
}

// uncode turns the codes written so far into plain text.
func (c *columnBuf) uncode() {
	codes := c.vec.Codes
	c.plain = true
	c.start(column.Text)
	for i := range c.filled {
		c.vec.Bytes = append(c.vec.Bytes, c.dict.entries[codes[i]].text...)
		c.vec.Ends[i] = uint32(len(c.vec.Bytes))
	}
}

// finish returns the vector of rows rows and draws the lessons for the next batch.
func (c *columnBuf) finish(rows int) column.Vector {
	if c.kind == column.Null {
		return column.Vector{Kind: column.Any, Anys: make([]column.Value, rows)}
	}
	c.room(rows)
	for c.filled < rows {
		c.null(c.filled)
	}
	if c.kind != column.Any {
		c.predicted = c.kind
	}
	defer c.watch(rows)
	v := c.vec
	v.Kind = c.kind
	switch {
	case v.Floats != nil:
		v.Floats = v.Floats[:rows]
	case v.Codes != nil:
		v.Codes = v.Codes[:rows]
		v.Dict = c.dict.dict.View()
	case v.Ends != nil:
		v.Ends = v.Ends[:rows]
		c.textBytes = (len(v.Bytes) + rows) / max(rows, 1) // rounded up: the next batch is not copied while it grows
	case v.Anys != nil:
		v.Anys = v.Anys[:rows]
		v.Valid = nil
	default:
		v.Ints = v.Ints[:rows]
	}
	v.Valid = trimBits(v.Valid, rows, true)
	v.Whole = trimBits(v.Whole, rows, false)
	return v
}

// trimBits cuts a bitmap to rows bits; one that says nothing (all bits are
// idle) becomes nil.
func trimBits(m []uint64, rows int, idle bool) []uint64 {
	if m == nil {
		return nil
	}
	m = m[:column.Words(rows)]
	if n := rows & 63; n != 0 {
		m[len(m)-1] &= 1<<uint(n) - 1
	}
	for i := range rows {
		if column.Bit(m, i) != idle {
			return m
		}
	}
	return nil
}

func (c *columnBuf) watch(rows int) {
	if c.plainLeft > 0 {
		if c.plainLeft--; c.plainLeft == 0 {
			c.dict = nil
		}
		return
	}
	if c.kind != column.Text {
		return
	}
	c.rows += rows
	if c.watched++; c.watched < dictWatch {
		return
	}
	if c.rows >= dictWatchRows {
		// A large fleet is new too until all of it has spoken; then it is not.
		most := 2*c.new > c.rows
		if 8*c.new > 7*c.rows || most && c.most {
			c.plainLeft, c.dict, most = plainForBatches, nil, false
		}
		c.most = most
		c.rows, c.new, c.watched = 0, 0, 0
	}
}
