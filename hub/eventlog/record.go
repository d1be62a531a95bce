package eventlog

import (
	"encoding/binary"
	"fmt"
)

// Record is one record of a batch. Its slices alias the chunk.
type Record struct {
	Offset     int64
	Time       int64 // Unix milliseconds: the producer's, or the append time if the batch says LogAppendTime
	Key, Value []byte
	headers    []byte // encoded
	nheaders   int
}

// HeaderCount is the number of headers.
func (r *Record) HeaderCount() int { return r.nheaders }

// EachHeader calls yield for each header until it returns false. A null value is nil.
func (r *Record) EachHeader(yield func(name, value []byte) bool) {
	b := r.headers
	for range r.nheaders {
		name, value, rest, ok := nextHeader(b)
		if !ok || !yield(name, value) {
			return
		}
		b = rest
	}
}

// Headers appends the headers to dst; values alias the chunk.
func (r *Record) Headers(dst []Header) []Header {
	r.EachHeader(func(name, value []byte) bool {
		dst = append(dst, Header{Key: string(name), Value: value})
		return true
	})
	return dst
}

// AMQP is the value of the $amqp header, nil if there is none. Ask only for
// records of a batch with Mapped set.
func (r *Record) AMQP() []byte {
	b := r.headers
	for range r.nheaders {
		name, value, rest, ok := nextHeader(b)
		if !ok {
			return nil
		}
		if string(name) == AMQPHeader {
			return value
		}
		b = rest
	}
	return nil
}

func nextHeader(b []byte) (name, value, rest []byte, ok bool) {
	name, b, ok = lengthBytes(b)
	if !ok {
		return nil, nil, nil, false
	}
	value, b, ok = lengthBytes(b)
	return name, value, b, ok
}

// RecordIter walks the records of one batch:
//
//	it := c.Records(i)
//	for it.Next() { use(it.Record) }
//	if err := it.Err(); err != nil { ... }
//
// Records of a compressed batch are valid until the next call of Records or Reset.
type RecordIter struct {
	Record Record

	rest     []byte
	left     int
	base     int64
	baseTime int64
	logTime  bool
	err      error
}

// Records returns a walk over batch i, decompressing it if needed.
func (c *Chunk) Records(i int) RecordIter {
	b := &c.Batches[i]
	raw := c.Data[b.Start:b.End]
	it := RecordIter{base: b.BaseOffset, left: b.Count}
	attr := binary.BigEndian.Uint16(raw[batchAttributes:])
	it.baseTime = int64(binary.BigEndian.Uint64(raw[batchBaseTime:]))
	it.rest = raw[batchRecords:]
	if attr&attrLogAppendTime != 0 {
		it.logTime, it.baseTime = true, b.AppendTime
	}
	if b.Codec != 0 {
		it.rest, it.err = c.codec.decompress(c.plain[:0], b.Codec, it.rest)
		if it.err != nil {
			it.err = fmt.Errorf("decompress the batch at offset %d: %w: %w", b.BaseOffset, ErrDamaged, it.err)
			it.left = 0
		} else {
			c.plain = it.rest
		}
	}
	return it
}

// Err is why the walk ended early; nil if it did not.
func (it *RecordIter) Err() error { return it.err }

// Next steps to the next record.
func (it *RecordIter) Next() bool {
	if it.left == 0 {
		return false
	}
	it.left--
	if !it.step() {
		it.err = fmt.Errorf("read records of the batch at offset %d: %w", it.base, ErrDamaged)
		it.left = 0
		return false
	}
	return true
}

func (it *RecordIter) step() bool {
	b := it.rest
	size, n := varint(b)
	if n <= 0 || size < 0 || size > int64(len(b)-n) {
		return false
	}
	b, it.rest = b[n:n+int(size)], b[n+int(size):]
	if len(b) < 1 {
		return false
	}
	b = b[1:] // attributes, unused
	dt, n := varint(b)
	if n <= 0 {
		return false
	}
	b = b[n:]
	do, n := varint(b)
	if n <= 0 {
		return false
	}
	b = b[n:]
	r := &it.Record
	r.Offset, r.Time = it.base+do, it.baseTime
	if !it.logTime {
		r.Time += dt
	}
	var ok bool
	if r.Key, b, ok = lengthBytes(b); !ok {
		return false
	}
	if r.Value, b, ok = lengthBytes(b); !ok {
		return false
	}
	count, n := varint(b)
	if n <= 0 || count < 0 || count > int64(len(b)) {
		return false
	}
	r.headers, r.nheaders = b[n:], int(count)
	return true
}

// lengthBytes reads a zigzag length and that many bytes; -1 is nil.
func lengthBytes(b []byte) (v, rest []byte, ok bool) {
	size, n := varint(b)
	if n <= 0 || size < -1 || size > int64(len(b)-n) {
		return nil, nil, false
	}
	b = b[n:]
	if size < 0 {
		return nil, b, true
	}
	return b[:size:size], b[size:], true
}

// varint is binary.Varint with a short way for one byte and for two.
func varint(b []byte) (int64, int) {
	if len(b) > 1 {
		u := uint64(b[0])
		if u < 0x80 {
			return int64(u>>1) ^ -int64(u&1), 1
		}
		if b[1] < 0x80 {
			u = u&0x7f | uint64(b[1])<<7
			return int64(u>>1) ^ -int64(u&1), 2
		}
	}
	return binary.Varint(b)
}
