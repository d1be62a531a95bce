package plan

import "spate/column"

// Fold is the function of a Call that folds the case of a text and leaves other
// values alone.
const Fold = "FOLD"

// IgnoreCase makes all comparisons of texts in a job ignore case: operators, IN,
// BETWEEN, LIKE, NULLIF, CHARINDEX and PATINDEX. Grouping and partitioning keep
// case. It changes the plan.
func IgnoreCase(j *Job) {
	seen := make(map[Node]bool)
	var visit func(n Node)
	visit = func(n Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, in := range n.Inputs() {
			visit(in)
		}
		foldNode(n)
	}
	for _, o := range j.Outputs {
		visit(o.In)
	}
}

func foldNode(n Node) {
	switch n := n.(type) {
	case *Input:
		n.Time = foldExpr(n.Time)
	case *Filter:
		n.Cond = foldExpr(n.Cond)
	case *Project:
		foldItems(n.Items)
	case *Aggregate:
		foldItems(n.Keys)
		for i := range n.Aggs {
			n.Aggs[i].Arg = foldExpr(n.Aggs[i].Arg)
		}
		for i := range n.Windows {
			foldAll(n.Windows[i].OverKey)
		}
	case *Analytic:
		for i := range n.Funcs {
			f := &n.Funcs[i]
			f.Arg, f.Default, f.When = foldExpr(f.Arg), foldExpr(f.Default), foldExpr(f.When)
			foldAll(f.Keys)
		}
	}
}

func foldItems(items []Item) {
	for i := range items {
		items[i].Expr = foldExpr(items[i].Expr)
	}
}

func foldAll(es []Expr) {
	for i := range es {
		es[i] = foldExpr(es[i])
	}
}

func foldExpr(e Expr) Expr {
	switch e := e.(type) {
	case *Field:
		e.Of = foldExpr(e.Of)
	case *Element:
		e.Of = foldExpr(e.Of)
	case *Cast:
		e.Of = foldExpr(e.Of)
	case *Coalesce:
		foldAll(e.Args)
	case *Case:
		for i := range e.Whens {
			e.Whens[i].Cond, e.Whens[i].Then = foldExpr(e.Whens[i].Cond), foldExpr(e.Whens[i].Then)
		}
		e.Else = foldExpr(e.Else)
	case *Call:
		return foldCall(e)
	}
	return e
}

func foldCall(e *Call) Expr {
	foldAll(e.Args)
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
