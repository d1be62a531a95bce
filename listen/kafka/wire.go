package kafka

import (
	"encoding/binary"
	"errors"
)

var errShort = errors.New("request is cut short")

// reader takes Kafka's primitive types from a request. After a mistake bad is set
// and everything reads as zero. What it returns aliases the request.
type reader struct {
	b        []byte
	bad      bool
	flexible bool // compact lengths and tagged fields
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) int16() int16 {
	if v := r.take(2); v != nil {
		return int16(binary.BigEndian.Uint16(v))
	}
	return 0
}

func (r *reader) int32() int32 {
	if v := r.take(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

// uvarint reads an unsigned 32-bit varint.
func (r *reader) uvarint() int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > 1<<31 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

// length reads the length of a string (wide false), of bytes or of an array; -1 is null.
func (r *reader) length(wide bool) int {
	switch {
	case r.flexible:
		return r.uvarint() - 1
	case wide:
		return int(r.int32())
	}
	return int(r.int16())
}

// text reads a nullable string.
func (r *reader) text() []byte {
	if n := r.length(false); n >= 0 {
		return r.take(n)
	}
	return nil
}

// name reads a string that is not nullable.
func (r *reader) name() []byte { return r.take(r.length(false)) }

// bytes reads nullable bytes.
func (r *reader) bytes() []byte {
	if n := r.length(true); n >= 0 {
		return r.take(n)
	}
	return nil
}

// array reads an array's length. The caller's loop ends at bad: a length beyond
// what is left is one.
func (r *reader) array() int {
	n := r.length(true)
	if n > len(r.b) {
		r.bad, r.b = true, nil
	}
	if r.bad || n < 0 {
		return 0
	}
	return n
}

// tags skips tagged fields.
func (r *reader) tags() {
	if !r.flexible {
		return
	}
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		r.uvarint()
		r.take(r.uvarint())
	}
}

// writer is the counterpart of reader.
type writer struct {
	b        []byte
	flexible bool
}

func (w *writer) int16(v int16) { w.b = binary.BigEndian.AppendUint16(w.b, uint16(v)) }
func (w *writer) int32(v int32) { w.b = binary.BigEndian.AppendUint32(w.b, uint32(v)) }
func (w *writer) int64(v int64) { w.b = binary.BigEndian.AppendUint64(w.b, uint64(v)) }

// length writes the length of bytes or of an array; -1 is null.
func (w *writer) length(n int) {
	if w.flexible {
		w.b = binary.AppendUvarint(w.b, uint64(n+1))
		return
	}
	w.int32(int32(n))
}

func (w *writer) text(s []byte) {
	if w.flexible {
		w.b = binary.AppendUvarint(w.b, uint64(len(s)+1))
	} else {
		w.int16(int16(len(s)))
	}
	w.b = append(w.b, s...)
}

func (w *writer) nullableText(s string) {
	switch {
	case s != "":
		w.text([]byte(s))
	case w.flexible:
		w.b = append(w.b, 0)
	default:
		w.int16(-1)
	}
}

// tags writes that there are no tagged fields.
func (w *writer) tags() {
	if w.flexible {
		w.b = append(w.b, 0)
	}
}
