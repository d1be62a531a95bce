package reference

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/dop251/goja"

	"spate/column"
	"spate/sql/plan"
)

// scripted is one run of the text of a function, in a world of its own: by definition
// nothing is left of it afterwards.
type scripted struct {
	f    *plan.Function
	vm   *goja.Runtime
	main goja.Value
}

func newScripted(f *plan.Function) (*scripted, error) {
	s := &scripted{f: f, vm: goja.New()}
	if _, err := s.vm.RunString(refused); err != nil {
		return nil, err
	}
	if _, err := s.vm.RunString(f.Code.Text); err != nil {
		return nil, s.failed(err)
	}
	for _, name := range []string{"main", f.Name} {
		if v, err := s.vm.RunString("typeof " + name + " == 'undefined' ? undefined : " + name); err == nil && !goja.IsUndefined(v) {
			s.main = v
			return s, nil
		}
	}
	return nil, s.failed(errors.New("there is no function main"))
}

// refused is what no function has, because it would not give the same again.
const refused = `Math.random = function () { throw new TypeError('Math.random() is not available') };
Date.now = function () { throw new TypeError('Date.now() is not available') };`

// failed is an error in the words of the service.
func (s *scripted) failed(err error) error {
	what := err.Error()
	var thrown *goja.Exception
	if errors.As(err, &thrown) {
		what = thrown.Value().String()
	}
	return fmt.Errorf("Function '%s' resulted in an error: '%s'", strings.ToLower(s.f.Name), what)
}

// scalar calls a scalar function.
func (r *runner) scalar(e *plan.UserCall, x *row) (column.Value, error) {
	args := make([]column.Value, len(e.Args))
	for i, a := range e.Args {
		var err error
		if args[i], err = r.eval(a, x); err != nil {
			return null, err
		}
	}
	s, err := newScripted(e.Func)
	if err != nil {
		return null, err
	}
	f, _ := goja.AssertFunction(s.main)
	given := make([]goja.Value, len(args))
	for i, a := range args {
		given[i] = s.in(a)
	}
	v, err := f(goja.Undefined(), given...)
	if err != nil {
		return null, s.failed(err)
	}
	return s.out(v)
}

// userAggregate is an aggregate of the job over a set of rows: in their order, a new object
// takes them one by one.
func userAggregate(a *plan.Agg, k int, rows []row) (column.Value, error) {
	s, err := newScripted(a.User)
	if err != nil {
		return null, err
	}
	o, err := s.vm.New(s.main)
	if err != nil {
		return null, s.failed(err)
	}
	member := func(name string, args ...goja.Value) (goja.Value, error) {
		f, ok := goja.AssertFunction(o.Get(name))
		if !ok {
			return nil, s.failed(fmt.Errorf("%s is no function", name))
		}
		v, err := f(o, args...)
		if err != nil {
			return nil, s.failed(err)
		}
		return v, nil
	}
	if _, err := member("init"); err != nil {
		return null, err
	}
	for _, x := range sorted(rows, byPlace(k)) {
		at := column.TimeOf(x.time)
		if a.At != nil {
			at = x.orders[k][0]
		}
		if _, err := member("accumulate", s.in(x.args[k]), s.in(at)); err != nil {
			return null, err
		}
	}
	v, err := member("computeResult")
	if err != nil {
		return null, err
	}
	out, err := s.out(v)
	if err != nil || a.Type == column.Null || out.IsNull() {
		return out, err
	}
	c, ok := convert(out, a.Type)
	if !ok {
		return null, fmt.Errorf("Cannot cast value of type '%s' to type '%s' in expression '%s'", out.Kind, a.Type, a.Name)
	}
	return c, nil
}

// in is a value as JavaScript has it.
func (s *scripted) in(v column.Value) goja.Value {
	switch v.Kind {
	case column.Bool:
		return s.vm.ToValue(v.Bool())
	case column.Int64, column.Float64:
		return s.vm.ToValue(floatOf(v))
	case column.Text:
		return s.vm.ToValue(v.Text())
	case column.Time:
		d, err := s.vm.New(s.vm.Get("Date"), s.vm.ToValue(v.Ticks().UnixMilli()))
		if err != nil {
			panic(err)
		}
		return d
	case column.Array:
		a := s.vm.NewArray()
		for i, x := range v.Array() {
			if err := a.Set(fmt.Sprint(i), s.in(x)); err != nil {
				panic(err)
			}
		}
		return a
	case column.Record:
		o := s.vm.NewObject()
		for i, name := range v.Record().Names {
			if err := o.DefineDataProperty(name, s.in(v.Record().Values[i]), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE); err != nil {
				panic(err)
			}
		}
		return o
	}
	return goja.Null()
}

// out is what JavaScript gives as a value of the language.
func (s *scripted) out(v goja.Value) (column.Value, error) {
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return null, nil
	}
	if o, ok := v.(*goja.Object); ok {
		switch o.ClassName() {
		case "Date":
			return column.TimeOf(column.TicksOfMillis(v.ToInteger())), nil
		case "Array":
			list := make([]column.Value, o.Get("length").ToInteger())
			for i := range list {
				var err error
				if list[i], err = s.out(o.Get(fmt.Sprint(i))); err != nil {
					return null, err
				}
			}
			return column.ArrayOf(list), nil
		case "Object":
			r := &column.RecordValue{}
			for _, name := range o.Keys() {
				x, err := s.out(o.Get(name))
				if err != nil {
					return null, err
				}
				r.Names, r.Values = append(r.Names, name), append(r.Values, x)
			}
			return column.RecordOf(r), nil
		}
		return null, s.failed(fmt.Errorf("a value of type %s", o.ClassName()))
	}
	switch x := v.Export().(type) {
	case bool:
		return column.BoolOf(x), nil
	case string:
		return column.TextOf(x), nil
	}
	switch f := v.ToFloat(); {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return null, s.failed(fmt.Errorf("it returned %v", f))
	case f == math.Floor(f) && f >= -1<<63 && f < 1<<63:
		return column.IntOf(int64(f)), nil
	default:
		return column.FloatOf(f), nil
	}
}
