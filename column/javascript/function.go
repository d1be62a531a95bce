// Package javascript runs the JavaScript functions of a job: scalars, udf.NAME, and
// aggregates, uda.NAME.
//
// A result depends on the arguments alone: not on the clock, on chance, on the zone of the
// machine or on calls that came before. What a function may use is counted in steps and in
// sizes, never in time, so that a function that is too much for one machine is so for all.
//
// A Program may be used by any number of goroutines. Its machines keep nothing from one use
// to the next, so there are as many as are used at once.
//
// Stability: importable, not promised before 1.0.
package javascript

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
)

// Function is the text of a function.
type Function struct {
	Name      string // as scripts call it, without udf. or uda.
	Aggregate bool
	File      string // where the text stands; empty: nowhere
	Text      string
}

// file is the name of the text in errors.
func (f *Function) file() string {
	if f.File == "" {
		return f.Name + ".js"
	}
	return filepath.ToSlash(f.File)
}

// Error is a mistake in the text of a function.
type Error struct {
	Function     string
	File         string
	Line, Column int // 0: the whole file
	Msg          string
	Hint         string // what to do; may be empty
}

// Error implements error.
func (e *Error) Error() string {
	at := e.File
	if e.Line > 0 {
		at = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
	}
	s := fmt.Sprintf("function %s: %s: %s", e.Function, at, e.Msg)
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

// maxText is the longest text of a function, in bytes.
const maxText = 1 << 20

// prefix marks the names that belong to the machine.
const prefix = "__spate"

// Program is a function that has been checked.
type Program struct {
	Function
	file string
	code *goja.Program

	plain bool // a scalar whose text is functions alone: there is nothing to find out by running it

	mu   sync.Mutex
	idle []*machine // guarded by mu
}

// Compile checks a function: its text parses, it has what its kind needs, and it uses
// nothing that a job does not have.
func Compile(f Function) (*Program, error) {
	p, err := compile(f)
	if err != nil {
		return nil, err
	}
	if p.plain {
		return p, nil
	}
	m := p.take()
	defer p.put(m)
	if err := m.check(); err != nil {
		return nil, err
	}
	return p, nil
}

// take gives a machine to one goroutine, until put.
func (p *Program) take() *machine {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		m := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return m
	}
	return &machine{program: p}
}

func (p *Program) put(m *machine) {
	if m.vm == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, m)
}

func compile(f Function) (*Program, error) {
	p := &Program{Function: f, file: f.file()}
	fail := func(msg, hint string) error {
		return &Error{Function: f.Name, File: p.file, Msg: msg, Hint: hint}
	}
	switch {
	case len(f.Text) > maxText:
		return nil, fail(fmt.Sprintf("the text has %d bytes", len(f.Text)), fmt.Sprintf("a function has at most %d", maxText))
	case strings.Contains(f.Text, prefix):
		return nil, fail("the text holds "+prefix, "names that begin so belong to Spate")
	}
	f.Text = strings.TrimPrefix(f.Text, "\ufeff")
	alone, err := parse(p.file, f.Text)
	if err != nil {
		return nil, p.syntaxError(err)
	}
	s := survey(alone, f.Name)
	if s.refused != nil {
		at := alone.File.Position(int(s.refused.at) - 1)
		return nil, &Error{Function: f.Name, File: p.file, Line: at.Line, Column: at.Column, Msg: s.refused.msg, Hint: s.refused.hint}
	}
	if s.entry == "" {
		return nil, fail("there is no function main", "write function main(...) { ... }")
	}
	whole, err := parse(p.file, wrap(f, s))
	if err != nil {
		return nil, p.syntaxError(err)
	}
	instrument(whole, s)
	p.plain = s.stateless && !f.Aggregate
	if p.code, err = goja.CompileAST(whole, false); err != nil {
		return nil, p.syntaxError(err)
	}
	return p, nil
}

func parse(file, text string) (*ast.Program, error) {
	return parser.ParseFile(nil, file, text, 0, parser.WithDisableSourceMaps)
}

