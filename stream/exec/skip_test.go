package exec

import (
	"errors"
	"math/bits"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"spate/column"
	"spate/column/compute"
)

// picky fails for odd rows and counts what it is asked.
type picky struct{ calls, rows int }

func (p *picky) compute(b *column.Batch) *compute.RowError {
	p.calls++
	p.rows += b.Rows
	for k := b.LiveRows() - 1; k >= 0; k-- { // any of them may be named
		if i := b.Row(k); b.Cols[0].At(i).Int()%2 != 0 {
			return &compute.RowError{Row: i, Err: errors.New("odd")}
		}
	}
	return nil
}

func numbersBatch(values []int64, live []int32) *column.Batch {
	return &column.Batch{
		Schema: &column.Schema{Fields: []column.Field{{Name: "n"}}}, Rows: len(values), Live: live,
		Time: make([]column.Ticks, len(values)), Cols: []column.Vector{{Kind: column.Int64, Ints: values}},
	}
}

// Every row that fails alone is told of once, in order, the others are left, and the work
// is in proportion to n log n.
func TestRowsThatFailAreLeftOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 9), 0, 200).Draw(t, "values")
		var live []int32
		if rapid.Bool().Draw(t, "filtered") {
			live = []int32{}
			for i := range values {
				if rapid.Bool().Draw(t, "live") {
					live = append(live, int32(i))
				}
			}
		}
		b := numbersBatch(values, live)
		var bad, wantBad, wantGood []int32
		for k := range b.LiveRows() {
			if i := b.Row(k); values[i]%2 != 0 {
				wantBad = append(wantBad, int32(i))
			} else {
				wantGood = append(wantGood, int32(i))
			}
		}
		p := new(picky)
		got, err := sound(p, b, func(_ *column.Batch, row int, err *Error) { bad = append(bad, int32(row)) })
		if err != nil {
			t.Fatal(err)
		}
		var good []int32
		if got != nil {
			good = slices.Clone(liveRows(got))
		}
		if !slices.Equal(bad, wantBad) || !slices.Equal(good, wantGood) {
			t.Fatalf("left out %v, want %v; left %v, want %v", bad, wantBad, good, wantGood)
		}
		n := b.LiveRows()
		if most := 2*b.Rows + n*(bits.Len(uint(n))+1); p.rows > most {
			t.Errorf("%d rows were computed for %d, want %d at most", p.rows, n, most)
		}
		if len(wantBad) == 0 && n > 0 && p.calls != 1 {
			t.Errorf("a batch without errors was computed %d times", p.calls)
		}
		if _, err := sound(p, b, nil); (err != nil) != (len(wantBad) > 0) {
			t.Errorf("where nothing is left out: %v", err)
		}
	})
}
