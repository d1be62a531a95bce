package plan

import "spate/column"

// Fold is the function of a Call that folds the case of a text and leaves other
// values alone.
const Fold = "FOLD"

// IgnoreCase makes all comparisons of texts in a job ignore case: operators, IN,
// BETWEEN, LIKE, NULLIF, CHARINDEX and PATINDEX. Grouping and partitioning keep
// case. It changes the plan.
func IgnoreCase(j *Job) {
	fold := func(n Node) {
		for _, e := range n.Exprs() {
			WalkExpr(e, func(e *Expr) {
				if c, ok := (*e).(*Call); ok {
					*e = foldCall(c)
				}
			})
		}
	}
	Walk(j, fold)
	WalkReferences(j, fold)
}

func foldCall(e *Call) Expr {
	switch e.Func {
	case "=", "<>", "!=", "<", "<=", ">", ">=", "!>", "!<", "IN", "BETWEEN":
		e.Args = folded(e.Args)
	case "LIKE", "PATINDEX":
		e.Args = foldedTexts(e.Args)
	case "CHARINDEX":
		e.Args = append(foldedTexts(e.Args[:2:2]), e.Args[2:]...)
	case "NULLIF": // its result keeps its case
		equal := &Call{Base: Base{Static: column.Bool, Where: e.Where}, Func: "=", Args: folded(e.Args)}
		return &Case{Base: e.Base, Whens: []When{{Cond: equal, Then: &Const{Base: Base{Where: e.Where}}}}, Else: e.Args[0]}
	}
	return e
}

// folded folds the operands of a comparison. With a number, bit or time on one
// side no texts meet, whatever the other is.
func folded(args []Expr) []Expr {
	for _, a := range args {
		switch a.Type() {
		case column.Int64, column.Float64, column.Bool, column.Time:
			return args
		}
	}
	return foldedTexts(args)
}

// foldedTexts folds the arguments of a function of texts. The text of a number, bit
// or time has no lower case.
func foldedTexts(args []Expr) []Expr {
	out := make([]Expr, len(args))
	for i, a := range args {
		out[i] = &Call{Base: Base{Static: a.Type(), Where: a.Span()}, Func: Fold, Args: []Expr{a}}
	}
	return out
}
