package exec

import (
	"encoding/binary"

	"spate/column"
)

// stateReader reads what Snapshot wrote. The first error stays; after it every
// read gives zero.
type stateReader struct {
	b   []byte
	err error
}

func (r *stateReader) fail() {
	if r.err == nil {
		r.err = errState
	}
	r.b = nil
}

func (r *stateReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *stateReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of items, each of at least one byte.
func (r *stateReader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *stateReader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *stateReader) fixed64() uint64 {
	if len(r.b) < 8 {
		r.fail()
		return 0
	}
	v := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

func (r *stateReader) text() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *stateReader) ticks() column.Ticks { return column.Ticks(r.varint()) }

func (r *stateReader) value() column.Value {
	if r.err != nil {
		return column.Value{}
	}
	v, rest, err := column.ReadBinary(r.b)
	if err != nil {
		r.fail()
		return column.Value{}
	}
	r.b = rest
	return v
}

func (r *stateReader) sum(s *exactSum) {
	rest, err := s.readFrom(r.b)
	if err != nil {
		r.fail()
		return
	}
	r.b = rest
}

// done returns the first error, or one if bytes are left.
func (r *stateReader) done() error {
	if r.err == nil && len(r.b) != 0 {
		return errState
	}
	return r.err
}

func appendTicks(dst []byte, t column.Ticks) []byte { return binary.AppendVarint(dst, int64(t)) }

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}
