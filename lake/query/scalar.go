package query

import "slices"

// Scalar is a function written in Go that emitted SQL calls by its Name. The
// child registers all of them. Arguments come as string, int64, float64, bool,
// time.Time or []byte, by their kind; none is NULL. A nil result is NULL.
type Scalar struct {
	Name   string
	Args   []Kind
	Result Kind
	Call   func(args []any) (any, error)
}

// Scalars returns the functions of the language that the engine has not, or
// has with another meaning.
func Scalars() []Scalar { return slices.Concat(convertScalars(), textScalars(), sparkScalars()) }
