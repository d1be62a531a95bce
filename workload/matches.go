package workload

import (
	"context"
	"fmt"
	"math/rand/v2"

	"spate/column"
	"spate/sql/plan"
	"spate/stream/exec"
)

// measureMatch looks for sequences of the rows of 100 keys: one that ends soon, one whose
// definitions look back, and one that goes on as long as LIMIT DURATION lets it, for every
// row of a key.
func measureMatch(ctx context.Context, r *Report) error {
	const rows, keys = 1024, 100
	for _, c := range []struct {
		name, limit, pattern, define string
		rounds                       int
		budget                       float64
	}{
		{"three rows", "second, 10", "A B C", "A AS v > 50, B AS v > 60, C AS v > 70", 200, 2_000},
		{"rising values", "second, 10", "A Up{3,}", "A AS v < 10, Up AS Up.v > Last(v)", 50, 10_000},
		{"200 rows without end", "second, 20", "A* B", "A AS v >= 0, B AS v < 0", 30, 40_000},
	} {
		_, job, err := operatorOf("SELECT m.x, m.y INTO o FROM i MATCH_RECOGNIZE (LIMIT DURATION(" + c.limit + ") PARTITION BY k MEASURES First(v) AS x, Last(v) AS y PATTERN (" + c.pattern + ") DEFINE " + c.define + ") AS m")
		if err != nil {
			return err
		}
		node := job.Outputs[0].In.Inputs()[0].Inputs()[0].(*plan.Match) // below MEASURES and SELECT
		op, err := exec.NewMatch(node)
		if err != nil {
			return err
		}
		below := node.In
		out := new(nothing)
		seq, rnd := int64(0), rand.New(rand.NewPCG(1, 2))
		before := used()
		for range c.rounds {
			b := &column.Batch{Schema: exec.SchemaOf(below.Columns()), Rows: rows, Time: make([]column.Ticks, rows), Seq: make([]int64, rows)}
			dict := column.NewDict()
			k, v := column.NewBuilder(dict), column.NewBuilder(nil)
			for i := range rows { // a row of each key every 100 ms
				b.Time[i], b.Seq[i] = benchEpoch+column.Ticks(seq)*column.Millisecond, seq
				k.Append(column.TextOf(fmt.Sprintf("device-%03d", seq%keys)))
				v.Append(column.FloatOf(float64(rnd.IntN(101))))
				seq++
			}
			for _, col := range below.Columns() {
				if col.Name == "k" {
					b.Cols = append(b.Cols, k.Vector())
				} else {
					b.Cols = append(b.Cols, v.Vector())
				}
			}
			if err := op.Process(0, b, out); err != nil {
				return err
			}
			if err := op.Advance(b.Time[rows-1], out); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if c.pattern == "A* B" == (out.rows > 0) {
			return fmt.Errorf("%s: %d rows", c.name, out.rows)
		}
		r.add("match, "+c.name, "CPU-ns/event", float64(used().since(before).cpu)/float64(c.rounds*rows), c.budget)
	}
	return nil
}
