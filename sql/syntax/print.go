package syntax

import "strings"

// String returns the text of a script: parsed again, it gives an equal tree,
// spans aside. Comments are not part of the tree.
func (s *Script) String() string {
	p := &printer{dialect: s.Dialect}
	for i, st := range s.Stmts {
		if i > 0 {
			p.put("\n")
		}
		p.stmt(st)
		p.put(";\n")
	}
	return p.b.String()
}

// FormatExpr returns the text of an expression.
func FormatExpr(e Expr, d Dialect) string {
	p := &printer{dialect: d}
	p.expr(e, bindOr)
	return p.b.String()
}

// FormatStmt returns the text of a statement, without a semicolon.
func FormatStmt(s Stmt, d Dialect) string {
	p := &printer{dialect: d}
	p.stmt(s)
	return p.b.String()
}

// FormatName returns the text of a name.
func FormatName(n *Name) string {
	p := &printer{}
	p.parts(n.Parts)
	return p.b.String()
}

// FormatType returns the text of a type.
func FormatType(t *TypeName) string {
	p := &printer{}
	p.typeName(t)
	return p.b.String()
}

type printer struct {
	dialect Dialect
	b       strings.Builder
	indent  int
}

func (p *printer) put(ss ...string) {
	for _, s := range ss {
		p.b.WriteString(s)
	}
}

func (p *printer) line() {
	p.put("\n", strings.Repeat("    ", p.indent))
}

// commas writes n elements with commas between.
func (p *printer) commas(n int, write func(i int)) {
	for i := range n {
		if i > 0 {
			p.put(", ")
		}
		write(i)
	}
}

func (p *printer) exprs(es []Expr) {
	p.commas(len(es), func(i int) { p.expr(es[i], bindOr) })
}

func (p *printer) idents(ids []Ident) {
	p.put("(")
	p.commas(len(ids), func(i int) { p.ident(ids[i]) })
	p.put(")")
}

func (p *printer) ident(id Ident) {
	switch id.Quote {
	case 0:
		p.put(id.Name)
	case '[':
		p.put("[", strings.ReplaceAll(id.Name, "]", "]]"), "]")
	case '\'':
		p.str(id.Name)
	default:
		q := string(id.Quote)
		p.put(q, strings.ReplaceAll(id.Name, q, q+q), q)
	}
}

func (p *printer) parts(parts []Ident) {
	for i, id := range parts {
		if i > 0 {
			p.put(".")
		}
		p.ident(id)
	}
}

func (p *printer) name(n *Name) { p.parts(n.Parts) }

func (p *printer) str(s string) {
	if p.dialect == Spark {
		p.put("'", strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s), "'")
		return
	}
	p.put("'", strings.ReplaceAll(s, "'", "''"), "'")
}

// word writes a name that is not kept as an Ident, in brackets where needed.
func (p *printer) word(s string) {
	for i, r := range s {
		if !isNamePart(r) || i == 0 && (!isNameStart(r) || r == '@') {
			p.put("[", strings.ReplaceAll(s, "]", "]]"), "]")
			return
		}
	}
	if s == "" || reserved[p.dialect][s] {
		s = "[" + s + "]"
	}
	p.put(s)
}

func (p *printer) typeName(t *TypeName) {
	if t.Name == "DOUBLE PRECISION" {
		p.put(t.Name)
	} else {
		p.word(t.Name)
	}
	if t.Args != nil {
		p.put("(", strings.Join(t.Args, ", "), ")")
	}
	if t.Elems != nil {
		p.put("<")
		p.commas(len(t.Elems), func(i int) {
			if t.Name == "STRUCT" {
				p.ident(t.Elems[i].Name)
				p.put(": ")
			}
			p.typeName(t.Elems[i].Type)
		})
		p.put(">")
	}
}

func (p *printer) query(q *Query) {
	if q.With != nil {
		p.put("WITH ")
		for i, s := range q.With.Steps {
			if i > 0 {
				p.put(",")
				p.line()
			}
			p.ident(s.Name)
			if s.Columns != nil {
				p.put(" ")
				p.idents(s.Columns)
			}
			p.put(" AS ")
			p.parenQuery(s.Query)
		}
		p.line()
	}
	p.body(q.Body)
	if q.OrderBy != nil {
		p.line()
		p.put("ORDER BY ")
		p.order(q.OrderBy)
	}
	switch {
	case q.Limit != nil && q.Offset != nil && q.OrderBy != nil && p.dialect == TSQL:
		p.line()
		p.put("OFFSET ")
		p.expr(q.Offset, bindOr)
		p.put(" ROWS FETCH NEXT ")
		p.expr(q.Limit, bindOr)
		p.put(" ROWS ONLY")
		return
	case q.Limit != nil:
		p.line()
		p.put("LIMIT ")
		p.expr(q.Limit, bindOr)
	}
	if q.Offset != nil {
		p.line()
		p.put("OFFSET ")
		p.expr(q.Offset, bindOr)
		if p.dialect == TSQL {
			p.put(" ROWS")
		}
	}
}

func (p *printer) parenQuery(q *Query) {
	p.put("(")
	p.indent++
	p.line()
	p.query(q)
	p.indent--
	p.line()
	p.put(")")
}

