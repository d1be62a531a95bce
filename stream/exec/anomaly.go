package exec

import (
	"encoding/binary"
	"fmt"
	"math"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// detector tells anomalies among the values of a key, one after the other. A value is
// compared with those before it: with the density that a bell over each of them makes, as
// wide as they differ. Of that density the width changes with every value, so every value
// that is remembered is looked at for each that comes.
//
// A change is told by a martingale: a product of bets that values come as those before them,
// over as many values as are remembered. It is kept as a sum of logarithms.
// Source: stream-analytics.md 6.
type detector struct {
	anomaly *plan.Anomaly
	change  bool    // ChangePoint
	least   float64 // ChangePoint: the sum of logarithms from which on it is a change
	limit   column.Ticks
}

func newDetector(f *plan.AnalyticFunc) *detector {
	d := &detector{anomaly: f.Anomaly, change: f.Kind == plan.ChangePoint, limit: f.Limit}
	d.least = float64(f.Anomaly.History) * bet(1-f.Anomaly.Confidence/100)
	return d
}

// model is what a detector remembers of one key.
type model struct {
	times  []column.Ticks // of the values, oldest first
	values []float64
	from   int // the values before it are forgotten

	logs  []float64 // of ChangePoint: logarithms of the last bets, in a ring
	next  int       // where the oldest stands
	sum   float64   // of logs
	quiet int       // values for which no change is told
}

// power is how boldly a martingale bets, 0..1.
const power = 0.1

// bet is the logarithm of what a bet brings where a value as rare as p comes.
func bet(p float64) float64 { return math.Log(power) + (power-1)*math.Log(p) }

// Bounds of what a value's rarity is taken for.
const rarest = 1e-8

// anomalyNames are the fields of a result; no row changes them.
var anomalyNames = []string{"IsAnomaly", "Score"}

// anomalyValue is the argument of a detector: a number, or a text that reads as one.
func anomalyValue(name string) func([]column.Value) (column.Value, error) {
	return func(a []column.Value) (column.Value, error) {
		switch a[0].Kind {
		case column.Null:
			return a[0], nil
		case column.Int64, column.Float64, column.Text:
			if v, ok := column.Cast(a[0], column.Float64); ok && !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0) {
				return v, nil
			}
			return column.Value{}, fmt.Errorf("the 1st argument of function %s, '%.40s', is no number", name, a[0].Text())
		}
		return column.Value{}, fmt.Errorf("The 1st argument of function %s has invalid type '%s'. Only 'bigint', 'float' is allowed.", name, a[0].Kind)
	}
}

// anomalies is SpikeAndDip and ChangePoint. A row that does not qualify, or whose value is
// NULL, has no result and is not remembered.
func (f *analyticFunc) anomalies(b *column.Batch, rows compute.Rows, arg compute.Operand) column.Vector {
	out := column.NewBuilder(nil)
	for k := range rows.Len() {
		i := rows.Row(k)
		for out.Rows() < i {
			out.Append(column.Value{})
		}
		var v column.Value
		if f.qualifies(i) {
			v = arg.At(i)
		}
		if v.IsNull() {
			out.Append(v)
			continue
		}
		g, t := f.ids[i], b.Time[i]
		f.touch(g, t)
		h := &f.of[g]
		if h.model == nil {
			h.model = new(model)
		}
		yes, score := f.detect.see(h.model, t, v.Float())
		out.Append(column.RecordOf(&column.RecordValue{Names: anomalyNames, Values: []column.Value{column.IntOf(yes), column.FloatOf(score)}}))
	}
	for out.Rows() < b.Rows {
		out.Append(column.Value{})
	}
	return out.Vector()
}

// see scores a value and remembers it.
func (d *detector) see(m *model, t column.Ticks, x float64) (anomaly int64, score float64) {
	m.forget(t - d.limit)
	if m.count() == 0 { // nothing but what is too old: the key begins anew
		m.logs, m.next, m.sum, m.quiet = nil, 0, 0, 0
	}
	above, below := m.rarity(x)
	m.push(t, x, d.anomaly.History)
	full := m.count() == d.anomaly.History
	if d.change {
		return d.changed(m, clamp(min(above, below)), full)
	}
	p := min(above, below)
	switch {
	case !d.anomaly.Dips:
		p = above
	case !d.anomaly.Spikes:
		p = below
	}
	p = clamp(p)
	if full && p <= 1-d.anomaly.Confidence/100 {
		anomaly = 1
	}
	return anomaly, p
}

