package bind

import (
	"strings"

	"spate/sql/plan"
	"spate/sql/syntax"
)

// dropPrefixes takes the prefixes of the functions of the language out of a script: levels
// that take any prefix read x.ABS(a) as ABS(a). Those of user functions stay, and so does
// what stands behind System.
func dropPrefixes(script *syntax.Script) {
	for _, s := range script.Stmts {
		if s, ok := s.(*syntax.QueryStmt); ok {
			bodyExprs(s.Query, dropPrefix)
		}
	}
}

func dropPrefix(e syntax.Expr) {
	walk(e, func(e syntax.Expr) bool {
		c, ok := e.(*syntax.Call)
		if ok && len(c.Name.Parts) == 2 && !isSystemTimestamp(c) && !isSystemWindow(c) {
			prefix := strings.ToLower(c.Name.Parts[0].Name)
			if prefix != "udf" && prefix != "uda" && isFunction(strings.ToUpper(c.Name.Last().Name)) {
				c.Name = &syntax.Name{Span: c.Name.Span, Parts: c.Name.Parts[1:]}
			}
		}
		return true
	})
}

// isFunction reports whether the language has a function of a name, which is in upper case.
func isFunction(name string) bool {
	_, scalar := functions[name]
	_, analytic := analyticFuncs[name]
	_, table := applies[name]
	return scalar || analytic || table || aggregates[plan.AggFunc(name)] || windowName(name) != "" || name == "WINDOW" ||
		name == "COALESCE" || name == "GETMETADATAPROPERTYVALUE"
}

// bodyExprs visits the expressions of a query, and of those in it.
func bodyExprs(body syntax.QueryBody, visit func(syntax.Expr)) {
	switch b := body.(type) {
	case *syntax.Query:
		if b.With != nil {
			for _, s := range b.With.Steps {
				bodyExprs(s.Query, visit)
			}
		}
		bodyExprs(b.Body, visit)
	case *syntax.SetOp:
		bodyExprs(b.Left, visit)
		bodyExprs(b.Right, visit)
	case *syntax.Select:
		items(b.Items, visit)
		for _, s := range b.From {
			sourceExprs(s, visit)
		}
		visitAll(visit, b.Where, b.Having)
		visitAll(visit, b.GroupBy...)
	}
}

func sourceExprs(s syntax.Source, visit func(syntax.Expr)) {
	switch s := s.(type) {
	case *syntax.TableRef:
		refExprs(&s.Ref, visit)
	case *syntax.Derived:
		bodyExprs(s.Query, visit)
		refExprs(&s.Ref, visit)
	case *syntax.TableFunc:
		visit(s.Call)
		refExprs(&s.Ref, visit)
	case *syntax.Join:
		sourceExprs(s.Left, visit)
		sourceExprs(s.Right, visit)
		visitAll(visit, s.On)
	case *syntax.Apply:
		sourceExprs(s.Left, visit)
		sourceExprs(s.Right, visit)
	}
}

func refExprs(r *syntax.Ref, visit func(syntax.Expr)) {
	if t := r.Timestamp; t != nil {
		visit(t.Expr)
		visitAll(visit, t.Over...)
	}
	if p := r.Partition; p != nil {
		visitAll(visit, p.Keys...)
	}
	if m := r.Match; m != nil {
		visitAll(visit, m.PartitionBy...)
		items(m.Measures, visit)
		items(m.Define, visit)
	}
}

func items(list []syntax.Item, visit func(syntax.Expr)) {
	for i := range list {
		visitAll(visit, list[i].Expr)
	}
}

func visitAll(visit func(syntax.Expr), list ...syntax.Expr) {
	for _, e := range list {
		if e != nil {
			visit(e)
		}
	}
}
