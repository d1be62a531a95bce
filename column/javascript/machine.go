package javascript

import (
	_ "embed"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/dop251/goja"

	"spate/column"
)

// What one call of a function may use. An aggregate has as much for each of its calls.
const (
	// maxSteps is how many steps a call may take: turns of loops and calls of functions,
	// and one for every so many nodes of their bodies.
	maxSteps = 1_000_000
	// maxWork is how much built-ins may go through and make in a call: 64 and about 16
	// for an element of an array, 1 for a character of a text.
	maxWork = 16 << 20
	// maxCalls is how deep calls may be.
	maxCalls = 500
	// maxDepth is how deep a value may be.
	maxDepth = 200
)

//go:embed prelude.js
var preludeText string

var prelude = sync.OnceValue(func() *goja.Program {
	return goja.MustCompile("prelude", preludeText, true)
})

// machine runs a function, with nothing that other machines see.
type machine struct {
	program *Program

	vm    *goja.Runtime // nil: not yet there, or given up
	typed goja.Callable // the type of main
	calls map[int]ways  // a scalar, by the number of arguments
	ways  *goja.Object
	kind  goja.Callable
	make  goja.Callable // the rest: an aggregate
	init  goja.Callable
	add   goja.Callable
	done  goja.Callable
	date  goja.Constructor

	args []goja.Value
	work int // what is left of maxWork
}

// ways are the ways into a scalar: for one row, and for many.
type ways struct{ one, many goja.Callable }

// limitError is the end of a call that asks for too much.
type limitError string

func (e limitError) Error() string { return string(e) }

const (
	tooManySteps = limitError("it takes too many steps: a call has 1000000, for turns of loops and calls of functions")
	tooMuchWork  = limitError("it makes or goes through values that are too large")
)

// start makes the runtime.
func (m *machine) start() error {
	if m.vm != nil {
		return nil
	}
	vm := goja.New()
	m.vm, m.work = vm, maxWork
	vm.SetMaxCallStackSize(maxCalls)
	m.date, _ = goja.AssertConstructor(vm.Get("Date"))
	err := m.guarded(func() error { return m.load(vm) })
	if err != nil {
		m.vm = nil
	}
	return err
}

func (m *machine) load(vm *goja.Runtime) error {
	v, err := vm.RunProgram(prelude())
	if err != nil {
		return err
	}
	set, _ := goja.AssertFunction(v)
	charge := func(n int) {
		if m.work -= n; m.work < 0 || n < 0 {
			vm.Interrupt(tooMuchWork)
		}
	}
	count := func(c goja.FunctionCall) goja.Value {
		if f := c.Argument(0).ToFloat(); f > maxWork || f != f {
			charge(maxWork + 1)
		} else {
			charge(int(f))
		}
		return goja.Undefined()
	}
	walk := func(c goja.FunctionCall) goja.Value {
		if !m.walk(c.Argument(0), charge) {
			panic(vm.NewTypeError("a value is nested too deeply"))
		}
		return goja.Undefined()
	}
	pattern := func(c goja.FunctionCall) goja.Value {
		if err := checkPattern(c.Argument(0).String(), c.Argument(1).String()); err != nil {
			panic(vm.NewTypeError("the pattern " + err.Error()))
		}
		return goja.Undefined()
	}
	if _, err := set(goja.Undefined(), vm.ToValue(count), vm.ToValue(walk), vm.ToValue(pattern)); err != nil {
		return err
	}
	if v, err = vm.RunProgram(m.program.code); err != nil {
		return err
	}
	open, _ := goja.AssertFunction(v)
	over := func(goja.FunctionCall) goja.Value {
		vm.Interrupt(tooManySteps)
		return goja.Undefined()
	}
	text := func(c goja.FunctionCall) goja.Value {
		charge(length(c.Argument(0)))
		return c.Argument(0)
	}
	spread := func(c goja.FunctionCall) goja.Value {
		each := 16
		if len(c.Arguments) > 1 {
			each = 64
		}
		charge(64 + each*length(c.Argument(0)))
		return c.Argument(0)
	}
	if v, err = open(goja.Undefined(), vm.ToValue(over), vm.ToValue(text), vm.ToValue(spread)); err != nil {
		return err
	}
	m.ways, m.calls = v.ToObject(vm), make(map[int]ways)
	m.typed = m.way("check")
	if m.program.Aggregate {
		m.make, m.init, m.add, m.done = m.way("make"), m.way("init"), m.way("add"), m.way("result")
	} else {
		m.kind = m.way("kind")
	}
	return nil
}

