package parquetfile

import (
	"encoding/binary"
	"math"
)

// Numbers of the Parquet format. Source: parquet.thrift of the Parquet format 2.11.
const (
	physicalBoolean   = 0
	physicalInt32     = 1
	physicalInt64     = 2
	physicalFloat     = 4
	physicalDouble    = 5
	physicalByteArray = 6

	encodingPlain            = 0
	encodingRLE              = 3
	encodingRLEDictionary    = 8
	pageData                 = 0
	pageDictionary           = 2
	repetitionRequired       = 0
	repetitionOptional       = 1
	convertedUTF8            = 0
	convertedDecimal         = 5
	convertedDate            = 6
	convertedTimestampMicros = 10
	convertedInt8            = 15
	convertedInt16           = 16
)

const magic = "PAR1"

// physical is how a column's values are stored.
func (t Type) physical() int32 {
	switch t.Kind {
	case String, Binary:
		return physicalByteArray
	case Boolean:
		return physicalBoolean
	case Float:
		return physicalFloat
	case Double:
		return physicalDouble
	}
	if t.narrow() {
		return physicalInt32
	}
	return physicalInt64
}

// chunkMeta is what the footer says about one column of a row group.
type chunkMeta struct {
	stats                    ColumnStats
	values                   int64 // nulls too
	start                    int64 // in the file
	dictionary, data         int64 // pages, in the file; dictionary is 0 without one
	compressed, uncompressed int64 // with page headers
}

// groupMeta is what the footer says about a row group.
type groupMeta struct {
	rows   int64
	chunks []chunkMeta
}

// appendFooter appends the file's metadata.
func (w *Writer) appendFooter(c *compact) {
	c.i32(1, 2) // version: logical types
	c.list(2, 1+len(w.chunks), compactStruct)
	c.item()
	c.text(4, "spark_schema")
	c.i32(5, int32(len(w.chunks)))
	c.end()
	for i := range w.chunks {
		w.chunks[i].col.describe(c)
	}
	c.i64(3, w.stats.Rows)
	c.list(4, len(w.groups), compactStruct)
	for i := range w.groups {
		w.describeGroup(c, i)
	}
	c.text(6, w.opts.CreatedBy)
	c.list(7, len(w.chunks), compactStruct) // orders of the bounds: those of the types
	for range w.chunks {
		c.item()
		c.begin(1)
		c.end()
		c.end()
	}
	c.b = append(c.b, 0)
}

// describe writes the schema element of a column. Readers know one or the other of
// converted and logical types.
func (col *Column) describe(c *compact) {
	converted := func(v int32) { c.i32(6, v) }
	c.item()
	c.i32(1, col.Type.physical())
	if col.Nullable {
		c.i32(3, repetitionOptional)
	} else {
		c.i32(3, repetitionRequired)
	}
	c.text(4, col.Name)
	id := func() { // fields stand in the order of their numbers
		if col.ID > 0 {
			c.i32(9, int32(col.ID))
		}
	}
	logical := func(kind int, fields func()) {
		c.begin(10)
		c.begin(kind)
		if fields != nil {
			fields()
		}
		c.end()
		c.end()
	}
	integer := func(bits int8) func() {
		return func() {
			c.i8(1, bits)
			c.bool(2, true)
		}
	}
	switch t := col.Type; t.Kind {
	case String:
		converted(convertedUTF8)
		id()
		logical(1, nil)
	case Byte:
		converted(convertedInt8)
		id()
		logical(10, integer(8))
	case Short:
		converted(convertedInt16)
		id()
		logical(10, integer(16))
	case Date:
		converted(convertedDate)
		id()
		logical(6, nil)
	case Timestamp:
		converted(convertedTimestampMicros)
		id()
		logical(8, func() {
			c.bool(1, true) // UTC
			c.begin(2)
			c.begin(2) // microseconds
			c.end()
			c.end()
		})
	case Decimal:
		converted(convertedDecimal)
		c.i32(7, int32(t.Scale))
		c.i32(8, int32(t.Precision))
		id()
		logical(5, func() {
			c.i32(1, int32(t.Scale))
			c.i32(2, int32(t.Precision))
		})
	default:
		id()
	}
	c.end()
}

func (w *Writer) describeGroup(c *compact, ordinal int) {
	g := &w.groups[ordinal]
	c.item()
	c.list(1, len(g.chunks), compactStruct)
	var compressed, uncompressed int64
	for i := range g.chunks {
		m := &g.chunks[i]
		compressed, uncompressed = compressed+m.compressed, uncompressed+m.uncompressed
		c.item()
		c.i64(2, m.start)
		c.begin(3)
		w.chunks[i].col.describeChunk(c, m, w.enc.codec.id)
		c.end()
		c.end()
	}
	c.i64(2, uncompressed)
	c.i64(3, g.rows)
	if len(g.chunks) > 0 {
		c.i64(5, g.chunks[0].start)
	}
	c.i64(6, compressed)
	c.i16(7, int16(min(ordinal, math.MaxInt16)))
	c.end()
}

func (col *Column) describeChunk(c *compact, m *chunkMeta, codec int32) {
	c.i32(1, col.Type.physical())
	if m.dictionary > 0 {
		c.list(2, 3, compactI32)
		c.i32Item(encodingRLEDictionary)
	} else {
		c.list(2, 2, compactI32)
	}
	c.i32Item(encodingPlain)
	c.i32Item(encodingRLE)
	c.list(3, 1, compactBinary)
	c.textItem(col.Name)
	c.i32(4, codec)
	c.i64(5, m.values)
	c.i64(6, m.uncompressed)
	c.i64(7, m.compressed)
	c.i64(9, m.data)
	if m.dictionary > 0 {
		c.i64(11, m.dictionary)
	}
	c.begin(12)
	c.i64(3, m.stats.Nulls)
	if lo, hi, ok := col.Type.bounds(&m.stats); ok {
		c.text(5, string(hi))
		c.text(6, string(lo))
	}
	c.end()
}

// maxBound is the longest text that stands in a file as a bound.
const maxBound = 4096

// bounds are the bounds as the format stores them: like a plain value, a text without
// its length. Source: parquet.thrift, Statistics; a column with a NaN has none.
func (t Type) bounds(s *ColumnStats) (lo, hi []byte, ok bool) {
	if !s.Bounded || s.NaN {
		return nil, nil, false
	}
	four := binary.LittleEndian.AppendUint32
	eight := binary.LittleEndian.AppendUint64
	switch t.physical() {
	case physicalByteArray:
		return s.MinText, s.MaxText, len(s.MinText) <= maxBound && len(s.MaxText) <= maxBound
	case physicalDouble:
		return eight(nil, math.Float64bits(s.MinFloat)), eight(nil, math.Float64bits(s.MaxFloat)), true
	case physicalFloat:
		return four(nil, math.Float32bits(float32(s.MinFloat))), four(nil, math.Float32bits(float32(s.MaxFloat))), true
	case physicalInt32:
		return four(nil, uint32(s.MinInt)), four(nil, uint32(s.MaxInt)), true
	}
	return eight(nil, uint64(s.MinInt)), eight(nil, uint64(s.MaxInt)), true
}
