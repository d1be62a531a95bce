package bind

import (
	"strings"

	"spate/column"
	"spate/internal/near"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// path binds a name: a qualified or bare column, with a path into a record.
func (q *query) path(p *syntax.Path) plan.Expr {
	if isSystemTimestamp(p) {
		return q.timestamp(p.Span)
	}
	parts, text := q.parts(p)
	if text != nil {
		return text
	}
	q.foreignName(p)
	if p := p.Parts[0]; len(parts) == 1 && p.Quote == 0 && (strings.EqualFold(p.Name, "true") || strings.EqualFold(p.Name, "false")) && !q.from.known(p.Name) {
		q.b.warn(p.Span, notPortable, "%s is read as a column, for the language has no such literal; compare with CAST(1 AS bit)", p.Name)
	}
	if q.post {
		return q.ungrouped(p, q.from.unqualified(parts))
	}
	if src, rest := q.resolve(p.Span, parts); src != nil {
		return q.column(src, p.Span, rest)
	}
	return constant(p.Span, column.Value{})
}

// foreignName warns of a name that means something in other dialects and is a column here.
func (q *query) foreignName(p *syntax.Path) {
	first := p.Parts[0]
	if q.from.known(first.Name) {
		return
	}
	switch {
	case first.Quote == '`':
		q.b.warn(first.Span, quotedText, "`%s` is read as a column; use brackets", first.Name)
	case first.Quote != 0:
	case strings.HasPrefix(first.Name, "@") && len(p.Parts) == 1:
		q.b.warn(p.Span, notPortable, "%s is read as a column, for the language has no variables", first.Name)
	case len(p.Parts) == 1 && strings.EqualFold(first.Name, "CURRENT_TIMESTAMP"):
		q.b.warn(p.Span, notPortable, "%s is read as a column, for the language has no such word; use System.Timestamp()", first.Name)
	case len(p.Parts) == 2 && strings.EqualFold(first.Name, "system") && q.from.byAlias(first.Name) == nil && near.Word(p.Parts[1].Name, []string{"Timestamp"}) != "":
		q.b.warn(p.Span, notPortable, "%s.%s is read as a field inside a column; use System.Timestamp()", first.Name, p.Parts[1].Name)
	}
}

// parts splits a path; a part in double quotes may be a string, a column or a
// bracket path, as the scope says.
func (q *query) parts(p *syntax.Path) ([]string, plan.Expr) {
	if len(p.Parts) == 1 && p.Parts[0].Quote == '"' {
		text := p.Parts[0].Name
		bracket := bracketPath(text)
		if bracket == nil && !q.from.known(text) {
			q.b.warn(p.Span, quotedText, "%q is read as a string; use single quotes", text)
			return nil, constant(p.Span, column.TextOf(text))
		}
		q.b.warn(p.Span, quotedText, "%q is read as a column; use brackets", text)
		if bracket != nil {
			return bracket, nil
		}
	}
	return partNames(p.Parts), nil
}

func partNames(parts []syntax.Ident) []string {
	names := make([]string, len(parts))
	for i, part := range parts {
		names[i] = part.Name
	}
	return names
}

// bracketPath splits "[a][b]" or "[a].[b]"; nil for other texts.
func bracketPath(s string) []string {
	var parts []string
	for s != "" {
		if len(parts) > 0 {
			s = strings.TrimPrefix(s, ".")
		}
		end := strings.IndexByte(s, ']')
		if s == "" || s[0] != '[' || end < 0 {
			return nil
		}
		parts = append(parts, s[1:end])
		s = s[end+1:]
	}
	return parts
}

// column reads a column of a source, then the fields inside it.
func (q *query) column(src *source, at syntax.Span, parts []string) plan.Expr {
	if src.stream != nil {
		return src.column(q.b, src.stream.read(q.b, at, parts), at)
	}
	if len(parts) == 0 {
		return src.column(q.b, wholePart, at)
	}
	field := func(of plan.Expr, name string) plan.Expr {
		return &plan.Field{Base: plan.Base{Where: at}, Of: of, Name: name}
	}
	star, i := src.star, src.find(parts[0])
	var e plan.Expr
	switch {
	case i >= 0:
		e = src.column(q.b, i, at)
		if star >= 0 && star < i { // the record's own field wins over a column right of it
			e = &plan.Coalesce{Base: plan.Base{Where: at}, Args: []plan.Expr{field(src.column(q.b, star, at), parts[0]), e}}
		}
	case star >= 0:
		e = field(src.column(q.b, star, at), parts[0])
	default:
		q.unknown(at, parts[0], &scope{sources: []*source{src}})
		return constant(at, column.Value{})
	}
	for _, name := range parts[1:] {
		e = field(e, name)
	}
	return e
}

// aliasHint explains that an alias is not visible in its own SELECT.
func (q *query) aliasHint(name string) string {
	if q.sel == nil {
		return ""
	}
	for i := range q.sel.Items {
		if a := q.sel.Items[i].Alias; a != nil && strings.EqualFold(a.Name, name) {
			return "an alias is visible only behind its SELECT: repeat the expression, or put it into a step"
		}
	}
	return ""
}

// timestamp is System.Timestamp().
func (q *query) timestamp(at syntax.Span) plan.Expr {
	if q.inTime {
		q.b.fail(at, "", "System.Timestamp() is not allowed in TIMESTAMP BY")
	}
	return &plan.Timestamp{Base: plan.Base{Static: column.Time, Where: at}}
}

// isSystemTimestamp recognises System.Timestamp with or without parentheses.
func isSystemTimestamp(e syntax.Expr) bool {
	var parts []syntax.Ident
	switch e := e.(type) {
	case *syntax.Path:
		parts = e.Parts
	case *syntax.Call:
		if len(e.Args) > 0 || e.Over != nil {
			return false
		}
		parts = e.Name.Parts
	}
	return len(parts) == 2 && strings.EqualFold(parts[0].Name, "system") && strings.EqualFold(parts[1].Name, "timestamp")
}

func constant(at syntax.Span, v column.Value) *plan.Const {
	return &plan.Const{Base: plan.Base{Static: v.Kind, Where: at}, Value: v}
}

// callName is the upper-case name of a call without prefix, empty for others.
func callName(c *syntax.Call) string {
	if len(c.Name.Parts) != 1 {
		return ""
	}
	return strings.ToUpper(c.Name.Parts[0].Name)
}
