package syntax

func (p *parser) ifNotExists() bool { return p.word("IF", "NOT", "EXISTS") }

// createTable reads CREATE TABLE; its clauses come in any order, as Spark
// allows.
func (p *parser) createTable() Stmt {
	from := p.next().span
	c := &CreateTable{OrReplace: p.word("OR", "REPLACE")}
	p.needWord("TABLE")
	if p.dialect != ASA {
		c.IfNotExists = p.ifNotExists()
	}
	c.Name = p.name()
	if p.isOp(0, "(") {
		c.Columns = inParens(p, p.columnDef)
	} else if p.dialect == ASA {
		hint := "write CREATE TABLE input (column bigint, ...), a type behind each column"
		switch {
		case p.isWord(0, "AS"):
			hint = "use a step: WITH name AS (SELECT ...) before the SELECT that reads it"
		case p.isWord(0, "NOT"):
			hint = "leave IF NOT EXISTS out"
		}
		p.stopped("'('", hint)
	}
	for p.dialect != ASA && p.tableClause(c) {
	}
	c.Span = p.span(from)
	return c
}

// tableClause reads one clause behind the columns and reports whether there
// was one.
func (p *parser) tableClause(c *CreateTable) bool {
	at := p.tok()
	twice := false
	switch {
	case p.failed:
		return false
	case p.word("USING"):
		twice = c.Using != ""
		c.Using = upper(p.ident().Name)
	case p.word("LOCATION"):
		twice = c.Location != ""
		c.Location = p.text("a string with the location")
	case p.word("PARTITIONED", "BY"):
		twice = c.PartitionedBy != nil
		c.PartitionedBy = inParens(p, p.partitioning)
	case p.word("CLUSTER", "BY"):
		twice = c.ClusterBy != nil
		c.ClusterBy = inParens(p, p.expr)
	case p.word("COMMENT"):
		twice = c.Comment != ""
		c.Comment = p.text("a string")
	case p.word("TBLPROPERTIES"):
		twice = c.Properties != nil
		c.Properties = inParens(p, p.property)
	case p.word("AS"):
		c.As = p.query()
		return false
	default:
		return false
	}
	if twice {
		p.fail(at.span, "", "%s stands twice", at.word)
	}
	return true
}

// partitioning reads a column with a type, or an expression. A name followed
// by a word is a column definition.
func (p *parser) partitioning() Partitioning {
	from := p.tok().span
	if p.isName(0) && (p.peek(1).kind == tokName || p.peek(1).kind == tokQuoted) {
		c := p.columnDef()
		return Partitioning{Span: p.span(from), Column: &c}
	}
	e := p.expr()
	return Partitioning{Span: p.span(from), Expr: e}
}

// columnDef reads a column. The type may be left out in ASA only by mistake;
// column names may be any word, Timestamp and Location included.
func (p *parser) columnDef() ColumnDef {
	c := ColumnDef{Name: p.ident(), Type: p.typeName()}
	if p.dialect == ASA && p.tok().kind == tokName {
		p.stopped("')'", "a column has a name and a type, and nothing else")
	}
	for !p.failed && p.dialect != ASA {
		switch {
		case p.word("NOT", "NULL"):
			c.NotNull = true
		case p.word("NULL"):
		case p.word("COMMENT"):
			c.Comment = p.text("a string")
		case p.word("DEFAULT"):
			c.Default = p.binary(bindAdd)
		case p.word("GENERATED", "ALWAYS", "AS"):
			p.needOp("(")
			c.Generated = p.expr()
			p.needOp(")")
		default:
			c.Span = p.span(c.Name.Span)
			return c
		}
	}
	c.Span = p.span(c.Name.Span)
	return c
}

func (p *parser) property() Property {
	from := p.tok().span
	pr := Property{Key: p.propertyKey()}
	p.needOp("=")
	switch t := p.tok(); t.kind {
	case tokString, tokNumber, tokName:
		pr.Value = p.next().text
	default:
		p.unexpected("a value")
	}
	pr.Span = p.span(from)
	return pr
}

func (p *parser) createDatabase() Stmt {
	from := p.next().span
	p.next()
	c := &CreateDatabase{IfNotExists: p.ifNotExists(), Name: p.name()}
	for !p.failed {
		switch {
		case p.word("COMMENT"):
			c.Comment = p.text("a string")
		case p.word("LOCATION"):
			c.Location = p.text("a string with the location")
		default:
			c.Span = p.span(from)
			return c
		}
	}
	return c
}

