package parquetfile

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// readHybrid is the reader's side, as the format describes it.
func readHybrid(b []byte, n, width int) ([]int32, error) {
	var out []int32
	for len(out) < n {
		head, k := binary.Uvarint(b)
		if k <= 0 {
			return nil, fmt.Errorf("no header behind %d values", len(out))
		}
		b = b[k:]
		if head&1 == 0 {
			size := (width + 7) / 8
			x := int32(0)
			for i, c := range b[:size] {
				x |= int32(c) << (8 * i)
			}
			b = b[size:]
			out = append(out, slices.Repeat([]int32{x}, int(head>>1))...)
			continue
		}
		size := int(head>>1) * width
		for i := range int(head>>1) * 8 {
			x := int32(0)
			for bit := range width {
				at := i*width + bit
				x |= int32(b[at/8]>>(at%8)&1) << bit
			}
			out = append(out, x)
		}
		b = b[size:]
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%d bytes are left", len(b))
	}
	return out[:n], nil
}

func TestHybridReadsBack(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, width := range []int{1, 2, 3, 7, 8, 9, 13, 16, 17, 20, 31} {
		for _, n := range []int{1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 600, 5000} {
			for _, repeat := range []int{1, 3, 9, 40} { // about the length of runs
				v := make([]int32, n)
				for i := range v {
					if i > 0 && rnd.IntN(repeat) > 0 {
						v[i] = v[i-1]
					} else {
						v[i] = int32(rnd.Uint32() & (1<<width - 1))
					}
				}
				got, err := readHybrid(appendHybrid(nil, v, width), n, width)
				if err != nil || !slices.Equal(got, v) {
					t.Fatalf("width %d, %d values, runs of %d: %v\ngot  %v\nwant %v", width, n, repeat, err, got, v)
				}
			}
		}
	}
}

func TestIndexWidthHoldsTheLastIndex(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 1, 3: 2, 4: 2, 5: 3, 256: 8, 257: 9, 1 << 16: 16, 1<<16 + 1: 17} {
		if got := indexWidth(n); got != want {
			t.Errorf("%d entries: %d bits, want %d", n, got, want)
		}
	}
}
