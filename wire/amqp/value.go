package amqp

import (
	"errors"
	"fmt"
	"math"
)

// ErrDecode is wrapped by every error that says that bytes are not AMQP.
var ErrDecode = errors.New("amqp: malformed")

const (
	maxDepth = 32      // how deep values may nest
	maxItems = 8 << 10 // values in one Decode, those inside of others counted too
)

// The Go types of decoded values, beside the plain ones (nil, bool, uint8,
// uint16, uint32, uint64, int8, int16, int32, int64, float32, float64, string,
// []byte).
type (
	// Symbol is an AMQP symbol.
	Symbol string
	// Timestamp is milliseconds since the Unix epoch.
	Timestamp int64
	// UUID is an AMQP uuid.
	UUID [16]byte
	// Char is a Unicode code point.
	Char rune
	// List is an AMQP list.
	List []any
	// Map is an AMQP map in the order of its bytes.
	Map []Entry
	// Entry is one pair of a Map.
	Entry struct{ Key, Value any }
	// Array is an AMQP array; all Items are of one type.
	Array struct {
		Constructor byte
		Items       []any
	}
	// Described is a value with a descriptor.
	Described struct{ Descriptor, Value any }
	// Raw is one encoded value kept as it is; decimals decode to it.
	Raw []byte
)

// Get returns the value under a string or symbol key, nil if there is none.
func (m Map) Get(key string) any {
	for _, e := range m {
		switch k := e.Key.(type) {
		case string:
			if k == key {
				return e.Value
			}
		case Symbol:
			if string(k) == key {
				return e.Value
			}
		}
	}
	return nil
}

func short(what string) error { return fmt.Errorf("%w: %s is cut short", ErrDecode, what) }

// Size returns how many bytes the first value in b takes, without decoding it.
func Size(b []byte) (int, error) {
	at := 0
	for depth := 0; ; depth++ {
		if at >= len(b) {
			return 0, short("value")
		}
		if b[at] != 0 {
			n, err := plainSize(b[at:])
			return at + n, err
		}
		if depth == maxDepth {
			return 0, fmt.Errorf("%w: descriptors nest deeper than %d", ErrDecode, maxDepth)
		}
		at++
		n, err := descriptorSize(b[at:], depth)
		if err != nil {
			return 0, err
		}
		at += n
	}
}

// descriptorSize is Size for the descriptor of a described value, which may be
// described itself.
func descriptorSize(b []byte, depth int) (int, error) {
	if len(b) > 0 && b[0] == 0 {
		return 0, fmt.Errorf("%w: a descriptor has a descriptor", ErrDecode)
	}
	return plainSize(b)
}

// plainSize is Size for a value that is not described.
func plainSize(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, short("value")
	}
	n := 0
	switch b[0] >> 4 {
	case 4:
		n = 1
	case 5:
		n = 2
	case 6:
		n = 3
	case 7:
		n = 5
	case 8:
		n = 9
	case 9:
		n = 17
	case 0xa, 0xc, 0xe:
		if len(b) < 2 {
			return 0, short("value")
		}
		n = 2 + int(b[1])
	case 0xb, 0xd, 0xf:
		if len(b) < 5 {
			return 0, short("value")
		}
		size := be32(b[1:])
		if uint64(size) > uint64(len(b)) {
			return 0, short("value")
		}
		n = 5 + int(size)
	default:
		return 0, fmt.Errorf("%w: unknown constructor %#02x", ErrDecode, b[0])
	}
	if n > len(b) {
		return 0, short("value")
	}
	return n, nil
}

