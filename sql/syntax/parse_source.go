package syntax

// source reads a source with the joins behind it.
func (p *parser) source() Source {
	s := p.unit()
	for n := 0; p.chain(n); n++ {
		joined := p.join(s)
		if joined == nil {
			return s
		}
		s = joined
	}
	return s
}

// join reads one join or APPLY behind left; nil if there is none.
func (p *parser) join(left Source) Source {
	at := p.tok().span
	from := left.Loc()
	switch {
	case p.word("CROSS", "APPLY"):
		right := p.unit()
		return &Apply{p.span(from), false, left, right}
	case p.word("OUTER", "APPLY"):
		right := p.unit()
		return &Apply{p.span(from), true, left, right}
	case p.word("CROSS", "JOIN"):
		if p.dialect == ASA {
			p.report(at, "use JOIN ... ON with a DATEDIFF bound", "CROSS JOIN is not part of the Stream Analytics language")
		}
		right := p.unit()
		return &Join{p.span(from), CrossJoin, left, right, nil}
	}
	kind, ok := p.joinKind()
	if !ok {
		return nil
	}
	if p.dialect == ASA && kind > LeftJoin {
		p.report(at, "use LEFT JOIN", "RIGHT JOIN and FULL JOIN are not part of the Stream Analytics language")
	}
	p.enter()
	defer p.leave()
	right := p.unit()
	for n := 0; !p.isWord(0, "ON") && p.chain(n); n++ { // a JOIN b JOIN c ON .. ON ..
		nested := p.join(right)
		if nested == nil {
			break
		}
		right = nested
	}
	if p.isWord(0, "USING") && p.dialect == Spark {
		p.fail(p.tok().span, "", "JOIN ... USING is not supported yet")
	}
	p.needWord("ON")
	on := p.expr()
	return &Join{p.span(from), kind, left, right, on}
}

func (p *parser) joinKind() (JoinKind, bool) {
	kinds := [...]struct {
		word string
		kind JoinKind
	}{{"INNER", InnerJoin}, {"LEFT", LeftJoin}, {"RIGHT", RightJoin}, {"FULL", FullJoin}}
	for _, k := range [...]struct {
		word string
		kind JoinKind
	}{{"SEMI", SemiJoin}, {"ANTI", AntiJoin}} {
		if p.dialect == Spark && (p.word("LEFT", k.word, "JOIN") || p.word(k.word, "JOIN")) {
			return k.kind, true
		}
	}
	for _, k := range kinds {
		outer := 1
		if k.kind != InnerJoin && p.isWord(1, "OUTER") {
			outer = 2
		}
		if p.isWord(0, k.word) && (p.isWord(outer, "JOIN") || p.isWord(outer+1, "JOIN") && p.joinHint(outer)) {
			for !p.word("JOIN") {
				p.next()
			}
			return k.kind, true
		}
	}
	return InnerJoin, p.word("JOIN")
}

func (p *parser) joinHint(n int) bool {
	return p.dialect == TSQL && (p.isWord(n, "LOOP") || p.isWord(n, "HASH") || p.isWord(n, "MERGE"))
}

// unit reads one source without joins behind it.
func (p *parser) unit() Source {
	p.enter()
	defer p.leave()
	from := p.tok().span
	if p.isOp(0, "(") {
		if !p.queryAhead() {
			p.next()
			s := p.source()
			p.needOp(")")
			return s
		}
		d := &Derived{Query: p.parenQuery()}
		p.ref(&d.Ref)
		d.Span = p.span(from)
		return d
	}
	if p.isWord(0, "SELECT") {
		p.fail(from, "put the query in parentheses", "unexpected SELECT, want a table, an input or a step")
	}
	n := p.name()
	if p.isOp(0, "(") {
		f := &TableFunc{}
		f.Call, _ = p.call(n).(*Call)
		if p.isWord(0, "WITH") && p.isOp(1, "(") && p.dialect == TSQL {
			p.next()
			f.With = inParens(p, p.funcColumn)
		}
		p.ref(&f.Ref)
		f.Span = p.span(from)
		return f
	}
	t := &TableRef{Name: n}
	t.AsOf = p.asOf()
	p.ref(&t.Ref)
	t.Span = p.span(from)
	return t
}

