package stream_test

import (
	"fmt"
	"strings"
	"testing"

	"spate/blob"
	"spate/stream"
)

// What a job says of itself: each step with its line, its place, its rows in and out, its
// newest rows and what it holds.
func TestExplain(t *testing.T) {
	const script = `WITH even AS (
  SELECT n, LAG(n) OVER (PARTITION BY n % 4 LIMIT DURATION(hour, 1)) AS before FROM i WHERE n % 2 = 0
)
SELECT before, n INTO o FROM even
WHERE n >= 10;
SELECT COUNT(*) AS c INTO p FROM i GROUP BY TumblingWindow(second, 7)`
	for shards := 1; shards <= 2; shards++ {
		t.Run(fmt.Sprintf("%d shards", shards), func(t *testing.T) {
			var out, second table
			o := options(t, script, messages(20), blob.NewMemory(), &out)
			o.Outputs["p"], o.Parallelism, o.NoFlush = &second, shards, true
			j, err := stream.New(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if err := j.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			e, err := j.Explain(t.Context(), 2)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, s := range e.Steps {
				fmt.Fprintf(&got, "#%d %s line %d in %d out %d state %v", s.ID, s.Does, s.Line, s.RowsIn, s.RowsOut, s.Entries > 0)
				for _, r := range s.Sample {
					fmt.Fprintf(&got, " %s", r.Row)
				}
				if s.Step != "" {
					fmt.Fprintf(&got, " is %s", s.Step)
				}
				got.WriteByte('\n')
			}
			for _, out := range e.Outputs {
				fmt.Fprintf(&got, "%s from #%d: %d rows\n", out.Alias, out.From, out.Rows)
			}
			// The last window is open: its three rows are state.
			const lag = `"LAG(n) OVER (PARTITION BY n % 4 LIMIT DURATION(hour, 1))"`
			want := strings.ReplaceAll(`#1 input i line 2 in 20 out 20 state true {"n":18} {"n":19}
#2 analytic LAG(n) PARTITION BY n % 4 line 2 in 20 out 20 state true {"n":18,LAG:14} {"n":19,LAG:15}
#3 filter n % 2 = 0 line 2 in 20 out 10 state false {"n":16,LAG:12} {"n":18,LAG:14}
#4 project n, before line 2 in 10 out 10 state false {"n":16,"before":12} {"n":18,"before":14} is even
#5 filter n >= 10 line 5 in 10 out 5 state false {"n":16,"before":12} {"n":18,"before":14}
#6 project before, n line 4 in 5 out 5 state false {"before":12,"n":16} {"before":14,"n":18}
#7 aggregate COUNT(*) over TumblingWindow 7s line 6 in 20 out 3 state true {"COUNT(*)":7} {"COUNT(*)":7}
#8 project c line 6 in 3 out 3 state false {"c":7} {"c":7}
o from #6: 5 rows
p from #8: 3 rows
`, "LAG:", lag+":")
			if got.String() != want {
				t.Errorf("got\n%swant\n%s", &got, want)
			}
			if e.Inputs[0].Events != 20 {
				t.Errorf("%d events of the input, want 20", e.Inputs[0].Events)
			}
		})
	}
}
