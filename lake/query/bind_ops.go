package query

import (
	"fmt"
	"strings"

	"spate/sql/syntax"
)

func (b *binder) unary(u *syntax.Unary, in *env) (*node, error) {
	if u.Op == "NOT" {
		n, err := b.condition(u.X, in)
		if err != nil {
			return nil, err
		}
		not := pred("(NOT " + n.sql + ")")
		not.holds, not.fails = n.fails, n.holds
		return not, nil
	}
	n, err := b.value(u.X, in)
	if err != nil {
		return nil, err
	}
	if n.null {
		return n, nil
	}
	if u.Op == "~" {
		if !n.typ.isInteger() {
			return nil, errorf(8117, u.Loc(), "Operand data type %s is invalid for '~' operator.", n.typ)
		}
		return &node{sql: "(~" + n.strict(n.typ).sql + ")", typ: n.typ}, nil
	}
	if !n.typ.isNumber() || n.typ.ID == Bit {
		return nil, errorf(8117, u.Loc(), "Operand data type %s is invalid for %s operator.", n.typ, map[string]string{"-": "minus", "+": "plus"}[u.Op])
	}
	if u.Op == "+" {
		return n, nil
	}
	if n.con != nil {
		v := *n.con
		switch v.Kind {
		case KindInt:
			return constant(n.typ, intValue(-v.num)), nil
		case KindFloat:
			return constant(n.typ, floatValue(-v.Float())), nil
		case KindDecimal:
			text, neg := strings.CutPrefix(v.str, "-")
			if !neg {
				text = "-" + text
			}
			return constant(n.typ, textValue(KindDecimal, text)), nil
		}
	}
	typ := n.typ
	if typ.ID == TinyInt {
		typ.ID = SmallInt
	}
	return &node{sql: "(-CAST(" + n.sql + " AS " + typ.engine() + "))", typ: typ}, nil
}

func (b *binder) binary(x *syntax.Binary, in *env) (*node, error) {
	switch x.Op {
	case "<=>":
		return b.compareExprs("IS NOT DISTINCT FROM", x.L, x.R, in, x.Loc())
	case "AND", "OR":
		l, err := b.condition(x.L, in)
		if err != nil {
			return nil, err
		}
		r, err := b.condition(x.R, in)
		if err != nil {
			return nil, err
		}
		n := pred("(" + l.sql + " " + x.Op + " " + r.sql + ")")
		n.holds, n.fails = anyOf(l.holds, r.holds), allOf(l.fails, r.fails)
		if x.Op == "AND" {
			n.implied = append(append([]bound(nil), l.implied...), r.implied...)
			n.holds, n.fails = allOf(l.holds, r.holds), anyOf(l.fails, r.fails)
		}
		return n, nil
	case "=", "<>", "<", "<=", ">", ">=":
		return b.compareExprs(x.Op, x.L, x.R, in, x.Loc())
	}
	if i, ok := x.R.(*syntax.Interval); ok {
		return b.addInterval(x, x.L, i, in)
	} else if i, ok := x.L.(*syntax.Interval); ok && x.Op == "+" {
		return b.addInterval(x, x.R, i, in)
	}
	l, err := b.value(x.L, in)
	if err != nil {
		return nil, err
	}
	r, err := b.value(x.R, in)
	if err != nil {
		return nil, err
	}
	if b.spark() {
		return b.sparkArith(x.Op, l, r, x.Loc())
	}
	return b.arith(x.Op, l, r, x.Loc())
}

func (b *binder) compareExprs(op string, le, re syntax.Expr, in *env, at syntax.Span) (*node, error) {
	l, err := b.value(le, in)
	if err != nil {
		return nil, err
	}
	r, err := b.value(re, in)
	if err != nil {
		return nil, err
	}
	return b.compare(op, l, r, at)
}

// compare binds l op r after conversion to the type of higher rank.
func (b *binder) compare(op string, l, r *node, at syntax.Span) (*node, error) {
	l, r, err := b.sameType(l, r, at)
	if err != nil {
		return nil, err
	}
	n := pred("(" + comparand(l) + " " + op + " " + comparand(r) + ")")
	n.implied = implies(op, l, r)
	if no, ok := opposite[op]; ok {
		n.holds, n.fails = comparison(op, l, r), comparison(no, l, r)
	}
	return n, nil
}

