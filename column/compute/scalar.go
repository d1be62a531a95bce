package compute

import (
	"fmt"
	"strings"

	"spate/column"
)

// Function is a scalar function over values. Where it does not say otherwise a
// NULL argument gives NULL; the table below does that before the call.
type Function struct {
	Name     string
	Min, Max int  // number of arguments; Max < 0: any number
	Nulls    bool // the function sees NULL arguments
	Call     func(args []column.Value) (column.Value, error)
}

// Apply calls f.
func (f *Function) Apply(args []column.Value) (column.Value, error) {
	if !f.Nulls {
		for _, a := range args {
			if a.IsNull() {
				return column.Value{}, nil
			}
		}
	}
	return f.Call(args)
}

// Lookup finds a scalar function by its upper-case name.
func Lookup(name string) (*Function, bool) {
	for _, table := range [][]Function{mathFunctions, textFunctions, dateFunctions, recordFunctions} {
		for i := range table {
			if table[i].Name == name {
				return &table[i], true
			}
		}
	}
	return nil, false
}

var ordinals = [...]string{"0th", "1st", "2nd", "3rd"}

// wrongType is the error that Stream Analytics gives for an argument of a type
// that a function does not take.
func wrongType(name string, n int, v column.Value, allowed ...column.Kind) error {
	names := make([]string, len(allowed))
	for i, k := range allowed {
		names[i] = "'" + k.String() + "'"
	}
	nth := fmt.Sprintf("%dth", n)
	if n < len(ordinals) {
		nth = ordinals[n]
	}
	return fmt.Errorf("The %s argument of function %s has invalid type '%s'. Only %s is allowed.",
		nth, strings.ToLower(name), v.Kind, strings.Join(names, ", "))
}

// textArg is an argument of a function of texts: numbers, bits and datetimes count
// as the text that CAST makes of them.
func textArg(name string, args []column.Value, n int) (string, error) {
	switch args[n].Kind {
	case column.Text:
		return args[n].Text(), nil
	case column.Int64, column.Float64, column.Bool, column.Time:
		return string(column.AppendText(nil, args[n])), nil
	}
	return "", wrongType(name, n+1, args[n], column.Text)
}

func intArg(name string, args []column.Value, n int) (int64, error) {
	switch args[n].Kind {
	case column.Int64:
		return args[n].Int(), nil
	case column.Float64:
		if v, ok := column.Cast(args[n], column.Int64); ok {
			return v.Int(), nil
		}
	}
	return 0, wrongType(name, n+1, args[n], column.Int64, column.Float64)
}

func numberArg(name string, args []column.Value, n int) (float64, error) {
	switch args[n].Kind {
	case column.Int64, column.Float64:
		f, _ := args[n].Number()
		return f, nil
	}
	return 0, wrongType(name, n+1, args[n], column.Int64, column.Float64)
}

func timeArg(name string, args []column.Value, n int) (column.Ticks, error) {
	switch args[n].Kind {
	case column.Time:
		return args[n].Ticks(), nil
	case column.Text:
		if t, ok := column.ParseTicks(args[n].Text()); ok {
			return t, nil
		}
		return 0, fmt.Errorf("Cannot convert string to datetime: argument %d of function %s is '%s'", n+1, strings.ToLower(name), args[n].Text())
	}
	return 0, wrongType(name, n+1, args[n], column.Time, column.Text)
}

var recordFunctions = []Function{
	{Name: "GETTYPE", Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) {
		return column.TextOf(a[0].Kind.String()), nil
	}},
	{Name: "GETARRAYLENGTH", Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) {
		if a[0].Kind != column.Array {
			return column.Value{}, wrongType("GetArrayLength", 1, a[0], column.Array)
		}
		return column.IntOf(int64(len(a[0].Array()))), nil
	}},
	{Name: "GETARRAYELEMENT", Min: 2, Max: 2, Call: func(a []column.Value) (column.Value, error) {
		if a[0].Kind != column.Array {
			return column.Value{}, wrongType("GetArrayElement", 1, a[0], column.Array)
		}
		i, err := intArg("GetArrayElement", a, 1)
		if err != nil || i < 0 || i >= int64(len(a[0].Array())) {
			return column.Value{}, err
		}
		return a[0].Array()[i], nil
	}},
	{Name: "GETRECORDPROPERTYVALUE", Min: 2, Max: 2, Call: func(a []column.Value) (column.Value, error) {
		if a[0].Kind != column.Record {
			return column.Value{}, wrongType("GetRecordPropertyValue", 1, a[0], column.Record)
		}
		if a[1].Kind != column.Text {
			return column.Value{}, wrongType("GetRecordPropertyValue", 2, a[1], column.Text)
		}
		v := a[0]
		for _, part := range splitPath(a[1].Text()) {
			v = v.Field(part)
		}
		return v, nil
	}},
	{Name: "NULLIF", Min: 2, Max: 2, Nulls: true, Call: func(a []column.Value) (column.Value, error) {
		t, err := CompareValue(EQ, a[0], a[1])
		if err != nil || t == True {
			return column.Value{}, err
		}
		return a[0], nil
	}},
}

// splitPath splits a property name of the form [a][b] or [a].[b]; other names
// are one part.
func splitPath(name string) []string {
	if !strings.HasPrefix(name, "[") || !strings.HasSuffix(name, "]") {
		return []string{name}
	}
	var parts []string
	for _, p := range strings.Split(strings.TrimSuffix(name[1:], "]"), "]") {
		parts = append(parts, strings.TrimPrefix(strings.TrimPrefix(p, "."), "["))
	}
	return parts
}
