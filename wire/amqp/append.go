package amqp

import (
	"encoding/binary"
	"fmt"
	"math"
)

// AppendNull appends null.
func AppendNull(dst []byte) []byte { return append(dst, 0x40) }

// AppendBool appends a boolean.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 0x41)
	}
	return append(dst, 0x42)
}

// AppendUint appends a uint.
func AppendUint(dst []byte, v uint32) []byte {
	switch {
	case v == 0:
		return append(dst, 0x43)
	case v < 256:
		return append(dst, 0x52, byte(v))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0x70), v)
}

// AppendUlong appends a ulong.
func AppendUlong(dst []byte, v uint64) []byte {
	switch {
	case v == 0:
		return append(dst, 0x44)
	case v < 256:
		return append(dst, 0x53, byte(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0x80), v)
}

// AppendLong appends a long.
func AppendLong(dst []byte, v int64) []byte {
	if v >= -128 && v < 128 {
		return append(dst, 0x55, byte(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0x81), uint64(v))
}

// AppendInt appends an int.
func AppendInt(dst []byte, v int32) []byte {
	if v >= -128 && v < 128 {
		return append(dst, 0x54, byte(v))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0x71), uint32(v))
}

// AppendTimestamp appends a timestamp of ms milliseconds since the Unix epoch.
func AppendTimestamp(dst []byte, ms int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, 0x83), uint64(ms))
}

// AppendString appends a string.
func AppendString[T ~string | ~[]byte](dst []byte, s T) []byte { return appendVariable(dst, 0xa1, s) }

// AppendSymbol appends a symbol.
func AppendSymbol[T ~string | ~[]byte](dst []byte, s T) []byte { return appendVariable(dst, 0xa3, s) }

// AppendBinary appends a binary.
func AppendBinary[T ~string | ~[]byte](dst []byte, s T) []byte { return appendVariable(dst, 0xa0, s) }

func appendVariable[T ~string | ~[]byte](dst []byte, code byte, s T) []byte {
	if len(s) < 256 {
		return append(append(dst, code, byte(len(s))), s...)
	}
	dst = binary.BigEndian.AppendUint32(append(dst, code|0x10), uint32(len(s)))
	return append(dst, s...)
}

// AppendDescriptor appends a descriptor in its short form.
func AppendDescriptor(dst []byte, code byte) []byte { return append(dst, 0x00, 0x53, code) }

// OpenList appends the head of a list of n items and returns where it is, for
// CloseCompound. Items follow; null ones have to be written too.
func OpenList(dst []byte, n int) ([]byte, int) { return openCompound(dst, 0xd0, n) }

// OpenMap is OpenList for a map of n keys and values.
func OpenMap(dst []byte, n int) ([]byte, int) { return openCompound(dst, 0xd1, n) }

func openCompound(dst []byte, code byte, n int) ([]byte, int) {
	at := len(dst)
	return binary.BigEndian.AppendUint32(append(dst, code, 0, 0, 0, 0), uint32(n)), at
}

// CloseCompound writes the size of the list or map whose head is at.
func CloseCompound(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at+1:], uint32(len(dst)-at-5))
	return dst
}

// AppendValue appends v, of one of the types that Decode returns, or int.
func AppendValue(dst []byte, v any) ([]byte, error) {
	var err error
	switch v := v.(type) {
	case nil:
		return AppendNull(dst), nil
	case bool:
		return AppendBool(dst, v), nil
	case uint8:
		return append(dst, 0x50, v), nil
	case uint16:
		return binary.BigEndian.AppendUint16(append(dst, 0x60), v), nil
	case uint32:
		return AppendUint(dst, v), nil
	case uint64:
		return AppendUlong(dst, v), nil
	case int8:
		return append(dst, 0x51, byte(v)), nil
	case int16:
		return binary.BigEndian.AppendUint16(append(dst, 0x61), uint16(v)), nil
	case int32:
		return AppendInt(dst, v), nil
	case int64:
		return AppendLong(dst, v), nil
	case int:
		return AppendLong(dst, int64(v)), nil
	case float32:
		return binary.BigEndian.AppendUint32(append(dst, 0x72), math.Float32bits(v)), nil
	case float64:
		return binary.BigEndian.AppendUint64(append(dst, 0x82), math.Float64bits(v)), nil
	case Char:
		return binary.BigEndian.AppendUint32(append(dst, 0x73), uint32(v)), nil
	case Timestamp:
		return AppendTimestamp(dst, int64(v)), nil
	case UUID:
		return append(append(dst, 0x98), v[:]...), nil
	case string:
		return AppendString(dst, v), nil
	case Symbol:
		return AppendSymbol(dst, v), nil
	case []byte:
		return AppendBinary(dst, v), nil
	case Raw:
		return append(dst, v...), nil
	case Described:
		if dst, err = AppendValue(append(dst, 0), v.Descriptor); err != nil {
			return dst, err
		}
		return AppendValue(dst, v.Value)
	case List:
		dst, at := OpenList(dst, len(v))
		for _, item := range v {
			if dst, err = AppendValue(dst, item); err != nil {
				return dst, err
			}
		}
		return CloseCompound(dst, at), nil
	case Map:
		dst, at := OpenMap(dst, 2*len(v))
		for _, e := range v {
			if dst, err = AppendValue(dst, e.Key); err != nil {
				return dst, err
			}
			if dst, err = AppendValue(dst, e.Value); err != nil {
				return dst, err
			}
		}
		return CloseCompound(dst, at), nil
	case []string:
		dst, at := openCompound(dst, 0xf0, len(v))
		dst = append(dst, 0xb1)
		for _, s := range v {
			dst = append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
		}
		return CloseCompound(dst, at), nil
	case []Symbol:
		dst, at := openCompound(dst, 0xf0, len(v))
		dst = append(dst, 0xb3)
		for _, s := range v {
			dst = append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
		}
		return CloseCompound(dst, at), nil
	}
	return dst, fmt.Errorf("amqp: a %T is not supported as a value", v)
}
