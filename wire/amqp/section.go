package amqp

import "fmt"

// Section is one section of a message.
type Section struct {
	Code  byte
	Raw   []byte // descriptor and value
	Value []byte // the encoded value
	Short bool   // the descriptor is 00 53 cc
}

// AppendTo appends the section with a short descriptor.
func (s *Section) AppendTo(dst []byte) []byte {
	if s.Short {
		return append(dst, s.Raw...)
	}
	return append(AppendDescriptor(dst, s.Code), s.Value...)
}

// NextSection reads the section at the start of b and returns what follows it.
// Sections may come in any order and number; who needs an order checks it.
func NextSection(b []byte) (s Section, rest []byte, err error) {
	code, n, isShort, err := descriptor(b)
	if err != nil {
		return Section{}, nil, err
	}
	if code < SectionHeader || code > SectionFooter {
		return Section{}, nil, fmt.Errorf("%w: %#02x is no message section", ErrDecode, code)
	}
	size, err := plainSize(b[n:])
	if err != nil {
		return Section{}, nil, err
	}
	if c := b[n]; c != 0x40 && code != SectionValue && !sectionHolds(code, c) {
		return Section{}, nil, fmt.Errorf("%w: section %#02x holds constructor %#02x", ErrDecode, code, c)
	}
	return Section{Code: code, Raw: b[:n+size], Value: b[n : n+size], Short: isShort}, b[n+size:], nil
}

func sectionHolds(code, constructor byte) bool {
	switch code {
	case SectionData:
		return constructor == 0xa0 || constructor == 0xb0
	case SectionHeader, SectionProperties, SectionSequence:
		return constructor == 0x45 || constructor == 0xc0 || constructor == 0xd0
	}
	return constructor == 0xc1 || constructor == 0xd1
}

// Data returns the content of a Data section; isNull says that it holds null.
func (s *Section) Data() (content []byte, isNull bool) {
	b, ok := variable(s.Value)
	return b, !ok
}

// pairs opens an encoded map: the bytes of its keys and values back to back,
// and how many pairs there are. Null counts as empty.
func pairs(value []byte) (count int, items []byte, err error) {
	if len(value) == 0 || value[0] == 0x40 {
		return 0, nil, nil
	}
	if value[0] != 0xc1 && value[0] != 0xd1 {
		return 0, nil, fmt.Errorf("%w: constructor %#02x where a map is expected", ErrDecode, value[0])
	}
	n, items, err := compound(value[0], value[1:])
	if err != nil {
		return 0, nil, err
	}
	if n%2 != 0 || uint64(n) > uint64(len(items)) {
		return 0, nil, fmt.Errorf("%w: a map has %d items in %d bytes", ErrDecode, n, len(items))
	}
	return int(n / 2), items, nil
}

// nextPair reads one key and value as they are encoded.
func nextPair(items []byte) (key, value, rest []byte, err error) {
	n, err := Size(items)
	if err != nil {
		return nil, nil, nil, err
	}
	m, err := Size(items[n:])
	if err != nil {
		return nil, nil, nil, err
	}
	return items[:n], items[n : n+m], items[n+m:], nil
}

// Pairs calls f with every key and encoded value of an encoded map until f
// returns false. Keys that are no text are left out. key lies in the input.
func Pairs(value []byte, f func(key, value []byte) bool) error {
	count, items, err := pairs(value)
	if err != nil {
		return err
	}
	for range count {
		var k, v []byte
		if k, v, items, err = nextPair(items); err != nil {
			return err
		}
		if text, ok := variable(k); ok && !f(text, v) {
			return nil
		}
	}
	return nil
}

// Lookup returns the encoded value under a string or symbol key of an encoded map,
// nil if there is none. It fails where the map is damaged up to there.
func Lookup(m []byte, key string) (value []byte, err error) {
	err = Pairs(m, func(k, v []byte) bool {
		if string(k) != key {
			return true
		}
		value = v
		return false
	})
	return value, err
}

// Text returns the content of an encoded string or symbol.
func Text(value []byte) ([]byte, bool) {
	if len(value) == 0 || value[0] == 0xa0 || value[0] == 0xb0 {
		return nil, false
	}
	return variable(value)
}
