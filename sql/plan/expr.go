package plan

import (
	"spate/column"
	"spate/sql/syntax"
)

// Expr is a bound expression over the columns of one node.
type Expr interface {
	// Type is the static type, column.Null where values may differ in kind.
	Type() column.Kind
	// Span is where the expression stands in the script.
	Span() syntax.Span
	// Parts are the places of the expressions inside, without those that hold none.
	Parts() []*Expr
}

// Base carries what every expression has.
type Base struct {
	Static column.Kind
	Where  syntax.Span
}

// Type implements Expr.
func (b Base) Type() column.Kind { return b.Static }

// Span implements Expr.
func (b Base) Span() syntax.Span { return b.Where }

// Const is a literal or a folded constant.
type Const struct {
	Base
	Value column.Value
}

// Col reads column Index of the node below.
type Col struct {
	Base
	Index int
	Name  string
}

// Field reads a field of a record by name; NULL where there is none.
type Field struct {
	Base
	Of   Expr
	Name string
}

// Element reads an array element by a constant position from 0.
type Element struct {
	Base
	Of    Expr
	Index int
}

// Timestamp is System.Timestamp().
type Timestamp struct{ Base }

// Call is an operator or scalar function. Func is upper-case: "+", "=", "AND",
// "NOT", "NEG" (unary minus), "IS NULL", "LIKE", "BETWEEN", "IN", "ABS", "CONCAT", ...
// BETWEEN has 3 arguments, IN has the left side first; negated forms are NOT
// around them. Unit words ('minute' of DATEDIFF) are Text constants, in full
// and lower case: 'year' 'quarter' 'month' 'dayofyear' 'day' 'week' 'weekday'
// 'hour' 'minute' 'second' 'millisecond' 'microsecond'.
type Call struct {
	Base
	Func string
	Args []Expr
}

// Geodesic stands in front of the name of a geospatial function that looks at the globe;
// the plain name looks at the plane.
const Geodesic = "GEODESIC "

// Cast is CAST or TRY_CAST to the static type. Text is the operand as the
// script has it, for the error of a cast that fails.
type Cast struct {
	Base
	Of   Expr
	Try  bool
	Text string
}

// Case is CASE; a simple CASE has been turned into equalities. ToFloat: all
// branches are statically numbers of mixed kind, so the result is a float.
type Case struct {
	Base
	Whens   []When
	Else    Expr // nil: NULL
	ToFloat bool
}

// When is one branch of a Case.
type When struct{ Cond, Then Expr }

// Coalesce returns the first argument that is not NULL.
type Coalesce struct {
	Base
	Args []Expr
}

// Row is a row as a record: its columns by name, those of a Star column in its place. Of
// equal names, ignoring case, the leftmost one counts.
type Row struct {
	Base
	Cols []Column
	Of   []Expr // by column
}

// Parts implements Expr.
func (e *Const) Parts() []*Expr { return nil }

// Parts implements Expr.
func (e *Col) Parts() []*Expr { return nil }

// Parts implements Expr.
func (e *Field) Parts() []*Expr { return exprs(&e.Of) }

// Parts implements Expr.
func (e *Element) Parts() []*Expr { return exprs(&e.Of) }

// Parts implements Expr.
func (e *Timestamp) Parts() []*Expr { return nil }

// Parts implements Expr.
func (e *Call) Parts() []*Expr { return all(e.Args) }

// Parts implements Expr.
func (e *Cast) Parts() []*Expr { return exprs(&e.Of) }

// Parts implements Expr.
func (e *Case) Parts() []*Expr {
	var list []*Expr
	for i := range e.Whens {
		list = append(list, &e.Whens[i].Cond, &e.Whens[i].Then)
	}
	return append(list, exprs(&e.Else)...)
}

// Parts implements Expr.
func (e *Coalesce) Parts() []*Expr { return all(e.Args) }

// Parts implements Expr.
func (e *Row) Parts() []*Expr { return all(e.Of) }
