package query

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"spate/column"
)

// The pipe between the two processes carries frames: a little-endian uint32
// with the length of what follows, one byte of frame type, the payload. The
// parent writes one FrameRequest; the child answers with FrameBatch frames and
// one FrameDone or FrameError.
const (
	FrameRequest byte = 'Q' // JSON of Request
	FrameBatch   byte = 'B' // see Encoder
	FrameDone    byte = 'D' // empty
	FrameError   byte = 'E' // text of the engine
)

const maxFrame = 256 << 20

// Request is what the child needs to run one query.
type Request struct {
	SQL     string    // emitted from a bound tree
	Kinds   []Kind    // of the result columns, in order
	Files   []string  // absolute paths that the query may read
	Deleted []Deleted // rows of the table spate_deleted
	Write   *Write    // the rows go to a file, and the answer is how many there are
	Limits  Limits
}

// Write says to which file rows go.
type Write struct {
	Path  string // absolute, on this machine
	Codec string // zstd, snappy, gzip, lz4_raw or uncompressed
	IDs   string // of the columns in the file, as the engine's FIELD_IDS; empty: none
}

// Deleted lists rows that deletion vectors removed from a file.
type Deleted struct {
	File string
	Rows []byte // uvarints: how far each position in the file, from 0, is behind the one before
}

// deletedOf packs positions in ascending order.
func deletedOf(file string, rows []int64) Deleted {
	d := Deleted{File: file, Rows: make([]byte, 0, len(rows))}
	last := int64(0)
	for _, row := range rows {
		d.Rows = binary.AppendUvarint(d.Rows, uint64(row-last))
		last = row
	}
	return d
}

// Each calls f with every position.
func (d *Deleted) Each(f func(row int64) error) error {
	row := int64(0)
	for rest := d.Rows; len(rest) > 0; {
		step, n := binary.Uvarint(rest)
		if n <= 0 {
			return fmt.Errorf("deleted rows of %s: damaged list", d.File)
		}
		rest, row = rest[n:], row+int64(step)
		if err := f(row); err != nil {
			return err
		}
	}
	return nil
}

// Limits bounds one query.
type Limits struct {
	MemoryBytes int64         // 0: 1 GiB
	Threads     int           // 0: as many as there are processors
	SpillBytes  int64         // on disk, for what does not fit into memory; 0: 16 GiB
	SpillDir    string        // where, and where files of Copy lie; empty: neither
	Timeout     time.Duration // 0: 5 minutes, and a day for what writes rows
}

// NoSpill is Limits.SpillBytes of queries that spill nothing.
const NoSpill = -1

// WriteFrame writes one frame.
func WriteFrame(w io.Writer, typ byte, payload []byte) error {
	var head [5]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(payload)+1))
	head[4] = typ
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(payload)
	return err
}

// ReadFrame reads one frame into buf, which it may grow, and returns the type
// and the payload, valid until buf is used again.
func ReadFrame(r io.Reader, buf *[]byte) (byte, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:4]); err != nil {
		return 0, nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n == 0 || n > maxFrame {
		return 0, nil, fmt.Errorf("read frame: %d bytes, want 1 to %d", n, maxFrame)
	}
	if _, err := io.ReadFull(r, head[4:]); err != nil {
		return 0, nil, unexpected(err)
	}
	// Grown as the bytes come, so that a wrong length costs no memory.
	out := (*buf)[:0]
	for left := int(n) - 1; left > 0; {
		step := min(left, 1<<20)
		at := len(out)
		out = append(out, make([]byte, step)...)
		if _, err := io.ReadFull(r, out[at:]); err != nil {
			return 0, nil, unexpected(err)
		}
		left -= step
	}
	*buf = out
	return head[4], out, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// WriteRequest sends a request to the child.
func WriteRequest(w io.Writer, req *Request) error {
	body, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	return WriteFrame(w, FrameRequest, body)
}

// ReadRequest reads the next request of the parent; io.EOF when there is none.
func ReadRequest(r *bufio.Reader) (*Request, error) {
	var buf []byte
	typ, body, err := ReadFrame(r, &buf)
	if err != nil {
		return nil, err
	}
	if typ != FrameRequest {
		return nil, fmt.Errorf("read request: frame type %q", typ)
	}
	req := new(Request)
	if err := json.Unmarshal(body, req); err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	return req, nil
}

// Encoder builds the payload of a FrameBatch: uint32 rows, uint16 columns;
// then each column: one byte Kind, one bit per row that says not null, and the
// values of all rows, nulls included as zero or empty. Bool takes a byte,
// Int, Float, Time, Date and TimeOfDay 8 bytes, the rest uint32 length and
// bytes. Times are microseconds since 1970, dates days since 1970.
type Encoder struct {
	kinds []Kind
	rows  int
	valid [][]byte
	data  [][]byte
}

// NewEncoder returns an encoder for columns of these kinds.
func NewEncoder(kinds []Kind) *Encoder {
	return &Encoder{kinds: kinds, valid: make([][]byte, len(kinds)), data: make([][]byte, len(kinds))}
}

// Rows is the number of rows since the last Payload.
func (e *Encoder) Rows() int { return e.rows }

// Bytes is about the size of the rows since the last Payload.
func (e *Encoder) Bytes() int {
	n := 0
	for _, d := range e.data {
		n += len(d)
	}
	return n
}

func (e *Encoder) mark(col int, ok bool) {
	if e.rows%8 == 0 {
		e.valid[col] = append(e.valid[col], 0)
	}
	if ok {
		e.valid[col][e.rows/8] |= 1 << (e.rows % 8)
	}
}

// Null adds a null in the current row of a column.
func (e *Encoder) Null(col int) {
	e.mark(col, false)
	switch e.kinds[col] {
	case KindBool:
		e.data[col] = append(e.data[col], 0)
	case KindInt, KindFloat, KindTime, KindDate, KindTimeOfDay:
		e.data[col] = binary.LittleEndian.AppendUint64(e.data[col], 0)
	default:
		e.data[col] = binary.LittleEndian.AppendUint32(e.data[col], 0)
	}
}

// Bool adds a bit.
func (e *Encoder) Bool(col int, b bool) {
	e.mark(col, true)
	v := byte(0)
	if b {
		v = 1
	}
	e.data[col] = append(e.data[col], v)
}

// Int adds an integer, microseconds or days, by the column's kind.
func (e *Encoder) Int(col int, i int64) {
	e.mark(col, true)
	e.data[col] = binary.LittleEndian.AppendUint64(e.data[col], uint64(i))
}

// Float adds a float.
func (e *Encoder) Float(col int, f float64) { e.Int(col, int64(math.Float64bits(f))) }

// Text adds a text, decimal or binary value.
func (e *Encoder) Text(col int, s string) {
	e.mark(col, true)
	e.data[col] = binary.LittleEndian.AppendUint32(e.data[col], uint32(len(s)))
	e.data[col] = append(e.data[col], s...)
}

// EndRow closes the row; every column has been given a value.
func (e *Encoder) EndRow() { e.rows++ }

// Payload appends the batch to dst and starts the next one.
func (e *Encoder) Payload(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(e.rows))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(e.kinds)))
	for c, k := range e.kinds {
		dst = append(dst, byte(k))
		dst = append(dst, e.valid[c]...)
		dst = append(dst, e.data[c]...)
		e.valid[c], e.data[c] = e.valid[c][:0], e.data[c][:0]
	}
	e.rows = 0
	return dst
}

