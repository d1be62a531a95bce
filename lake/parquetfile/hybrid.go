package parquetfile

import (
	"encoding/binary"
	"math/bits"
)

// appendHybrid appends levels or dictionary indices of width bits, 1 to 32: runs of
// equal values, and groups of eight packed values between them. The last group may be
// short; it is filled up. Source: Parquet format, Encodings.md, RLE (= 3).
func appendHybrid[T int16 | int32](dst []byte, v []T, width int) []byte {
	for i := 0; i < len(v); {
		run := 1
		for i+run < len(v) && v[i+run] == v[i] {
			run++
		}
		if run >= 8 {
			dst = appendRun(dst, run, uint32(v[i]), width)
			i += run
			continue
		}
		from := i
		for i += 8; i+8 <= len(v) && !equal8(v[i:i+8]); {
			i += 8
		}
		if i+8 > len(v) {
			i = len(v) // what is left is no run
		}
		dst = binary.AppendUvarint(dst, uint64(i-from+7)/8<<1|1)
		dst = appendPacked(dst, v[from:i], width)
	}
	return dst
}

func equal8[T int16 | int32](v []T) bool {
	for _, x := range v[1:] {
		if x != v[0] {
			return false
		}
	}
	return true
}

// appendRun appends n values x.
func appendRun(dst []byte, n int, x uint32, width int) []byte {
	dst = binary.AppendUvarint(dst, uint64(n)<<1)
	for at := 0; at < width; at += 8 {
		dst = append(dst, byte(x>>at))
	}
	return dst
}

// appendPacked appends whole groups of eight values, the lowest bits first.
func appendPacked[T int16 | int32](dst []byte, v []T, width int) []byte {
	want := len(dst) + (len(v)+7)/8*width
	var acc uint64
	have := 0
	for _, x := range v {
		acc |= uint64(uint32(x)) << have
		if have += width; have >= 32 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(acc))
			acc >>= 32
			have -= 32
		}
	}
	for len(dst) < want {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

// indexWidth is the bits of an index into n entries.
func indexWidth(n int) int { return max(1, bits.Len(uint(n-1))) }
