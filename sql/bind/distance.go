package bind

import (
	"math"
	"math/big"
	"strings"
	"time"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// distance is a condition on the time between two sources, as DATEDIFF(unit, from, to)
// has it.
type distance struct {
	at       syntax.Span
	unit     syntax.Expr
	from, to *source
	low      *limit // nil: none
	high     *limit
}

// limit is a number that a distance may reach or, if it is open, may not.
type limit struct {
	value *big.Rat
	open  bool
}

// distanceIn reads a condition; nil if it is none on a distance.
func distanceIn(o *joinOn, e syntax.Expr) *distance {
	switch e := e.(type) {
	case *syntax.Between:
		d, low, high := o.distance(e.X), constantNumber(e.Lo), constantNumber(e.Hi)
		if e.Not || d == nil || low == nil || high == nil {
			return nil
		}
		d.low, d.high = &limit{value: low}, &limit{value: high}
		return d
	case *syntax.Binary:
		op, d, v := e.Op, o.distance(e.L), constantNumber(e.R)
		if d == nil {
			op, d, v = mirrored[op], o.distance(e.R), constantNumber(e.L)
		}
		if d == nil || v == nil {
			return nil
		}
		switch op {
		case "=":
			d.low, d.high = &limit{value: v}, &limit{value: v}
		case "<", "<=":
			d.high = &limit{v, op == "<"}
		case ">", ">=":
			d.low = &limit{v, op == ">"}
		default:
			return nil
		}
		return d
	}
	return nil
}

// mirrored are comparisons with their sides changed over.
var mirrored = map[string]string{"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// distance reads DATEDIFF(unit, source, source); nil for all else.
func (q *query) distance(e syntax.Expr) *distance {
	c, ok := e.(*syntax.Call)
	if !ok || callName(c) != "DATEDIFF" || len(c.Args) != 3 || c.Over != nil {
		return nil
	}
	d := &distance{at: c.Span, unit: c.Args[0], from: q.sourceNamed(c.Args[1]), to: q.sourceNamed(c.Args[2])}
	if d.from == nil || d.to == nil {
		return nil
	}
	return d
}

// sourceNamed is the source whose alias stands in the place of a time; nil if it is none.
// Where FROM has one source, a name is a column.
func (q *query) sourceNamed(e syntax.Expr) *source {
	p, ok := e.(*syntax.Path)
	if !ok || len(p.Parts) != 1 || q.from.single() != nil || q.post {
		return nil
	}
	if src := q.from.byAlias(p.Parts[0].Name); src != nil && src.apply == nil {
		return src
	}
	return nil
}

// constantNumber is the value of a number, with signs and arithmetic; nil for all else.
func constantNumber(e syntax.Expr) *big.Rat {
	switch e := e.(type) {
	case *syntax.Literal:
		if e.Kind < syntax.IntLit || e.Kind > syntax.FloatLit {
			return nil
		}
		v, _ := number(e.Text)
		return v
	case *syntax.Unary:
		v := constantNumber(e.X)
		if v != nil && e.Op == "-" {
			return v.Neg(v)
		}
		if e.Op == "+" {
			return v
		}
	case *syntax.Binary:
		x, y := constantNumber(e.L), constantNumber(e.R)
		switch {
		case x == nil || y == nil || longNumber(x) || longNumber(y): // no bound is
		case e.Op == "+":
			return x.Add(x, y)
		case e.Op == "-":
			return x.Sub(x, y)
		case e.Op == "*":
			return x.Mul(x, y)
		}
	}
	return nil
}

// longNumber keeps a chain of products from growing without end.
func longNumber(v *big.Rat) bool { return v.Num().BitLen() > 256 || v.Denom().BitLen() > 256 }

// bound makes the bound of a distance, and what it says of the ticks between the times.
func (b *binder) bound(d *distance) (plan.TimeBound, timeRange, bool) {
	t, reach := plan.TimeBound{Min: math.MinInt64, Max: math.MaxInt64}, timeRange{math.MinInt64, math.MaxInt64}
	part, ok := datePart(d.unit)
	if part == "dayofyear" {
		part = "day" // both begin at midnight
	}
	unit := plan.BoundUnits[part]
	if !ok || unit == 0 {
		if hint := unitHint(b.text(d.unit.Loc())); hint != "" {
			b.fail(d.unit.Loc(), hint, "%s is no unit of the distance between two sources", b.text(d.unit.Loc()))
			return t, reach, false
		}
		b.fail(d.unit.Loc(), "the units of a JOIN are week, day, hour, minute, second, millisecond and microsecond", "%s is no unit of the distance between two sources", b.text(d.unit.Loc()))
		return t, reach, false
	}
	t.Unit = part
	scale := new(big.Rat).SetInt64(1)
	if b.opts.JoinElapsed {
		t.Unit, scale = "", new(big.Rat).SetInt64(int64(unit))
	}
	longest := new(big.Rat).SetInt64(int64(b.opts.MaxDuration / 100))
	for _, l := range []*limit{d.low, d.high} {
		if l == nil {
			continue
		}
		ticks := new(big.Rat).Mul(l.value, new(big.Rat).SetInt64(int64(unit)))
		if ticks.Abs(ticks).Cmp(longest) > 0 {
			b.fail(d.at, "", "the sources of a JOIN are at most %d days apart", b.opts.MaxDuration/(24*time.Hour))
			return t, reach, false
		}
		v := new(big.Rat).Mul(l.value, scale)
		whole := new(big.Int).Div(v.Num(), v.Denom()).Int64() // the integer at or below
		exact := v.IsInt()
		if l == d.high {
			if t.Max = whole; exact && l.open {
				t.Max--
			}
			continue
		}
		if t.Min = whole; !exact || l.open {
			t.Min++
		}
	}
	if b.opts.JoinElapsed {
		return t, timeRange{column.Ticks(t.Min), column.Ticks(t.Max)}, true
	}
	if t.Min != math.MinInt64 {
		reach.least = column.Ticks(t.Min-1)*unit + 1
	}
	if t.Max != math.MaxInt64 {
		reach.most = column.Ticks(t.Max+1)*unit - 1
	}
	return t, reach, true
}

// when reads the time of a source.
func (s *source) when(b *binder, at syntax.Span) *col {
	if s.time == 0 {
		s.time = b.newColumn(plan.Column{Name: strings.TrimPrefix(s.alias+".System.Timestamp()", "."), Type: column.Time}, 0, at)
		b.column(s.time).source = s
	}
	return b.read(s.time, at)
}