var errShortBatch = errors.New("batch frame is too short")

// decodeBatch reads the payload of a FrameBatch into rows. Dates and times
// become ticks.
func decodeBatch(p []byte, kinds []Kind) ([][]Value, error) {
	if len(p) < 6 {
		return nil, errShortBatch
	}
	n := int(binary.LittleEndian.Uint32(p))
	cols := int(binary.LittleEndian.Uint16(p[4:]))
	p = p[6:]
	if cols != len(kinds) {
		return nil, fmt.Errorf("batch frame has %d columns, want %d", cols, len(kinds))
	}
	// A row of a column takes more than one bit, so n is bounded by the frame.
	if cols == 0 || n > len(p) {
		return nil, errShortBatch
	}
	rows := make([][]Value, n)
	flat := make([]Value, n*cols)
	for i := range rows {
		rows[i] = flat[i*cols : (i+1)*cols : (i+1)*cols]
	}
	for c := range cols {
		if len(p) < 1 || Kind(p[0]) != kinds[c] {
			return nil, fmt.Errorf("batch frame: column %d is not of the kind asked for", c)
		}
		p = p[1:]
		bits := (n + 7) / 8
		if len(p) < bits {
			return nil, errShortBatch
		}
		valid := p[:bits]
		p = p[bits:]
		var err error
		if p, err = decodeColumn(p, kinds[c], valid, rows, c); err != nil {
			return nil, err
		}
	}
	if len(p) != 0 {
		return nil, fmt.Errorf("batch frame: %d bytes left over", len(p))
	}
	return rows, nil
}

func decodeColumn(p []byte, k Kind, valid []byte, rows [][]Value, c int) ([]byte, error) {
	for i := range rows {
		ok := valid[i/8]&(1<<(i%8)) != 0
		var v Value
		switch k {
		case KindBool:
			if len(p) < 1 {
				return nil, errShortBatch
			}
			v = boolValue(p[0] != 0)
			p = p[1:]
		case KindInt, KindFloat, KindTimeOfDay, KindTime, KindDate:
			if len(p) < 8 {
				return nil, errShortBatch
			}
			x := int64(binary.LittleEndian.Uint64(p))
			p = p[8:]
			switch k {
			case KindTime:
				x = int64(column.UnixEpoch) + x*10
			case KindDate:
				x = int64(column.UnixEpoch) + x*int64(column.Day)
			}
			v = Value{Kind: k, num: x}
		default:
			if len(p) < 4 {
				return nil, errShortBatch
			}
			n := int(binary.LittleEndian.Uint32(p))
			p = p[4:]
			if len(p) < n {
				return nil, errShortBatch
			}
			v = Value{Kind: k, str: string(p[:n])}
			p = p[n:]
		}
		if ok {
			rows[i][c] = v
		}
	}
	return p, nil
}
