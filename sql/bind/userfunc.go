package bind

import (
	"fmt"
	"strings"

	"spate/column"
	"spate/column/javascript"
	"spate/pipeline"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// maxUserArguments is the largest number of arguments of a function of the job.
const maxUserArguments = 32

// NewFunction checks a function of a job and compiles it. A mistake in its text is a
// *javascript.Error.
func NewFunction(f pipeline.Function) (*plan.Function, error) {
	out := &plan.Function{Name: f.Name, Foreign: f.Foreign}
	if f.Foreign != "" {
		return out, nil
	}
	for _, t := range f.Inputs {
		k, err := typeNamed(t)
		if err != nil {
			return nil, fmt.Errorf("function %s: %w", f.Name, err)
		}
		out.Args = append(out.Args, k)
	}
	if f.Inputs != nil && out.Args == nil {
		out.Args = []column.Kind{}
	}
	var err error
	if out.Result, err = typeNamed(f.Output); err != nil {
		return nil, fmt.Errorf("function %s: %w", f.Name, err)
	}
	code := javascript.Function{Name: f.Name, Aggregate: f.Kind == pipeline.AggregateFunction, File: f.File, Text: f.Text}
	switch f.Kind {
	case pipeline.ScalarFunction, pipeline.AggregateFunction:
	case "":
		if code.Aggregate, err = javascript.IsAggregate(code); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("function %s: %q is no kind of function: want scalar or aggregate", f.Name, f.Kind)
	}
	out.Code, err = javascript.Compile(code)
	return out, err
}

// NewFunctions is NewFunction for all functions of a job.
func NewFunctions(list []pipeline.Function) ([]*plan.Function, error) {
	var out []*plan.Function
	for _, f := range list {
		for _, have := range out {
			if strings.EqualFold(have.Name, f.Name) {
				return nil, fmt.Errorf("function %s: there are two of this name", f.Name)
			}
		}
		one, err := NewFunction(f)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// typeNamed is a type as functions declare it; column.Null is any.
func typeNamed(name string) (column.Kind, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	switch name {
	case "", "any":
		return column.Null, nil
	case "nvarchar(max)":
		return column.Text, nil
	}
	if k, ok := kinds[strings.ToUpper(name)]; ok && k != column.Text {
		return k, nil
	}
	return 0, fmt.Errorf("there is no type %s: the types are any, bigint, float, nvarchar(max), datetime, bit, record and array", name)
}

// userPrefix is udf or uda if a call has one of these prefixes; else empty.
func userPrefix(c *syntax.Call) string {
	if len(c.Name.Parts) != 2 {
		return ""
	}
	switch p := strings.ToLower(c.Name.Parts[0].Name); p {
	case "udf", "uda":
		return p
	}
	return ""
}

// userFunction finds the function that a call with udf or uda names; nil: a mistake, which
// has been reported.
func (q *query) userFunction(c *syntax.Call) *plan.Function {
	prefix, name := userPrefix(c), c.Name.Last().Name
	var names []string
	for _, f := range q.b.opts.Functions {
		switch {
		case !strings.EqualFold(f.Name, name):
			names = append(names, f.Name)
		case f.Foreign != "":
			q.b.fail(c.Name.Span, "write it again as a .js file, and declare that under functions of the job", "%s is %s, which Spate does not run", syntax.FormatName(c.Name), f.Foreign)
			return nil
		case f.Code.Aggregate && prefix == "udf":
			q.b.fail(c.Name.Span, "write uda."+f.Name, "%s is an aggregate", f.Name)
			return nil
		case !f.Code.Aggregate && prefix == "uda":
			q.b.fail(c.Name.Span, "write udf."+f.Name, "%s is no aggregate", f.Name)
			return nil
		default:
			return f
		}
	}
	hint := nearest(name, names)
	if len(names) == 0 {
		hint = "declare it under functions of the job; spate eval takes --function " + name + "=f.js"
	}
	q.b.fail(c.Name.Span, hint, "the job has no function %s", name)
	return nil
}

// userCall binds udf.f().
func (q *query) userCall(c *syntax.Call) plan.Expr {
	null := constant(c.Span, column.Value{})
	f := q.userFunction(c)
	switch {
	case f == nil:
		return null
	case c.Over != nil:
		q.b.fail(c.Over.Span, "", "udf.%s takes no OVER", f.Name)
		return null
	case c.Distinct:
		q.b.fail(c.Span, "", "udf.%s takes no DISTINCT", f.Name)
		return null
	case len(c.Args) > maxUserArguments:
		q.b.fail(c.Span, "give it the whole row", "udf.%s takes at most %d arguments, %d given", f.Name, maxUserArguments, len(c.Args))
		return null
	case f.Args != nil && len(f.Args) != len(c.Args):
		q.b.fail(c.Span, "", "udf.%s takes %d arguments, %d given", f.Name, len(f.Args), len(c.Args))
		return null
	}
	call := &plan.UserCall{Base: plan.Base{Where: c.Span}, Func: f}
	for i, a := range c.Args {
		x := q.userArgument(a)
		if f.Args != nil {
			x = q.converted(x, f.Args[i])
		}
		call.Args = append(call.Args, x)
	}
	return q.converted(call, f.Result)
}

// userArgument binds an argument: an expression, or an input or a step, whose rows are
// records.
func (q *query) userArgument(a syntax.Expr) plan.Expr {
	if src := q.wholeSource([]syntax.Expr{a}); src != nil && !q.post {
		return src.whole(q.b, a.Loc())
	}
	return q.expr(a)
}

// converted is x as a value of a declared type, as CAST makes one; column.Null: as it is.
func (q *query) converted(x plan.Expr, to column.Kind) plan.Expr {
	if to == column.Null || x.Type() == to {
		return x
	}
	return &plan.Cast{Base: plan.Base{Static: to, Where: x.Span()}, Of: x, Text: q.b.text(x.Span())}
}

// userAggregate binds what stands in uda.f(x) and uda.f(x, time).
func (q *query) userAggregate(c *syntax.Call, agg *plan.Agg) bool {
	f := q.userFunction(c)
	if f == nil {
		return false
	}
	takes := len(f.Args)
	if f.Args == nil {
		takes = min(max(len(c.Args), 1), 2)
	}
	switch {
	case agg.Distinct:
		q.b.fail(c.Span, "", "uda.%s takes no DISTINCT", f.Name)
		return false
	case len(c.Args) != takes && !(takes == 1 && len(c.Args) == 2):
		q.b.fail(c.Span, "", "uda.%s takes one expression, and perhaps a time, %d given", f.Name, len(c.Args))
		return false
	}
	agg.User = f
	agg.Arg = q.inAggregateBy(q.userArgument, c.Args[0])
	if f.Args != nil {
		agg.Arg = q.converted(agg.Arg, f.Args[0])
	}
	agg.ArgType = agg.Arg.Type()
	if len(c.Args) == 2 {
		agg.At = q.converted(q.inAggregate(c.Args[1]), column.Time)
	}
	return true
}