func (p *printer) order(items []OrderItem) {
	p.commas(len(items), func(i int) {
		p.expr(items[i].Expr, bindOr)
		if items[i].Desc {
			p.put(" DESC")
		}
		if items[i].Nulls != "" {
			p.put(" NULLS ", items[i].Nulls)
		}
	})
}

func setBind(b QueryBody) int {
	if s, ok := b.(*SetOp); ok {
		if s.Kind == Intersect {
			return 2
		}
		return 1
	}
	return 3
}

var setWords = [...]string{Union: "UNION", UnionAll: "UNION ALL", Except: "EXCEPT", Intersect: "INTERSECT"}

func (p *printer) body(b QueryBody) {
	switch b := b.(type) {
	case *Select:
		p.selectBody(b)
	case *Values:
		p.put("VALUES ")
		p.commas(len(b.Rows), func(i int) {
			p.put("(")
			p.exprs(b.Rows[i])
			p.put(")")
		})
	case *Query:
		p.parenQuery(b)
	case *SetOp:
		own := setBind(b)
		p.operand(b.Left, setBind(b.Left) < own)
		p.line()
		p.put(setWords[b.Kind])
		p.line()
		p.operand(b.Right, setBind(b.Right) <= own)
	}
}

func (p *printer) operand(b QueryBody, parens bool) {
	if parens {
		p.parenQuery(&Query{Body: b})
		return
	}
	p.body(b)
}

func (p *printer) selectBody(s *Select) {
	p.put("SELECT")
	if s.Distinct {
		p.put(" DISTINCT")
	}
	if s.Top != nil {
		p.put(" TOP ")
		number, ok := s.Top.Count.(*Literal)
		bare := ok && p.dialect == ASA && number.Kind <= FloatLit && number.Kind > NullLit
		if !bare {
			p.put("(")
		}
		p.expr(s.Top.Count, bindOr)
		if !bare {
			p.put(")")
		}
		if s.Top.Percent {
			p.put(" PERCENT")
		}
		if s.Top.WithTies {
			p.put(" WITH TIES")
		}
	}
	p.items(s.Items)
	if s.Into != nil {
		p.line()
		p.put("INTO ")
		p.name(s.Into)
	}
	if s.From != nil {
		p.line()
		p.put("FROM ")
		p.commas(len(s.From), func(i int) { p.source(s.From[i]) })
	}
	p.clause("WHERE", s.Where)
	if s.GroupBy != nil {
		p.line()
		p.put("GROUP BY ")
		p.exprs(s.GroupBy)
	}
	p.clause("HAVING", s.Having)
	if s.Windows != nil {
		p.line()
		p.put("WINDOW ")
		p.commas(len(s.Windows), func(i int) {
			p.ident(s.Windows[i].Name)
			p.put(" AS ")
			p.overBody(s.Windows[i].Over)
		})
	}
}

func (p *printer) clause(word string, e Expr) {
	if e != nil {
		p.line()
		p.put(word, " ")
		p.expr(e, bindOr)
	}
}

// items writes a select list, one item a line if there are several.
func (p *printer) items(items []Item) {
	if len(items) == 1 {
		p.put(" ")
		p.item(&items[0])
		return
	}
	p.indent++
	for i := range items {
		if i > 0 {
			p.put(",")
		}
		p.line()
		p.item(&items[i])
	}
	p.indent--
}

func (p *printer) item(i *Item) {
	switch {
	case i.Of != nil:
		p.parts(i.Of.Parts)
		p.put(".*")
		return
	case i.Star:
		p.put("*")
		return
	case i.Assign != "":
		p.put(i.Assign, " = ")
		p.expr(i.Expr, bindOr)
		return
	}
	// `a = b` would be read as an alias: parentheses around what compares.
	p.guarded(i.Expr, bindCompare+1)
	if i.Alias != nil {
		p.put(" AS ")
		p.ident(*i.Alias)
	}
}

// guarded writes an expression where a first word such as ALL or TOP would be
// taken for a keyword.
func (p *printer) guarded(e Expr, min binding) {
	if _, plain := e.(*Path); !plain {
		switch first := leftmost(e); first {
		case "ALL", "DISTINCT", "TOP", "BULK", "DEFAULT":
			p.put("(")
			p.expr(e, bindOr)
			p.put(")")
			return
		}
	}
	p.expr(e, min)
}

// leftmost is the bare word that the text of e begins with, in upper case.
func leftmost(e Expr) string {
	for {
		switch x := e.(type) {
		case *Path:
			if x.Parts[0].Quote == 0 {
				return upper(x.Parts[0].Name)
			}
			return ""
		case *Call:
			if x.Name.Parts[0].Quote == 0 {
				return upper(x.Name.Parts[0].Name)
			}
			return ""
		case *Binary:
			e = x.L
		case *IsNull:
			e = x.X
		case *IsDistinct:
			e = x.L
		case *Between:
			e = x.X
		case *In:
			e = x.X
		case *Like:
			e = x.X
		case *Quantified:
			e = x.L
		case *Field:
			e = x.X
		case *Index:
			e = x.X
		case *AtTimeZone:
			e = x.X
		case *Collate:
			e = x.X
		default:
			return ""
		}
	}
}
