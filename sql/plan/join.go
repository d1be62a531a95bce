package plan

import (
	"fmt"
	"math"
	"strings"

	"spate/column"
)

// Join pairs rows of Left and Right whose times are near one another and for which all
// conditions are TRUE. Its columns are those of Left, then those of Right. The time of a
// pair is the later of its two; it stands where the later of its rows does.
//
// Conditions are evaluated in the order of the fields. Those of one side decide before
// there are pairs: a row that fails them has no partner. A row fails alone, at the step,
// if an expression over its side does, and a pair if one over both does.
type Join struct {
	Left, Right Node
	Outer       bool // a row of Left without a partner comes with NULL in the columns of Right

	OnLeft, OnRight Expr   // over the columns of one side; nil: none
	Keys            []Expr // each a Call of "=": an expression over Left, then one over Right
	Bounds          []TimeBound
	On              Expr // over both; nil: none

	// Least and Most bound the time of the row of Right less that of the row of Left, for
	// all pairs for which the bounds can hold. Wait, of an outer join, is how far behind
	// a row of Left the row that has no partner stands.
	Least, Most, Wait column.Ticks
}

// TimeBound bounds the distance between two times: From, of Left, and To, of Right. What
// is nil is the time of the row itself.
type TimeBound struct {
	Unit     string // of DATEDIFF, whose boundaries are counted; empty: Min and Max are ticks
	From, To Expr
	Min, Max int64 // math.MinInt64 and math.MaxInt64: none
}

// Holds reports whether a bound holds for two times.
func (t *TimeBound) Holds(from, to column.Ticks) bool {
	d := int64(to - from)
	if t.Unit != "" {
		d = Boundaries(t.Unit, to) - Boundaries(t.Unit, from)
	}
	return t.Min <= d && d <= t.Max
}

// Boundaries numbers the boundaries of a unit: so many lie at or before a time, counted
// from one at the beginning of time.
func Boundaries(unit string, t column.Ticks) int64 {
	if unit == "week" { // weeks begin on Sunday; 0001-01-01 is a Monday
		return int64((t + column.Day) / (7 * column.Day))
	}
	return int64(t / BoundUnits[unit])
}

// BoundUnits are the units that a bound may have.
var BoundUnits = map[string]column.Ticks{
	"week": 7 * column.Day, "day": column.Day, "hour": column.Hour, "minute": column.Minute, "second": column.Second,
	"millisecond": column.Millisecond, "microsecond": 10,
}

// Columns implements Node.
func (n *Join) Columns() []Column {
	return append(append([]Column(nil), n.Left.Columns()...), n.Right.Columns()...)
}

// Inputs implements Node.
func (n *Join) Inputs() []Node { return []Node{n.Left, n.Right} }

// Edges implements Node.
func (n *Join) Edges() []*Node { return []*Node{&n.Left, &n.Right} }

// Exprs implements Node.
func (n *Join) Exprs() []*Expr {
	list := append(exprs(&n.OnLeft, &n.OnRight, &n.On), all(n.Keys)...)
	for i := range n.Bounds {
		list = append(list, exprs(&n.Bounds[i].From, &n.Bounds[i].To)...)
	}
	return list
}

// Passes implements Node.
func (n *Join) Passes() bool { return true }

// Reach implements Node.
func (n *Join) Reach() column.Ticks { return max(n.Most, -n.Least, n.Wait, 0) }

// KeyOf holds, for each key, an expression over the columns of one side, 0 or 1, whose
// values are equal as keys of groups where the sides may be equal as "=" has it, and NULL
// where they are not.
func (n *Join) KeyOf(side int) []Expr {
	keys := make([]Expr, len(n.Keys))
	for i, k := range n.Keys {
		keys[i] = n.Side(side, k.(*Call).Args[side])
		if !alike(k.(*Call)) {
			keys[i] = &Call{Base: Base{Where: k.Span()}, Func: JoinKey, Args: []Expr{keys[i]}}
		}
	}
	return keys
}

// JoinKey is the function of a Call that gives values of different kinds that are equal
// one form.
const JoinKey = "JOINKEY"

// alike reports whether equal values of both sides are one key as they are.
func alike(equal *Call) bool {
	k := equal.Args[0].Type()
	return k == equal.Args[1].Type() && (k == column.Text || k == column.Time || k == column.Bool || k == column.Int64)
}

// Rest is the condition that is left for a pair with equal KeyOf within all bounds; nil:
// none.
func (n *Join) Rest() Expr {
	var list []Expr
	for _, k := range n.Keys {
		if !alike(k.(*Call)) {
			list = append(list, k)
		}
	}
	if n.On != nil {
		list = append(list, n.On)
	}
	if len(list) < 2 {
		return append(list, nil)[0]
	}
	return &Call{Base: Base{Static: column.Bool, Where: list[0].Span()}, Func: "AND", Args: list}
}

