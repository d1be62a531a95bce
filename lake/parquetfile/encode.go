package parquetfile

import (
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
)

// encoder turns chunks into column chunks of a file. It keeps scratch memory
// between them.
type encoder struct {
	ones   []int16
	dict   wordDict
	codes  []int32
	spaced []int32
	valid  []byte
	narrow []int32
	halves []float32
	texts  []parquet.ByteArray
}

// write encodes c and returns its stats.
func (e *encoder) write(cw file.ColumnChunkWriter, c *chunk) (ColumnStats, error) {
	var st ColumnStats
	defs := e.levels(c)
	for _, d := range c.defs {
		if d == 0 {
			st.Nulls++
		}
	}
	var err error
	switch w := cw.(type) {
	case *file.BooleanColumnChunkWriter:
		_, err = w.WriteBatch(c.bools, defs, nil)
	case *file.ByteArrayColumnChunkWriter:
		if c.coded && len(c.codes) > 0 {
			err = e.codedText(w, c, defs, &st)
		} else {
			err = e.plainText(w, c, defs, &st)
		}
	case *file.Int64ColumnChunkWriter:
		err = e.longs(w, c, defs, &st)
	case *file.Int32ColumnChunkWriter:
		err = e.integers(w, c, defs, &st)
	case *file.Float64ColumnChunkWriter:
		err = e.doubles(w, c, defs, &st)
	case *file.Float32ColumnChunkWriter:
		e.halves = e.halves[:0]
		for _, x := range c.floats {
			e.halves = append(e.halves, float32(x))
		}
		e.floatBounds(c, &st)
		w.FallbackToPlain()
		_, err = w.WriteBatch(e.halves, defs, nil)
	default:
		err = fmt.Errorf("no encoder for %T", cw)
	}
	return st, err
}

// levels returns the definition levels that the column writer wants: nil for a
// required column.
func (e *encoder) levels(c *chunk) []int16 {
	if !c.col.Nullable {
		return nil
	}
	if len(c.defs) > 0 {
		return c.defs
	}
	if len(e.ones) < c.rows {
		e.ones = appendOnes(e.ones, c.rows-len(e.ones))
	}
	return e.ones[:c.rows]
}

func (e *encoder) longs(w *file.Int64ColumnChunkWriter, c *chunk, defs []int16, st *ColumnStats) error {
	if len(c.ints) > 0 {
		st.ints(boundInts(c.ints))
	}
	if c.col.Type.Kind != Timestamp && e.wordCodes(c, words(c.ints)) {
		if err := putDictionary(w, array.NewInt64Data(flat(arrow.PrimitiveTypes.Int64, e.dict.entries, len(e.dict.entries)))); err != nil {
			return err
		}
		w.PageStatistics().(*metadata.Int64Statistics).Update([]int64{st.MinInt, st.MaxInt}, st.Nulls)
		return e.indices(w, defs, st)
	}
	w.FallbackToPlain()
	_, err := w.WriteBatch(c.ints, defs, nil)
	return err
}

func (e *encoder) integers(w *file.Int32ColumnChunkWriter, c *chunk, defs []int16, st *ColumnStats) error {
	if len(c.ints) > 0 {
		st.ints(boundInts(c.ints))
	}
	e.narrow = e.narrow[:0]
	if e.wordCodes(c, words(c.ints)) {
		for _, x := range e.dict.entries {
			e.narrow = append(e.narrow, int32(int64(x)))
		}
		if err := putDictionary(w, array.NewInt32Data(flat(arrow.PrimitiveTypes.Int32, e.narrow, len(e.narrow)))); err != nil {
			return err
		}
		w.PageStatistics().(*metadata.Int32Statistics).Update([]int32{int32(st.MinInt), int32(st.MaxInt)}, st.Nulls)
		return e.indices(w, defs, st)
	}
	for _, x := range c.ints {
		e.narrow = append(e.narrow, int32(x))
	}
	w.FallbackToPlain()
	_, err := w.WriteBatch(e.narrow, defs, nil)
	return err
}

func (e *encoder) doubles(w *file.Float64ColumnChunkWriter, c *chunk, defs []int16, st *ColumnStats) error {
	e.floatBounds(c, st)
	// Values are told apart by their bits: the dictionary keeps -0 and every NaN.
	// The library's own table does not, so a chunk with a NaN is written plain.
	if !st.NaN && st.Bounded && e.wordCodes(c, words(c.floats)) {
		if err := putDictionary(w, array.NewFloat64Data(flat(arrow.PrimitiveTypes.Float64, e.dict.entries, len(e.dict.entries)))); err != nil {
			return err
		}
		w.PageStatistics().(*metadata.Float64Statistics).Update([]float64{st.MinFloat, st.MaxFloat}, st.Nulls)
		return e.indices(w, defs, st)
	}
	w.FallbackToPlain()
	_, err := w.WriteBatch(c.floats, defs, nil)
	return err
}

