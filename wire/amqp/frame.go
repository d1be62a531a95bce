package amqp

import (
	"encoding/binary"
	"fmt"
)

// Frame is one frame; Body lies in the buffer it was parsed from and is empty
// for a heartbeat.
type Frame struct {
	Type    byte
	Channel uint16
	Body    []byte
}

// ParseFrame reads the frame at the start of b. n is its length, 0 when b does
// not hold all of it yet. Frames larger than limit are refused by their header.
func ParseFrame(b []byte, limit uint32) (f Frame, n int, err error) {
	if len(b) < 8 {
		return Frame{}, 0, nil
	}
	size := be32(b)
	offset := int(b[4]) * 4
	switch {
	case size < 8:
		return Frame{}, 0, fmt.Errorf("%w: frame of %d bytes", ErrDecode, size)
	case size > limit:
		return Frame{}, 0, fmt.Errorf("%w: frame of %d bytes, at most %d were agreed", ErrDecode, size, limit)
	case offset < 8 || uint32(offset) > size:
		return Frame{}, 0, fmt.Errorf("%w: frame body at %d of %d bytes", ErrDecode, offset, size)
	case b[5] > FrameSASL:
		return Frame{}, 0, fmt.Errorf("%w: frame type %d", ErrDecode, b[5])
	}
	if uint64(len(b)) < uint64(size) {
		return Frame{}, 0, nil
	}
	return Frame{Type: b[5], Channel: be16(b[6:]), Body: b[offset:size]}, int(size), nil
}

// OpenFrame appends the head of a frame and returns where it is.
func OpenFrame(dst []byte, kind byte, channel uint16) ([]byte, int) {
	at := len(dst)
	return append(dst, 0, 0, 0, 0, 2, kind, byte(channel>>8), byte(channel)), at
}

// CloseFrame writes the size of the frame whose head is at.
func CloseFrame(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at))
	return dst
}

// AppendHeartbeat appends an empty frame.
func AppendHeartbeat(dst []byte) []byte { return append(dst, 0, 0, 0, 8, 2, 0, 0, 0) }

// Performative splits a frame body into the performative's code, its encoded
// list of fields, and the payload behind it.
func Performative(body []byte) (code byte, fields, payload []byte, err error) {
	code, n, _, err := descriptor(body)
	if err != nil {
		return 0, nil, nil, err
	}
	size, err := plainSize(body[n:])
	if err != nil {
		return 0, nil, nil, err
	}
	return code, body[n : n+size], body[n+size:], nil
}

// descriptor reads the descriptor at the start of b, in any of its forms.
// short says that it is 00 53 cc. The code of an unknown one is 0.
func descriptor(b []byte) (code byte, n int, isShort bool, err error) {
	if len(b) >= 3 && b[0] == 0 && b[1] == 0x53 {
		return b[2], 3, true, nil
	}
	if len(b) < 2 || b[0] != 0 {
		return 0, 0, false, fmt.Errorf("%w: descriptor expected", ErrDecode)
	}
	size, err := plainSize(b[1:])
	if err != nil {
		return 0, 0, false, err
	}
	n = 1 + size
	switch b[1] {
	case 0x44:
	case 0x80:
		if v := be64(b[2:]); v < 256 {
			code = byte(v)
		}
	case 0xa3:
		code, _ = symbolic(b[3:n])
	case 0xb3:
		code, _ = symbolic(b[6:n])
	default:
		return 0, 0, false, fmt.Errorf("%w: descriptor with constructor %#02x", ErrDecode, b[1])
	}
	return code, n, false, nil
}

// fields walks the items of an encoded list. Items left out at its end read as
// null. The first error sticks.
type fields struct {
	rest []byte
	left uint32
	err  error
}