func (p *parser) drop() Stmt {
	from := p.next().span
	d := &Drop{}
	switch t := p.tok(); t.word {
	case "TABLE", "VIEW", "DATABASE", "SCHEMA":
		d.Kind = t.word
		p.next()
	default:
		p.unexpected("TABLE, VIEW, DATABASE or SCHEMA")
	}
	d.IfExists = p.word("IF", "EXISTS")
	d.Names = list(p, p.name)
	d.Cascade = p.word("CASCADE")
	d.Span = p.span(from)
	return d
}

func (p *parser) use() Stmt {
	from := p.next().span
	n := p.name()
	return &Use{p.span(from), n}
}

func (p *parser) optimize() Stmt {
	from := p.next().span
	o := &Optimize{Name: p.name()}
	o.Full = p.word("FULL")
	if p.word("WHERE") {
		o.Where = p.expr()
	}
	if p.word("ZORDER", "BY") {
		if p.isOp(0, "(") {
			o.ZOrder = inParens(p, p.path)
		} else {
			o.ZOrder = list(p, p.path)
		}
	}
	o.Span = p.span(from)
	return o
}

func (p *parser) path() *Path {
	n := p.name()
	return &Path{n.Span, n.Parts}
}

func (p *parser) vacuum() Stmt {
	from := p.next().span
	v := &Vacuum{Name: p.name()}
	for more := true; more && !p.failed; {
		switch {
		case p.word("FULL"):
		case p.word("LITE"):
			v.Lite = true
		case p.word("RETAIN"):
			v.Retain = p.primary()
			_ = p.word("HOURS") || p.word("HOUR")
		case p.word("DRY", "RUN"):
			v.DryRun = true
		case p.isWord(0, "USING"):
			p.fail(p.tok().span, "", "VACUUM USING INVENTORY is not supported yet")
		default:
			more = false
		}
	}
	v.Span = p.span(from)
	return v
}

func (p *parser) analyze() Stmt {
	from := p.next().span
	p.next()
	a := &Analyze{Name: p.name()}
	p.needWord("COMPUTE")
	if !p.word("DELTA") {
		p.word("STATISTICS")
	} else {
		p.needWord("STATISTICS")
	}
	switch {
	case p.word("NOSCAN"):
		a.NoScan = true
	case p.word("FOR", "ALL", "COLUMNS"):
		a.AllColumns = true
	case p.word("FOR", "COLUMNS"):
		a.Columns = list(p, p.path)
	}
	a.Span = p.span(from)
	return a
}

func (p *parser) describe() Stmt {
	from := p.next().span
	d := &Describe{}
	for _, k := range [...]string{"HISTORY", "DETAIL", "EXTENDED", "DATABASE"} {
		if p.isWord(0, k) && (p.isName(1) || p.isWord(1, "TABLE")) {
			p.next()
			d.Kind = k
			break
		}
	}
	p.word("TABLE")
	d.Name = p.name()
	if p.word("LIMIT") {
		d.Limit = p.primary()
	}
	d.Span = p.span(from)
	return d
}

func (p *parser) show() Stmt {
	from := p.next().span
	s := &Show{}
	for p.tok().kind == tokName && !p.isWord(0, "IN") && !p.isWord(0, "FROM") && !reserved[p.dialect][p.tok().word] || p.isWord(0, "CREATE") || p.isWord(0, "TABLE") {
		w := p.next().word
		s.Words = append(s.Words, w)
		if w == "TBLPROPERTIES" || w == "TABLE" || w == "PARTITIONS" {
			s.In = p.name()
			break
		}
	}
	if len(s.Words) == 0 {
		p.unexpected("what to show")
	}
	if s.In == nil && (p.word("IN") || p.word("FROM")) {
		s.In = p.name()
	}
	s.Span = p.span(from)
	return s
}

func (p *parser) restore() Stmt {
	from := p.next().span
	p.word("TABLE")
	r := &Restore{Name: p.name()}
	p.needWord("TO")
	r.To = p.asOf()
	if r.To == nil {
		p.unexpected("VERSION AS OF or TIMESTAMP AS OF")
	}
	r.Span = p.span(from)
	return r
}

func (p *parser) insert() Stmt {
	from := p.next().span
	i := &Insert{Overwrite: p.word("OVERWRITE")}
	p.word("INTO")
	p.word("TABLE")
	i.Name = p.name()
	if p.isOp(0, "(") && !p.queryAhead() {
		i.Columns = inParens(p, p.ident)
	}
	i.Query = p.query()
	i.Span = p.span(from)
	return i
}

func (p *parser) explain() Stmt {
	from := p.next().span
	p.word("EXTENDED")
	s := p.statement()
	return &Explain{p.span(from), s}
}
