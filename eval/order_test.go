package eval

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"spate/column"
)

// Rows come out in order, each once and none before it is released, whatever part of
// them waits on disk.
func TestSorterGivesRowsInOrder(t *testing.T) {
	for _, limit := range []int{1, 500, 1 << 20} {
		var out []string
		s := newSorter(func(to int32, row []byte) error { out = append(out, fmt.Sprintf("%d%s", to, row)); return nil })
		s.limit = limit
		rnd := rand.New(rand.NewPCG(3, 4))
		type held struct {
			r    rank
			text string
		}
		var want []held
		released := 0
		for w := column.Ticks(0); w < 40; w++ {
			for range rnd.IntN(30) {
				r := rank{time: w + column.Ticks(rnd.IntN(10)), statement: int32(rnd.IntN(3)), seq: rnd.Int64N(5), made: int64(len(want) + 1)}
				text := strings.Repeat("x", rnd.IntN(20)) + fmt.Sprint(len(want))
				want = append(want, held{r, fmt.Sprintf("%d%s", r.statement, text)})
				if err := s.add(r, r.statement, func(dst []byte) []byte { return append(dst, text...) }); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.release(w); err != nil {
				t.Fatal(err)
			}
			released = 0
			for _, h := range want {
				if h.r.time < w {
					released++
				}
			}
			if len(out) != released {
				t.Fatalf("limit %d, behind %d: %d rows came, want %d", limit, w, len(out), released)
			}
		}
		if err := s.releaseAll(); err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(want, func(a, b held) int { return a.r.compare(&b.r) })
		for i := range want {
			if i >= len(out) || out[i] != want[i].text {
				t.Fatalf("limit %d: row %d of %d differs", limit, i, len(out))
			}
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
}
