package exec

import (
	"fmt"
	"strings"

	"spate/column"
	"spate/column/compute"
	"spate/column/format"
	"spate/column/geo"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// value is a compiled expression: it computes an operand for the rows that
// reach it.
type value interface {
	eval(b *column.Batch, rows compute.Rows) (compute.Operand, *compute.RowError)
}

// placed remembers where the failing part of an expression stands.
type placed struct {
	err   error
	where syntax.Span
}

func (p *placed) Error() string { return p.err.Error() }
func (p *placed) Unwrap() error { return p.err }

func at(e plan.Expr, err *compute.RowError) *compute.RowError {
	if err == nil {
		return nil
	}
	if _, ok := err.Err.(*placed); ok {
		return err
	}
	return &compute.RowError{Row: err.Row, Err: &placed{err.Err, e.Span()}}
}

// errorOf turns the error of a row into that of the job.
func errorOf(b *column.Batch, err *compute.RowError) *Error {
	e := &Error{Time: b.Time[err.Row], Err: err.Err}
	if p, ok := err.Err.(*placed); ok {
		e.Err, e.Where = p.err, p.where
	}
	return e
}

// compile turns a bound expression into one that runs.
func compile(e plan.Expr) (value, error) {
	switch e := e.(type) {
	case *plan.Const:
		return constant{e.Value}, nil
	case *plan.Col:
		return columnRef{e.Index}, nil
	case *plan.Timestamp:
		return timestamp{}, nil
	case *plan.Field:
		of, err := compile(e.Of)
		if err != nil {
			return nil, err
		}
		return &mapped{of: []value{of}, e: e, f: func(a []column.Value) (column.Value, error) { return a[0].Field(e.Name), nil }}, nil
	case *plan.Element:
		of, err := compile(e.Of)
		if err != nil {
			return nil, err
		}
		return &mapped{of: []value{of}, e: e, f: func(a []column.Value) (column.Value, error) {
			if l := a[0].Array(); a[0].Kind == column.Array && e.Index < len(l) {
				return l[e.Index], nil
			}
			return column.Value{}, nil
		}}, nil
	case *plan.Cast:
		return compileCast(e)
	case *plan.Case:
		return compileCase(e)
	case *plan.Coalesce:
		args, err := compileAll(e.Args)
		if err != nil {
			return nil, err
		}
		return &coalesce{args}, nil
	case *plan.Row:
		of, err := compileAll(e.Of)
		if err != nil {
			return nil, err
		}
		return &mapped{of: of, e: e, f: recordOf(e.Cols)}, nil
	case *plan.Call:
		return compileCall(e)
	case *plan.UserCall:
		return compileUserCall(e)
	}
	return nil, &UnsupportedError{e.Span(), fmt.Sprintf("expression %T", e)}
}

func compileAll(es []plan.Expr) ([]value, error) {
	out := make([]value, len(es))
	for i, e := range es {
		var err error
		if out[i], err = compile(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func compileCall(e *plan.Call) (value, error) {
	if isPredicate(e) {
		p, err := compilePredicate(e)
		if err != nil {
			return nil, err
		}
		return &truthValue{p: p}, nil
	}
	if e.Func == plan.JoinKey {
		return compileJoinKey(e)
	}
	args, err := compileAll(e.Args)
	if err != nil {
		return nil, err
	}
	switch e.Func {
	case "+", "-", "*", "/", "%", "&", "|", "^":
		return &arith{op: e.Func, a: args[0], b: args[1], e: e}, nil
	case "NEG":
		return &mapped{of: args, e: e, f: func(a []column.Value) (column.Value, error) { return compute.Negate(a[0]) }}, nil
	case "~":
		return &mapped{of: args, e: e, f: func(a []column.Value) (column.Value, error) { return compute.Invert(a[0]) }}, nil
	case "ABS":
		return &abs{of: args[0], e: e}, nil
	case "REGEXMATCH":
		return &mapped{of: args, e: e, f: compute.NewRegex().Match}, nil
	case "JSON_PARSE":
		return &mapped{of: args, e: e, f: parseJSON}, nil
	}
	name, globe := strings.CutPrefix(e.Func, plan.Geodesic)
	if f := geo.New(name, globe); f != nil {
		return &mapped{of: args, e: e, f: f.Apply}, nil
	}
	f, ok := compute.Lookup(e.Func)
	if !ok {
		return nil, &UnsupportedError{e.Span(), "function " + e.Func}
	}
	if len(args) < f.Min || f.Max >= 0 && len(args) > f.Max {
		return nil, fmt.Errorf("function %s takes %d arguments, %d given", f.Name, f.Min, len(args))
	}
	return &mapped{of: args, e: e, f: f.Apply}, nil
}

// parseJSON is JSON_PARSE: what is no text of a JSON object is NULL.
func parseJSON(a []column.Value) (column.Value, error) {
	if a[0].Kind != column.Text {
		return column.Value{}, nil
	}
	v, ok := format.ParseRecord(a[0].Text())
	if !ok {
		return column.Value{}, nil
	}
	return v, nil
}

type constant struct{ v column.Value }

func (c constant) eval(*column.Batch, compute.Rows) (compute.Operand, *compute.RowError) {
	return compute.Operand{Const: c.v}, nil
}

type columnRef struct{ index int }

func (c columnRef) eval(b *column.Batch, _ compute.Rows) (compute.Operand, *compute.RowError) {
	return compute.Operand{Vec: &b.Cols[c.index]}, nil
}

type timestamp struct{}

func (timestamp) eval(b *column.Batch, _ compute.Rows) (compute.Operand, *compute.RowError) {
	v := column.TimeVector(b.Time[:b.Rows])
	return compute.Operand{Vec: &v}, nil
}

type arith struct {
	op   string
	a, b value
	e    plan.Expr
}

func (x *arith) eval(b *column.Batch, rows compute.Rows) (compute.Operand, *compute.RowError) {
	p, err := x.a.eval(b, rows)
	if err != nil {
		return p, err
	}
	q, err := x.b.eval(b, rows)
	if err != nil {
		return q, err
	}
	v, err := compute.Arith(x.op, p, q, rows)
	return compute.Operand{Vec: &v}, at(x.e, err)
}

// abs has a fast path for floats.
type abs struct {
	of value
	e  plan.Expr
}

func (x *abs) eval(b *column.Batch, rows compute.Rows) (compute.Operand, *compute.RowError) {
	o, err := x.of.eval(b, rows)
	if err != nil {
		return o, err
	}
	v, err := compute.Abs(o, rows)
	return compute.Operand{Vec: &v}, at(x.e, err)
}

// mapped calls a function over values for every row.
type mapped struct {
	of   []value
	e    plan.Expr
	f    func([]column.Value) (column.Value, error)
	args []column.Value
}

func (m *mapped) eval(b *column.Batch, rows compute.Rows) (compute.Operand, *compute.RowError) {
	ops := make([]compute.Operand, len(m.of))
	fixed := true
	for i, a := range m.of {
		var err *compute.RowError
		if ops[i], err = a.eval(b, rows); err != nil {
			return ops[i], err
		}
		fixed = fixed && ops[i].IsConst()
	}
	if m.args == nil {
		m.args = make([]column.Value, len(ops))
	}
	if fixed && rows.Len() > 0 {
		for i := range ops {
			m.args[i] = ops[i].Const
		}
		v, err := m.f(m.args)
		if err != nil {
			return compute.Operand{}, at(m.e, &compute.RowError{Row: rows.Row(0), Err: err})
		}
		return compute.Operand{Const: v}, nil
	}
	v, err := compute.Map(rows, func(i int) (column.Value, error) {
		for k := range ops {
			m.args[k] = ops[k].At(i)
		}
		return m.f(m.args)
	})
	return compute.Operand{Vec: &v}, at(m.e, err)
}

func compileCast(e *plan.Cast) (value, error) {
	of, err := compile(e.Of)
	if err != nil {
		return nil, err
	}
	to := e.Type()
	return &mapped{of: []value{of}, e: e, f: func(a []column.Value) (column.Value, error) {
		v, ok := column.Cast(a[0], to)
		switch {
		case ok:
			return v, nil
		case e.Try:
			return column.Value{}, nil
		}
		return v, castError(a[0], e)
	}}, nil
}

// castError is the error that Stream Analytics gives for a cast that fails,
// with the text that is no value of the type.
func castError(v column.Value, e *plan.Cast) error {
	value := "value"
	if v.Kind == column.Text {
		value = "value '" + v.Text() + "'"
	}
	at := e.Span().From
	return fmt.Errorf("Cannot cast %s of type '%s' to type '%s' in expression '%s'. At line '%d' and column '%d'. TRY_CAST function can be used to handle values with unexpected type.",
		value, v.Kind, e.Type(), e.Text, at.Line, at.Col)
}

type coalesce struct{ args []value }

func (c *coalesce) eval(b *column.Batch, rows compute.Rows) (compute.Operand, *compute.RowError) {
	picked := make([]column.Value, b.Rows)
	left := rows
	for _, a := range c.args {
		o, err := a.eval(b, left)
		if err != nil {
			return o, err
		}
		var rest []int32
		for k := range left.Len() {
			i := left.Row(k)
			if picked[i] = o.At(i); picked[i].IsNull() {
				rest = append(rest, int32(i))
			}
		}
		if len(rest) == 0 {
			break
		}
		left.Live = rest
	}
	v, _ := compute.Map(rows, func(i int) (column.Value, error) { return picked[i], nil })
	return compute.Operand{Vec: &v}, nil
}

type caseWhen struct {
	whens   []predicate
	thens   []value
	other   value
	toFloat bool
	truth   []compute.Truth
}

func compileCase(e *plan.Case) (value, error) {
	c := &caseWhen{toFloat: e.ToFloat}
	for _, w := range e.Whens {
		p, err := compilePredicate(w.Cond)
		if err != nil {
			return nil, err
		}
		v, err := compile(w.Then)
		if err != nil {
			return nil, err
		}
		c.whens, c.thens = append(c.whens, p), append(c.thens, v)
	}
	if e.Else == nil {
		c.other = constant{}
		return c, nil
	}
	var err error
	c.other, err = compile(e.Else)
	return c, err
}

func (c *caseWhen) eval(b *column.Batch, rows compute.Rows) (compute.Operand, *compute.RowError) {
	c.truth = grown(c.truth, b.Rows)
	picked := make([]column.Value, b.Rows)
	left := rows
	take := func(v value, taken compute.Rows) *compute.RowError {
		if taken.Len() == 0 {
			return nil
		}
		o, err := v.eval(b, taken)
		if err != nil {
			return err
		}
		for k := range taken.Len() {
			i := taken.Row(k)
			picked[i] = o.At(i)
			if c.toFloat && picked[i].Kind != column.Null {
				picked[i], _ = column.Cast(picked[i], column.Float64)
			}
		}
		return nil
	}
	var first *compute.RowError
	note := func(err *compute.RowError) {
		if err != nil && (first == nil || err.Row < first.Row) {
			first = err
		}
	}
	for k, w := range c.whens {
		if left.Len() == 0 {
			break
		}
		if err := w.test(b, left, c.truth); err != nil {
			return compute.Operand{}, err
		}
		taken, rest := []int32{}, []int32{}
		for j := range left.Len() {
			i := left.Row(j)
			if c.truth[i] == compute.True {
				taken = append(taken, int32(i))
			} else {
				rest = append(rest, int32(i))
			}
		}
		note(take(c.thens[k], compute.Rows{N: b.Rows, Live: taken}))
		left = compute.Rows{N: b.Rows, Live: rest}
	}
	note(take(c.other, left))
	if first != nil {
		return compute.Operand{}, first
	}
	v, _ := compute.Map(rows, func(i int) (column.Value, error) { return picked[i], nil })
	return compute.Operand{Vec: &v}, nil
}

func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// Evaluate computes an expression for every row of a batch.
func Evaluate(e plan.Expr, b *column.Batch) (column.Vector, error) {
	v, err := compile(e)
	if err != nil {
		return column.Vector{}, err
	}
	o, rowErr := v.eval(b, compute.Rows{N: b.Rows, Live: b.Live})
	if rowErr != nil {
		return column.Vector{}, errorOf(b, rowErr)
	}
	if o.Vec == nil {
		return column.Constant(o.Const, b.Rows), nil
	}
	return *o.Vec, nil
}
