package syntax

// target reads the table that a statement changes, and its other name.
func (p *parser) target() (*Name, *Ident) {
	name := p.name()
	if p.word("AS") || p.tok().kind == tokQuoted || p.tok().kind == tokName && !reserved[p.dialect][p.tok().word] && !p.isWord(0, "SET") && !p.isWord(0, "WHERE") {
		id := p.ident()
		return name, &id
	}
	return name, nil
}

func (p *parser) deleteStmt() Stmt {
	from := p.next().span
	if p.isWord(0, "TOP") {
		p.fail(p.tok().span, "", "DELETE TOP is not supported yet")
	}
	p.word("FROM")
	d := &Delete{}
	d.Name, d.Alias = p.target()
	if p.isWord(0, "FROM") {
		p.fail(p.tok().span, "", "DELETE with a second FROM is not supported yet")
	}
	if p.word("WHERE") {
		d.Where = p.expr()
	}
	d.Span = p.span(from)
	return d
}

func (p *parser) update() Stmt {
	from := p.next().span
	if p.isWord(0, "TOP") {
		p.fail(p.tok().span, "", "UPDATE TOP is not supported yet")
	}
	u := &Update{}
	u.Name, u.Alias = p.target()
	p.needWord("SET")
	u.Set = list(p, func() Assignment {
		at := p.tok().span
		a := Assignment{Column: p.path()}
		p.needOp("=")
		a.Value = p.expr()
		a.Span = p.span(at)
		return a
	})
	if p.isWord(0, "FROM") {
		p.fail(p.tok().span, "", "UPDATE with FROM is not supported yet")
	}
	if p.word("WHERE") {
		u.Where = p.expr()
	}
	u.Span = p.span(from)
	return u
}

func (p *parser) truncate() Stmt {
	from := p.next().span
	p.needWord("TABLE")
	n := p.name()
	return &Truncate{p.span(from), n}
}

func (p *parser) alterTable() Stmt {
	from := p.next().span
	p.next()
	a := &AlterTable{Name: p.name()}
	p.alteration(a)
	a.Span = p.span(from)
	return a
}

// alteration reads what is done to the table.
func (p *parser) alteration(a *AlterTable) {
	columns := func() bool { return p.word("COLUMNS") || p.word("COLUMN") }
	switch {
	case p.word("ADD", "CONSTRAINT"):
		a.Kind, a.Constraint = AddConstraint, p.ident()
		p.needWord("CHECK")
		p.needOp("(")
		a.Check = p.expr()
		p.needOp(")")
	case p.word("DROP", "CONSTRAINT"):
		a.Kind, a.IfExists = DropConstraint, p.word("IF", "EXISTS")
		a.Constraint = p.ident()
	case p.word("ADD"):
		a.Kind = AddColumns
		columns()
		if p.isOp(0, "(") {
			a.Columns = inParens(p, p.columnDef)
		} else {
			a.Columns = list(p, p.columnDef)
		}
		if p.isWord(0, "FIRST") || p.isWord(0, "AFTER") {
			p.fail(p.tok().span, "", "ADD COLUMNS with %s is not supported yet", p.tok().word)
		}
	case p.word("RENAME", "COLUMN"):
		a.Kind, a.Column = RenameColumn, p.path()
		p.needWord("TO")
		a.To = p.ident()
	case p.word("DROP"):
		a.Kind = DropColumns
		columns()
		if p.isOp(0, "(") {
			a.Drop = inParens(p, p.path)
		} else {
			a.Drop = list(p, p.path)
		}
	case p.word("SET", "TBLPROPERTIES"):
		a.Kind, a.Properties = SetProperties, inParens(p, p.property)
	case p.word("UNSET", "TBLPROPERTIES"):
		a.Kind, a.IfExists = UnsetProperties, p.word("IF", "EXISTS")
		a.Keys = inParens(p, p.propertyKey)
	case p.word("ALTER") || p.word("CHANGE"):
		columns()
		a.Column = p.path()
		p.columnChange(a)
	default:
		p.unexpected("ADD, DROP, ALTER COLUMN, RENAME COLUMN, SET TBLPROPERTIES or UNSET TBLPROPERTIES")
	}
}

func (p *parser) columnChange(a *AlterTable) {
	switch {
	case p.word("COMMENT"):
		a.Kind, a.Comment = ColumnComment, p.text("a string")
	case p.word("SET", "NOT", "NULL"):
		a.Kind = SetNotNull
	case p.word("DROP", "NOT", "NULL"):
		a.Kind = DropNotNull
	case p.word("TYPE"):
		a.Kind, a.Type = ColumnType, p.typeName()
	default:
		p.unexpected("COMMENT, SET NOT NULL, DROP NOT NULL or TYPE")
	}
}

func (p *parser) propertyKey() string {
	if p.tok().kind == tokString {
		return p.next().text
	}
	key := ""
	for i, id := range p.name().Parts {
		if i > 0 {
			key += "."
		}
		key += id.Name
	}
	return key
}
