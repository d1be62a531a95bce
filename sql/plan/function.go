package plan

import (
	"strings"

	"spate/column"
	"spate/column/javascript"
)

// Function is a function of the job, one object for all its calls.
type Function struct {
	Name   string              // as the job declares it
	Args   []column.Kind       // declared types of the arguments, column.Null for any; nil: not declared
	Result column.Kind         // declared type of the result; column.Null: that of each value
	Code   *javascript.Program // what it computes

	Foreign string // what it is instead of JavaScript; scripts that call it are refused
}

// canon names what a function computes: its text, and what becomes of the result.
func (f *Function) canon() string {
	return strings.ToLower(f.Name) + "#" + digest(f.Code.Text, f.Result.String())
}

// UserCall is a call of a scalar function of the job.
type UserCall struct {
	Base
	Func *Function
	Args []Expr
}

// Parts implements Expr.
func (e *UserCall) Parts() []*Expr { return all(e.Args) }