// Side is an expression over the columns of both sides that reads one alone, as one over
// the columns of that.
func (n *Join) Side(side int, e Expr) Expr {
	if side == 0 || e == nil {
		return e
	}
	width := len(n.Left.Columns())
	return rewritten(e, func(c *Col) Expr { return &Col{Base: c.Base, Index: c.Index - width, Name: c.Name} })
}

func (n *Join) describe() string {
	kind := "join"
	if n.Outer {
		kind = "left join"
	}
	s := fmt.Sprintf("%s within %d to %d", kind, n.Least, n.Most)
	if n.Outer {
		s += fmt.Sprintf(" wait %d", n.Wait)
	}
	for _, c := range []struct {
		word string
		e    Expr
	}{{"left", n.OnLeft}, {"right", n.OnRight}} {
		if c.e != nil {
			s += " " + c.word + " " + describeExpr(c.e)
		}
	}
	if len(n.Keys) > 0 {
		s += " keys " + describeAll(n.Keys)
	}
	for i := range n.Bounds {
		s += " bound " + n.Bounds[i].describe(describeExpr)
	}
	if n.On != nil {
		s += " on " + describeExpr(n.On)
	}
	return s
}

func (t *TimeBound) describe(expr func(Expr) string) string {
	unit := t.Unit
	if unit == "" {
		unit = "elapsed"
	}
	limit := func(v int64) string {
		if v == math.MinInt64 || v == math.MaxInt64 {
			return "any"
		}
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("%s(%s, %s) %s to %s", unit, expr(t.From), expr(t.To), limit(t.Min), limit(t.Max))
}

func (n *Join) rows(c *Canon) string {
	both := func(e Expr) string { return c.Expr(e, n.Left, n.Right) }
	parts := []string{"join", c.Rows(n.Left), c.Rows(n.Right), fmt.Sprint(n.Outer, n.Least, n.Most, n.Wait), both(n.OnLeft), both(n.OnRight), both(n.On)}
	for _, k := range n.Keys {
		parts = append(parts, "key", both(k))
	}
	for i := range n.Bounds {
		parts = append(parts, n.Bounds[i].describe(both))
	}
	return digest(parts...)
}

func (n *Join) column(c *Canon, i int) string {
	if k := len(n.Left.Columns()); i >= k {
		return digest("right", c.Rows(n), c.column(n.Right, i-k))
	}
	return c.column(n.Left, i)
}

// state holds the columns: rows of both sides are kept whole.
func (n *Join) state(c *Canon) []string { return []string{c.Columns(n.Left), c.Columns(n.Right)} }

// mark is the join over marked inputs: a pair is marked if one of its rows is.
func (n *Join) mark(ins []Node) Node {
	width := len(n.Left.Columns())
	c := *n
	c.Left, c.Right = ins[0], ins[1]
	moved := func(e *Expr) {
		*e = rewritten(*e, func(x *Col) Expr {
			at := *x
			if at.Index >= width {
				at.Index++ // behind the mark of Left
			}
			return &at
		})
	}
	c.Keys, c.Bounds = append([]Expr(nil), n.Keys...), append([]TimeBound(nil), n.Bounds...)
	for _, e := range c.Exprs() {
		moved(e)
	}
	p := &Project{In: &c}
	cols := c.Columns()
	last := len(cols) - 1
	for i := range cols {
		if i != width && i != last {
			p.Items = append(p.Items, Item{cols[i], columnOf(&c, i)})
		}
	}
	one := func(i int) Expr {
		return &Call{Base: Base{Static: column.Bool}, Func: "=", Args: []Expr{columnOf(&c, i), &Const{Base{Static: column.Int64}, column.IntOf(1)}}}
	}
	either := &Case{
		Base:  Base{Static: column.Int64},
		Whens: []When{{Cond: &Call{Base: Base{Static: column.Bool}, Func: "OR", Args: []Expr{one(width), one(last)}}, Then: &Const{Base{Static: column.Int64}, column.IntOf(1)}}},
		Else:  &Const{Base{Static: column.Int64}, column.IntOf(0)},
	}
	p.Items = append(p.Items, Item{markColumn, either})
	return p
}

func (n *Join) title(j *Job) string {
	kind := "join"
	if n.Outer {
		kind = "left join"
	}
	var on []string
	for _, k := range n.Keys {
		on = append(on, j.text(k))
	}
	if len(on) > 0 {
		kind += " on " + strings.Join(on, " and ")
	}
	return fmt.Sprintf("%s, %s to %s apart", kind, ticksText(n.Least), ticksText(n.Most))
}
