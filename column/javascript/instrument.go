package javascript

import (
	"reflect"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/token"
	"github.com/dop251/goja/unistring"
)

// The text of a function is made to count while it runs. Each turn of a loop and each call
// takes steps, more where the body is long; a text that grows by + or in a template, and
// what is spread, is told to the machine by its length.

// Steps that a call and a turn of a loop take, besides one for every so many nodes of the
// body.
const (
	callSteps    = 8
	loopSteps    = 2
	nodesPerStep = 8
)

// instrument changes the tree of a wrapped text; what wrap has put around it stays.
func instrument(p *ast.Program, s *surveyed) {
	outer := p.Body[0].(*ast.ExpressionStatement).Expression.(*ast.FunctionLiteral)
	text := outer.Body.List[1].(*ast.VariableStatement).List[0].Initializer.(*ast.FunctionLiteral)
	in := &instrumenter{straight: s.straight}
	in.node(reflect.ValueOf(text))
}

// instrumenter walks a tree; nodes counts those of the innermost body.
type instrumenter struct {
	nodes    int
	straight bool // no steps are counted
}

var expressionType = reflect.TypeFor[ast.Expression]()

func (in *instrumenter) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		in.walk(v.Elem())
		if v.Type() == expressionType && v.CanSet() {
			if e := replaced(v.Interface().(ast.Expression)); e != nil {
				v.Set(reflect.ValueOf(e))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			in.walk(v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() && v.Elem().Kind() == reflect.Struct {
			in.node(v)
		}
	case reflect.Struct:
		in.fields(v)
	}
}

func (in *instrumenter) fields(v reflect.Value) {
	for i := range v.NumField() {
		if walked(v.Type().Field(i)) {
			in.walk(v.Field(i))
		}
	}
}

// node walks into a node, counting that of a body apart.
func (in *instrumenter) node(v reflect.Value) {
	in.nodes++
	outer := in.nodes
	switch n := v.Interface().(type) {
	case *ast.FunctionLiteral:
		in.nodes = 0
		in.fields(v.Elem())
		if !in.straight {
			n.Body.List = behindDirectives(n.Body.List, in.tick(n.Body.LeftBrace, callSteps))
		}
		in.nodes = outer
		return
	case *ast.ArrowFunctionLiteral:
		in.nodes = 0
		in.fields(v.Elem())
		switch b := n.Body.(type) {
		case *ast.BlockStatement:
			b.List = behindDirectives(b.List, in.tick(b.LeftBrace, callSteps))
		case *ast.ExpressionBody:
			at := b.Expression.Idx0()
			b.Expression = &ast.SequenceExpression{Sequence: []ast.Expression{in.count(at, callSteps), b.Expression}}
		}
		in.nodes = outer
		return
	case *ast.ForStatement:
		in.loop(v, n.For, &n.Body)
		return
	case *ast.ForInStatement:
		in.loop(v, n.For, &n.Body)
		n.Source = called("_spread", n.For, n.Source)
		return
	case *ast.ForOfStatement:
		in.loop(v, n.For, &n.Body)
		n.Source = called("_spread", n.For, n.Source)
		return
	case *ast.WhileStatement:
		in.loop(v, n.While, &n.Body)
		return
	case *ast.DoWhileStatement:
		in.loop(v, n.Do, &n.Body)
		return
	case *ast.SpreadElement:
		in.fields(v.Elem())
		n.Expression = called("_spread", n.Idx0(), n.Expression)
		return
	case *ast.CallExpression:
		in.fields(v.Elem())
		spreadArguments(n.ArgumentList)
		return
	case *ast.NewExpression:
		in.fields(v.Elem())
		spreadArguments(n.ArgumentList)
		return
	case *ast.Binding:
		in.fields(v.Elem())
		if takesRest(n.Target) && n.Initializer != nil {
			n.Initializer = called("_spread", n.Initializer.Idx0(), n.Initializer)
		}
		return
	case *ast.AssignExpression:
		in.fields(v.Elem())
		if takesRest(n.Left) {
			n.Right = called("_spread", n.Right.Idx0(), n.Right)
		}
		return
	}
	in.fields(v.Elem())
}

// spreadArguments tells the machine that what is spread become arguments, which cost more.
func spreadArguments(list []ast.Expression) {
	for _, a := range list {
		if s, ok := a.(*ast.SpreadElement); ok {
			c := s.Expression.(*ast.CallExpression)
			c.ArgumentList = append(c.ArgumentList, number(s.Idx0(), 64))
		}
	}
}

func takesRest(e ast.Expression) bool {
	switch e := e.(type) {
	case *ast.ArrayPattern:
		return e.Rest != nil
	case *ast.ObjectPattern:
		return e.Rest != nil
	}
	return false
}

func (in *instrumenter) loop(v reflect.Value, at file.Idx, body *ast.Statement) {
	outer := in.nodes
	in.nodes = 0
	in.fields(v.Elem())
	tick := in.tick(at, loopSteps)
	if b, ok := (*body).(*ast.BlockStatement); ok {
		b.List = append([]ast.Statement{tick}, b.List...)
	} else {
		*body = &ast.BlockStatement{LeftBrace: at, List: []ast.Statement{tick, *body}, RightBrace: at}
	}
	in.nodes = outer
}

// behindDirectives puts a statement behind "use strict".
func behindDirectives(list []ast.Statement, st ast.Statement) []ast.Statement {
	n := 0
	for n < len(list) {
		e, ok := list[n].(*ast.ExpressionStatement)
		if !ok {
			break
		}
		if _, ok := e.Expression.(*ast.StringLiteral); !ok {
			break
		}
		n++
	}
	out := append([]ast.Statement{}, list[:n]...)
	return append(append(out, st), list[n:]...)
}

func (in *instrumenter) tick(at file.Idx, steps int) ast.Statement {
	return &ast.ExpressionStatement{Expression: in.count(at, steps)}
}

// count is (n -= steps) < 0 && over().
func (in *instrumenter) count(at file.Idx, steps int) ast.Expression {
	less := &ast.BinaryExpression{Operator: token.LESS, Comparison: true, Right: number(at, 0),
		Left: &ast.AssignExpression{Operator: token.MINUS, Left: name("_n", at), Right: number(at, int64(steps+in.nodes/nodesPerStep))}}
	return &ast.BinaryExpression{Operator: token.LOGICAL_AND, Left: less, Right: called("_over", at)}
}

// replaced is what stands for an expression that may make a long text; nil: it is no such.
func replaced(e ast.Expression) ast.Expression {
	switch x := e.(type) {
	case *ast.BinaryExpression:
		if x.Operator != token.PLUS || numeric(x.Left) && numeric(x.Right) {
			return nil
		}
	case *ast.AssignExpression:
		if x.Operator != token.PLUS || numeric(x.Right) && numeric(x.Left) {
			return nil
		}
	case *ast.TemplateLiteral:
		if x.Tag != nil || len(x.Expressions) == 0 {
			return nil
		}
	default:
		return nil
	}
	at := e.Idx0()
	t := func() ast.Expression { return name("_t", at) }
	text := &ast.BinaryExpression{Operator: token.STRICT_EQUAL, Comparison: true,
		Left:  &ast.UnaryExpression{Operator: token.TYPEOF, Idx: at, Operand: &ast.AssignExpression{Operator: token.ASSIGN, Left: t(), Right: e}},
		Right: &ast.StringLiteral{Idx: at, Literal: `"string"`, Value: "string"}}
	long := &ast.BinaryExpression{Operator: token.GREATER, Comparison: true, Right: number(at, freeText),
		Left: &ast.DotExpression{Left: t(), Identifier: ast.Identifier{Name: "length", Idx: at}}}
	return &ast.ConditionalExpression{
		Test:       &ast.BinaryExpression{Operator: token.LOGICAL_AND, Left: text, Right: long},
		Consequent: called("_text", at, t()), Alternate: t(),
	}
}

// freeText is the length of a text that is not told to the machine.
const freeText = 64

// numeric reports whether an expression is a number whatever happens.
func numeric(e ast.Expression) bool {
	switch e := e.(type) {
	case *ast.NumberLiteral:
		return true
	case *ast.BinaryExpression:
		switch e.Operator {
		case token.MINUS, token.MULTIPLY, token.SLASH, token.REMAINDER, token.EXPONENT,
			token.AND, token.OR, token.EXCLUSIVE_OR, token.SHIFT_LEFT, token.SHIFT_RIGHT, token.UNSIGNED_SHIFT_RIGHT:
			return true
		case token.PLUS:
			return numeric(e.Left) && numeric(e.Right)
		}
	case *ast.UnaryExpression:
		switch e.Operator {
		case token.MINUS, token.PLUS, token.BITWISE_NOT, token.INCREMENT, token.DECREMENT:
			return true
		}
	}
	return false
}

func name(suffix string, at file.Idx) *ast.Identifier {
	return &ast.Identifier{Name: unistring.NewFromString(prefix + suffix), Idx: at}
}

func number(at file.Idx, n int64) *ast.NumberLiteral { return &ast.NumberLiteral{Idx: at, Value: n} }

func called(suffix string, at file.Idx, args ...ast.Expression) *ast.CallExpression {
	return &ast.CallExpression{Callee: name(suffix, at), LeftParenthesis: at, ArgumentList: args, RightParenthesis: at}
}
