package javascript

import (
	"errors"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/parser"
	"github.com/dop251/goja/token"
)

// surveyed is what is known of a text before it runs.
type surveyed struct {
	entry     string   // the function that is called; empty: there is none
	fixed     []string // the other functions, where stateless
	implicit  []string // variables that are assigned and nowhere declared
	stateless bool     // the text has nothing that could change from call to call
	straight  bool     // a call runs one function once, without loops: there is nothing to count
	refused   *refusal
}

// refusal is something that a job does not have.
type refusal struct {
	at        file.Idx
	msg, hint string
}

// survey looks for what a text declares, assigns and may not use.
func survey(p *ast.Program, name string) *surveyed {
	s := &surveyed{}
	top, plain := topNames(p)
	s.entry = entryOf(top, name)
	w := &surveyor{s: s, declared: map[string]bool{}, assigned: map[string]bool{}, loose: map[string]bool{}, called: map[string]bool{}}
	w.walk(reflect.ValueOf(p.Body))
	for n := range w.assigned {
		if !w.declared[n] && !slices.Contains(builtins, n) {
			s.implicit = append(s.implicit, n)
		}
	}
	slices.Sort(s.implicit)
	s.stateless = plain && len(s.implicit) == 0
	for _, n := range top {
		s.stateless = s.stateless && !w.loose[n] && !w.assigned[n]
		if n != s.entry {
			s.fixed = append(s.fixed, n)
		}
	}
	if !s.stateless {
		s.fixed = nil
	}
	s.straight = s.stateless && w.functions == 1 && w.loops == 0 && !w.called[s.entry] && !w.loose["arguments"]
	return s
}

// builtins are names that are no variables of a text that assigns them.
var builtins = []string{"undefined", "NaN", "Infinity", "arguments", "eval"}

// topNames are the names that a text declares at its top; plain: nothing stands there but
// functions.
func topNames(p *ast.Program) (names []string, plain bool) {
	plain = true
	binding := func(list []*ast.Binding) {
		for _, b := range list {
			if id, ok := b.Target.(*ast.Identifier); ok {
				names = append(names, id.Name.String())
			}
		}
	}
	for _, st := range p.Body {
		switch st := st.(type) {
		case *ast.FunctionDeclaration:
			if n := st.Function.Name.Name.String(); !slices.Contains(names, n) {
				names = append(names, n)
			}
			continue
		case *ast.EmptyStatement:
			continue
		case *ast.ExpressionStatement:
			if _, directive := st.Expression.(*ast.StringLiteral); directive {
				continue
			}
		case *ast.VariableStatement:
			binding(st.List)
		case *ast.LexicalDeclaration:
			binding(st.List)
		case *ast.ClassDeclaration:
			names = append(names, st.Class.Name.Name.String())
		}
		plain = false
	}
	return names, plain
}

// entryOf is the function that is called: main, or the one with the name of the function.
func entryOf(names []string, name string) string {
	for _, n := range names {
		if n == "main" {
			return n
		}
	}
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return n
		}
	}
	return ""
}

// surveyor walks a text. Names are told apart by their letters alone, whatever scope they
// stand in: at worst a text is evaluated for every call that need not be.
type surveyor struct {
	s        *surveyed
	declared map[string]bool
	assigned map[string]bool
	loose    map[string]bool // named other than to be called
	called   map[string]bool

	functions, loops int
}

func (w *surveyor) refuse(at file.Idx, msg, hint string) {
	if w.s.refused == nil || at < w.s.refused.at {
		w.s.refused = &refusal{at, msg, hint}
	}
}

func (w *surveyor) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			w.walk(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			w.walk(v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() && v.Elem().Kind() == reflect.Struct {
			if w.node(v.Interface()) {
				w.fields(v.Elem())
			}
		}
	case reflect.Struct:
		w.fields(v)
	}
}

func (w *surveyor) fields(v reflect.Value) {
	if id, ok := v.Interface().(ast.Identifier); ok {
		_ = id // the name of a property
		return
	}
	for i := range v.NumField() {
		if walked(v.Type().Field(i)) {
			w.walk(v.Field(i))
		}
	}
}

// walked reports whether a field of a node holds nodes that stand nowhere else.
func walked(f reflect.StructField) bool {
	return f.Name != "DeclarationList" && f.Name != "File" && f.IsExported()
}