func (p *parser) funcColumn() FuncColumn {
	from := p.tok().span
	c := FuncColumn{Name: p.ident(), Type: p.typeName()}
	if k := p.tok().kind; k == tokNumber || k == tokString {
		c.Ordinal = p.primary()
	}
	if p.word("AS", "JSON") {
		c.AsJSON = true
	}
	c.Span = p.span(from)
	return c
}

// asOf reads a time travel clause.
func (p *parser) asOf() *AsOf {
	from := p.tok().span
	if p.dialect == ASA {
		return nil
	}
	version := p.word("VERSION", "AS", "OF")
	version = version || p.word("FOR", "SYSTEM_VERSION", "AS", "OF")
	if !version && !p.word("TIMESTAMP", "AS", "OF") && !p.word("FOR", "SYSTEM_TIME", "AS", "OF") {
		return nil
	}
	at := p.binary(bindCompare + 1)
	return &AsOf{p.span(from), version, at}
}

// ref reads what may follow the name of a source, in any order, each once.
func (p *parser) ref(r *Ref) {
	for !p.failed {
		t := p.tok()
		switch {
		case p.dialect == ASA && p.isWord(0, "TIMESTAMP") && p.isWord(1, "BY"):
			if r.Timestamp != nil {
				p.fail(t.span, "", "TIMESTAMP BY stands twice")
			}
			r.Timestamp = p.timestampBy()
		case p.dialect == ASA && p.isWord(0, "PARTITION") && p.isWord(1, "BY"):
			if r.Partition != nil {
				p.fail(t.span, "", "PARTITION BY stands twice")
			}
			r.Partition = p.partitionBy()
		case p.dialect == ASA && p.isWord(0, "MATCH_RECOGNIZE") && p.isOp(1, "("):
			if r.Match != nil {
				p.fail(t.span, "", "MATCH_RECOGNIZE stands twice")
			}
			r.Match = p.matchRecognize()
		case p.dialect == TSQL && p.isWord(0, "WITH") && p.isOp(1, "("):
			p.next()
			p.skipParens()
		case p.dialect == TSQL && (p.isWord(0, "PIVOT") || p.isWord(0, "UNPIVOT") || p.isWord(0, "TABLESAMPLE")):
			p.fail(t.span, "", "%s is not supported yet", t.word)
		case r.Alias == nil:
			r.Alias = p.alias(false)
			if r.Alias == nil {
				return
			}
			if p.dialect != ASA && p.isOp(0, "(") {
				r.Columns = inParens(p, p.ident)
			}
		default:
			return
		}
	}
}

func (p *parser) timestampBy() *TimestampBy {
	from := p.next().span
	p.next()
	t := &TimestampBy{Expr: p.expr()}
	if p.word("OVER") {
		t.Over = list(p, p.expr)
	}
	t.Span = p.span(from)
	return t
}

func (p *parser) partitionBy() *PartitionBy {
	from := p.next().span
	p.next()
	b := &PartitionBy{Keys: list(p, p.expr)}
	if p.isWord(0, "INTO") && p.numberAt(1) {
		p.next()
		b.Into = p.primary()
	}
	b.Span = p.span(from)
	return b
}