// sameType converts both sides of a comparison to the type that they have in
// common.
func (b *binder) sameType(l, r *node, at syntax.Span) (*node, *node, error) {
	typ := b.common(l.typ, r.typ)
	var err error
	if l, err = b.convert(l, typ, castCompare, at); err != nil {
		return nil, nil, err
	}
	if r, err = b.convert(r, typ, castCompare, at); err != nil {
		return nil, nil, err
	}
	return l, r, nil
}

// comparand is how a value stands in a comparison: trailing blanks of texts do
// not count (SQ-B01).
func comparand(n *node) string {
	if n.typ.padded() {
		return trimmed(n)
	}
	return n.sql
}

// trimmed is a text without trailing blanks.
func trimmed(n *node) string {
	switch {
	case n.key != "":
		return n.key
	case n.null:
		return n.sql
	}
	if n.con != nil {
		return engineLiteral(n.typ, textValue(KindText, strings.TrimRight(n.con.str, " ")))
	}
	return "rtrim(" + n.sql + ", ' ')"
}

// implies says what a comparison of a column with a constant means for the
// column's values as they are stored.
func implies(op string, l, r *node) []bound {
	if l.src == nil && r.src != nil {
		l, r = r, l
		if m, ok := map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]; ok {
			op = m
		}
	}
	if l.src == nil || r.con == nil {
		return nil
	}
	v := *r.con
	if l.typ.padded() {
		// A stored text may carry blanks that its comparison ignores: it lies
		// between the bare text and the bare text followed by '!', the next
		// character behind the blank.
		bare := strings.TrimRight(v.str, " ")
		if strings.ContainsFunc(bare, func(r rune) bool { return r < ' ' }) {
			return nil // such a character lies before the blanks
		}
		low := bound{*l.src, ">=", textValue(KindText, bare)}
		high := bound{*l.src, "<", textValue(KindText, bare+"!")}
		switch op {
		case "=":
			return []bound{low, high}
		case "<", "<=":
			return []bound{high}
		case ">", ">=":
			return []bound{low}
		}
		return nil
	}
	switch op {
	case "=", "<", "<=", ">", ">=":
		return []bound{{*l.src, op, v}}
	}
	return nil
}

func (b *binder) between(e *syntax.Between, in *env) (*node, error) {
	x, err := b.value(e.X, in)
	if err != nil {
		return nil, err
	}
	lo, err := b.value(e.Lo, in)
	if err != nil {
		return nil, err
	}
	hi, err := b.value(e.Hi, in)
	if err != nil {
		return nil, err
	}
	l, err := b.compare(">=", x, lo, e.Loc())
	if err != nil {
		return nil, err
	}
	h, err := b.compare("<=", x, hi, e.Loc())
	if err != nil {
		return nil, err
	}
	n := pred("(" + l.sql + " AND " + h.sql + ")")
	n.holds, n.fails = allOf(l.holds, h.holds), anyOf(l.fails, h.fails)
	if e.Not {
		n.holds, n.fails = n.fails, n.holds
		n.sql = "(NOT " + n.sql + ")"
		return n, nil
	}
	n.implied = append(l.implied, h.implied...)
	return n, nil
}

// mostListed is how many values of an IN list are looked at one by one when files are
// chosen; of a longer list only the range is.
const mostListed = 200

func (b *binder) in(e *syntax.In, in *env) (*node, error) {
	x, err := b.value(e.X, in)
	if err != nil {
		return nil, err
	}
	word := " IN ("
	if e.Not {
		word = " NOT IN ("
	}
	if e.Query != nil {
		x, sub, err := b.subColumn(x, e.Query, in, e.Loc())
		if err != nil {
			return nil, err
		}
		return pred("(" + comparand(x) + word + sub + "))"), nil
	}
	typ := x.typ
	list := make([]*node, len(e.List))
	for i, le := range e.List {
		if list[i], err = b.value(le, in); err != nil {
			return nil, err
		}
		typ = b.common(typ, list[i].typ)
	}
	if x, err = b.convert(x, typ, castCompare, e.Loc()); err != nil {
		return nil, err
	}
	items := make([]string, len(list))
	var lo, hi *node
	var equal, other []*filter
	known := true
	for i, n := range list {
		if n, err = b.convert(n, typ, castCompare, e.Loc()); err != nil {
			return nil, err
		}
		items[i] = comparand(n)
		if known = known && n.con != nil; known {
			equal, other = append(equal, comparison("=", x, n)), append(other, comparison("<>", x, n))
			if lo == nil || compareValues(*n.con, *lo.con) < 0 {
				lo = n
			}
			if hi == nil || compareValues(*n.con, *hi.con) > 0 {
				hi = n
			}
		}
	}
	n := pred("(" + comparand(x) + word + strings.Join(items, ", ") + "))")
	if known && len(list) <= mostListed {
		n.holds, n.fails = anyOf(equal...), allOf(other...)
		if e.Not {
			n.holds, n.fails = n.fails, n.holds
		}
	}
	if !e.Not && known && lo != nil {
		n.implied = append(implies(">=", x, lo), implies("<=", x, hi)...)
	}
	return n, nil
}