func (e *encoder) floatBounds(c *chunk, st *ColumnStats) {
	lo, hi, nan, some := boundFloats(c.floats)
	st.NaN = nan
	if some {
		st.floats(lo, hi)
	}
}

// wordCodes tries a dictionary over the values of c.
func (e *encoder) wordCodes(c *chunk, w []uint64) bool {
	if c.col.Unique || len(w) == 0 {
		return false
	}
	e.codes = sized(e.codes, len(w))
	return e.dict.code(w, e.codes)
}

func (e *encoder) codedText(w *file.ByteArrayColumnChunkWriter, c *chunk, defs []int16, st *ColumnStats) error {
	var data []byte
	offsets := make([]int32, 1, len(c.dict.entries)+1)
	lo, hi := c.dict.entries[0], c.dict.entries[0]
	for _, s := range c.dict.entries {
		data = append(data, s...)
		offsets = append(offsets, int32(len(data)))
		lo, hi = min(lo, s), max(hi, s)
	}
	st.text([]byte(lo), []byte(hi))
	dict := array.NewBinaryData(array.NewData(arrow.BinaryTypes.Binary, len(c.dict.entries),
		[]*memory.Buffer{nil, memory.NewBufferBytes(bytesOf(offsets)), memory.NewBufferBytes(data)}, nil, 0, 0))
	if err := putDictionary(w, dict); err != nil {
		return err
	}
	if s := w.PageStatistics(); s != nil {
		s.(*metadata.ByteArrayStatistics).Update([]parquet.ByteArray{st.MinText, st.MaxText}, st.Nulls)
	}
	e.codes = append(e.codes[:0], c.codes...)
	return e.indices(w, defs, st)
}

func (e *encoder) plainText(w *file.ByteArrayColumnChunkWriter, c *chunk, defs []int16, st *ColumnStats) error {
	e.texts = e.texts[:0]
	from := 0
	for _, end := range c.ends {
		e.texts = append(e.texts, c.text[from:end:end])
		from = end
	}
	if len(e.texts) > 0 {
		lo, hi := e.texts[0], e.texts[0]
		for _, s := range e.texts[1:] {
			if string(s) < string(lo) {
				lo = s
			} else if string(s) > string(hi) {
				hi = s
			}
		}
		st.text(lo, hi)
	}
	w.FallbackToPlain()
	_, err := w.WriteBatch(e.texts, defs, nil)
	return err
}

// indexWriter is the part of the typed column writers that takes codes.
type indexWriter interface {
	file.ColumnChunkWriter
	WriteDictIndices(indices arrow.Array, defLevels, repLevels []int16) error
}

func putDictionary(w file.ColumnChunkWriter, dict arrow.Array) error {
	defer dict.Release()
	enc, ok := w.CurrentEncoder().(interface{ PutDictionary(arrow.Array) error })
	if !ok {
		return fmt.Errorf("column writer %T takes no dictionary", w)
	}
	return enc.PutDictionary(dict)
}

// indices writes e.codes, which are dense, as dictionary indices.
func (e *encoder) indices(w indexWriter, defs []int16, st *ColumnStats) error {
	codes := e.codes
	var valid *memory.Buffer
	if st.Nulls > 0 {
		e.spaced, e.valid = sized(e.spaced, len(defs)), sized(e.valid, (len(defs)+7)/8)
		clear(e.valid)
		k := 0
		for i, d := range defs {
			e.spaced[i] = 0
			if d == 1 {
				e.spaced[i] = codes[k]
				e.valid[i>>3] |= 1 << (i & 7)
				k++
			}
		}
		codes, valid = e.spaced, memory.NewBufferBytes(e.valid)
	}
	arr := array.NewInt32Data(array.NewData(arrow.PrimitiveTypes.Int32, len(codes),
		[]*memory.Buffer{valid, memory.NewBufferBytes(bytesOf(codes))}, nil, int(st.Nulls), 0))
	defer arr.Release()
	return w.WriteDictIndices(arr, defs, nil)
}

// flat wraps values without copying them.
func flat[T any](t arrow.DataType, values []T, n int) arrow.ArrayData {
	return array.NewData(t, n, []*memory.Buffer{nil, memory.NewBufferBytes(bytesOf(values))}, nil, 0, 0)
}

func bytesOf[T any](v []T) []byte {
	var x T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(x)))
}

func words[T int64 | float64](v []T) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(v))), len(v))
}

func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
