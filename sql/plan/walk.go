package plan

// Walk calls visit for every node of a job once, inputs first.
func Walk(j *Job, visit func(n Node)) {
	seen := make(map[Node]bool)
	var walk func(n Node)
	walk = func(n Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, in := range n.Inputs() {
			walk(in)
		}
		visit(n)
	}
	for _, o := range j.Outputs {
		walk(o.In)
	}
}

// WalkExpr calls visit for an expression and all its parts, parts first. visit may put
// another expression into the place it is given.
func WalkExpr(e *Expr, visit func(e *Expr)) {
	for _, part := range (*e).Parts() {
		WalkExpr(part, visit)
	}
	visit(e)
}

// exprs are those of places that hold an expression.
func exprs(places ...*Expr) []*Expr {
	var list []*Expr
	for _, p := range places {
		if *p != nil {
			list = append(list, p)
		}
	}
	return list
}

// all are the places of a list.
func all(es []Expr) []*Expr {
	list := make([]*Expr, len(es))
	for i := range es {
		list[i] = &es[i]
	}
	return list
}