// node looks at one node and reports whether to look into it.
func (w *surveyor) node(n any) bool {
	switch n := n.(type) {
	case *ast.Identifier:
		w.loose[n.Name.String()] = true
	case *ast.CallExpression:
		if id, ok := n.Callee.(*ast.Identifier); ok {
			w.called[id.Name.String()] = true
			w.walk(reflect.ValueOf(n.ArgumentList))
			return false
		}
	case *ast.NewExpression:
		if id, ok := n.Callee.(*ast.Identifier); ok {
			w.called[id.Name.String()] = true
			w.walk(reflect.ValueOf(n.ArgumentList))
			return false
		}
	case *ast.FunctionLiteral:
		w.function(n.Function, n.Async, n.ParameterList)
		if n.Name != nil {
			w.declared[n.Name.Name.String()] = true
		}
		w.walk(reflect.ValueOf(n.ParameterList))
		w.walk(reflect.ValueOf(n.Body))
		return false
	case *ast.ArrowFunctionLiteral:
		w.function(n.Start, n.Async, n.ParameterList)
	case *ast.ClassLiteral:
		if n.Name != nil {
			w.declared[n.Name.Name.String()] = true
		}
	case *ast.Binding:
		w.targets(n.Target, w.declared, n.Initializer != nil)
	case *ast.ForDeclaration:
		w.targets(n.Target, w.declared, false)
	case *ast.CatchStatement:
		w.targets(n.Parameter, w.declared, false)
	case *ast.ForIntoExpression:
		w.targets(n.Expression, w.assigned, false)
	case *ast.AssignExpression:
		w.targets(n.Left, w.assigned, true)
	case *ast.UnaryExpression:
		if n.Operator == token.INCREMENT || n.Operator == token.DECREMENT {
			w.targets(n.Operand, w.assigned, true)
		}
	case *ast.ForStatement, *ast.ForInStatement, *ast.ForOfStatement, *ast.WhileStatement, *ast.DoWhileStatement:
		w.loops++
	case *ast.WithStatement:
		w.refuse(n.With, "with is not available", "name the object")
	case *ast.NumberLiteral:
		if _, big := n.Value.(*big.Int); big {
			w.refuse(n.Idx, "bigint literals are not available", "leave the n out")
		}
	case *ast.RegExpLiteral:
		if err := checkPattern(n.Pattern, n.Flags); err != nil {
			w.refuse(n.Idx, "the pattern /"+n.Pattern+"/ "+err.Error(), "write it without")
		}
	}
	return true
}

func (w *surveyor) function(at file.Idx, async bool, list *ast.ParameterList) {
	w.functions++
	if async {
		w.refuse(at, "async functions are not available", "a function gives its value when it returns")
	}
	if list == nil {
		return
	}
	for _, b := range list.List {
		w.targets(b.Target, w.declared, false)
	}
	w.targets(list.Rest, w.declared, false)
}

// targets notes the names that a target holds. The elements that a rest takes are counted
// where there is a value to count.
func (w *surveyor) targets(e ast.Expression, to map[string]bool, counted bool) {
	switch e := e.(type) {
	case *ast.Identifier:
		to[e.Name.String()] = true
	case *ast.Binding:
		w.targets(e.Target, to, counted)
	case *ast.AssignExpression: // with a default
		w.targets(e.Left, to, counted)
	case *ast.ArrayPattern:
		for _, x := range e.Elements {
			w.targets(x, to, false)
		}
		w.rest(e.Rest, e.LeftBracket, to, counted)
	case *ast.ObjectPattern:
		for _, p := range e.Properties {
			switch p := p.(type) {
			case *ast.PropertyShort:
				to[p.Name.Name.String()] = true
			case *ast.PropertyKeyed:
				w.targets(p.Value, to, false)
			}
		}
		w.rest(e.Rest, e.LeftBrace, to, counted)
	}
}

func (w *surveyor) rest(rest ast.Expression, at file.Idx, to map[string]bool, counted bool) {
	if rest == nil {
		return
	}
	if !counted {
		w.refuse(at, "a rest element inside a pattern is not available here", "take the value apart in a statement of its own")
	}
	w.targets(rest, to, counted)
}

// checkPattern refuses patterns that can take time without end: those that have to go
// back.
func checkPattern(pattern, flags string) error {
	if len(pattern) > maxPattern {
		return errors.New("is too long")
	}
	go2, err := parser.TransformRegExp(pattern, strings.Contains(flags, "s"), strings.Contains(flags, "u"))
	var back parser.RegexpErrorIncompatible
	switch {
	case errors.As(err, &back):
		return errors.New("holds a look-around or a back-reference, which are not available")
	case err != nil:
		return nil // the engine says what is wrong with it
	}
	if _, err := regexp.Compile(go2); err != nil {
		return errors.New("is not available: " + err.Error())
	}
	return nil
}

// maxPattern is the longest regular expression.
const maxPattern = 4096
