package syntax

// queryAhead reports whether the parenthesis here holds a query. The question
// is open only while parentheses nest, as in ((SELECT 1) UNION SELECT 2)
// against ((SELECT 1) + 1).
func (p *parser) queryAhead() bool {
	depth := 0
	for p.isOp(depth, "(") {
		depth++
	}
	if !p.isWord(depth, "SELECT") && !p.isWord(depth, "WITH") && !p.isWord(depth, "VALUES") {
		return false
	}
	for i, open := depth, depth; depth > 1; i++ {
		switch {
		case p.peek(i).kind == tokEOF:
			return true
		case p.isOp(i, "("):
			open++
		case p.isOp(i, ")"):
			open--
			if open < depth {
				depth--
				if !p.isOp(i+1, ")") && !p.queryGoesOn(i+1) {
					return false
				}
			}
		}
	}
	return true
}

// queryGoesOn reports whether the n-th token continues a query in parentheses.
func (p *parser) queryGoesOn(n int) bool {
	next := p.peek(n + 1)
	switch p.peek(n).word {
	case "UNION":
		return true
	case "EXCEPT", "INTERSECT", "MINUS":
		return next.word == "SELECT" || next.word == "DISTINCT" || p.isOp(n+1, "(")
	case "ORDER":
		return next.word == "BY"
	case "LIMIT", "OFFSET":
		return next.kind == tokNumber
	}
	return false
}

func (p *parser) parenQuery() *Query {
	p.enter()
	defer p.leave()
	p.needOp("(")
	q := p.query()
	p.needOp(")")
	return q
}

func (p *parser) query() *Query {
	from := p.tok().span
	q := &Query{}
	if p.isWord(0, "WITH") {
		q.With = p.with()
	}
	q.Body = p.union()
	p.tail(q)
	q.Span = p.span(from)
	if inner, ok := q.Body.(*Query); ok && q.With == nil && !q.ordered() {
		return inner
	}
	return q
}

// ordered reports whether anything stands behind the body.
func (q *Query) ordered() bool { return q.OrderBy != nil || q.Offset != nil || q.Limit != nil }

func (p *parser) with() *With {
	from := p.next().span
	w := &With{}
	for {
		w.Steps = append(w.Steps, p.step())
		if p.failed || !p.op(",") || p.dialect == ASA && (p.isWord(0, "SELECT") || p.isOp(0, "(")) {
			break
		}
	}
	w.Span = p.span(from)
	return w
}

const stepForm = "write WITH step AS (SELECT ...)"

func (p *parser) step() *Step {
	s := &Step{Name: p.ident()}
	if p.isOp(0, "(") && !p.isWord(1, "SELECT") {
		s.Columns = inParens(p, p.ident)
	}
	p.need("AS", stepForm)
	if p.dialect == ASA && p.isWord(0, "SELECT") {
		p.stopped("'('", stepForm)
	}
	s.Query = p.parenQuery()
	s.Span = p.span(s.Name.Span)
	return s
}

// tail reads ORDER BY, OFFSET, FETCH and LIMIT.
func (p *parser) tail(q *Query) {
	at := p.tok().span
	if p.word("ORDER", "BY") {
		q.OrderBy = list(p, p.orderItem)
	}
	if p.dialect != ASA || p.numberAt(1) {
		if p.word("LIMIT") {
			q.Limit = p.expr()
		}
		if p.word("OFFSET") {
			q.Offset = p.expr()
			_ = p.word("ROWS") || p.word("ROW")
		}
		if p.word("FETCH") {
			_ = p.word("NEXT") || p.word("FIRST")
			q.Limit = p.expr()
			_ = p.word("ROWS") || p.word("ROW")
			p.needWord("ONLY")
		}
	}
	if p.dialect == ASA && q.ordered() {
		p.report(at, "use TopOne() or CollectTop(n) OVER (ORDER BY ...)", "ORDER BY, LIMIT and OFFSET are not part of the Stream Analytics language")
	}
	if p.dialect == TSQL && p.isWord(0, "FOR") {
		p.fail(p.tok().span, "", "SELECT ... FOR is not supported yet")
	}
	if p.dialect == TSQL && p.word("OPTION") {
		p.skipParens()
	}
}

func (p *parser) numberAt(n int) bool { return p.peek(n).kind == tokNumber }

// skipParens reads over a parenthesised hint.
func (p *parser) skipParens() {
	if !p.isOp(0, "(") {
		p.unexpected("'('")
	}
	for depth := 0; !p.failed; {
		switch t := p.next(); {
		case t.kind == tokEOF:
			p.unexpected("')'")
		case t.kind == tokOp && t.text == "(":
			depth++
		case t.kind == tokOp && t.text == ")":
			depth--
			if depth == 0 {
				return
			}
		}
	}
}

// union reads set operators: INTERSECT binds before UNION and EXCEPT.
func (p *parser) union() QueryBody {
	left := p.intersect()
	for n := 0; p.chain(n); n++ {
		at := p.tok().span
		kind := Union
		switch {
		case p.word("UNION"):
			if p.word("ALL") {
				kind = UnionAll
			} else if distinct := p.tok().span; p.word("DISTINCT") && p.dialect == ASA {
				p.report(distinct, "leave DISTINCT out", "a UNION of streams keeps duplicates")
			}
		case p.isSetWord("EXCEPT"), p.dialect == Spark && p.isSetWord("MINUS"):
			p.next()
			kind = Except
			p.word("DISTINCT")
		default:
			return left
		}
		p.streamSetOp(at, kind)
		right := p.intersect()
		left = &SetOp{p.span(left.Loc()), kind, left, right}
	}
	return left
}

