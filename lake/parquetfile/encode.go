package parquetfile

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// Scratch is memory that writers of one goroutine share while they encode a row group.
type Scratch struct {
	dict   wordDict
	codes  []int32
	narrow []uint32
	page   []byte // levels and values
	packed []byte // the same, compressed
	head   compact
	codecs map[string]*codec
}

// encoder turns chunks into column chunks of a file.
type encoder struct {
	*Scratch
	codec *codec
	out   *counter
}

// pageBytes is about the size of a data page before it is compressed.
const pageBytes = 1 << 20

// write encodes c.
func (e *encoder) write(c *chunk) (chunkMeta, error) {
	m := chunkMeta{start: e.out.n, values: int64(c.rows)}
	for _, d := range c.defs {
		if d == 0 {
			m.stats.Nulls++
		}
	}
	var err error
	switch c.col.Type.physical() {
	case physicalBoolean:
		err = e.pages(c, &m, len(c.bools), encodingPlain, fixed(8*pageBytes), func(dst []byte, from, to int) []byte {
			return appendBits(dst, c.bools[from:to])
		})
	case physicalByteArray:
		if c.coded && len(c.codes) > 0 {
			err = e.codedText(c, &m)
		} else {
			err = e.plainText(c, &m)
		}
	case physicalInt64:
		err = e.longs(c, &m)
	case physicalInt32:
		err = e.integers(c, &m)
	case physicalDouble:
		err = e.doubles(c, &m)
	case physicalFloat:
		m.stats.floatBounds(c.floats)
		e.narrow = e.narrow[:0]
		for _, x := range c.floats {
			e.narrow = append(e.narrow, math.Float32bits(float32(x)))
		}
		err = plain(e, c, &m, e.narrow)
	}
	m.compressed = e.out.n - m.start
	return m, err
}

func (e *encoder) longs(c *chunk, m *chunkMeta) error {
	if len(c.ints) > 0 {
		m.stats.ints(boundInts(c.ints))
	}
	if c.col.Type.Kind != Timestamp && e.wordCodes(c, words(c.ints)) {
		if err := e.dictionary(m, len(e.dict.entries), bytesOf(e.dict.entries)); err != nil {
			return err
		}
		return e.indices(c, m, e.codes, len(e.dict.entries))
	}
	return plain(e, c, m, c.ints)
}

func (e *encoder) integers(c *chunk, m *chunkMeta) error {
	if len(c.ints) > 0 {
		m.stats.ints(boundInts(c.ints))
	}
	e.narrow = e.narrow[:0]
	if e.wordCodes(c, words(c.ints)) {
		for _, x := range e.dict.entries {
			e.narrow = append(e.narrow, uint32(x))
		}
		if err := e.dictionary(m, len(e.narrow), bytesOf(e.narrow)); err != nil {
			return err
		}
		return e.indices(c, m, e.codes, len(e.narrow))
	}
	for _, x := range c.ints {
		e.narrow = append(e.narrow, uint32(x))
	}
	return plain(e, c, m, e.narrow)
}

// doubles tells values apart by their bits: the dictionary keeps -0 and every NaN.
func (e *encoder) doubles(c *chunk, m *chunkMeta) error {
	m.stats.floatBounds(c.floats)
	if e.wordCodes(c, words(c.floats)) {
		if err := e.dictionary(m, len(e.dict.entries), bytesOf(e.dict.entries)); err != nil {
			return err
		}
		return e.indices(c, m, e.codes, len(e.dict.entries))
	}
	return plain(e, c, m, c.floats)
}

// wordCodes tries a dictionary over the values of c.
func (e *encoder) wordCodes(c *chunk, w []uint64) bool {
	if c.col.Unique || len(w) == 0 {
		return false
	}
	e.codes = sized(e.codes, len(w))
	return e.dict.code(w, e.codes)
}

func (e *encoder) codedText(c *chunk, m *chunkMeta) error {
	lo, hi := c.dict.entries[0], c.dict.entries[0]
	e.page = e.page[:0]
	for _, s := range c.dict.entries {
		e.page = appendText(e.page, s)
		lo, hi = min(lo, s), max(hi, s)
	}
	m.stats.text([]byte(lo), []byte(hi))
	if err := e.dictionary(m, len(c.dict.entries), e.page); err != nil {
		return err
	}
	return e.indices(c, m, c.codes, len(c.dict.entries))
}

// appendText appends a text as a plain value: its length and its bytes.
func appendText[T string | []byte](dst []byte, s T) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}

// textAt is the plain value that begins at at, and where the next one begins.
func textAt(b []byte, at int) (text []byte, next int) {
	next = at + 4 + int(binary.LittleEndian.Uint32(b[at:]))
	return b[at+4 : next], next
}