// subColumn binds a one-column sub-query beside x: both in their common type.
// The text opens a parenthesis less than it closes none: the caller closes.
func (b *binder) subColumn(x *node, q *syntax.Query, in *env, at syntax.Span) (*node, string, error) {
	rel, err := b.query(q, in.inner(), queryUse{scalar: true})
	if err != nil {
		return nil, "", err
	}
	if len(rel.cols) != 1 {
		return nil, "", errorf(116, at, "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.")
	}
	id := b.id("u")
	x, col, err := b.sameType(x, &node{sql: id + ".c1", typ: rel.cols[0].typ, at: at}, at)
	if err != nil {
		return nil, "", err
	}
	return x, fmt.Sprintf("SELECT %s FROM (%s) AS %s", comparand(col), rel.sql, id), nil
}

func (b *binder) quantified(e *syntax.Quantified, in *env) (*node, error) {
	x, err := b.value(e.L, in)
	if err != nil {
		return nil, err
	}
	x, sub, err := b.subColumn(x, e.Query, in, e.Loc())
	if err != nil {
		return nil, err
	}
	word := "ANY"
	if e.All {
		word = "ALL"
	}
	return pred("(" + comparand(x) + " " + e.Op + " " + word + " (" + sub + "))"), nil
}

func (b *binder) like(e *syntax.Like, in *env) (*node, error) {
	if b.spark() {
		return b.sparkLike(e, in)
	}
	var ns []*node
	for _, x := range []syntax.Expr{e.X, e.Pattern, e.Escape} {
		if x == nil {
			continue
		}
		n, err := b.value(x, in)
		if err != nil {
			return nil, err
		}
		if n, err = b.toText(n); err != nil {
			return nil, err
		}
		ns = append(ns, n)
	}
	escape := ""
	if len(ns) == 3 {
		if ns[2].con == nil || len([]rune(ns[2].con.str)) != 1 {
			return nil, errorf(506, e.Loc(), "The invalid escape character was specified in a LIKE predicate.")
		}
		escape = ns[2].con.str
	}
	var low, high []bound
	if p := ns[1].con; p != nil && escape == "" && !strings.Contains(p.str, "[") && ns[0].src != nil {
		if head := p.str[:indexAny(p.str, "%_")]; head != "" {
			low = []bound{{*ns[0].src, ">=", textValue(KindText, head)}}
			if next, ok := behind(head); ok {
				high = []bound{{*ns[0].src, "<", textValue(KindText, next)}}
			}
		}
	}
	sql := likeSQL(ns[0].sql, ns[1], escape)
	if ns[0].typ.ID == VarChar && ns[1].typ.ID == VarChar {
		// Blanks at the end of a varchar do not count if they are in the way.
		sql = "(" + sql + " OR " + likeSQL(trimmed(ns[0]), ns[1], escape) + ")"
	}
	n := pred(sql)
	if e.Not {
		n.sql = "(NOT " + sql + ")"
		return n, nil
	}
	n.implied, n.holds = low, leavesOf(append(low, high...))
	return n, nil
}

// behind is the least text that is greater than all that begin with head.
func behind(head string) (string, bool) {
	b := []byte(head)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return string(b[:i+1]), true
		}
	}
	return "", false
}

func likeSQL(text string, pattern *node, escape string) string {
	switch p := pattern.con; {
	case p == nil:
		return fmt.Sprintf("spate_like(%s, %s, %s)", text, pattern.sql, Quote(escape))
	case escape == "" && !strings.Contains(p.str, "["):
		return "(" + text + " LIKE " + pattern.sql + ")"
	default:
		return "regexp_full_match(" + text + ", " + Quote(likeRegexp(p.str, escape)) + ")"
	}
}

// indexAny is strings.IndexAny, with the length for none.
func indexAny(s, chars string) int {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return i
	}
	return len(s)
}