func (m *machine) way(name string) goja.Callable {
	f, _ := goja.AssertFunction(m.ways.Get(name))
	return f
}

// scalar are the ways into a scalar with n arguments.
func (m *machine) scalar(n int) ways {
	w, ok := m.calls[n]
	if !ok {
		w = ways{m.way(fmt.Sprintf("call%d", n)), m.way(fmt.Sprintf("many%d", n))}
		m.calls[n] = w
	}
	return w
}

// length is how much a value holds: characters, elements or members.
func length(v goja.Value) int {
	switch v := v.(type) {
	case goja.String:
		return v.Length()
	case *goja.Object:
		switch v.ClassName() {
		case "Array", "Uint8Array":
			return int(v.Get("length").ToInteger())
		case "Map", "Set":
			return int(v.Get("size").ToInteger())
		}
		return len(v.GetOwnPropertyNames())
	}
	return 0
}

// walk goes through a value, or the text of one, and reports whether it is not too deep.
func (m *machine) walk(v goja.Value, charge func(int)) bool {
	if s, ok := v.(goja.String); ok {
		return shallow(s.String())
	}
	type level struct {
		of   *goja.Object
		keys []string
	}
	var path []level
	push := func(v goja.Value) {
		if o, ok := v.(*goja.Object); ok {
			keys := o.Keys()
			charge(64 + 16*len(keys))
			path = append(path, level{o, keys})
		}
	}
	push(v)
	for len(path) > 0 {
		if len(path) > maxDepth {
			return false
		}
		if m.work < 0 {
			return true // the call ends
		}
		l := &path[len(path)-1]
		if len(l.keys) == 0 {
			path = path[:len(path)-1]
			continue
		}
		key := l.keys[0]
		l.keys = l.keys[1:]
		push(l.of.Get(key))
	}
	return true
}

// shallow reports whether the JSON of a text is not too deep.
func shallow(s string) bool {
	depth, text := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return false
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return true
}

// guarded runs something in the machine. A machine whose engine fails is given up.
func (m *machine) guarded(f func() error) (err error) {
	defer func() {
		x := recover()
		if x == nil {
			return
		}
		m.vm = nil
		switch x := x.(type) {
		case error:
			var fault runtime.Error
			if errors.As(x, &fault) {
				err = fmt.Errorf("the JavaScript engine failed: %w", x)
				return
			}
			err = x
		default:
			err = fmt.Errorf("the JavaScript engine failed: %v", x)
		}
	}()
	m.work = maxWork
	if err = f(); err != nil {
		m.vm.ClearInterrupt()
		var stopped *goja.InterruptedError
		var deep *goja.StackOverflowError
		if errors.As(err, &stopped) || errors.As(err, &deep) {
			m.vm = nil
		}
	}
	return err
}

// RowError is a call that gave no result.
type RowError struct {
	Row int
	Err error
}

// Scalar calls a scalar for n rows. args are the values of each argument, at most 32 of
// them; result gets the values in the order of the rows. The error is that of the first row
// that has no result.
func (p *Program) Scalar(n int, args []func(row int) column.Value, result func(row int, v column.Value)) *RowError {
	m := p.take()
	defer func() { p.put(m) }()
	for from := 0; from < n; from += maxRows {
		to := min(n, from+maxRows)
		if m.many(from, to, args, result) == nil {
			continue
		}
		// A row has failed, or all together took what one may: row by row. Nothing that the
		// calls did is left.
		for row := from; row < to; row++ {
			v, err := m.one(row, args)
			if err != nil {
				return &RowError{row, err}
			}
			result(row, v)
		}
	}
	return nil
}

// maxRows is how many rows a machine takes at once.
const maxRows = 256