func be16(b []byte) uint16 { return uint16(b[0])<<8 | uint16(b[1]) }
func be32(b []byte) uint32 {
	_ = b[3]
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
func be64(b []byte) uint64 { return uint64(be32(b))<<32 | uint64(be32(b[4:])) }

// Decode decodes the first value in b and returns what follows it. The value
// shares nothing with b, Raw excepted. A value of more than 8192 items is refused,
// since items of no width would make much of few bytes.
func Decode(b []byte) (v any, rest []byte, err error) {
	left := budget(maxItems)
	return left.decode(b, 0)
}

// budget is how many more values a Decode may make.
type budget int

func (left *budget) take() error {
	if *left--; *left < 0 {
		return fmt.Errorf("%w: a value holds more than %d items", ErrDecode, maxItems)
	}
	return nil
}

func (left *budget) decode(b []byte, depth int) (any, []byte, error) {
	if depth > maxDepth {
		return nil, nil, fmt.Errorf("%w: values nest deeper than %d", ErrDecode, maxDepth)
	}
	if err := left.take(); err != nil {
		return nil, nil, err
	}
	if len(b) == 0 {
		return nil, nil, short("value")
	}
	if b[0] == 0 {
		d, rest, err := left.decode(b[1:], depth+1)
		if err != nil {
			return nil, nil, err
		}
		v, rest, err := left.decode(rest, depth+1)
		return Described{d, v}, rest, err
	}
	n, err := plainSize(b)
	if err != nil {
		return nil, nil, err
	}
	v, err := left.decodeAs(b[0], b[1:n], depth)
	if err != nil {
		return nil, nil, err
	}
	if r, ok := v.(Raw); ok && r == nil {
		v = Raw(b[:n])
	}
	return v, b[n:], nil
}

// decodeAs decodes the bytes behind a constructor. It returns a nil Raw for
// values that are kept as they are.
func (left *budget) decodeAs(code byte, p []byte, depth int) (any, error) {
	switch code {
	case 0x40:
		return nil, nil
	case 0x41:
		return true, nil
	case 0x42:
		return false, nil
	case 0x43:
		return uint32(0), nil
	case 0x44:
		return uint64(0), nil
	case 0x45:
		return List{}, nil
	case 0x50:
		return p[0], nil
	case 0x51:
		return int8(p[0]), nil
	case 0x52:
		return uint32(p[0]), nil
	case 0x53:
		return uint64(p[0]), nil
	case 0x54:
		return int32(int8(p[0])), nil
	case 0x55:
		return int64(int8(p[0])), nil
	case 0x56:
		return p[0] != 0, nil
	case 0x60:
		return be16(p), nil
	case 0x61:
		return int16(be16(p)), nil
	case 0x70:
		return be32(p), nil
	case 0x71:
		return int32(be32(p)), nil
	case 0x72:
		return math.Float32frombits(be32(p)), nil
	case 0x73:
		return Char(be32(p)), nil
	case 0x80:
		return be64(p), nil
	case 0x81:
		return int64(be64(p)), nil
	case 0x82:
		return math.Float64frombits(be64(p)), nil
	case 0x83:
		return Timestamp(be64(p)), nil
	case 0x98:
		return UUID(p), nil
	case 0x74, 0x84, 0x94:
		return Raw(nil), nil
	case 0xa0:
		return append([]byte{}, p[1:]...), nil
	case 0xb0:
		return append([]byte{}, p[4:]...), nil
	case 0xa1:
		return string(p[1:]), nil
	case 0xb1:
		return string(p[4:]), nil
	case 0xa3:
		return Symbol(p[1:]), nil
	case 0xb3:
		return Symbol(p[4:]), nil
	case 0xc0, 0xd0:
		items, err := left.items(code, p, depth)
		return List(items), err
	case 0xc1, 0xd1:
		items, err := left.items(code, p, depth)
		if err != nil {
			return nil, err
		}
		if len(items)%2 != 0 {
			return nil, fmt.Errorf("%w: a map has %d items", ErrDecode, len(items))
		}
		m := make(Map, 0, len(items)/2)
		for i := 0; i < len(items); i += 2 {
			m = append(m, Entry{items[i], items[i+1]})
		}
		return m, nil
	case 0xe0, 0xf0:
		return left.array(code, p, depth)
	}
	return nil, fmt.Errorf("%w: unknown constructor %#02x", ErrDecode, code)
}

// compound splits the bytes behind a compound constructor into count and items.
func compound(code byte, p []byte) (count uint32, items []byte, err error) {
	if code>>4&1 == 0 { // Cx, Ex
		if len(p) < 2 {
			return 0, nil, short("compound")
		}
		return uint32(p[1]), p[2:], nil
	}
	if len(p) < 8 {
		return 0, nil, short("compound")
	}
	return be32(p[4:]), p[8:], nil
}

func (left *budget) items(code byte, p []byte, depth int) ([]any, error) {
	count, p, err := compound(code, p)
	if err != nil {
		return nil, err
	}
	if uint64(count) > uint64(len(p)) { // every item takes a byte
		return nil, fmt.Errorf("%w: %d items in %d bytes", ErrDecode, count, len(p))
	}
	items := make([]any, 0, min(count, 64))
	for range count {
		var v any
		if v, p, err = left.decode(p, depth+1); err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	if len(p) != 0 {
		return nil, fmt.Errorf("%w: %d bytes behind the last item", ErrDecode, len(p))
	}
	return items, nil
}

func (left *budget) array(code byte, p []byte, depth int) (any, error) {
	count, p, err := compound(code, p)
	if err != nil {
		return nil, err
	}
	if count == 0 && len(p) == 0 {
		return Array{}, nil
	}
	if len(p) == 0 {
		return nil, short("array")
	}
	var desc any
	described := p[0] == 0
	if described {
		if desc, p, err = left.decode(p[1:], depth+1); err != nil {
			return nil, err
		}
		if len(p) == 0 {
			return nil, short("array")
		}
	}
	item := p[0]
	p = p[1:]
	if item == 0 {
		return nil, fmt.Errorf("%w: array items nest descriptors", ErrDecode)
	}
	if uint64(count) > uint64(len(p)) && item>>4 != 4 { // items of no width cost the budget alone
		return nil, fmt.Errorf("%w: %d array items in %d bytes", ErrDecode, count, len(p))
	}
	a := Array{Constructor: item, Items: make([]any, 0, min(count, 64))}
	for range count {
		if err := left.take(); err != nil {
			return nil, err
		}
		n, err := bareSize(item, p)
		if err != nil {
			return nil, err
		}
		v, err := left.decodeAs(item, p[:n], depth+1)
		if err != nil {
			return nil, err
		}
		if r, ok := v.(Raw); ok && r == nil {
			v = Raw(append([]byte{item}, p[:n]...))
		}
		if described {
			v = Described{desc, v}
		}
		a.Items = append(a.Items, v)
		p = p[n:]
	}
	if len(p) != 0 {
		return nil, fmt.Errorf("%w: %d bytes behind the last array item", ErrDecode, len(p))
	}
	return a, nil
}

// bareSize is the width of a value whose constructor stands elsewhere.
func bareSize(code byte, p []byte) (int, error) {
	n := 0
	switch code >> 4 {
	case 4:
		return 0, nil
	case 5:
		n = 1
	case 6:
		n = 2
	case 7:
		n = 4
	case 8:
		n = 8
	case 9:
		n = 16
	case 0xa, 0xc, 0xe:
		if len(p) < 1 {
			return 0, short("array item")
		}
		n = 1 + int(p[0])
	case 0xb, 0xd, 0xf:
		if len(p) < 4 {
			return 0, short("array item")
		}
		size := be32(p)
		if uint64(size) > uint64(len(p)) {
			return 0, short("array item")
		}
		n = 4 + int(size)
	default:
		return 0, fmt.Errorf("%w: unknown constructor %#02x", ErrDecode, code)
	}
	if n > len(p) {
		return 0, short("array item")
	}
	return n, nil
}
