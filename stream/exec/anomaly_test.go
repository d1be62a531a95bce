package exec

import (
	"math/rand/v2"
	"testing"

	"spate/column"
	"spate/sql/plan"
)

// A model that was written and read goes on as the one that was not, to the last bit,
// wherever it was written; and what is cut short is refused.
func TestModelsAreReadAsTheyWere(t *testing.T) {
	for _, history := range []int{1, 2, 7, 40} {
		d := newDetector(&plan.AnalyticFunc{Kind: plan.ChangePoint, Limit: 30, Anomaly: &plan.Anomaly{Confidence: 90, History: history}})
		r := rand.New(rand.NewPCG(uint64(history), 1))
		a, b := new(model), new(model)
		at := column.Ticks(0)
		for i := range 500 {
			at += column.Ticks(r.IntN(3))
			if r.IntN(100) == 0 {
				at += 31
			}
			x := r.NormFloat64() + float64(i/100*50)
			yes, score := d.see(a, at, x)
			yes2, score2 := d.see(b, at, x)
			if yes != yes2 || score != score2 {
				t.Fatalf("history %d, value %d: %d %v, read again %d %v", history, i, yes, score, yes2, score2)
			}
			bytes := b.append(nil)
			s := &stateReader{b: bytes}
			if b = d.readModel(s); s.done() != nil {
				t.Fatalf("history %d, value %d: %v", history, i, s.err)
			}
			cut := &stateReader{b: bytes[:r.IntN(len(bytes))]}
			if d.readModel(cut); cut.done() == nil {
				t.Fatalf("history %d, value %d: a part is read as a whole", history, i)
			}
		}
	}
}