func (p *parser) matchRecognize() *MatchRecognize {
	from := p.next().span
	m := &MatchRecognize{}
	p.needOp("(")
	seen := map[string]bool{}
	for !p.failed && !p.isOp(0, ")") {
		t := p.tok()
		if seen[t.word] {
			p.fail(t.span, "", "%s stands twice in MATCH_RECOGNIZE", t.word)
			break
		}
		seen[t.word] = true
		switch {
		case p.isWord(0, "LIMIT"):
			m.Limit = p.limitDuration()
		case p.word("PARTITION", "BY"):
			m.PartitionBy = list(p, p.expr)
		case p.word("MEASURES"):
			m.Measures = list(p, p.item)
		case p.word("AFTER", "MATCH"):
			if !p.word("SKIP", "TO", "NEXT", "ROW") {
				p.fail(t.span, "", "MATCH_RECOGNIZE has AFTER MATCH SKIP TO NEXT ROW alone")
			}
		case p.word("ONE", "ROW", "PER", "MATCH"):
		case p.isWord(0, "ALL") && p.isWord(1, "ROWS"):
			p.fail(t.span, "", "MATCH_RECOGNIZE has ONE ROW PER MATCH alone")
		case p.isWord(0, "ORDER") && p.isWord(1, "BY"):
			p.fail(t.span, "", "MATCH_RECOGNIZE takes no ORDER BY: events come in the order of their timestamps")
		case p.word("PATTERN"):
			p.needOp("(")
			m.Pattern = p.pattern()
			p.needOp(")")
		case p.word("DEFINE"):
			m.Define = list(p, p.definition)
		default:
			p.unexpected("LIMIT DURATION, PARTITION BY, MEASURES, AFTER MATCH, PATTERN, DEFINE or ')'")
		}
	}
	p.needOp(")")
	if m.Pattern == nil {
		p.fail(from, "", "MATCH_RECOGNIZE without PATTERN")
	}
	m.Alias = p.alias(false)
	m.Span = p.span(from)
	return m
}

func (p *parser) definition() Item {
	name := p.ident()
	p.needWord("AS")
	e := p.expr()
	return Item{Span: p.span(name.Span), Expr: e, Alias: &name}
}

func (p *parser) pattern() *Pattern {
	p.enter()
	defer p.leave()
	from := p.tok().span
	alts := []*Pattern{p.patternSeq()}
	for !p.failed && p.op("|") {
		alts = append(alts, p.patternSeq())
	}
	if len(alts) == 1 {
		return alts[0]
	}
	return &Pattern{Span: p.span(from), Kind: PatternAlt, Parts: alts}
}

func (p *parser) patternSeq() *Pattern {
	from := p.tok().span
	var parts []*Pattern
	for !p.failed && (len(parts) == 0 || !p.isOp(0, ")") && !p.isOp(0, "|")) {
		parts = append(parts, p.patternAtom())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return &Pattern{Span: p.span(from), Kind: PatternSeq, Parts: parts}
}

func (p *parser) patternAtom() *Pattern {
	from := p.tok().span
	a := &Pattern{}
	switch {
	case p.op("("):
		inner := p.pattern()
		p.needOp(")")
		a = inner
		if inner.Quant != "" && p.quantAhead() { // (a+)*: keep the group
			a = &Pattern{Kind: PatternSeq, Parts: []*Pattern{inner}}
		}
	case p.op("."):
		a.Kind = PatternAny
	default:
		a.Name = p.ident()
	}
	switch {
	case p.op("*"):
		a.Quant = "*"
	case p.op("+"):
		a.Quant = "+"
	case p.op("?"):
		a.Quant = "?"
	case p.op("{"):
		a.Quant = "{"
		for !p.failed && !p.isOp(0, "}") {
			if !p.numberAt(0) && !p.isOp(0, ",") {
				p.unexpected("a number")
			}
			a.Quant += p.next().text
		}
		p.needOp("}")
		a.Quant += "}"
	}
	if a.Quant != "" && p.isOp(0, "?") {
		p.fail(p.tok().span, "", "a repetition goes on as long as it can: there is no form that ends early")
	}
	a.Span = p.span(from)
	return a
}

func (p *parser) quantAhead() bool {
	return p.isOp(0, "*") || p.isOp(0, "+") || p.isOp(0, "?") || p.isOp(0, "{")
}
