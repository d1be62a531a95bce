package syntax

// Parse reads a script. It returns every statement that it could read and the
// mistakes in the others, one per statement.
func Parse(src string, d Dialect) (*Script, Errors) {
	p := newParser(src, d)
	s := p.script()
	p.errs.Sort()
	return s, p.errs
}

// ParseExpr reads a single expression.
func ParseExpr(src string, d Dialect) (Expr, Errors) {
	p := newParser(src, d)
	e := p.expr()
	if !p.failed && p.tok().kind != tokEOF {
		p.unexpected("the end of the expression")
	}
	if len(p.errs) > 0 {
		p.errs.Sort()
		return nil, p.errs
	}
	return e, nil
}
