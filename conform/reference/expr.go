package reference

import (
	"fmt"

	"spate/column"
	"spate/sql/plan"
)

// unsupported is what the interpreter cannot compute, whatever the row.
type unsupported string

func (u unsupported) Error() string { return string(u) + " is not supported yet" }

// holds reports whether a condition is TRUE; UNKNOWN is not.
func (r *runner) holds(e plan.Expr, x *row) (bool, error) {
	v, err := r.eval(e, x)
	return v.Kind == column.Bool && v.Bool(), err
}

// eval computes an expression over one row. Predicates give a bit, or NULL for
// UNKNOWN.
func (r *runner) eval(e plan.Expr, x *row) (column.Value, error) {
	switch e := e.(type) {
	case *plan.Const:
		return e.Value, nil
	case *plan.Col:
		return x.vals[e.Index], nil
	case *plan.Timestamp:
		return column.TimeOf(x.time), nil
	case *plan.Field:
		v, err := r.eval(e.Of, x)
		return field(v, e.Name), err
	case *plan.Element:
		v, err := r.eval(e.Of, x)
		if a := v.Array(); err == nil && e.Index >= 0 && e.Index < len(a) {
			return a[e.Index], nil
		}
		return null, err
	case *plan.Cast:
		v, err := r.eval(e.Of, x)
		if err != nil {
			return null, err
		}
		c, ok := convert(v, e.Static)
		if !ok && !e.Try {
			at := e.Where.From
			return null, fmt.Errorf("Cannot cast value of type '%s' to type '%s' in expression '%s'. At line '%d' and column '%d'. TRY_CAST function can be used to handle values with unexpected type.",
				v.Kind, e.Static, e.Text, at.Line, at.Col)
		}
		if !ok {
			return null, nil
		}
		return c, nil
	case *plan.Case:
		return r.evalCase(e, x)
	case *plan.Coalesce:
		for _, a := range e.Args {
			if v, err := r.eval(a, x); err != nil || !v.IsNull() {
				return v, err
			}
		}
		return null, nil
	case *plan.Row:
		vals := make([]column.Value, len(e.Of))
		for i, of := range e.Of {
			var err error
			if vals[i], err = r.eval(of, x); err != nil {
				return null, err
			}
		}
		whole := Expand(x.time, e.Cols, vals)
		return column.RecordOf(&column.RecordValue{Names: whole.Names, Values: whole.Values}), nil
	case *plan.UserCall:
		return r.scalar(e, x)
	case *plan.Call:
		v, err := r.call(e, x)
		if err != nil {
			return null, err
		}
		return v, nil
	}
	return null, unsupported(fmt.Sprintf("an expression of type %T", e))
}

func (r *runner) evalCase(e *plan.Case, x *row) (column.Value, error) {
	then := e.Else
	for _, w := range e.Whens {
		ok, err := r.holds(w.Cond, x)
		if err != nil {
			return null, err
		}
		if ok {
			then = w.Then
			break
		}
	}
	if then == nil {
		return null, nil
	}
	v, err := r.eval(then, x)
	if err == nil && e.ToFloat && !v.IsNull() {
		v = column.FloatOf(floatOf(v))
	}
	return v, err
}

// call computes operators and functions. Only AND, OR, BETWEEN and IN look at
// their right side depending on the left.
func (r *runner) call(e *plan.Call, x *row) (column.Value, error) {
	switch e.Func {
	case "AND", "OR":
		decides := e.Func == "OR"
		unknown := false
		for _, a := range e.Args {
			v, err := r.eval(a, x)
			if err != nil {
				return null, err
			}
			switch {
			case v.Kind != column.Bool:
				unknown = true
			case v.Bool() == decides:
				return v, nil
			}
		}
		if unknown {
			return null, nil
		}
		return column.BoolOf(!decides), nil
	case "IN":
		return r.in(e, x)
	case "BETWEEN":
		return r.between(e, x)
	}
	args := make([]column.Value, len(e.Args))
	for i := range args {
		var err error
		if args[i], err = r.eval(e.Args[i], x); err != nil {
			return null, err
		}
	}
	switch e.Func {
	case "=", "<>", "!=", "<", "<=", ">", ">=", "!>", "!<":
		return r.test(e.Func, args[0], args[1])
	case "NOT":
		if args[0].Kind != column.Bool {
			return null, nil
		}
		return column.BoolOf(!args[0].Bool()), nil
	case "IS NULL":
		return column.BoolOf(args[0].IsNull()), nil
	case "NULLIF":
		o, err := r.compare(args[0], args[1])
		if err != nil || o == equal {
			return null, err
		}
		return args[0], nil
	case "+", "-", "*", "/", "%":
		if len(args) == 1 {
			return negate(e.Func, args[0])
		}
		return arithmetic(e.Func, args[0], args[1])
	case "NEG":
		return negate("-", args[0])
	case "&", "|", "^":
		return bitwise(e.Func, args[0], args[1])
	case "~":
		if args[0].Kind == column.Bool {
			return column.BoolOf(!args[0].Bool()), nil
		}
		return bitwise("^", args[0], column.IntOf(-1))
	}
	f, ok := lookup(e.Func)
	if !ok {
		return null, unsupported("function " + e.Func)
	}
	if !f.nulls {
		for _, a := range args {
			if a.IsNull() {
				return null, nil
			}
		}
	}
	return f.run(r, args)
}

func negate(op string, v column.Value) (column.Value, error) {
	if op == "+" || v.IsNull() {
		return v, nil
	}
	if v.Kind == column.Float64 {
		return column.FloatOf(-v.Float()), nil
	}
	return arithmetic("-", column.IntOf(0), v)
}

// between is the AND of two comparisons.
func (r *runner) between(e *plan.Call, x *row) (column.Value, error) {
	v, err := r.eval(e.Args[0], x)
	if err != nil {
		return null, err
	}
	var sides [2]column.Value
	for i, op := range []string{">=", "<="} {
		bound, err := r.eval(e.Args[i+1], x)
		if err != nil {
			return null, err
		}
		if sides[i], err = r.test(op, v, bound); err != nil {
			return null, err
		}
		if sides[i].Kind == column.Bool && !sides[i].Bool() {
			return sides[i], nil
		}
	}
	if sides[0].IsNull() {
		return null, nil
	}
	return sides[1], nil
}

func (r *runner) in(e *plan.Call, x *row) (column.Value, error) {
	left, err := r.eval(e.Args[0], x)
	if err != nil {
		return null, err
	}
	unknown := false
	for _, a := range e.Args[1:] {
		v, err := r.eval(a, x)
		if err != nil {
			return null, err
		}
		t, err := r.test("=", left, v)
		switch {
		case err != nil:
			return null, err
		case t.IsNull():
			unknown = true
		case t.Bool():
			return t, nil
		}
	}
	if unknown {
		return null, nil
	}
	return column.BoolOf(false), nil
}

func (r *runner) test(op string, a, b column.Value) (column.Value, error) {
	o, err := r.compare(a, b)
	if err != nil || o == unknown {
		return null, err
	}
	switch op {
	case "=":
		return column.BoolOf(o == equal), nil
	case "<>", "!=":
		return column.BoolOf(o != equal), nil
	}
	if o == different {
		return null, nil
	}
	switch op {
	case "<":
		return column.BoolOf(o == less), nil
	case ">":
		return column.BoolOf(o == greater), nil
	case "<=", "!>":
		return column.BoolOf(o != greater), nil
	}
	return column.BoolOf(o != less), nil
}
