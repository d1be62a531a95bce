package hub

import (
	"encoding/binary"
	"math/bits"
)

// KeyHash is the hash that Event Hubs chooses partitions by: Jenkins lookup3
// (hashlittle2) with both seeds 0, folded to 16 bits.
// Source: event-hubs.md 4.7.
func KeyHash(key string) int16 {
	b, c := lookup3(key)
	return int16(b ^ c)
}

// partitionOf maps a key to one of n partitions, with the truncated remainder.
func partitionOf(key string, n int) int {
	r := int(KeyHash(key)) % n
	if r < 0 {
		r = -r
	}
	return r
}

func lookup3(key string) (b, c uint32) {
	a := 0xDEADBEEF + uint32(len(key))
	b, c = a, a
	for len(key) > 12 {
		a += word(key)
		b += word(key[4:])
		c += word(key[8:])
		a -= c
		a ^= bits.RotateLeft32(c, 4)
		c += b
		b -= a
		b ^= bits.RotateLeft32(a, 6)
		a += c
		c -= b
		c ^= bits.RotateLeft32(b, 8)
		b += a
		a -= c
		a ^= bits.RotateLeft32(c, 16)
		c += b
		b -= a
		b ^= bits.RotateLeft32(a, 19)
		a += c
		c -= b
		c ^= bits.RotateLeft32(b, 4)
		b += a
		key = key[12:]
	}
	if len(key) == 0 {
		return b, c
	}
	var tail [12]byte
	copy(tail[:], key)
	a += binary.LittleEndian.Uint32(tail[0:])
	b += binary.LittleEndian.Uint32(tail[4:])
	c += binary.LittleEndian.Uint32(tail[8:])
	c ^= b
	c -= bits.RotateLeft32(b, 14)
	a ^= c
	a -= bits.RotateLeft32(c, 11)
	b ^= a
	b -= bits.RotateLeft32(a, 25)
	c ^= b
	c -= bits.RotateLeft32(b, 16)
	a ^= c
	a -= bits.RotateLeft32(c, 4)
	b ^= a
	b -= bits.RotateLeft32(a, 14)
	c ^= b
	c -= bits.RotateLeft32(b, 24)
	return b, c
}

func word(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}
