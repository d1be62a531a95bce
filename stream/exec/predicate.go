package exec

import (
	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// predicate is a compiled condition: it writes its outcome for each row that
// reaches it.
type predicate interface {
	test(b *column.Batch, rows compute.Rows, dst []compute.Truth) *compute.RowError
}

func isPredicate(e *plan.Call) bool {
	switch e.Func {
	case "AND", "OR", "NOT", "IS NULL", "LIKE", "BETWEEN", "IN":
		return true
	}
	_, ok := compute.CompareOps[e.Func]
	return ok
}

func compilePredicate(e plan.Expr) (predicate, error) {
	call, ok := e.(*plan.Call)
	if !ok || !isPredicate(call) {
		v, err := compile(e)
		if err != nil {
			return nil, err
		}
		return &bitTest{v}, nil
	}
	switch call.Func {
	case "AND", "OR", "NOT":
		ps := make([]predicate, len(call.Args))
		for i, a := range call.Args {
			var err error
			if ps[i], err = compilePredicate(a); err != nil {
				return nil, err
			}
		}
		if call.Func == "NOT" {
			return &not{ps[0]}, nil
		}
		p := ps[0]
		for _, q := range ps[1:] {
			p = &connective{or: call.Func == "OR", a: p, b: q}
		}
		return p, nil
	}
	args, err := compileAll(call.Args)
	if err != nil {
		return nil, err
	}
	switch call.Func {
	case "IS NULL":
		return &isNull{args[0]}, nil
	case "BETWEEN":
		return &connective{
			a: &comparison{op: compute.GE, a: args[0], b: args[1], e: e},
			b: &comparison{op: compute.LE, a: args[0], b: args[2], e: e},
		}, nil
	case "IN":
		var p predicate
		for _, a := range args[1:] {
			q := &comparison{op: compute.EQ, a: args[0], b: a, e: e}
			if p == nil {
				p = q
				continue
			}
			p = &connective{or: true, a: p, b: q}
		}
		return p, nil
	case "LIKE":
		return &like{args: args, e: e}, nil
	}
	return &comparison{op: compute.CompareOps[call.Func], a: args[0], b: args[1], e: e}, nil
}

type comparison struct {
	op   compute.CompareOp
	a, b value
	e    plan.Expr
}

func (c *comparison) test(b *column.Batch, rows compute.Rows, dst []compute.Truth) *compute.RowError {
	p, err := c.a.eval(b, rows)
	if err != nil {
		return err
	}
	q, err := c.b.eval(b, rows)
	if err != nil {
		return err
	}
	return at(c.e, compute.Compare(c.op, p, q, rows, dst))
}

// connective is AND or OR: the right side is evaluated only on rows that the
// left side leaves open.
type connective struct {
	or    bool
	a, b  predicate
	open  []int32
	right []compute.Truth
}

func (c *connective) test(b *column.Batch, rows compute.Rows, dst []compute.Truth) *compute.RowError {
	leftErr := c.a.test(b, rows, dst)
	if leftErr != nil {
		return leftErr
	}
	decided := compute.False
	if c.or {
		decided = compute.True
	}
	c.open = c.open[:0]
	for k := range rows.Len() {
		if i := rows.Row(k); dst[i] != decided {
			c.open = append(c.open, int32(i))
		}
	}
	if len(c.open) == 0 {
		return nil
	}
	sub := compute.Rows{N: b.Rows, Live: c.open}
	if len(c.open) == b.Rows {
		sub.Live = nil
	}
	c.right = grown(c.right, b.Rows)
	if err := c.b.test(b, sub, c.right); err != nil {
		return err
	}
	for _, i := range c.open {
		switch r := c.right[i]; {
		case r == decided:
			dst[i] = decided
		case r == compute.Unknown:
			dst[i] = compute.Unknown
		}
	}
	return nil
}

type not struct{ p predicate }

func (n *not) test(b *column.Batch, rows compute.Rows, dst []compute.Truth) *compute.RowError {
	if err := n.p.test(b, rows, dst); err != nil {
		return err
	}
	for k := range rows.Len() {
		i := rows.Row(k)
		dst[i] = dst[i].Not()
	}
	return nil
}

type isNull struct{ v value }

func (n *isNull) test(b *column.Batch, rows compute.Rows, dst []compute.Truth) *compute.RowError {
	o, err := n.v.eval(b, rows)
	if err != nil {
		return err
	}
	for k := range rows.Len() {
		i := rows.Row(k)
		dst[i] = compute.False
		if o.Vec == nil && o.Const.IsNull() || o.Vec != nil && o.Vec.IsNull(i) {
			dst[i] = compute.True
		}
	}
	return nil
}

type bitTest struct{ v value }

func (t *bitTest) test(b *column.Batch, rows compute.Rows, dst []compute.Truth) *compute.RowError {
	o, err := t.v.eval(b, rows)
	if err != nil {
		return err
	}
	for k := range rows.Len() {
		i := rows.Row(k)
		dst[i] = compute.TruthOf(o.At(i))
	}
	return nil
}

type like struct {
	args []value
	e    plan.Expr
}

func (l *like) test(b *column.Batch, rows compute.Rows, dst []compute.Truth) *compute.RowError {
	ops := make([]compute.Operand, len(l.args))
	for i, a := range l.args {
		var err *compute.RowError
		if ops[i], err = a.eval(b, rows); err != nil {
			return err
		}
	}
	vals := make([]column.Value, len(ops))
	for k := range rows.Len() {
		i := rows.Row(k)
		for j := range ops {
			vals[j] = ops[j].At(i)
		}
		t, err := compute.Like(vals)
		if err != nil {
			return at(l.e, &compute.RowError{Row: i, Err: err})
		}
		dst[i] = t
	}
	return nil
}

// truthValue makes a bit of a predicate.
type truthValue struct {
	p     predicate
	truth []compute.Truth
}

func (t *truthValue) eval(b *column.Batch, rows compute.Rows) (compute.Operand, *compute.RowError) {
	t.truth = grown(t.truth, b.Rows)
	if err := t.p.test(b, rows, t.truth); err != nil {
		return compute.Operand{}, err
	}
	v, _ := compute.Map(rows, func(i int) (column.Value, error) {
		if t.truth[i] == compute.Unknown {
			return column.Value{}, nil
		}
		return column.BoolOf(t.truth[i] == compute.True), nil
	})
	return compute.Operand{Vec: &v}, nil
}
