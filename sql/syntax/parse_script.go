package syntax

// statement is a way to read the statements that begin with some words.
type statement struct {
	words []string
	read  func(p *parser) Stmt
}

// statementsOf returns the statements of a dialect beside queries.
func statementsOf(d Dialect) []statement {
	own := []statement{{[]string{"CREATE", "TABLE"}, (*parser).createTable}}
	switch d {
	case ASA:
		return own
	case Spark:
		own = append(own, statement{[]string{"SET"}, (*parser).setStmt})
	case TSQL:
		own = append(own,
			statement{[]string{"DECLARE"}, (*parser).declare},
			statement{[]string{"SET"}, (*parser).setStmt},
			statement{[]string{"PRINT"}, (*parser).printStmt},
			statement{[]string{"EXEC"}, (*parser).exec},
			statement{[]string{"EXECUTE"}, (*parser).exec},
			statement{[]string{"IF"}, (*parser).ifStmt},
			statement{[]string{"BEGIN", "TRANSACTION"}, (*parser).transaction},
			statement{[]string{"BEGIN", "TRAN"}, (*parser).transaction},
			statement{[]string{"BEGIN"}, (*parser).block},
			statement{[]string{"COMMIT"}, (*parser).transaction},
			statement{[]string{"ROLLBACK"}, (*parser).transaction},
			statement{[]string{"SAVE"}, (*parser).transaction},
		)
	}
	return append(own,
		statement{[]string{"CREATE", "OR", "REPLACE", "TABLE"}, (*parser).createTable},
		statement{[]string{"CREATE", "DATABASE"}, (*parser).createDatabase},
		statement{[]string{"CREATE", "SCHEMA"}, (*parser).createDatabase},
		statement{[]string{"DROP"}, (*parser).drop},
		statement{[]string{"USE"}, (*parser).use},
		statement{[]string{"OPTIMIZE"}, (*parser).optimize},
		statement{[]string{"VACUUM"}, (*parser).vacuum},
		statement{[]string{"ANALYZE", "TABLE"}, (*parser).analyze},
		statement{[]string{"DESCRIBE"}, (*parser).describe},
		statement{[]string{"DESC"}, (*parser).describe},
		statement{[]string{"SHOW"}, (*parser).show},
		statement{[]string{"RESTORE"}, (*parser).restore},
		statement{[]string{"INSERT"}, (*parser).insert},
		statement{[]string{"DELETE"}, (*parser).deleteStmt},
		statement{[]string{"UPDATE"}, (*parser).update},
		statement{[]string{"TRUNCATE"}, (*parser).truncate},
		statement{[]string{"ALTER", "TABLE"}, (*parser).alterTable},
		statement{[]string{"EXPLAIN"}, (*parser).explain},
	)
}

func (p *parser) script() *Script {
	s := &Script{Dialect: p.dialect}
	for {
		for p.op(";") {
		}
		if p.tok().kind == tokEOF {
			return s
		}
		start := p.pos
		stmt := p.statement()
		if !p.failed {
			s.Stmts = append(s.Stmts, stmt)
			continue
		}
		p.failed = false
		p.depth = 0
		p.pos = max(p.pos, start)
		for p.tok().kind != tokEOF && !p.isOp(0, ";") {
			p.next()
		}
	}
}

func (p *parser) statement() Stmt {
	p.enter()
	defer p.leave()
	from := p.tok()
	if p.isWord(0, "SELECT") || p.isWord(0, "WITH") || p.isOp(0, "(") || p.dialect != ASA && p.isWord(0, "VALUES") {
		q := p.query()
		return &QueryStmt{p.span(from.span), q}
	}
	for _, st := range p.stmts {
		if p.word(st.words...) {
			p.pos -= len(st.words)
			return st.read(p)
		}
	}
	switch {
	case from.kind != tokName:
		p.unexpected("a statement")
	case p.dialect == ASA && (from.word == "SET" || from.word == "DECLARE"):
		p.fail(from.span, "the language has no variables", "unexpected %s, want %s", from.word, wantStatement)
	case p.dialect == ASA:
		p.unexpected(wantStatement)
	case foreign[from.word]:
		p.fail(from.span, "", "%s is not supported yet", from.word)
	case p.dialect == TSQL && p.isName(0):
		return p.bareExec()
	default:
		p.unexpected("a statement")
	}
	return nil
}

// foreign are first words of statements that are known and not run.
var foreign = words(`ALTER CREATE MERGE WHILE RETURN BREAK CONTINUE GOTO WAITFOR THROW
	RAISERROR GRANT DENY REVOKE BACKUP KILL DBCC BULK COPY CONVERT REFRESH CACHE UNCACHE RESET MSCK`)

