package bind

import (
	"math"
	"strconv"
	"strings"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// What is legal and most likely not meant: conditions that are never true, keys of different
// kinds, steps that nobody reads, and state for every single event.

// never warns of a chain of ANDs that no row fulfils.
func (q *query) never(e syntax.Expr) {
	known := map[string]*limits{}
	for _, term := range conjuncts(e) {
		switch t := term.(type) {
		case *syntax.Between:
			lo, ok := numberOf(t.Lo)
			hi, also := numberOf(t.Hi)
			if !t.Not && ok && also && lo > hi {
				q.b.warn(t.Span, neverTrue, "%s is never true; the lower bound stands first", q.b.text(t.Span))
				continue
			}
			if !t.Not {
				q.limit(known, t, t.X, ">=", t.Lo)
				q.limit(known, t, t.X, "<=", t.Hi)
			}
		case *syntax.In:
			for _, x := range t.List {
				if t.Not && isNullLiteral(x) {
					q.b.warn(t.Span, neverTrue, "NOT IN a list with NULL is never true; leave NULL out of the list")
				}
			}
		case *syntax.IsNull:
			if t.Not {
				q.limit(known, t, t.X, "IS NOT NULL", nil)
			} else {
				q.limit(known, t, t.X, "IS NULL", nil)
			}
		case *syntax.Binary:
			switch {
			case !isComparison(t.Op):
			case constantOf(t.R):
				q.limit(known, t, t.L, t.Op, t.R)
			case constantOf(t.L):
				q.limit(known, t, t.R, turned[t.Op], t.L)
			}
		}
	}
}

// turned are the comparisons with their sides exchanged.
var turned = map[string]string{"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// limits are what the terms of a chain say of one expression.
type limits struct {
	low, high         float64
	lowOpen, highOpen bool // the bound itself is not meant
	text              *syntax.Literal
	null, value       bool // it is NULL; it is not
	counts            bool // it is COUNT(*)

	said syntax.Expr // the last term that has narrowed them
	bad  bool        // reported
}

// limit takes one term: x compared with a constant.
func (q *query) limit(known map[string]*limits, term, x syntax.Expr, op string, with syntax.Expr) {
	key := canon(x, q.from)
	l := known[key]
	if l == nil {
		l = &limits{low: math.Inf(-1), high: math.Inf(1)}
		if c, ok := x.(*syntax.Call); ok && callName(c) == "COUNT" && c.Over == nil && len(c.Args) == 1 {
			if _, star := c.Args[0].(*syntax.Star); star {
				l.low, l.counts = 1, true // a window without events gives no row
			}
		}
		known[key] = l
	}
	if l.bad {
		return
	}
	first := l.said
	if l.take(op, with) {
		l.said = term
		return
	}
	l.bad = true
	switch text := q.b.text(term.Loc()); {
	case first == nil && l.counts:
		q.b.warn(term.Loc(), neverTrue, "%s is never true: a window without events gives no row; LEFT JOIN the windows with a stream that always has events", text)
	case first == nil:
		q.b.warn(term.Loc(), neverTrue, "%s is never true", text)
	default:
		q.b.warn(term.Loc(), neverTrue, "%s and %s are never true of one row", q.b.text(first.Loc()), text)
	}
}

// take narrows the limits; false: nothing is left.
func (l *limits) take(op string, with syntax.Expr) bool {
	switch op {
	case "IS NULL":
		l.null = true
		return !l.value
	case "IS NOT NULL":
		l.value = true
		return !l.null
	}
	l.value = true
	if l.null {
		return false
	}
	if t, ok := with.(*syntax.Literal); ok && (t.Kind == syntax.StringLit || t.Kind == syntax.NationalLit) {
		if op != "=" {
			return true
		}
		same := l.text == nil || strings.EqualFold(l.text.Text, t.Text)
		l.text = t
		return same
	}
	n, ok := numberOf(with)
	if !ok {
		return true
	}
	if (op == ">" || op == ">=" || op == "=") && (n > l.low || n == l.low && op == ">") {
		l.low, l.lowOpen = n, op == ">"
	}
	if (op == "<" || op == "<=" || op == "=") && (n < l.high || n == l.high && op == "<") {
		l.high, l.highOpen = n, op == "<"
	}
	if op == "=" && (n < l.low || n > l.high || n == l.low && l.lowOpen || n == l.high && l.highOpen) {
		return false
	}
	return l.low < l.high || l.low == l.high && !l.lowOpen && !l.highOpen
}

// constantOf reports whether an expression is a number or a text that is written out.
func constantOf(e syntax.Expr) bool {
	if _, ok := numberOf(e); ok {
		return true
	}
	l, ok := e.(*syntax.Literal)
	return ok && (l.Kind == syntax.StringLit || l.Kind == syntax.NationalLit)
}

// numberOf is a number that is written out.
func numberOf(e syntax.Expr) (float64, bool) {
	switch e := e.(type) {
	case *syntax.Unary:
		if n, ok := numberOf(e.X); ok && e.Op == "-" {
			return -n, true
		}
	case *syntax.Literal:
		if e.Kind == syntax.IntLit || e.Kind == syntax.DecimalLit || e.Kind == syntax.FloatLit {
			n, err := strconv.ParseFloat(e.Text, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// keyKinds warns of a key of a join whose sides are of kinds that are equal only by way of
// another.
func (b *binder) keyKinds(at syntax.Span, l, r plan.Expr) {
	x, y := l.Type(), r.Type()
	number := func(k column.Kind) bool { return k == column.Int64 || k == column.Float64 || k == column.Bool }
	if x == column.Null || y == column.Null || x == y || number(x) && number(y) {
		return
	}
	b.warn(at, keyKinds, "the sides of this key are a %s and a %s; CAST one of them", x, y)
}

// unread warns of steps that no query reads.
func (b *binder) unread() {
	for _, st := range b.stepList {
		if !st.read && !b.opts.Steps {
			b.warn(st.where, unreadStep, "nobody reads step %s; add SELECT * INTO an output FROM it, or leave it out", st.name)
		}
	}
}

// keyOfEvent warns of a key that is another for nearly every event, so that state is kept
// for each of them.
func (q *query) keyOfEvent(at syntax.Span, e plan.Expr, of string) {
	switch x := e.(type) {
	case *plan.Timestamp:
	case *col:
		c := q.b.column(x.id)
		if c.source == nil || c.source.stream == nil {
			return
		}
		node := c.source.stream.node
		if c.at >= len(node.Cols) {
			return
		}
		switch node.Cols[c.at].Kind {
		case plan.EventEnqueued, plan.EventProcessed:
		default:
			if t, ok := node.Time.(*plan.Col); !ok || t.Index != c.at {
				return
			}
		}
	default:
		return
	}
	q.b.warn(at, keyPerEvent, "%s is another for nearly every event, and %s keeps state for each of its values; leave it out of the keys", q.b.text(at), of)
}
