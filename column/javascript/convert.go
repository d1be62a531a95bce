package javascript

import (
	"fmt"
	"math"

	"github.com/dop251/goja"

	"spate/column"
)

// toJS is a value as a function sees it.
func (m *machine) toJS(v column.Value) goja.Value {
	switch v.Kind {
	case column.Bool:
		return m.vm.ToValue(v.Bool())
	case column.Int64:
		if i := v.Int(); i >= -1<<53 && i <= 1<<53 {
			return m.vm.ToValue(i)
		}
		return m.vm.ToValue(float64(v.Int()))
	case column.Float64:
		return m.vm.ToValue(v.Float())
	case column.Text:
		return m.vm.ToValue(v.Text())
	case column.Time:
		d, err := m.date(nil, m.vm.ToValue(v.Ticks().UnixMilli()))
		if err != nil {
			panic(err)
		}
		return d
	case column.Array:
		items := make([]any, len(v.Array()))
		for i, x := range v.Array() {
			items[i] = m.toJS(x)
		}
		return m.vm.NewArray(items...)
	case column.Record:
		o := m.vm.NewObject()
		r := v.Record()
		for i, name := range r.Names {
			// Defined and not set: a field may be called __proto__.
			if err := o.DefineDataProperty(name, m.toJS(r.Values[i]), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE); err != nil {
				panic(err)
			}
		}
		return o
	}
	return goja.Null()
}

// toValue is what a function returned as a value of the language. It may run getters.
func (m *machine) toValue(v goja.Value, depth int) (column.Value, error) {
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return column.Value{}, nil
	}
	if s, ok := v.(goja.String); ok {
		if m.work -= s.Length(); m.work < 0 {
			return column.Value{}, tooMuchWork
		}
		return column.TextOf(s.String()), nil
	}
	o, ok := v.(*goja.Object)
	if !ok {
		if _, symbol := v.(*goja.Symbol); !symbol && v.ToNumber() == v {
			return numberOf(v.ToFloat())
		}
		switch x := v.Export().(type) {
		case bool:
			return column.BoolOf(x), nil
		case int64:
			return column.IntOf(x), nil
		case float64:
			return numberOf(x)
		}
		return column.Value{}, fmt.Errorf("it returned a value of type %s, which a query cannot hold", typeOf(v))
	}
	if m.work -= 8; m.work < 0 {
		return column.Value{}, tooMuchWork
	}
	if depth == maxDepth {
		return column.Value{}, fmt.Errorf("it returned a value that is nested too deeply, or that holds itself")
	}
	if tag, ok := o.GetSymbol(goja.SymToStringTag).(goja.String); ok {
		return column.Value{}, fmt.Errorf("it returned a value of type %s, which a query cannot hold", clip(tag.String()))
	}
	switch class := o.ClassName(); class {
	case "Date":
		return dateOf(o)
	case "Number", "String", "Boolean":
		return m.toValue(m.primitive(o, class), depth)
	case "Array":
		n := int(o.Get("length").ToInteger())
		if m.work -= 8 * n; m.work < 0 {
			return column.Value{}, tooMuchWork
		}
		list := make([]column.Value, n)
		for i := range list {
			var err error
			if list[i], err = m.toValue(o.Get(fmt.Sprint(i)), depth+1); err != nil {
				return column.Value{}, err
			}
		}
		return column.ArrayOf(list), nil
	case "Object":
		if _, function := goja.AssertFunction(o); function {
			break
		}
		r := &column.RecordValue{Names: o.Keys()}
		if m.work -= 8 * len(r.Names); m.work < 0 {
			return column.Value{}, tooMuchWork
		}
		for _, name := range r.Names {
			x, err := m.toValue(o.Get(name), depth+1)
			if err != nil {
				return column.Value{}, err
			}
			r.Values = append(r.Values, x)
		}
		return column.RecordOf(r), nil
	}
	return column.Value{}, fmt.Errorf("it returned a value of type %s, which a query cannot hold", typeOf(v))
}

// typeOf names the type of a value that is refused.
func typeOf(v goja.Value) string {
	if o, ok := v.(*goja.Object); ok {
		return o.ClassName()
	}
	if _, ok := v.(*goja.Symbol); ok {
		return "Symbol"
	}
	return "bigint of JavaScript"
}

func (m *machine) primitive(o *goja.Object, class string) goja.Value {
	switch class {
	case "Number":
		return o.ToNumber()
	case "String":
		return o.ToString()
	}
	return m.vm.ToValue(o.Export())
}

// numberOf is a number as a bigint if it is whole and fits one, else a float.
func numberOf(f float64) (column.Value, error) {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return column.Value{}, fmt.Errorf("it returned %s, which is no number of a query", map[bool]string{true: "NaN", false: "Infinity"}[math.IsNaN(f)])
	case f == math.Trunc(f) && f >= -1<<63 && f < 1<<63:
		return column.IntOf(int64(f)), nil
	}
	return column.FloatOf(f), nil
}

// dateOf is a Date as a datetime.
func dateOf(o *goja.Object) (column.Value, error) {
	ms := o.ToNumber().ToFloat()
	if math.IsNaN(ms) {
		return column.Value{}, fmt.Errorf("it returned an invalid Date")
	}
	if ms < float64(column.Ticks(0).UnixMilli()) || ms > float64(column.MaxTicks.UnixMilli()) {
		return column.Value{}, fmt.Errorf("it returned a Date outside the years 1 to 9999")
	}
	return column.TimeOf(column.TicksOfMillis(int64(ms))), nil
}