func (p *parser) declare() Stmt {
	from := p.next().span
	d := &Declare{}
	d.Vars = list(p, func() DeclareVar {
		t := p.tok()
		if t.kind != tokVariable {
			p.unexpected("a variable")
			return DeclareVar{}
		}
		p.next()
		p.word("AS")
		v := DeclareVar{Name: t.text, Type: p.typeName()}
		if p.op("=") {
			v.Init = p.expr()
		}
		v.Span = p.span(t.span)
		return v
	})
	d.Span = p.span(from)
	return d
}

// setStmt reads SET @v = e, or an option up to the end of its line of words.
func (p *parser) setStmt() Stmt {
	from := p.next().span
	s := &Set{}
	if t := p.tok(); t.kind == tokVariable {
		p.next()
		s.Variable = t.text
		p.needOp("=")
		s.Expr = p.expr()
	} else {
		line := t.span.From.Line
		for t := p.tok(); t.kind != tokEOF && !p.isOp(0, ";") && t.span.From.Line == line; t = p.tok() {
			if p.dialect == TSQL && reserved[TSQL][t.word] && t.word != "ON" && t.word != "SET" && len(s.Words) > 0 {
				break
			}
			s.Words = append(s.Words, p.setWord())
		}
		if len(s.Words) == 0 {
			p.unexpected("an option or a variable")
		}
	}
	s.Span = p.span(from)
	return s
}

// setWord reads one token of an option as text: strings and names in their
// quotes; words in upper case, but as written in Spark, whose settings are.
func (p *parser) setWord() string {
	t := p.tok()
	out := &printer{dialect: p.dialect}
	switch t.kind {
	case tokBad:
		p.unexpected("an option")
	case tokOp:
		if t.text == "[" { // of an index, which a setting has not
			p.unexpected("an option")
		}
		out.put(t.text)
	case tokName:
		if p.dialect == Spark {
			return p.next().text
		}
		return p.next().word
	case tokString:
		out.str(t.text)
	case tokQuoted:
		out.ident(t.ident())
	case tokBinary:
		out.put("0x", t.text)
	default:
		out.put(t.text)
	}
	p.next()
	return out.b.String()
}

func (p *parser) printStmt() Stmt {
	from := p.next().span
	e := p.expr()
	return &Print{p.span(from), e}
}

func (p *parser) exec() Stmt {
	from := p.next().span
	e := &Exec{}
	if p.op("(") {
		e.Text = p.expr()
		p.needOp(")")
	} else {
		e.Name = p.name()
		p.execArgs(e)
	}
	e.Span = p.span(from)
	return e
}

// bareExec reads a procedure call without EXEC, the first word of a batch.
func (p *parser) bareExec() Stmt {
	from := p.tok()
	if p.pos != 0 {
		p.unexpected("a statement")
		return nil
	}
	e := &Exec{Name: p.name()}
	p.execArgs(e)
	e.Span = p.span(from.span)
	return e
}

func (p *parser) execArgs(e *Exec) {
	switch t := p.tok(); {
	case t.kind == tokEOF, p.isOp(0, ";"), t.kind == tokName && reserved[p.dialect][t.word] && t.word != "NULL":
		return
	}
	e.Args = list(p, func() ExecArg {
		a := ExecArg{}
		if t := p.tok(); t.kind == tokVariable && p.isOp(1, "=") {
			p.next()
			p.next()
			a.Name = t.text
		}
		if !p.word("DEFAULT") {
			a.Value = p.expr()
		}
		a.Output = p.word("OUTPUT") || p.word("OUT")
		return a
	})
}

func (p *parser) ifStmt() Stmt {
	from := p.next().span
	s := &If{Cond: p.expr()}
	p.op(";")
	s.Then = p.statement()
	if p.isOp(0, ";") && p.isWord(1, "ELSE") {
		p.next()
	}
	if p.word("ELSE") {
		s.Else = p.statement()
	}
	s.Span = p.span(from)
	return s
}

func (p *parser) block() Stmt {
	from := p.next().span
	if p.isWord(0, "TRY") || p.isWord(0, "CATCH") {
		p.fail(from, "", "BEGIN %s is not supported yet", p.tok().word)
	}
	b := &Block{}
	for !p.failed && !p.word("END") {
		if p.op(";") {
			continue
		}
		if p.tok().kind == tokEOF {
			p.unexpected("END")
			break
		}
		b.Stmts = append(b.Stmts, p.statement())
	}
	b.Span = p.span(from)
	return b
}

func (p *parser) transaction() Stmt {
	t := p.next()
	s := &Transaction{Verb: t.word}
	_ = p.word("TRANSACTION") || p.word("TRAN") || p.word("WORK")
	if n := p.tok(); n.kind == tokVariable || p.isName(0) && n.span.From.Line == t.span.From.Line {
		s.Name = p.next().text
	}
	s.Span = p.span(t.span)
	return s
}
