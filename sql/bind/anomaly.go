package bind

import (
	"math/big"
	"strconv"
	"strings"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// Names of the functions that look for anomalies.
const (
	spikeAndDip = "ANOMALYDETECTION_SPIKEANDDIP"
	changePoint = "ANOMALYDETECTION_CHANGEPOINT"
)

// usual are arguments of an analytic function as advice shows them.
func usual(name string) string {
	switch name {
	case spikeAndDip:
		return "x, 95, 120, 'spikesanddips'"
	case changePoint:
		return "x, 95, 120"
	}
	return "x"
}

// anomaly binds the arguments of a function that looks for anomalies: all but the first are
// literals.
func (q *query) anomaly(c *syntax.Call, name string, f *plan.AnalyticFunc) bool {
	a := &plan.Anomaly{}
	f.Kind, f.Anomaly, f.Type = plan.ChangePoint, a, column.Record
	takes := 3
	if name == spikeAndDip {
		f.Kind, takes = plan.SpikeAndDip, 4
	}
	if len(c.Args) != takes {
		q.b.fail(c.Span, "write "+name+"("+usual(name)+")", "%s takes %d arguments, %d given", name, takes, len(c.Args))
		return false
	}
	if _, star := c.Args[0].(*syntax.Star); star {
		q.b.fail(c.Args[0].Loc(), "name a column", "%s takes no *", name)
		return false
	}
	f.Arg = q.expr(c.Args[0])
	q.checkType(f.Arg, name, 0, 'n')
	confidence, ok := literal(c.Args[1], syntax.IntLit, syntax.FloatLit)
	if ok {
		var percent *big.Rat
		if percent, ok = number(confidence); ok {
			a.Confidence, _ = percent.Float64()
		}
	}
	if !ok || a.Confidence < 1 || a.Confidence > 100 {
		q.b.fail(c.Args[1].Loc(), "", "the confidence of %s is a literal from 1 to 100", name)
		return false
	}
	history, ok := literal(c.Args[2], syntax.IntLit, syntax.IntLit)
	if ok {
		var err error
		a.History, err = strconv.Atoi(history)
		ok = err == nil
	}
	if !ok || a.History < 1 || a.History > plan.MaxHistory {
		q.b.fail(c.Args[2].Loc(), "", "the history of %s is a literal from 1 to %d", name, plan.MaxHistory)
		return false
	}
	if name == changePoint {
		return true
	}
	mode, ok := literal(c.Args[3], syntax.StringLit, syntax.StringLit)
	switch {
	case ok && strings.EqualFold(mode, "spikes"):
		a.Spikes = true
	case ok && strings.EqualFold(mode, "dips"):
		a.Dips = true
	case ok && strings.EqualFold(mode, "spikesanddips"):
		a.Spikes, a.Dips = true, true
	default:
		q.b.fail(c.Args[3].Loc(), "", "the mode of %s is 'spikes', 'dips' or 'spikesanddips'", name)
		return false
	}
	return true
}

// literal is the text of a literal whose kind is one of those from first to last.
func literal(e syntax.Expr, first, last syntax.LiteralKind) (string, bool) {
	lit, ok := e.(*syntax.Literal)
	if !ok || lit.Kind < first || lit.Kind > last {
		return "", false
	}
	return lit.Text, true
}