// changed bets on a value as rare as p.
func (d *detector) changed(m *model, p float64, full bool) (anomaly int64, score float64) {
	m.bet(bet(p), d.anomaly.History)
	switch {
	case m.quiet > 0:
		m.quiet--
	case full && m.sum >= d.least:
		anomaly, m.quiet = 1, d.anomaly.History-1
	}
	return anomaly, min(math.Exp(m.sum), math.MaxFloat64)
}

func clamp(p float64) float64 { return min(max(p, rarest), 1-rarest) }

func (m *model) count() int { return len(m.values) - m.from }

// forget drops values from before a time.
func (m *model) forget(before column.Ticks) {
	for m.from < len(m.times) && m.times[m.from] < before {
		m.from++
	}
}

// push remembers a value, in the place of the oldest where that many are remembered. The
// values stay in one run, so that what they add up to does not depend on where they stand.
func (m *model) push(t column.Ticks, x float64, history int) {
	if m.count() == history {
		m.from++
	}
	if m.from >= max(8, m.count()) {
		m.times, m.values = append(m.times[:0], m.times[m.from:]...), append(m.values[:0], m.values[m.from:]...)
		m.from = 0
	}
	m.times, m.values = append(m.times, t), append(m.values, x)
}

// bet puts the logarithm of a bet in the place of the oldest. The first stands for those
// that have not come. The sum is made anew each time round, so what adding and taking
// away loses does not grow.
func (m *model) bet(log float64, history int) {
	if m.logs == nil {
		m.logs = make([]float64, history)
		for i := range m.logs {
			m.logs[i] = log
		}
		m.sum = float64(history) * log
		m.next = 0
	} else {
		m.sum += log - m.logs[m.next]
		m.logs[m.next] = log
	}
	if m.next++; m.next == history {
		m.next, m.sum = 0, 0
		for _, l := range m.logs {
			m.sum += l
		}
	}
}

// rarity is how much of the density lies above x, and how much below.
func (m *model) rarity(x float64) (above, below float64) {
	values := m.values[m.from:]
	if len(values) == 0 {
		return 0.5, 0.5
	}
	n := float64(len(values))
	scale, width := 1.0, 1.0 // of one value
	if n > 1 {
		spread := squares(values, sum(values)/n)
		if !(spread <= math.MaxFloat64) { // sums do not fit a float
			scale = 0x1p-600
			values, x = scaled(values, scale), x*scale
			spread = squares(values, sum(values)/n)
		}
		width = math.Sqrt(spread / n)
	}
	width = max(math.Sqrt2*width, 1e-6*scale)
	var b bells
	b.add(values, x, 1/width)
	return b.above() / (2 * n), b.below() / (2 * n)
}

func scaled(values []float64, by float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = v * by
	}
	return out
}

// sum adds up in four lanes, which need not wait for each other.
func sum(values []float64) float64 {
	var a, b, c, d float64
	for ; len(values) >= 4; values = values[4:] {
		a += values[0]
		b += values[1]
		c += values[2]
		d += values[3]
	}
	for _, v := range values {
		a += v
	}
	return a + b + (c + d)
}

// squares adds up the squares of distances from a middle, as sum does.
func squares(values []float64, middle float64) float64 {
	var a, b, c, d float64
	for ; len(values) >= 4; values = values[4:] {
		w, x, y, z := values[0]-middle, values[1]-middle, values[2]-middle, values[3]-middle
		a += w * w
		b += x * x
		c += y * y
		d += z * z
	}
	for _, v := range values {
		a += (v - middle) * (v - middle)
	}
	return a + b + (c + d)
}

// append writes a model.
func (m *model) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(m.count()))
	for k := m.from; k < len(m.values); k++ {
		dst = binary.BigEndian.AppendUint64(appendTicks(dst, m.times[k]), math.Float64bits(m.values[k]))
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.logs)))
	if m.logs == nil {
		return dst
	}
	for _, l := range m.logs {
		dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(l))
	}
	dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(m.sum))
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(m.next)), uint64(m.quiet))
}

// readModel reads what append has written.
func (d *detector) readModel(r *stateReader) *model {
	m, history := new(model), d.anomaly.History
	n := r.count()
	if n > history {
		r.fail()
		return m
	}
	for range n {
		t := r.ticks()
		m.push(t, math.Float64frombits(r.fixed64()), history)
	}
	logs := r.count()
	switch {
	case logs == 0:
		return m
	case logs != history:
		r.fail()
		return m
	}
	m.logs = make([]float64, logs)
	for i := range m.logs {
		m.logs[i] = math.Float64frombits(r.fixed64())
	}
	m.sum = math.Float64frombits(r.fixed64())
	next, quiet := r.uvarint(), r.uvarint()
	if next >= uint64(history) || quiet >= uint64(history) {
		r.fail()
		return m
	}
	m.next, m.quiet = int(next), int(quiet)
	return m
}
