package pipeline

// Function is a function that the script of a job calls: udf.NAME, a scalar, or uda.NAME,
// an aggregate.
type Function struct {
	Name   string       // without udf. or uda.
	Kind   FunctionKind // empty: what its text makes of it
	File   string       // where the text stands, for errors; empty: nowhere
	Text   string       // JavaScript
	Inputs []string     // types of the arguments, such as bigint or any; nil: not declared
	Output string       // type of the result; empty or any: that of each value

	// Foreign says what a function is that is not of JavaScript, such as "a C# function". A
	// script that calls it is refused.
	Foreign string
}

// FunctionKind is a kind of function.
type FunctionKind string

// Kinds of functions.
const (
	ScalarFunction    FunctionKind = "scalar"
	AggregateFunction FunctionKind = "aggregate"
)
