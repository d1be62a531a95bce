package compute

import (
	"fmt"
	"math"

	"spate/column"
)

var mathFunctions = []Function{
	{Name: "ABS", Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) {
		return sameKind("ABS", a, math.Abs, func(i int64) (int64, error) {
			if i == math.MinInt64 {
				return 0, ErrOverflow
			}
			if i < 0 {
				return -i, nil
			}
			return i, nil
		})
	}},
	{Name: "CEILING", Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) {
		return sameKind("CEILING", a, math.Ceil, unchanged)
	}},
	{Name: "FLOOR", Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) {
		return sameKind("FLOOR", a, math.Floor, unchanged)
	}},
	{Name: "SIGN", Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) {
		return sameKind("SIGN", a, func(f float64) float64 {
			switch {
			case f > 0:
				return 1
			case f < 0:
				return -1
			}
			return 0
		}, func(i int64) (int64, error) {
			switch {
			case i > 0:
				return 1, nil
			case i < 0:
				return -1, nil
			}
			return 0, nil
		})
	}},
	{Name: "ROUND", Min: 2, Max: 2, Call: round},
	{Name: "EXP", Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) { return toFloat("EXP", a, math.Exp) }},
	{Name: "SQRT", Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) {
		f, err := numberArg("SQRT", a, 0)
		if err != nil || f < 0 {
			return column.Value{}, err
		}
		return column.FloatOf(math.Sqrt(f)), nil
	}},
	{Name: "SQUARE", Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) {
		return toFloat("SQUARE", a, func(f float64) float64 { return f * f })
	}},
	{Name: "POWER", Min: 2, Max: 2, Call: power},
}

func unchanged(i int64) (int64, error) { return i, nil }

func sameKind(name string, a []column.Value, f func(float64) float64, i func(int64) (int64, error)) (column.Value, error) {
	switch a[0].Kind {
	case column.Float64:
		return column.FloatOf(f(a[0].Float())), nil
	case column.Int64:
		n, err := i(a[0].Int())
		if err != nil {
			return column.Value{}, err
		}
		return column.IntOf(n), nil
	}
	return column.Value{}, wrongType(name, 1, a[0], column.Int64, column.Float64)
}

func toFloat(name string, a []column.Value, f func(float64) float64) (column.Value, error) {
	x, err := numberArg(name, a, 0)
	if err != nil {
		return column.Value{}, err
	}
	return finite(name, f(x))
}

func finite(name string, r float64) (column.Value, error) {
	if math.IsInf(r, 0) || math.IsNaN(r) {
		return column.Value{}, fmt.Errorf("arithmetic overflow: the result of %s does not fit a float", name)
	}
	return column.FloatOf(r), nil
}

func round(a []column.Value) (column.Value, error) {
	if a[0].Kind != column.Float64 && a[0].Kind != column.Int64 {
		return column.Value{}, wrongType("ROUND", 1, a[0], column.Int64, column.Float64)
	}
	n, err := intArg("ROUND", a, 1)
	if err != nil {
		return column.Value{}, err
	}
	if a[0].Kind == column.Int64 {
		return roundInt(a[0].Int(), n)
	}
	return column.FloatOf(roundFloat(a[0].Float(), n)), nil
}

func roundFloat(x float64, n int64) float64 {
	if n > 308 || n < -308 {
		if n > 0 {
			return x
		}
		return 0
	}
	if n >= 0 {
		p := math.Pow10(int(n))
		y := x * p
		if math.IsInf(y, 0) {
			return x
		}
		return math.Round(y) / p
	}
	p := math.Pow10(int(-n))
	return math.Round(x/p) * p
}

func roundInt(x, n int64) (column.Value, error) {
	if n >= 0 {
		return column.IntOf(x), nil
	}
	if n < -19 {
		return column.IntOf(0), nil
	}
	var p uint64 = 1
	for ; n < 0; n++ {
		p *= 10
	}
	u := abs64(x)
	r := (u + p/2) / p * p
	if r > math.MaxInt64 {
		return column.Value{}, ErrOverflow
	}
	if x < 0 {
		return column.IntOf(-int64(r)), nil
	}
	return column.IntOf(int64(r)), nil
}

func power(a []column.Value) (column.Value, error) {
	x, err := numberArg("POWER", a, 0)
	if err != nil {
		return column.Value{}, err
	}
	y, err := numberArg("POWER", a, 1)
	if err != nil {
		return column.Value{}, err
	}
	r, err := finite("POWER", math.Pow(x, y))
	if err != nil || a[0].Kind != column.Int64 {
		return r, err
	}
	i, ok := column.Cast(r, column.Int64)
	if !ok {
		return column.Value{}, ErrOverflow
	}
	return i, nil
}

// Abs computes ABS of an operand.
func Abs(o Operand, rows Rows) (column.Vector, *RowError) {
	if v := o.Vec; v != nil && v.Kind == column.Float64 {
		out := *v
		out.Floats = make([]float64, len(v.Floats))
		for i, f := range v.Floats {
			out.Floats[i] = math.Abs(f)
		}
		return out, nil
	}
	f, _ := Lookup("ABS")
	return Map(rows, func(i int) (column.Value, error) { return f.Apply([]column.Value{o.At(i)}) })
}
