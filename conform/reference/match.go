package reference

import (
	"cmp"
	"slices"

	"spate/column"
	"spate/sql/plan"
)

// match looks, from every row on, for the longest sequence of rows of its key that the
// pattern describes: it goes all ways through the pattern, one behind the other, and of
// sequences of one length keeps the one that it found first.
func (r *runner) match(n *plan.Match) ([]row, error) {
	in, err := r.rows(n.In)
	if err != nil {
		return nil, err
	}
	keys := map[string][]*matchRow{}
	var order []string
	for i := range in {
		x, key, err := r.matchRow(n, &in[i])
		if err != nil {
			if err := r.skip(n, n.In.Columns(), &in[i], err); err != nil {
				return nil, err
			}
			continue
		}
		if keys[key] == nil {
			order = append(order, key)
		}
		keys[key] = append(keys[key], x)
	}
	var out []row
	for _, key := range order {
		rows := keys[key]
		for first := range rows {
			m := &matching{r: r, n: n, rows: rows[first:]}
			m.pattern(n.Pattern, 0, func(at int) {
				if at > 0 && at > len(m.best) {
					m.best = slices.Clone(m.vars)
				}
			})
			x, err := m.result()
			if x == nil {
				continue
			}
			if err != nil {
				if err := r.skip(n, n.Columns(), x, err); err != nil {
					return nil, err
				}
				continue
			}
			out = append(out, *x)
		}
	}
	return out, nil
}

// matchRow is a row with what is computed of it alone.
type matchRow struct {
	*row
	when []bool         // by variable
	args []column.Value // by aggregate
}

func (r *runner) matchRow(n *plan.Match, x *row) (*matchRow, string, error) {
	out := &matchRow{row: x}
	var key []byte
	for _, k := range n.Keys {
		v, err := r.eval(k, x)
		if err != nil {
			return nil, "", err
		}
		key = appendKey(key, v)
	}
	for _, v := range n.Vars {
		ok := true
		if v.When != nil {
			var err error
			if ok, err = r.holds(v.When, x); err != nil {
				return nil, "", err
			}
		}
		out.when = append(out.when, ok)
	}
	for i := range n.Aggs {
		var v column.Value
		var err error
		switch a := &n.Aggs[i]; a.Func {
		case plan.Classifier:
		case plan.MatchMin, plan.MatchMax:
			v, err = r.argument(a.Agg(), x)
		default:
			v, err = r.eval(a.Arg, x)
		}
		if err != nil {
			return nil, "", err
		}
		out.args = append(out.args, v)
	}
	return out, string(key), nil
}

// matching is the search from one row on.
type matching struct {
	r    *runner
	n    *plan.Match
	rows []*matchRow // from the first on
	vars []int       // of the rows taken so far
	best []int       // of the longest sequence
	err  error       // of a definition, or of an aggregate that one reads
}

// pattern goes all ways through p from row at on, the preferred first, and each of them on
// with what follows.
func (m *matching) pattern(p *plan.Pattern, at int, follows func(at int)) { m.times(p, 0, at, follows) }

// times is p when it has been gone through some times.
func (m *matching) times(p *plan.Pattern, done, at int, follows func(at int)) {
	if p.Most < 0 || done < p.Most {
		m.once(p, at, func(next int) {
			if next == at && done >= p.Least {
				return // round and round without a row
			}
			m.times(p, done+1, next, follows)
		})
	}
	if done >= p.Least {
		follows(at)
	}
}

func (m *matching) once(p *plan.Pattern, at int, follows func(at int)) {
	switch {
	case p.Parts == nil:
		m.take(p.Var, at, follows)
	case p.Either:
		for _, part := range p.Parts {
			m.pattern(part, at, follows)
		}
	default:
		m.sequence(p.Parts, at, follows)
	}
}

func (m *matching) sequence(parts []*plan.Pattern, at int, follows func(at int)) {
	if len(parts) == 0 {
		follows(at)
		return
	}
	m.pattern(parts[0], at, func(next int) { m.sequence(parts[1:], next, follows) })
}