// isSetWord reports whether w stands here as an operator, not as a name.
func (p *parser) isSetWord(w string) bool {
	return p.isWord(0, w) && (p.isWord(1, "SELECT") || p.isOp(1, "(") || p.isWord(1, "DISTINCT"))
}

func (p *parser) streamSetOp(at Span, kind SetKind) {
	if p.dialect == ASA && kind > UnionAll {
		p.report(at, "use WHERE or a JOIN", "EXCEPT and INTERSECT are not part of the Stream Analytics language")
	}
}

func (p *parser) intersect() QueryBody {
	left := p.body()
	for n := 0; p.chain(n) && p.isSetWord("INTERSECT"); n++ {
		p.streamSetOp(p.next().span, Intersect)
		p.word("DISTINCT")
		right := p.body()
		left = &SetOp{p.span(left.Loc()), Intersect, left, right}
	}
	return left
}

func (p *parser) body() QueryBody {
	t := p.tok()
	switch {
	case p.isOp(0, "("):
		q := p.parenQuery()
		if q.With == nil && !q.ordered() && q.Body != nil {
			return q.Body
		}
		return q
	case p.dialect != ASA && p.word("VALUES"):
		v := &Values{Rows: list(p, func() []Expr { return inParens(p, p.expr) })}
		v.Span = p.span(t.span)
		return v
	case p.isWord(0, "SELECT"):
		return p.selectBody()
	}
	p.unexpected("SELECT")
	return &Select{Span: t.span}
}

func (p *parser) selectBody() *Select {
	from := p.next().span
	s := &Select{}
	if p.isWord(0, "DISTINCT") && (p.dialect != ASA || p.argStarts(1)) {
		if at := p.next().span; p.dialect == ASA {
			p.report(at, "use COUNT(DISTINCT x), or ISFIRST() in WHERE", "SELECT DISTINCT is not part of the Stream Analytics language")
		}
		s.Distinct = true
	} else if p.dialect != ASA && p.isWord(0, "ALL") && p.argStarts(1) {
		p.next()
	}
	if p.isWord(0, "TOP") && (p.dialect == TSQL || p.numberAt(1) || p.isOp(1, "(") && p.numberAt(2)) {
		s.Top = p.top()
	}
	s.Items = list(p, p.item)
	if p.word("INTO") {
		s.Into = p.name()
	}
	p.fromClause(s)
	if p.word("WHERE") {
		s.Where = p.expr()
	}
	if p.word("GROUP", "BY") {
		p.groupBy(s)
	}
	if p.word("HAVING") {
		s.Having = p.expr()
	}
	if p.dialect != ASA && p.isWord(0, "WINDOW") && p.isWord(2, "AS") {
		p.next()
		s.Windows = list(p, func() NamedWindow {
			w := NamedWindow{Name: p.ident(), Over: &Over{}}
			p.needWord("AS")
			at := p.tok().span
			p.overBody(w.Over)
			w.Over.Span = p.span(at)
			return w
		})
	}
	s.Span = p.span(from)
	return s
}

func (p *parser) fromClause(s *Select) {
	if p.word("FROM") {
		s.From = []Source{p.source()}
		for !p.failed && p.isOp(0, ",") {
			if at := p.next().span; p.dialect == ASA {
				p.report(at, "write JOIN ... ON", "a comma join is not part of the Stream Analytics language")
			}
			s.From = append(s.From, p.source())
		}
	} else if p.dialect == ASA {
		p.unexpected(wantFrom)
	}
}

func (p *parser) groupBy(s *Select) {
	s.GroupBy = list(p, p.groupItem)
	for _, kind := range [...]string{"ROLLUP", "CUBE"} {
		if p.dialect == TSQL && p.word("WITH", kind) {
			g := &Grouping{Span: p.span(s.GroupBy[0].Loc()), Kind: kind}
			for _, e := range s.GroupBy {
				g.Sets = append(g.Sets, []Expr{e})
			}
			s.GroupBy = []Expr{g}
		}
	}
}

func (p *parser) groupItem() Expr {
	t := p.tok()
	kind := ""
	switch {
	case p.dialect == ASA:
	case p.isWord(0, "GROUPING") && p.isWord(1, "SETS"):
		p.next()
		kind = "GROUPING SETS"
	case (t.word == "ROLLUP" || t.word == "CUBE") && p.isOp(1, "("):
		kind = t.word
	case p.isOp(0, "(") && p.isOp(1, ")"):
		p.next()
		p.next()
		return &Grouping{p.span(t.span), "GROUPING SETS", [][]Expr{{}}}
	}
	if kind == "" {
		return p.expr()
	}
	p.next()
	g := &Grouping{Kind: kind}
	g.Sets = inParens(p, func() []Expr {
		switch {
		case p.isOp(0, "(") && p.isOp(1, ")"):
			p.next()
			p.next()
			return []Expr{}
		case p.isOp(0, "(") && !p.queryAhead() && p.tupleAhead():
			return inParens(p, p.expr)
		}
		return []Expr{p.expr()}
	})
	g.Span = p.span(t.span)
	return g
}

// tupleAhead reports whether the parenthesis here is closed right before a
// comma or another parenthesis: (a, b) and not (a) + b.
func (p *parser) tupleAhead() bool {
	depth := 0
	for i := 0; p.peek(i).kind != tokEOF; i++ {
		if p.isOp(i, "(") {
			depth++
		} else if p.isOp(i, ")") {
			depth--
			if depth == 0 {
				return p.isOp(i+1, ",") || p.isOp(i+1, ")")
			}
		}
	}
	return false
}