// rowsOf shows a function the values of an argument, or takes its results.
type rowsOf struct {
	m    *machine
	from int
	of   func(row int) column.Value
	out  []goja.Value
}

func (r *rowsOf) Len() int { return maxRows }

func (r *rowsOf) Get(i int) goja.Value { return r.m.toJS(r.of(r.from + i)) }

func (r *rowsOf) Set(i int, v goja.Value) bool {
	r.out[i] = v
	return true
}

func (r *rowsOf) SetLen(int) bool { return false }

// many calls a scalar for several rows that share what one may use.
func (m *machine) many(from, to int, args []func(int) column.Value, result func(int, column.Value)) error {
	if err := m.start(); err != nil {
		return err
	}
	return m.guarded(func() error {
		out := &rowsOf{m: m, out: make([]goja.Value, to-from)}
		m.args = append(m.args[:0], m.vm.ToValue(to-from), m.vm.NewDynamicArray(out))
		for _, a := range args {
			m.args = append(m.args, m.vm.NewDynamicArray(&rowsOf{m: m, from: from, of: a}))
		}
		if _, err := m.scalar(len(args)).many(goja.Undefined(), m.args...); err != nil {
			return err
		}
		return m.inside(func() error {
			for i, v := range out.out {
				x, err := m.toValue(v, 0)
				if err != nil {
					return err
				}
				result(from+i, x)
			}
			return nil
		})
	})
}

// one calls a scalar for one row.
func (m *machine) one(row int, args []func(int) column.Value) (out column.Value, err error) {
	if err := m.start(); err != nil {
		return out, m.failed(err)
	}
	err = m.guarded(func() error {
		m.args = m.args[:0]
		for _, a := range args {
			m.args = append(m.args, m.toJS(a(row)))
		}
		v, err := m.scalar(len(args)).one(goja.Undefined(), m.args...)
		if err != nil {
			return err
		}
		return m.inside(func() (err error) { out, err = m.toValue(v, 0); return err })
	})
	if err != nil {
		return column.Value{}, m.failed(err)
	}
	return out, nil
}

// inside runs what may call getters of the function.
func (m *machine) inside(f func() error) (err error) {
	if ex := m.vm.Try(func() { err = f() }); ex != nil {
		return ex
	}
	return err
}

// Fold is the result of an aggregate over n rows: a new object takes the value and the
// time of each in turn.
func (p *Program) Fold(n int, row func(i int) (value, time column.Value)) (column.Value, error) {
	m := p.take()
	defer func() { p.put(m) }()
	return m.aggregate(n, row)
}

func (m *machine) aggregate(n int, row func(i int) (value, time column.Value)) (out column.Value, err error) {
	if err := m.start(); err != nil {
		return out, m.failed(err)
	}
	err = m.guarded(func() error {
		o, err := m.make(goja.Undefined())
		if err != nil {
			return err
		}
		if _, err = m.init(goja.Undefined(), o); err != nil {
			return err
		}
		for i := range n {
			m.work = maxWork
			v, t := row(i)
			if _, err = m.add(goja.Undefined(), o, m.toJS(v), m.toJS(t)); err != nil {
				return err
			}
		}
		m.work = maxWork
		v, err := m.done(goja.Undefined(), o)
		if err != nil {
			return err
		}
		return m.inside(func() (err error) { out, err = m.toValue(v, 0); return err })
	})
	if err != nil {
		return column.Value{}, m.failed(err)
	}
	return out, nil
}

// CallError is a call that gave no result.
type CallError struct {
	Function string
	What     string // such as "TypeError: ..."
	Stack    string // where, such as "at main (f.js:2:12)"; may be empty
}

// Error implements error, in the words of the service.
func (e *CallError) Error() string {
	s := fmt.Sprintf("Function '%s' resulted in an error: '%s'", strings.ToLower(e.Function), e.What)
	if e.Stack != "" {
		s += " Stack: '" + e.Stack + "'"
	}
	return s
}

