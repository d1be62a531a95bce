package exec

import (
	"fmt"
	"testing"

	"spate/column"
	"spate/sql/plan"
)

// takenApart keeps the rows that an operator gives.
type takenApart struct{ batches []*column.Batch }

func (t *takenApart) Rows(b *column.Batch) error { t.batches = append(t.batches, b); return nil }

func (t *takenApart) Advance(column.Ticks) error { return nil }

// Arrays and records longer than a batch, more names than the dictionary holds, parts of
// one kind and of several: each part once, in its place, in batches that are not long.
func TestApplyCutsLongValues(t *testing.T) {
	for _, kind := range []plan.ApplyKind{plan.Elements, plan.Properties} {
		node := &plan.Apply{
			In: &plan.Union{Cols: []plan.Column{{Name: "k"}, {Name: "a"}}}, Kind: kind, Outer: true, Keep: []int{0},
			Arg: &plan.Col{Index: 1, Name: "a"},
			Makes: []plan.Made{
				{Column: plan.Column{Name: "p"}, What: plan.PartPlace}, {Column: plan.Column{Name: "v"}, What: plan.PartValue}, {Column: plan.Column{Name: "e"}, What: plan.PartWhole},
			},
		}
		op, err := NewApply(node)
		if err != nil {
			t.Fatal(err)
		}
		lengths := []int{3, 0, 5000, 1, 1024, 0, 1020, 20_000, 2, 20_000, 7}
		b := &column.Batch{Schema: SchemaOf(node.In.Columns()), Rows: len(lengths), Time: make([]column.Ticks, len(lengths)), Seq: make([]int64, len(lengths))}
		ks, as := column.NewBuilder(nil), column.NewBuilder(nil)
		value := func(i, n int) column.Value {
			switch {
			case i == 4 && n%3 == 0:
				return column.Value{}
			case i == 6 || i == 7 && n > 1500:
				return column.TextOf(fmt.Sprint(n))
			case i%3 == 2:
				return column.FloatOf(float64(n))
			case i == 8:
				return column.ArrayOf([]column.Value{column.IntOf(int64(n))})
			}
			return column.IntOf(int64(n))
		}
		for i, n := range lengths {
			b.Seq[i] = int64(i)
			ks.Append(column.IntOf(int64(i)))
			list, rec := make([]column.Value, n), &column.RecordValue{}
			for k := range list {
				list[k] = value(i, k)
				rec.Names = append(rec.Names, fmt.Sprintf("%d-%d", i%2, k))
			}
			if rec.Values = list; kind == plan.Properties {
				as.Append(column.RecordOf(rec))
			} else {
				as.Append(column.ArrayOf(list))
			}
		}
		b.Cols = []column.Vector{ks.Vector(), as.Vector()}
		var out takenApart
		if err := op.Process(0, b, &out); err != nil {
			t.Fatal(err)
		}
		at, row := 0, 0
		var last column.Position
		for _, got := range out.batches {
			if got.Rows == 0 || got.Rows > outputRows {
				t.Fatalf("a batch of %d rows", got.Rows)
			}
			for i := range got.Rows {
				place, part, whole := column.IntOf(int64(at)), column.Value{}, column.Value{}
				if kind == plan.Properties {
					place = column.TextOf(fmt.Sprintf("%d-%d", row%2, at))
				}
				names := kind.Names()
				if n := lengths[row]; n == 0 {
					place = column.Value{}
				} else {
					part = value(row, at)
					whole = column.RecordOf(&column.RecordValue{Names: names[:], Values: []column.Value{place, part}})
				}
				want := column.ArrayOf([]column.Value{column.IntOf(int64(row)), place, part, whole})
				have := column.ArrayOf([]column.Value{got.Cols[0].At(i), got.Cols[1].At(i), got.Cols[2].At(i), got.Cols[3].At(i)})
				if w, h := column.AppendJSON(nil, want), column.AppendJSON(nil, have); string(w) != string(h) {
					t.Fatalf("part %d of row %d is %s, want %s", at, row, h, w)
				}
				p := column.PositionOf(got, i)
				if p.Seq != int64(row) || p.Index != int64(at) || (row > 0 || at > 0) && !last.Before(p) {
					t.Fatalf("part %d of row %d stands at %+v, behind %+v", at, row, p, last)
				}
				last = p
				if at++; at >= lengths[row] {
					at, row = 0, row+1
				}
			}
		}
		if row != len(lengths) {
			t.Errorf("%d rows were taken apart, want %d", row, len(lengths))
		}
	}
}
