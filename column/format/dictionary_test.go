package format

import (
	"encoding/binary"
	"math/bits"
	"testing"
)

// Texts that differ in bits which a hash of multiplications alone turns into nothing,
// whatever its constant: a flip that lands in the top bit, and one that takes it back.
func TestTextsMadeToShareAHashDoNot(t *testing.T) {
	d := newDictionary()
	const pairs = 10
	seen := make(map[uint64]bool)
	for n := range 1 << pairs {
		text := make([]byte, 16*pairs+32)
		for i := range pairs {
			if n>>i&1 != 0 {
				binary.LittleEndian.PutUint64(text[16*i:], bits.RotateLeft64(1, 63-29))
				binary.LittleEndian.PutUint64(text[16*i+8:], 1<<63)
			}
		}
		code, added := d.code(append(text, make([]byte, 16)...), 0, len(text))
		if !added || int(code) != n+1 {
			t.Fatalf("text %d has code %d, added %v", n, code, added)
		}
		seen[d.entries[code].hash] = true
	}
	if len(seen) < 1<<pairs-1 {
		t.Errorf("%d hashes of %d texts", len(seen), 1<<pairs)
	}
}
