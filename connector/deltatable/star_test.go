package deltatable

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"spate/column"
	"spate/lake/delta"
)

// The columns of a table get the leftmost field of their name of each row, whatever other
// rows have, and for more kinds of rows than are remembered.
func TestFieldsOfStarsBecomeColumns(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	columns := []delta.Column{{Name: "a", Nullable: true}, {Name: "B", Nullable: true}, {Name: "c", Nullable: true}}
	s := &Sink{opts: Options{Path: "t", Log: slog.New(slog.DiscardHandler)}}
	l := &layout{snap: &delta.Snapshot{Columns: columns}}
	for _, c := range columns {
		l.cols = append(l.cols, target{Column: c})
	}
	w := s.newWriter(l, 0)
	names := []string{"a", "A", "b", "c", "d", "e", "f", "g"}
	schemas := []*column.Schema{
		{Fields: []column.Field{{Name: "*", Star: true}}},
		{Fields: []column.Field{{Name: "c"}, {Name: "*", Star: true}, {Name: "b"}, {Name: "*", Star: true}}},
	}
	for range 500 {
		b := &column.Batch{Schema: schemas[rnd.IntN(2)], Rows: 1 + rnd.IntN(20)}
		for _, f := range b.Schema.Fields {
			col := column.NewBuilder(nil)
			for range b.Rows {
				r := &column.RecordValue{}
				for range rnd.IntN(4) {
					if n := names[rnd.IntN(len(names))]; !slices.Contains(r.Names, n) {
						r.Names, r.Values = append(r.Names, n), append(r.Values, column.IntOf(rnd.Int64N(100)))
					}
				}
				switch {
				case rnd.IntN(9) == 0:
					col.Append(column.Value{})
				case f.Star:
					col.Append(column.RecordOf(r))
				default:
					col.Append(column.IntOf(rnd.Int64N(100)))
				}
			}
			b.Cols = append(b.Cols, col.Vector())
		}
		if rnd.IntN(2) == 0 {
			b.Live = []int32{}
			for i := range b.Rows {
				if rnd.IntN(2) == 0 {
					b.Live = append(b.Live, int32(i))
				}
			}
		}
		bad := badRows{}
		flat := w.flat(b, bad)
		for k := range b.LiveRows() {
			row := b.Row(k)
			shared := false
			for i, c := range columns {
				want, ok := flatValue(b, row, c.Name)
				shared = shared || ok
				if got := flat.Cols[i].At(row); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("column %s of row %d is %v, want %v", c.Name, row, got, want)
				}
			}
			if why := bad[int32(row)]; shared == strings.HasPrefix(why, "no column of the row") {
				t.Fatalf("row %d: %q", row, why)
			}
		}
	}
}
