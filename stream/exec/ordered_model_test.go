package exec_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"spate/column"
	"spate/sql/plan"
)

// modelRow is a row of the input i: k and p are keys, the others are arguments.
type modelRow struct {
	at            column.Position
	k, p, d, n, m column.Value
}

func (r *modelRow) value(name string) column.Value {
	switch name {
	case "k":
		return r.k
	case "p":
		return r.p
	case "d":
		return r.d
	case "n":
		return r.n
	case "m":
		return r.m
	}
	return column.Value{}
}

// modelOut is an output row: the time, where it stands, and the values that print.
type modelOut struct {
	at   column.Position // Time is that of the row
	vals []column.Value
	tie  []byte // orders rows that stand at one place
}

func (o *modelOut) String() string {
	var b strings.Builder
	for _, n := range []int64{int64(o.at.Time), int64(o.at.Arrived), o.at.Seq, o.at.Index} {
		b.Write(column.AppendJSON(nil, column.IntOf(n)))
		b.WriteByte(' ')
	}
	for _, v := range o.vals {
		b.WriteString(v.Kind.String() + ":")
		b.Write(column.AppendJSON(nil, v))
		b.WriteByte(' ')
	}
	return b.String()
}

var errMixed = errors.New("kinds are mixed")

// modelAggregates are COUNT(*), COUNT(DISTINCT d), SUM(n), MIN(m) and MAX(m) over the
// rows, by definition.
func modelAggregates(rows []*modelRow) ([]column.Value, error) {
	seen := make(map[string]bool)
	sum, sums := 0.0, 0
	var lo, hi column.Value
	for _, r := range rows {
		if !r.d.IsNull() {
			seen[string(column.AppendKey(nil, r.d))] = true
		}
		if f, ok := r.n.Number(); ok {
			sum, sums = sum+f, sums+1
		}
		m := r.m
		switch m.Kind {
		case column.Null:
			continue
		case column.Int64:
			m = column.FloatOf(float64(m.Int()))
		case column.Text:
			if f, ok := column.ParseFloat(m.Text()); ok {
				m = f
			} else {
				t, _ := column.ParseTicks(m.Text())
				m = column.TimeOf(t)
			}
		}
		if lo.IsNull() {
			lo, hi = m, m
		}
		if lo.Kind != m.Kind {
			return nil, errMixed
		}
		if o, _ := column.Compare(m, lo); o == column.Less {
			lo = m
		}
		if o, _ := column.Compare(m, hi); o == column.Greater {
			hi = m
		}
	}
	total := column.Value{}
	if sums > 0 {
		total = column.FloatOf(sum)
	}
	return []column.Value{column.IntOf(int64(len(rows))), column.IntOf(int64(len(seen))), total, lo, hi}, nil
}

// modelWindow is the rows of one window over the input, which is in total order. The
// error is that of its first instant that fails. over is the key of sessions.
func modelWindow(w *plan.Window, rows []*modelRow, over func(*modelRow) []byte) ([]modelOut, error) {
	var out []modelOut
	var failed error
	add := func(at column.Ticks, tie []byte, in []*modelRow) {
		if failed != nil || len(in) == 0 {
			return
		}
		vals, err := modelAggregates(in)
		if err != nil {
			failed = err
			return
		}
		vals = append([]column.Value{in[0].k}, vals...)
		if w.ID != "" { // the script prints it
			vals = append(vals, column.TextOf(w.ID))
		}
		o := modelOut{at: in[0].at, vals: vals, tie: tie}
		o.at.Time = at
		out = append(out, o)
	}
	switch w.Kind {
	case plan.Sliding:
		modelSliding(w.Size, rows, add)
	case plan.Session:
		modelSessions(w, rows, over, add)
	case plan.Tumbling:
		for _, of := range modelGroups(rows, func(r *modelRow) string { return string(column.AppendKey(nil, r.k)) }) {
			for _, in := range modelGroups(of, func(r *modelRow) string { return r.at.Time.CeilTo(w.Size, 0).String() }) {
				add(in[0].at.Time.CeilTo(w.Size, 0), nil, in)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b modelOut) int {
		switch {
		case a.at.Before(b.at):
			return -1
		case b.at.Before(a.at):
			return 1
		}
		return bytes.Compare(a.tie, b.tie)
	})
	return out, failed
}

// modelGroups splits rows by a key, in the order of their first rows.
func modelGroups(rows []*modelRow, key func(*modelRow) string) [][]*modelRow {
	var out [][]*modelRow
	at := make(map[string]int)
	for _, r := range rows {
		k := key(r)
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], r)
	}
	return out
}

func modelSliding(size column.Ticks, rows []*modelRow, add func(column.Ticks, []byte, []*modelRow)) {
	for _, of := range modelGroups(rows, func(r *modelRow) string { return string(column.AppendKey(nil, r.k)) }) {
		var instants []column.Ticks
		for _, r := range of {
			instants = append(instants, r.at.Time, r.at.Time+size)
		}
		slices.Sort(instants)
		from, to := 0, 0
		for _, at := range slices.Compact(instants) {
			for to < len(of) && of[to].at.Time <= at {
				to++
			}
			for from < to && of[from].at.Time <= at-size {
				from++
			}
			add(at, column.AppendKey(nil, of[0].k), of[from:to])
		}
	}
}

func modelSessions(w *plan.Window, rows []*modelRow, over func(*modelRow) []byte, add func(column.Ticks, []byte, []*modelRow)) {
	for _, of := range modelGroups(rows, func(r *modelRow) string { return string(over(r)) }) {
		for len(of) > 0 {
			// The page's rule: fresh, a session lives to the grid point behind the next; one
			// that goes on behind a cut, to the next.
			bound := of[0].at.Time.CeilTo(w.Hop, 0) + w.Hop
			for len(of) > 0 {
				n := 1
				for n < len(of) && of[n].at.Time-of[n-1].at.Time <= w.Size && of[n].at.Time <= bound {
					n++
				}
				last := of[n-1].at.Time
				for _, in := range modelGroups(of[:n], func(r *modelRow) string { return string(column.AppendKey(nil, r.k)) }) {
					tie := column.AppendKey(over(in[0]), column.TimeOf(of[0].at.Time))
					add(min(last+w.Size, bound), column.AppendKey(tie, in[0].k), in)
				}
				of = of[n:]
				if len(of) == 0 || of[0].at.Time-last > w.Size {
					break
				}
				bound = of[0].at.Time.CeilTo(w.Hop, 0)
			}
		}
	}
}

// modelRun is the rows of all windows, in order of time and place.
func modelRun(n *plan.Aggregate, rows []*modelRow, over func(*modelRow) []byte) ([]modelOut, error) {
	var out []modelOut
	var failed error
	for i := range n.Windows {
		part, err := modelWindow(&n.Windows[i], rows, over)
		failed = errors.Join(failed, err)
		for k := range part {
			part[k].at.Index += int64(i) * column.Branch
		}
		out = append(out, part...)
	}
	slices.SortStableFunc(out, func(a, b modelOut) int {
		switch {
		case a.at.Before(b.at):
			return -1
		case b.at.Before(a.at):
			return 1
		}
		return 0
	})
	return out, failed
}
