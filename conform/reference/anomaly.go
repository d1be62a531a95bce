package reference

import (
	"fmt"
	"math"

	"spate/column"
	"spate/sql/plan"
)

// anomalyArg is a number, or a text that reads as one.
func anomalyArg(name string, v column.Value) (column.Value, error) {
	if !isNumber(v) && v.Kind != column.Text {
		return null, wrongType(name, 1, v, column.Int64, column.Float64)
	}
	f, ok := convert(v, column.Float64)
	if !ok || math.IsNaN(f.Float()) || math.IsInf(f.Float(), 0) {
		return null, fmt.Errorf("%s: %q is no number", name, v.Text())
	}
	return f, nil
}

// seen is a value that an anomaly function has looked at.
type seen struct {
	at column.Ticks
	x  float64
}

// anomalies scores the values of each key, one after the other.
// Source: stream-analytics.md 6.
func anomalies(f *plan.AnalyticFunc, in []row, args []analyticArg) []column.Value {
	const epsilon = 0.1
	type model struct {
		queue   []seen
		updates []float64
		quiet   int
	}
	models := map[string]*model{}
	h := f.Anomaly.History
	threshold := 1 - f.Anomaly.Confidence/100
	update := func(p float64) float64 { return math.Log(epsilon) + (epsilon-1)*math.Log(p) }
	out := make([]column.Value, len(in))
	for i := range in {
		if !args[i].when || args[i].arg.IsNull() {
			continue
		}
		m := models[args[i].key]
		if m == nil {
			m = &model{}
			models[args[i].key] = m
		}
		for len(m.queue) > 0 && in[i].time-m.queue[0].at > f.Limit {
			m.queue = m.queue[1:]
		}
		if len(m.queue) == 0 {
			*m = model{}
		}
		x := args[i].arg.Float()
		p, q := density(m.queue, x)
		if len(m.queue) == h {
			m.queue = m.queue[1:]
		}
		m.queue = append(m.queue, seen{in[i].time, x})
		full := len(m.queue) == h
		alert, score := false, 0.0
		if f.Kind == plan.SpikeAndDip {
			switch {
			case f.Anomaly.Spikes && f.Anomaly.Dips:
				score = math.Min(p, q)
			case f.Anomaly.Spikes:
				score = p
			default:
				score = q
			}
			score = math.Max(1e-8, math.Min(1-1e-8, score))
			alert = full && score <= threshold
		} else {
			u := update(math.Max(1e-8, math.Min(1-1e-8, math.Min(p, q))))
			for len(m.updates) < h-1 {
				m.updates = append(m.updates, u) // those before the first
			}
			m.updates = append(m.updates, u)
			m.updates = m.updates[len(m.updates)-h:]
			sum := 0.0
			for _, u := range m.updates {
				sum += u
			}
			score = math.Min(math.Exp(sum), math.MaxFloat64)
			if m.quiet > 0 {
				m.quiet--
			} else if alert = full && sum >= float64(h)*update(threshold); alert {
				m.quiet = h - 1
			}
		}
		out[i] = column.RecordOf(&column.RecordValue{Names: []string{"IsAnomaly", "Score"}, Values: []column.Value{bit(alert), column.FloatOf(score)}})
	}
	return out
}

// density is p = 0.5 - (1/2n) sum of erf((x-b)/w), which is a mean of halves of erfc and so
// keeps its digits, and 1-p likewise. Very large values are made smaller first, lest their
// squares do not fit.
func density(queue []seen, x float64) (p, q float64) {
	n := float64(len(queue))
	if n == 0 {
		return 0.5, 0.5
	}
	largest := math.Abs(x)
	for _, b := range queue {
		largest = math.Max(largest, math.Abs(b.x))
	}
	unit := 1.0
	if largest > 1e100 {
		unit = largest
	}
	w := math.Sqrt2 / unit
	if n > 1 {
		pairs := 0.0
		for i, a := range queue {
			for _, b := range queue[:i] {
				pairs += (a.x/unit - b.x/unit) * (a.x/unit - b.x/unit)
			}
		}
		w = math.Sqrt2 * math.Sqrt(pairs) / n
	}
	w = math.Max(w, 1e-6/unit)
	for _, b := range queue {
		z := (x/unit - b.x/unit) / w
		p += math.Erfc(z) / 2 / n
		q += math.Erfc(-z) / 2 / n
	}
	return p, q
}