func (e *encoder) plainText(c *chunk, m *chunkMeta) error {
	if len(c.text) > 0 {
		lo, next := textAt(c.text, 0)
		hi := lo
		for next < len(c.text) {
			var s []byte
			s, next = textAt(c.text, next)
			if string(s) < string(lo) {
				lo = s
			} else if string(s) > string(hi) {
				hi = s
			}
		}
		m.stats.text(lo, hi)
	}
	at := 0 // in c.text: where the next page begins
	count := func(from, total int) int {
		n, end := 0, at
		for n < total-from && end-at < pageBytes {
			_, end = textAt(c.text, end)
			n++
		}
		return n
	}
	return e.pages(c, m, c.texts, encodingPlain, count, func(dst []byte, from, to int) []byte {
		begin := at
		for range to - from {
			_, at = textAt(c.text, at)
		}
		return append(dst, c.text[begin:at]...)
	})
}

// plain writes values of a fixed size as they are in memory.
func plain[T int64 | float64 | uint32](e *encoder, c *chunk, m *chunkMeta, values []T) error {
	var x T
	return e.pages(c, m, len(values), encodingPlain, fixed(pageBytes/int(unsafe.Sizeof(x))), func(dst []byte, from, to int) []byte {
		return append(dst, bytesOf(values[from:to])...)
	})
}

// dictionary writes the dictionary page.
func (e *encoder) dictionary(m *chunkMeta, n int, values []byte) error {
	return e.emit(m, pageDictionary, values, n, encodingPlain)
}

// indices writes codes of a dictionary of n entries.
func (e *encoder) indices(c *chunk, m *chunkMeta, codes []int32, n int) error {
	width := indexWidth(n)
	return e.pages(c, m, len(codes), encodingRLEDictionary, fixed(8*pageBytes/width), func(dst []byte, from, to int) []byte {
		return appendHybrid(append(dst, byte(width)), codes[from:to], width)
	})
}

// fixed is the values of a page that takes n of them.
func fixed(n int) func(from, total int) int {
	return func(from, total int) int { return min(n, total-from) }
}

// pages writes the data pages of c, which has total values that are not null: count
// says how many go into the page that begins with value from, values appends them.
func (e *encoder) pages(c *chunk, m *chunkMeta, total int, encoding int32, count func(from, total int) int, values func(dst []byte, from, to int) []byte) error {
	row, from := 0, 0
	for row < c.rows {
		to := from + count(from, total)
		end := row + to - from
		if to == total {
			end = c.rows // with the nulls that are left
		} else if len(c.defs) > 0 {
			end = row
			for left := to - from; left > 0; end++ {
				left -= int(c.defs[end])
			}
		}
		e.page = e.page[:0]
		if c.col.Nullable {
			e.page = append(e.page, 0, 0, 0, 0) // length of the levels
			if len(c.defs) > 0 {
				e.page = appendHybrid(e.page, c.defs[row:end], 1)
			} else {
				e.page = appendRun(e.page, end-row, 1, 1)
			}
			binary.LittleEndian.PutUint32(e.page, uint32(len(e.page)-4))
		}
		e.page = values(e.page, from, to)
		if err := e.emit(m, pageData, e.page, end-row, encoding); err != nil {
			return err
		}
		row, from = end, to
	}
	return nil
}

// emit writes one page.
func (e *encoder) emit(m *chunkMeta, kind int32, body []byte, values int, encoding int32) error {
	switch {
	case kind == pageDictionary:
		m.dictionary = e.out.n
	case m.data == 0:
		m.data = e.out.n
	}
	packed := body
	if e.codec.compress != nil {
		packed = e.codec.compress(e.packed[:0], body)
		if cap(packed) > cap(e.packed) {
			e.packed = packed
		}
	}
	if len(body) > math.MaxInt32 || len(packed) > math.MaxInt32 {
		return fmt.Errorf("a page of %d bytes: the format takes 2 GiB", len(body))
	}
	h := &e.head
	h.reset()
	h.i32(1, kind)
	h.i32(2, int32(len(body)))
	h.i32(3, int32(len(packed)))
	if kind == pageDictionary {
		h.begin(7)
		h.i32(1, int32(values))
		h.i32(2, encoding)
	} else {
		h.begin(5)
		h.i32(1, int32(values))
		h.i32(2, encoding)
		h.i32(3, encodingRLE) // of definition levels
		h.i32(4, encodingRLE) // of repetition levels, of which there are none
	}
	h.end()
	h.b = append(h.b, 0)
	m.uncompressed += int64(len(h.b) + len(body))
	if _, err := e.out.Write(h.b); err != nil {
		return err
	}
	_, err := e.out.Write(packed)
	return err
}

// appendBits packs bools, the lowest bit first.
func appendBits(dst []byte, v []bool) []byte {
	for i, x := range v {
		if i&7 == 0 {
			dst = append(dst, 0)
		}
		if x {
			dst[len(dst)-1] |= 1 << (i & 7)
		}
	}
	return dst
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
