package plan

// rewritten is a copy of an expression with other columns in it.
func rewritten(e Expr, col func(*Col) Expr) Expr {
	list := func(es []Expr) []Expr {
		out := make([]Expr, len(es))
		for i := range es {
			out[i] = rewritten(es[i], col)
		}
		return out
	}
	switch e := e.(type) {
	case nil:
		return nil
	case *Col:
		return col(e)
	case *Field:
		c := *e
		c.Of = rewritten(e.Of, col)
		return &c
	case *Element:
		c := *e
		c.Of = rewritten(e.Of, col)
		return &c
	case *Call:
		c := *e
		c.Args = list(e.Args)
		return &c
	case *UserCall:
		c := *e
		c.Args = list(e.Args)
		return &c
	case *Cast:
		c := *e
		c.Of = rewritten(e.Of, col)
		return &c
	case *Case:
		c := *e
		c.Whens = make([]When, len(e.Whens))
		for i, w := range e.Whens {
			c.Whens[i] = When{rewritten(w.Cond, col), rewritten(w.Then, col)}
		}
		c.Else = rewritten(e.Else, col)
		return &c
	case *Coalesce:
		c := *e
		c.Args = list(e.Args)
		return &c
	case *Row:
		c := *e
		c.Of = list(e.Of)
		return &c
	}
	return e // reads no column
}