// take takes row at for a variable, if it may.
func (m *matching) take(v, at int, follows func(at int)) {
	if m.err != nil || at >= len(m.rows) || m.rows[at].time-m.rows[0].time > m.n.Limit || !m.holds(v, at) {
		return
	}
	m.vars = append(m.vars, v)
	if m.reads(); m.err == nil {
		follows(at + 1)
	}
	m.vars = m.vars[:at]
}

func (m *matching) holds(v, at int) bool {
	if v < 0 {
		return true
	}
	if !m.rows[at].when[v] || m.n.Vars[v].SoFar == nil {
		return m.rows[at].when[v]
	}
	x := *m.rows[at].row
	x.vals = slices.Clone(x.vals)
	for i := range m.n.Aggs {
		var val column.Value
		if m.read(i) {
			val, _ = m.agg(i, m.vars) // it has a value, see reads
		}
		x.vals = append(x.vals, val)
	}
	ok, err := m.r.holds(m.n.Vars[v].SoFar, &x)
	m.err = err
	return ok && err == nil
}

// reads ends the search where MIN or MAX of what definitions read has no value any more: the
// row that was taken last and one before it have no common order.
func (m *matching) reads() {
	last := len(m.vars) - 1
	for i := range m.n.Aggs {
		a := &m.n.Aggs[i]
		if a.Func != plan.MatchMin && a.Func != plan.MatchMax || a.Var >= 0 && a.Var != m.vars[last] || m.rows[last].args[i].IsNull() || !m.read(i) {
			continue
		}
		for k, v := range m.vars {
			if x := m.rows[k].args[i]; (a.Var < 0 || a.Var == v) && !x.IsNull() {
				if (x.Kind == column.Time) != (m.rows[last].args[i].Kind == column.Time) {
					_, m.err = m.agg(i, m.vars)
				}
				break
			}
		}
	}
}

// read reports whether a definition reads an aggregate.
func (m *matching) read(i int) bool {
	found := false
	for _, v := range m.n.Vars {
		if v.SoFar == nil {
			continue
		}
		plan.WalkExpr(&v.SoFar, func(e *plan.Expr) {
			c, ok := (*e).(*plan.Col)
			found = found || ok && c.Index == len(m.rows[0].vals)+i
		})
	}
	return found
}

// agg computes an aggregate over the rows that the variables took, in turn.
func (m *matching) agg(i int, vars []int) (column.Value, error) {
	a := &m.n.Aggs[i]
	var names, vals []column.Value
	for k, v := range vars {
		name := "."
		if v >= 0 {
			name = m.n.Vars[v].Name
		}
		names = append(names, column.TextOf(name))
		if a.Var < 0 || a.Var == v {
			vals = append(vals, m.rows[k].args[i])
		}
	}
	switch {
	case a.Func == plan.Classifier:
		return column.ArrayOf(names), nil
	case len(vals) == 0:
		return null, nil
	case a.Func == plan.MatchFirst:
		return vals[0], nil
	case a.Func == plan.MatchLast:
		return vals[len(vals)-1], nil
	}
	rows := make([]row, len(vals))
	for k := range vals {
		rows[k].args = vals[k : k+1]
	}
	return m.r.agg(a.Agg(), 0, rows)
}

// result is the row of the search; nil: nothing was found. With an error it has none.
func (m *matching) result() (*row, error) {
	first := m.rows[0]
	out := &row{time: first.time, at: first.at, vals: slices.Clone(first.vals), result: true}
	if m.err == nil && len(m.best) == 0 {
		return nil, nil
	}
	err := m.err
	for k := range m.best {
		out.traced = out.traced || m.rows[k].traced
	}
	if err == nil {
		out.time = m.rows[len(m.best)-1].time
	}
	for i := range m.n.Aggs {
		var v column.Value
		if m.err == nil {
			var failed error
			v, failed = m.agg(i, m.best)
			err = cmp.Or(err, failed)
		}
		out.vals = append(out.vals, v)
	}
	return out, err
}
