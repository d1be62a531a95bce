package exec

import (
	"fmt"
	"strings"
	"testing"

	"spate/column"
	"spate/sql/bind"
	"spate/sql/plan"
)

// everTable is one table for all times.
type everTable struct{ *Table }

func (e everTable) At(column.Ticks) (*Table, column.Ticks, column.Ticks, error) {
	return e.Table, 0, column.EndOfTime, nil
}

// valuesBatch is a batch of one column, its values in turns, all of one time.
func valuesBatch(n plan.Node, dict *column.Dict, values []column.Value, rows int) *column.Batch {
	b := &column.Batch{Schema: SchemaOf(n.Columns()), Rows: rows, Time: make([]column.Ticks, rows), Seq: make([]int64, rows)}
	to := column.NewBuilder(dict)
	for i := range rows {
		to.Append(values[i%len(values)])
		b.Seq[i] = int64(i)
	}
	b.Cols = []column.Vector{to.Vector()}
	return b
}

func pairsOf(t *testing.T, n *plan.Lookup, table *Table, b *column.Batch) string {
	t.Helper()
	op, err := NewLookup(n)
	if err != nil {
		t.Fatal(err)
	}
	op.Tables = everTable{table}
	var out takenApart
	if err := op.Process(0, b, &out); err != nil {
		t.Fatal(err)
	}
	var s strings.Builder
	last := int64(-1)
	for _, o := range out.batches {
		for k := range o.LiveRows() {
			i := o.Row(k)
			if o.Seq[i] < last {
				t.Error("rows are not in the order in which they came")
			}
			last = o.Seq[i]
			fmt.Fprintf(&s, "%d %s=%s\n", o.Seq[i], column.AppendJSON(nil, o.Cols[0].At(i)), column.AppendJSON(nil, o.Cols[1].At(i)))
		}
	}
	return s.String()
}

// Keys that are found by their values find what encoded keys find, of every kind and in
// every layout of a column.
func TestLookupsFindKeysByTheirValues(t *testing.T) {
	text, integer, float := column.TextOf, column.IntOf, column.FloatOf
	null, many := column.Value{}, []column.Value{}
	for i := range 3000 {
		many = append(many, text(fmt.Sprintf("device-%04d", i)))
	}
	sets := [][]column.Value{
		{text("a"), text("b"), text("true story"), text("")}, {text("a"), text("1"), text("2.0")}, {text("true"), text("x")}, many,
		{integer(1), integer(0), integer(-7)}, {float(1), float(0.5), float(1 << 60)}, {integer(1), float(0.5), integer(1 << 53)},
		{integer(1<<53 + 1), integer(1 << 53)}, {column.BoolOf(true), column.BoolOf(false)}, {column.TimeOf(1), column.TimeOf(2)},
		{text("a"), integer(1), column.BoolOf(true)}, {null, text("a")}, {null},
	}
	for _, declared := range []string{"", "CREATE TABLE i (k nvarchar(max)); CREATE TABLE ref (k nvarchar(max)); ", "CREATE TABLE i (k bigint); CREATE TABLE ref (k bigint); "} {
		for _, kind := range []string{"JOIN", "LEFT JOIN"} {
			job, errs, _ := bind.Script(declared+"SELECT i.k AS a, r.k AS b INTO o FROM i "+kind+" ref r ON i.k = r.k", bind.Options{References: []string{"ref"}})
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			n := job.Outputs[0].In.Inputs()[0].(*plan.Lookup)
			for x, keys := range sets {
				for y, events := range sets {
					if declared != "" && (!oneKind(keys, declared) || !oneKind(events, declared)) {
						continue
					}
					for _, twice := range []int{1, 2} { // keys of one row, and of two
						table, err := NewTable(n, valuesBatch(n.Ref, nil, keys, twice*len(keys)), nil)
						if err != nil {
							t.Fatal(err)
						}
						general := *table
						general.probe = nil
						for _, dict := range []*column.Dict{nil, column.NewDict()} {
							b := valuesBatch(n.In, dict, append(events, null), 2*len(events)+2)
							if got, want := pairsOf(t, n, table, b), pairsOf(t, n, &general, b); got != want {
								t.Errorf("%s%s: keys %d, events %d, %d rows a key\n%s\nwant\n%s", declared, kind, x, y, twice, got, want)
							}
						}
					}
				}
			}
		}
	}
}

// oneKind reports whether values may stand in a declared column.
func oneKind(values []column.Value, declared string) bool {
	want := column.Int64
	if strings.Contains(declared, "nvarchar") {
		want = column.Text
	}
	for _, v := range values {
		if !v.IsNull() && v.Kind != want {
			return false
		}
	}
	return true
}

// More pairs than a batch holds, of which a condition leaves few: each row of an outer join
// comes, with its partners or once without.
func TestALookupOfManyPairs(t *testing.T) {
	job, errs, _ := bind.Script("SELECT i.k AS a, r.k AS b INTO o FROM i LEFT JOIN ref r ON r.k % 1000 = i.k AND r.k > 0", bind.Options{References: []string{"ref"}})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	n := job.Outputs[0].In.Inputs()[0].(*plan.Lookup)
	n.On, n.Keys = n.Keys[0], nil // no key: every row is a candidate
	var keys []column.Value
	for i := range 2500 {
		keys = append(keys, column.IntOf(int64(i)))
	}
	table, err := NewTable(n, valuesBatch(n.Ref, nil, keys, len(keys)), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := pairsOf(t, n, table, valuesBatch(n.In, nil, []column.Value{column.IntOf(499), column.IntOf(-1), column.IntOf(0), {}}, 4))
	want := "0 499=499\n0 499=1499\n0 499=2499\n1 -1=null\n2 0=1000\n2 0=2000\n3 null=null\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
