package column

import (
	"encoding/binary"
	"errors"
	"math"
)

// AppendKey appends the bytes by which v is grouped and partitioned: equal for
// values that belong to one group. Numbers that are equal are one key whatever
// their kind, and so are 0 and -0.
func AppendKey(dst []byte, v Value) []byte {
	switch v.Kind {
	case Null:
		return append(dst, 0)
	case Int64:
		return binary.BigEndian.AppendUint64(append(dst, 1), v.num)
	case Float64:
		f := v.Float()
		if f == math.Trunc(f) && math.Abs(f) < 1<<63 {
			return binary.BigEndian.AppendUint64(append(dst, 1), uint64(int64(f)))
		}
		return binary.BigEndian.AppendUint64(append(dst, 2), v.num)
	case Bool:
		return append(dst, 3, byte(v.num))
	case Time:
		return binary.BigEndian.AppendUint64(append(dst, 4), v.num)
	case Text:
		return AppendTextKey(dst, v.str)
	case Record:
		dst = binary.AppendUvarint(append(dst, 6), uint64(len(v.rec.Names)))
		for i, n := range v.rec.Names {
			dst = binary.AppendUvarint(dst, uint64(len(n)))
			dst = AppendKey(append(dst, n...), v.rec.Values[i])
		}
		return dst
	}
	dst = binary.AppendUvarint(append(dst, 7), uint64(len(v.arr)))
	for _, e := range v.arr {
		dst = AppendKey(dst, e)
	}
	return dst
}

// AppendTextKey is AppendKey for a text.
func AppendTextKey[T string | []byte](dst []byte, s T) []byte {
	dst = binary.AppendUvarint(append(dst, 5), uint64(len(s)))
	return append(dst, s...)
}

// AppendBinary appends v in the form that ReadBinary reads back unchanged. It is
// the form of values in checkpoints.
func AppendBinary(dst []byte, v Value) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case Null:
	case Text:
		dst = binary.AppendUvarint(dst, uint64(len(v.str)))
		dst = append(dst, v.str...)
	case Record:
		dst = binary.AppendUvarint(dst, uint64(len(v.rec.Names)))
		for i, n := range v.rec.Names {
			dst = binary.AppendUvarint(dst, uint64(len(n)))
			dst = AppendBinary(append(dst, n...), v.rec.Values[i])
		}
	case Array:
		dst = binary.AppendUvarint(dst, uint64(len(v.arr)))
		for _, e := range v.arr {
			dst = AppendBinary(dst, e)
		}
	default:
		dst = binary.BigEndian.AppendUint64(dst, v.num)
	}
	return dst
}

var errShort = errors.New("value is cut short")

// ReadBinary reads a value and returns what follows it.
func ReadBinary(b []byte) (Value, []byte, error) {
	if len(b) == 0 {
		return Value{}, nil, errShort
	}
	k := Kind(b[0])
	b = b[1:]
	switch k {
	case Null:
		return Value{}, b, nil
	case Text:
		s, b, err := readString(b)
		return TextOf(s), b, err
	case Record:
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)) {
			return Value{}, nil, errShort
		}
		b = b[w:]
		r := &RecordValue{Names: make([]string, n), Values: make([]Value, n)}
		var err error
		for i := range r.Names {
			if r.Names[i], b, err = readString(b); err != nil {
				return Value{}, nil, err
			}
			if r.Values[i], b, err = ReadBinary(b); err != nil {
				return Value{}, nil, err
			}
		}
		return RecordOf(r), b, nil
	case Array:
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)) {
			return Value{}, nil, errShort
		}
		b = b[w:]
		a := make([]Value, n)
		var err error
		for i := range a {
			if a[i], b, err = ReadBinary(b); err != nil {
				return Value{}, nil, err
			}
		}
		return ArrayOf(a), b, nil
	case Bool, Int64, Float64, Time:
		if len(b) < 8 {
			return Value{}, nil, errShort
		}
		return Value{Kind: k, num: binary.BigEndian.Uint64(b)}, b[8:], nil
	}
	return Value{}, nil, errors.New("value of unknown kind")
}

func readString(b []byte) (string, []byte, error) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return "", nil, errShort
	}
	return string(b[w : w+int(n)]), b[w+int(n):], nil
}