func openFields(b []byte) fields {
	if len(b) == 0 {
		return fields{err: short("list")}
	}
	switch b[0] {
	case 0x45:
		return fields{}
	case 0xc0, 0xd0:
		count, rest, err := compound(b[0], b[1:])
		if err == nil && uint64(count) > uint64(len(rest)) {
			err = fmt.Errorf("%w: %d items in %d bytes", ErrDecode, count, len(rest))
		}
		return fields{rest: rest, left: count, err: err}
	}
	return fields{err: fmt.Errorf("%w: constructor %#02x where a list is expected", ErrDecode, b[0])}
}

// next returns the next encoded item, nil for null or none.
func (f *fields) next() []byte {
	if f.left == 0 || f.err != nil {
		return nil
	}
	n, err := Size(f.rest)
	if err != nil {
		f.err = err
		return nil
	}
	v := f.rest[:n]
	f.rest = f.rest[n:]
	f.left--
	if v[0] == 0x40 {
		return nil
	}
	return v
}

func (f *fields) wrong(v []byte, want string) {
	if f.err == nil {
		f.err = fmt.Errorf("%w: constructor %#02x where %s is expected", ErrDecode, v[0], want)
	}
}

// uint reads an unsigned number of any width.
func (f *fields) uint(absent uint64) (n uint64, set bool) {
	v := f.next()
	if v == nil {
		return absent, false
	}
	switch v[0] {
	case 0x43, 0x44:
		return 0, true
	case 0x50, 0x52, 0x53:
		return uint64(v[1]), true
	case 0x60:
		return uint64(be16(v[1:])), true
	case 0x70:
		return uint64(be32(v[1:])), true
	case 0x80:
		return be64(v[1:]), true
	}
	f.wrong(v, "a number")
	return absent, false
}

func (f *fields) uint32(absent uint32) uint32 {
	n, _ := f.uint(uint64(absent))
	return uint32(n)
}

func (f *fields) bool(absent bool) bool {
	v := f.next()
	if v == nil {
		return absent
	}
	switch v[0] {
	case 0x41:
		return true
	case 0x42:
		return false
	case 0x56:
		return v[1] != 0
	}
	f.wrong(v, "a boolean")
	return absent
}

// bytes reads a string, symbol or binary, as it lies in the input.
func (f *fields) bytes() []byte {
	v := f.next()
	if v == nil {
		return nil
	}
	b, ok := variable(v)
	if !ok {
		f.wrong(v, "text or binary")
	}
	return b
}

// variable returns the content of an encoded string, symbol or binary.
func variable(v []byte) ([]byte, bool) {
	switch v[0] {
	case 0xa0, 0xa1, 0xa3:
		return v[2:], true
	case 0xb0, 0xb1, 0xb3:
		return v[5:], true
	}
	return nil, false
}

// maxSymbols is how many symbols of an array are read; who sends more than a few
// means nothing by them.
const maxSymbols = 64

// symbols reads one symbol or an array of them.
func (f *fields) symbols() []Symbol {
	v := f.next()
	if v == nil {
		return nil
	}
	switch v[0] {
	case 0xa3, 0xb3:
		b, _ := variable(v)
		return []Symbol{Symbol(b)}
	case 0xe0, 0xf0:
	default:
		f.wrong(v, "symbols")
		return nil
	}
	count, p, err := compound(v[0], v[1:])
	if err == nil && count > 0 && len(p) == 0 {
		err = short("array")
	}
	if err != nil {
		f.err = err
		return nil
	}
	if count == 0 || p[0] != 0xa3 && p[0] != 0xb3 {
		return nil
	}
	code, p := p[0], p[1:]
	var out []Symbol
	for range min(count, maxSymbols) {
		n, err := bareSize(code, p)
		if err != nil {
			f.err = err
			return nil
		}
		if code == 0xa3 {
			out = append(out, Symbol(p[1:n]))
		} else {
			out = append(out, Symbol(p[4:n]))
		}
		p = p[n:]
	}
	return out
}

// mapping reads a map as it is encoded, nil if there is none.
func (f *fields) mapping() []byte {
	v := f.next()
	if v != nil && v[0] != 0xc1 && v[0] != 0xd1 {
		f.wrong(v, "a map")
		return nil
	}
	return v
}