// head comes before the text of a function, on its first line.
const head = "(function(" + prefix + "_over," + prefix + "_text," + prefix + "_spread){var " + prefix + "_n=1000000," + prefix + "_t;" +
	"var " + prefix + "_make=function(){"

// wrap puts the text of a function into one that gives the machine its ways in. The text
// is evaluated for every call, so that what it keeps in variables is gone with the call;
// once where it cannot keep anything.
func wrap(f Function, s *surveyed) string {
	var b strings.Builder
	b.WriteString(head)
	b.WriteString(f.Text)
	b.WriteString("\n;")
	if len(s.implicit) > 0 {
		b.WriteString("var " + strings.Join(s.implicit, ",") + ";")
	}
	fmt.Fprintf(&b, "return [%s];};", strings.Join(append([]string{s.entry}, s.fixed...), ","))
	entry := prefix + "_make()[0]"
	if s.stateless {
		b.WriteString("var " + prefix + "_all=" + prefix + "_make();")
		b.WriteString(prefix + "_all.forEach(function(f){Object.freeze(f.prototype);Object.freeze(f)});")
		b.WriteString("var " + prefix + "_main=" + prefix + "_all[0];")
		entry = prefix + "_main"
	}
	refill := fmt.Sprintf("%s_n=%d;", prefix, maxSteps)
	if s.straight {
		refill = ""
	}
	fmt.Fprintf(&b, "var %s_check=function(){%sreturn typeof %s};", prefix, refill, entry)
	if f.Aggregate {
		fmt.Fprintf(&b, "return {check:"+prefix+"_check,make:function(){%svar c=%s;return new c()},init:function(o){%so.init()},"+
			"add:function(o,v,t){%so.accumulate(v,t)},result:function(o){%sreturn o.computeResult()}};})", refill, entry, refill, refill, refill)
		return b.String()
	}
	// The number of arguments is that of the call: a function sees no more than it was given.
	b.WriteString("return {check:" + prefix + "_check,")
	for n := range maxArguments + 1 {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("a%d", i))
		}
		list := strings.Join(names, ",")
		fmt.Fprintf(&b, "call%d:function(%s){%svar f=%s;return f(%s)},", n, list, refill, entry, list)
		var each []string
		for i := range n {
			each = append(each, fmt.Sprintf("a%d[i]", i))
		}
		begin, before := "", refill+"var f="+entry+";"
		if s.stateless {
			begin, before = "var f="+entry+";", refill
		}
		fmt.Fprintf(&b, "many%d:function(%s){"+begin+"for(var i=0;i<n;i++){"+before+"out[i]=f(%s)}},", n, strings.Join(append([]string{"n", "out"}, names...), ","), strings.Join(each, ","))
	}
	b.WriteString("kind:function(){" + refill + "var f=" + entry + ";var o=new f();return typeof o.accumulate==='function'&&typeof o.computeResult==='function'}};})")
	return b.String()
}

// maxArguments is the largest number of arguments of a call.
const maxArguments = 32

// syntaxError is the first mistake of a text that does not parse.
func (p *Program) syntaxError(err error) error {
	out := &Error{Function: p.Name, File: p.file, Msg: err.Error()}
	var list parser.ErrorList
	var one *goja.CompilerSyntaxError
	switch {
	case errors.As(err, &list) && len(list) > 0:
		out.Line, out.Column, out.Msg = list[0].Position.Line, list[0].Position.Column, list[0].Message
	case errors.As(err, &one):
		out.Msg = one.Message
		if one.File != nil {
			at := one.File.Position(one.Offset)
			out.Line, out.Column = at.Line, p.columnOf(at.Line, at.Column)
		}
	}
	return out
}

// columnOf is a column of the wrapped text in that of the function.
func (p *Program) columnOf(line, col int) int {
	if line == 1 {
		col = max(1, col-len(head))
	}
	return col
}

// IsAggregate reports whether a function makes objects with accumulate and computeResult,
// as an aggregate does; for functions whose kind nothing else says.
func IsAggregate(f Function) (bool, error) {
	f.Aggregate = false
	p, err := compile(f)
	if err != nil {
		return false, err
	}
	return p.take().makesAggregates()
}
