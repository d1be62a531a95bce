package reference

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	"spate/column"
)

// function is a scalar function. Unless nulls is set, a NULL argument gives NULL.
type function struct {
	nulls bool
	run   func(r *runner, a []column.Value) (column.Value, error)
}

// lookup finds a function by its upper-case name.
func lookup(name string) (function, bool) {
	for _, table := range []map[string]function{mathFunctions, textFunctions, dateFunctions, recordFunctions, patternFunctions, geoFunctions} {
		if f, ok := table[name]; ok {
			return f, true
		}
	}
	return function{}, false
}

// wrongType is the known text for an argument of a kind that a function does
// not take. n counts from 1.
func wrongType(name string, n int, v column.Value, allowed ...column.Kind) error {
	words := make([]string, len(allowed))
	for i, k := range allowed {
		words[i] = "'" + k.String() + "'"
	}
	nth := fmt.Sprintf("%dth", n)
	if n <= 3 {
		nth = []string{"1st", "2nd", "3rd"}[n-1]
	}
	return fmt.Errorf("The %s argument of function %s has invalid type '%s'. Only %s is allowed.",
		nth, strings.ToLower(name), v.Kind, strings.Join(words, ", "))
}

func bigintArg(name string, a []column.Value, n int) (int64, error) {
	if isNumber(a[n]) {
		if v, ok := convert(a[n], column.Int64); ok {
			return v.Int(), nil
		}
	}
	return 0, wrongType(name, n+1, a[n], column.Int64, column.Float64)
}

// numeric wraps a function of numbers that keeps the type of its argument.
func numeric(name string, ofInt func(int64) (int64, error), ofFloat func(float64) float64) function {
	return function{run: func(_ *runner, a []column.Value) (column.Value, error) {
		switch a[0].Kind {
		case column.Int64:
			i, err := ofInt(a[0].Int())
			return column.IntOf(i), err
		case column.Float64:
			return column.FloatOf(ofFloat(a[0].Float())), nil
		}
		return null, wrongType(name, 1, a[0], column.Int64, column.Float64)
	}}
}

// floating wraps a function of numbers whose result is a float.
func floating(name string, f func(float64) (float64, bool)) function {
	return function{run: func(_ *runner, a []column.Value) (column.Value, error) {
		if !isNumber(a[0]) {
			return null, wrongType(name, 1, a[0], column.Int64, column.Float64)
		}
		y, ok := f(floatOf(a[0]))
		if !ok {
			return null, nil
		}
		if math.IsInf(y, 0) {
			return null, errOverflow
		}
		return column.FloatOf(y), nil
	}}
}

func unchanged(i int64) (int64, error) { return i, nil }

var mathFunctions = map[string]function{
	"ABS": numeric("ABS", func(i int64) (int64, error) {
		if i == math.MinInt64 {
			return 0, errOverflow
		}
		return max(i, -i), nil
	}, math.Abs),
	"CEILING": numeric("CEILING", unchanged, math.Ceil),
	"FLOOR":   numeric("FLOOR", unchanged, math.Floor),
	"SIGN": numeric("SIGN", func(i int64) (int64, error) { return max(min(i, 1), -1), nil }, func(f float64) float64 {
		switch {
		case f > 0:
			return 1
		case f < 0:
			return -1
		}
		return 0
	}),
	"EXP":    floating("EXP", func(x float64) (float64, bool) { return math.Exp(x), true }),
	"SQUARE": floating("SQUARE", func(x float64) (float64, bool) { return x * x, true }),
	"SQRT":   floating("SQRT", func(x float64) (float64, bool) { return math.Sqrt(x), x >= 0 }),
	"POWER": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		for i := range a {
			if !isNumber(a[i]) {
				return null, wrongType("POWER", i+1, a[i], column.Int64, column.Float64)
			}
		}
		z := math.Pow(floatOf(a[0]), floatOf(a[1]))
		if math.IsInf(z, 0) || math.IsNaN(z) {
			return null, errOverflow
		}
		if a[0].Kind == column.Int64 {
			i, ok := convert(column.FloatOf(z), column.Int64)
			if !ok {
				return null, errOverflow
			}
			return i, nil
		}
		return column.FloatOf(z), nil
	}},
	"ROUND": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		if !isNumber(a[0]) {
			return null, wrongType("ROUND", 1, a[0], column.Int64, column.Float64)
		}
		n, err := bigintArg("ROUND", a, 1)
		if err != nil {
			return null, err
		}
		if a[0].Kind == column.Int64 {
			return roundBigint(a[0].Int(), n)
		}
		return column.FloatOf(roundFloat(a[0].Float(), n)), nil
	}},
}

func roundBigint(x, n int64) (column.Value, error) {
	if n >= 0 {
		return column.IntOf(x), nil
	}
	if n < -19 {
		return column.IntOf(0), nil
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(-n), nil)
	half := new(big.Int).Quo(unit, big.NewInt(2))
	z := big.NewInt(x)
	if x < 0 {
		half.Neg(half)
	}
	z.Add(z, half)
	z.Quo(z, unit)
	z.Mul(z, unit)
	if !z.IsInt64() {
		return null, errOverflow
	}
	return column.IntOf(z.Int64()), nil
}

func roundFloat(x float64, n int64) float64 {
	if n < 0 {
		unit := math.Pow10(int(max(-n, 0)))
		if math.IsInf(unit, 0) {
			return 0
		}
		return math.Round(x/unit) * unit
	}
	scale := math.Pow10(int(min(n, 400)))
	if y := x * scale; !math.IsInf(y, 0) && !math.IsInf(scale, 0) {
		return math.Round(y) / scale
	}
	return x
}

var recordFunctions = map[string]function{
	"GETTYPE": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		return column.TextOf(a[0].Kind.String()), nil
	}},
	"GETARRAYLENGTH": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		if a[0].Kind != column.Array {
			return null, wrongType("GetArrayLength", 1, a[0], column.Array)
		}
		return column.IntOf(int64(len(a[0].Array()))), nil
	}},
	"GETARRAYELEMENT": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		if a[0].Kind != column.Array {
			return null, wrongType("GetArrayElement", 1, a[0], column.Array)
		}
		i, err := bigintArg("GetArrayElement", a, 1)
		if err != nil || i < 0 || i >= int64(len(a[0].Array())) {
			return null, err
		}
		return a[0].Array()[i], nil
	}},
	"GETRECORDPROPERTYVALUE": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		if a[0].Kind != column.Record {
			return null, wrongType("GetRecordPropertyValue", 1, a[0], column.Record)
		}
		if a[1].Kind != column.Text {
			return null, wrongType("GetRecordPropertyValue", 2, a[1], column.Text)
		}
		v := a[0]
		for _, name := range propertyPath(a[1].Text()) {
			v = field(v, name)
		}
		return v, nil
	}},
}

// propertyPath splits [a][b] and [a].[b]; any other name is one step.
func propertyPath(s string) []string {
	if !strings.HasPrefix(s, "[") || !strings.HasSuffix(s, "]") {
		return []string{s}
	}
	return strings.Split(strings.ReplaceAll(s[1:len(s)-1], "].[", "]["), "][")
}