// failed turns what ended a call into a CallError.
func (m *machine) failed(err error) error {
	p := m.program
	out := &CallError{Function: p.Name, Stack: "in " + p.file}
	var thrown *goja.Exception
	var stopped *goja.InterruptedError
	var deep *goja.StackOverflowError
	var frames []goja.StackFrame
	switch {
	case errors.As(err, &thrown):
		out.What, frames = thrownText(thrown), thrown.Stack()
	case errors.As(err, &stopped):
		out.What, frames = fmt.Sprint(stopped.Value()), stopped.Stack()
	case errors.As(err, &deep):
		out.What, frames = "RangeError: calls are too deep", deep.Stack()
	default: // the text of what was thrown could run code of the function
		out.What = err.Error()
	}
	if at := p.stack(frames); at != "" {
		out.Stack = at
	}
	return out
}

// thrownText is what was thrown as text, without running any of the function's code.
func thrownText(ex *goja.Exception) string {
	v := ex.Value()
	o, ok := v.(*goja.Object)
	if !ok {
		if v == nil {
			return "undefined"
		}
		return clip(v.String())
	}
	if o.ClassName() != "Error" {
		return "an object that is no Error was thrown"
	}
	name, message := plainText(o, "name"), plainText(o, "message")
	switch {
	case name == "":
		return message
	case message == "":
		return name
	}
	return name + ": " + message
}

// plainText is a member of an error that is a text; getters of the function are let be.
func plainText(o *goja.Object, name string) (s string) {
	defer func() {
		if recover() != nil {
			s = ""
		}
	}()
	if v, ok := o.Get(name).(goja.String); ok {
		return clip(v.String())
	}
	return ""
}

// clip keeps an error readable.
func clip(s string) string {
	if r := []rune(s); len(r) > 300 {
		return string(r[:300]) + "..."
	}
	return s
}

// stack are the calls that an error came through, those of the function's text alone.
func (p *Program) stack(frames []goja.StackFrame) string {
	var list []string
	for _, f := range frames {
		at := f.Position()
		if f.SrcName() != p.file || at.Line == 0 || strings.HasPrefix(f.FuncName(), "call") && at.Line == 1 && at.Column > 1<<19 {
			continue
		}
		if strings.HasPrefix(f.FuncName(), prefix) || at.Line > 1+strings.Count(p.Text, "\n") {
			continue // of wrap
		}
		name := f.FuncName()
		if name == "" {
			name = "a function"
		}
		list = append(list, fmt.Sprintf("at %s (%s:%d:%d)", name, p.file, at.Line, p.columnOf(at.Line, at.Column)))
		if len(list) == 10 {
			break
		}
	}
	return strings.Join(list, " ")
}

// check finds out whether a function has what its kind needs.
func (m *machine) check() error {
	p := m.program
	fail := func(format string, args ...any) error {
		return &Error{Function: p.Name, File: p.file, Msg: fmt.Sprintf(format, args...)}
	}
	if err := m.start(); err != nil {
		return fail("%s", m.failed(err))
	}
	err := m.guarded(func() error {
		v, err := m.typed(goja.Undefined())
		switch {
		case err != nil:
			return err
		case v.String() != "function":
			return fail("main is no function")
		case !p.Aggregate:
			return nil
		}
		o, err := m.make(goja.Undefined())
		if err != nil {
			return err
		}
		for _, member := range []string{"init", "accumulate", "computeResult", "deaccumulate", "deaccumulateState"} {
			v := o.ToObject(m.vm).Get(member)
			_, ok := goja.AssertFunction(v)
			switch {
			case ok:
			case v == nil || goja.IsUndefined(v):
				if !strings.HasPrefix(member, "de") {
					return fail("main makes an object without %s: an aggregate has init, accumulate and computeResult", member)
				}
			default:
				return fail("the member %s of what main makes is no function", member)
			}
		}
		return nil
	})
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return fail("%s", m.failed(err))
}

// makesAggregates reports whether the function makes objects that aggregate.
func (m *machine) makesAggregates() (bool, error) {
	if err := m.start(); err != nil {
		return false, nil // said when the function is compiled
	}
	is := false
	err := m.guarded(func() error {
		v, err := m.kind(goja.Undefined())
		if err == nil {
			is = v.ToBoolean()
		}
		return err
	})
	return is && err == nil, nil
}
