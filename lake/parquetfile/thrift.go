package parquetfile

import "encoding/binary"

// compact writes structs in Thrift's compact protocol, which Parquet's metadata is in.
// Fields come in ascending order. Source: thrift-compact-protocol.md of Apache Thrift.
type compact struct {
	b     []byte
	last  int   // field of the struct that is being written
	outer []int // of those around it
}

// Types of fields and of list elements.
const (
	compactTrue   = 1
	compactFalse  = 2
	compactByte   = 3
	compactI16    = 4
	compactI32    = 5
	compactI64    = 6
	compactBinary = 8
	compactList   = 9
	compactStruct = 12
)

func (c *compact) reset() { c.b, c.last, c.outer = c.b[:0], 0, c.outer[:0] }

func (c *compact) field(id int, kind byte) {
	if d := id - c.last; d > 0 && d < 16 {
		c.b = append(c.b, byte(d)<<4|kind)
	} else {
		c.b = binary.AppendVarint(append(c.b, kind), int64(id))
	}
	c.last = id
}

func (c *compact) i16(id int, v int16) {
	c.field(id, compactI16)
	c.b = binary.AppendVarint(c.b, int64(v))
}

func (c *compact) i32(id int, v int32) {
	c.field(id, compactI32)
	c.b = binary.AppendVarint(c.b, int64(v))
}

func (c *compact) i64(id int, v int64) {
	c.field(id, compactI64)
	c.b = binary.AppendVarint(c.b, v)
}

func (c *compact) i8(id int, v int8) {
	c.field(id, compactByte)
	c.b = append(c.b, byte(v))
}

func (c *compact) bool(id int, v bool) {
	if v {
		c.field(id, compactTrue)
	} else {
		c.field(id, compactFalse)
	}
}

func (c *compact) text(id int, v string) {
	c.field(id, compactBinary)
	c.textItem(v)
}

// list begins a list; its n elements come next.
func (c *compact) list(id, n int, kind byte) {
	c.field(id, compactList)
	if n < 15 {
		c.b = append(c.b, byte(n)<<4|kind)
	} else {
		c.b = binary.AppendUvarint(append(c.b, 0xf0|kind), uint64(n))
	}
}

func (c *compact) i32Item(v int32) { c.b = binary.AppendVarint(c.b, int64(v)) }

func (c *compact) textItem(v string) {
	c.b = append(binary.AppendUvarint(c.b, uint64(len(v))), v...)
}

// begin begins a struct that is a field, item one that is an element; end ends both.
func (c *compact) begin(id int) {
	c.field(id, compactStruct)
	c.item()
}

func (c *compact) item() {
	c.outer = append(c.outer, c.last)
	c.last = 0
}

func (c *compact) end() {
	c.b = append(c.b, 0)
	k := len(c.outer) - 1
	c.last, c.outer = c.outer[k], c.outer[:k]
}
