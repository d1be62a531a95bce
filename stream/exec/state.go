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

// appendBatch writes the rows from..to of a batch, Live aside, value by value.
func appendBatch(dst []byte, b *column.Batch, rows []int32) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(rows)))
	flags := byte(0)
	if b.Arrived != nil {
		flags |= 1
	}
	if b.Seq != nil {
		flags |= 2
	}
	if b.Index != nil {
		flags |= 4
	}
	dst = append(dst, flags)
	dst = binary.AppendUvarint(dst, uint64(len(b.Cols)))
	for _, i := range rows {
		dst = appendTicks(dst, b.Time[i])
		if b.Arrived != nil {
			dst = appendTicks(dst, b.Arrived[i])
		}
		if b.Seq != nil {
			dst = binary.AppendVarint(dst, b.Seq[i])
		}
		if b.Index != nil {
			dst = binary.AppendUvarint(dst, uint64(b.Index[i]))
		}
		for c := range b.Cols {
			dst = column.AppendBinary(dst, b.Cols[c].At(int(i)))
		}
	}
	return dst
}

func (r *stateReader) batch(schema *column.Schema) *column.Batch {
	n := r.count()
	b := &column.Batch{Schema: schema, Rows: n}
	flags := r.byte()
	cols := r.count()
	builders := make([]*column.Builder, cols)
	for c := range builders {
		builders[c] = column.NewBuilder(nil)
	}
	for range n {
		b.Time = append(b.Time, r.ticks())
		if flags&1 != 0 {
			b.Arrived = append(b.Arrived, r.ticks())
		}
		if flags&2 != 0 {
			b.Seq = append(b.Seq, r.varint())
		}
		if flags&4 != 0 {
			b.Index = append(b.Index, int32(r.uvarint()))
		}
		for c := range builders {
			builders[c].Append(r.value())
		}
	}
	for c := range builders {
		b.Cols = append(b.Cols, builders[c].Vector())
	}
	return b
}
