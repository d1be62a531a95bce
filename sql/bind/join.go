package bind

import (
	"math"
	"strings"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// notBounded is the error of the language for streams whose rows may be any time apart.
const notBounded = "The join predicate is not time bounded. JOIN operation between data streams requires specifying " +
	"max time distances between matching events. Please add DATEDIFF to the JOIN condition."

// join binds a join of streams.
func (b *binder) join(sc *scope, j *syntax.Join) plan.Node {
	if b.isReference(j.Left) || b.isReference(j.Right) {
		b.unsupported(j.Right.Loc(), syntax.ReferenceJoins)
		return nil
	}
	n := &plan.Join{Outer: j.Kind == syntax.LeftJoin}
	var sides [2]*scope
	var alone [2]bool // the side is one source
	for i, s := range []syntax.Source{j.Left, j.Right} {
		sides[i] = &scope{}
		rows := b.source(sides[i], s)
		if rows == nil {
			return nil
		}
		*n.Edges()[i] = rows
		alone[i] = oneLeaf(rows)
		before := len(b.errs)
		for _, src := range sides[i].sources {
			src.joined = true
			b.add(sc, src)
		}
		if len(b.errs) > before {
			return nil
		}
	}
	q := &query{b: b, from: &scope{sources: append(append([]*source(nil), sides[0].sources...), sides[1].sources...)}, clause: "ON", analyticKey: map[string]colID{}}
	on := &joinOn{query: q, node: n, sides: sides, alone: alone, reach: timeRange{math.MinInt64, math.MaxInt64}, wait: math.MaxInt64}
	terms := conjuncts(j.On)
	for _, term := range terms {
		on.term(term)
	}
	on.partitions(terms)
	switch {
	case on.failed:
		return nil
	case on.reach.least == math.MinInt64 || on.reach.most == math.MaxInt64:
		b.fail(j.Right.Loc(), on.boundHint(terms), notBounded)
		return nil
	case on.reach.least > on.reach.most:
		b.warn(j.On.Loc(), notPortable, "no two times are within all bounds of this JOIN")
	}
	n.Least, n.Most = on.reach.least, on.reach.most
	if n.Outer {
		n.Wait = max(on.wait, 0)
	}
	for _, src := range sides[0].sources {
		src.spread += max(0, n.Most, n.Wait)
	}
	for _, src := range sides[1].sources {
		src.optional = src.optional || n.Outer
		src.spread += max(0, -n.Least)
	}
	return n
}

// isReference reports whether a source is an input that is declared as reference data.
func (b *binder) isReference(s syntax.Source) bool {
	t, ok := s.(*syntax.TableRef)
	if !ok || b.steps[strings.ToLower(t.Name.Last().Name)] != nil {
		return false
	}
	in, ok := b.inputs[strings.ToLower(t.Name.Last().Name)]
	return ok && in.info.Reference
}

// conjuncts are the conditions of a chain of ANDs.
func conjuncts(e syntax.Expr) []syntax.Expr {
	if x, ok := e.(*syntax.Binary); ok && x.Op == "AND" {
		return append(conjuncts(x.L), conjuncts(x.R)...)
	}
	return []syntax.Expr{e}
}

// joinOn is the ON clause of a join, sorted into what the parts are for.
type joinOn struct {
	*query
	node   *plan.Join
	sides  [2]*scope
	alone  [2]bool
	reach  timeRange    // of the time of the right row less that of the left
	wait   column.Ticks // the least upper bound, as it is written
	failed bool
}

type timeRange struct{ least, most column.Ticks }

// term sorts one condition in.
func (o *joinOn) term(e syntax.Expr) {
	if d := distanceIn(o, e); d != nil && o.bound(d) {
		return
	}
	before := len(o.b.errs)
	bound := o.cond(e)
	if len(o.b.errs) > before {
		o.failed = true
		return
	}
	if c, ok := bound.(*plan.Call); ok && c.Func == "=" {
		l, r := o.side(c.Args[0]), o.side(c.Args[1])
		if l == onRight && r == onLeft {
			c.Args[0], c.Args[1] = c.Args[1], c.Args[0]
			l, r = r, l
		}
		if l == onLeft && r == onRight {
			o.node.Keys = append(o.node.Keys, c)
			return
		}
	}
	to := &o.node.On
	switch o.side(bound) {
	case onLeft:
		to = &o.node.OnLeft
	case onRight:
		to = &o.node.OnRight
	}
	switch all, ok := (*to).(*plan.Call); {
	case *to == nil:
		*to = bound
	case ok && all.Func == "AND" && all.Where == (syntax.Span{}):
		all.Args = append(all.Args, bound)
	default:
		*to = call(syntax.Span{}, column.Bool, "AND", *to, bound)
	}
}

// Sides that an expression reads.
const (
	onNeither = 0
	onLeft    = 1
	onRight   = 2
	onBoth    = onLeft | onRight
)

// side says which sides an expression reads. System.Timestamp() is the time of the pair.
func (o *joinOn) side(e plan.Expr) int {
	sides := onNeither
	plan.WalkExpr(&e, func(e *plan.Expr) {
		switch x := (*e).(type) {
		case *col:
			sides |= o.sideOf(o.b.column(x.id).source)
		case *plan.Timestamp:
			sides = onBoth
		}
	})
	return sides
}

func (o *joinOn) sideOf(src *source) int {
	for _, s := range o.sides[0].sources {
		if s == src {
			return onLeft
		}
	}
	return onRight
}

// bound takes a DATEDIFF between sources of the two sides.
func (o *joinOn) bound(d *distance) bool {
	from, to := o.sideOf(d.from), o.sideOf(d.to)
	if from == to {
		return false // a condition like others
	}
	t, reach, ok := o.b.bound(d)
	if !ok {
		o.failed = true
		return true
	}
	if from == onRight { // what is counted backwards is less than nothing
		d.from, d.to = d.to, d.from
		t.Min, t.Max = minus(t.Max), minus(t.Min)
		reach.least, reach.most = column.Ticks(minus(int64(reach.most))), column.Ticks(minus(int64(reach.least)))
	}
	if !o.alone[0] {
		t.From = d.from.when(o.b, d.at)
	}
	if !o.alone[1] {
		t.To = d.to.when(o.b, d.at)
	}
	o.node.Bounds = append(o.node.Bounds, t)
	if reach.least != math.MinInt64 {
		o.reach.least = max(o.reach.least, reach.least-d.from.spread)
	}
	if reach.most != math.MaxInt64 {
		o.reach.most = min(o.reach.most, reach.most+d.to.spread)
		wait := column.Ticks(t.Max)
		if t.Unit != "" {
			wait *= plan.BoundUnits[t.Unit]
		}
		o.wait = min(o.wait, wait)
	}
	return true
}

// minus is -v; what is unlimited stays so.
func minus(v int64) int64 {
	switch v {
	case math.MinInt64:
		return math.MaxInt64
	case math.MaxInt64:
		return math.MinInt64
	}
	return -v
}

// boundHint helps who has written a DATEDIFF that bounds nothing.
func (o *joinOn) boundHint(terms []syntax.Expr) string {
	l, r := o.sides[0].sources[0].alias, o.sides[1].sources[0].alias
	if l == "" {
		l = "a"
	}
	if r == "" {
		r = "b"
	}
	want := "DATEDIFF(minute, " + l + ", " + r + ") BETWEEN 0 AND 5"
	for _, t := range terms {
		if containsCall(t, "DATEDIFF") {
			return "the sources are its arguments, and it has an upper and a lower bound: " + want
		}
	}
	if s := o.b.selects; s != nil && s.Where != nil && containsCall(s.Where, "DATEDIFF") {
		return "move DATEDIFF from WHERE to ON: " + want
	}
	return "such as AND " + want
}

// partitions checks that sources which both have a PARTITION BY are joined by its key.
// Source: stream-analytics.md 10.
func (o *joinOn) partitions(terms []syntax.Expr) {
	for _, l := range o.sides[0].sources {
		for _, r := range o.sides[1].sources {
			if l.partition == nil || r.partition == nil || o.failed {
				continue
			}
			if x, y := l.partition.Into, r.partition.Into; x != nil && y != nil && canon(x, o.from) != canon(y, o.from) {
				o.b.fail(r.partition.Span, "write the same INTO behind both", "joined sources are partitioned into the same number of partitions")
				o.failed = true
			}
			if len(l.partition.Keys) != len(r.partition.Keys) {
				o.b.fail(r.partition.Span, "", "joined sources are partitioned by the same keys")
				o.failed = true
				continue
			}
			for i := range l.partition.Keys {
				if !o.equated(terms, o.keyOf(l, i), o.keyOf(r, i)) {
					x, y := o.b.text(l.partition.Keys[i].Loc()), o.b.text(r.partition.Keys[i].Loc())
					o.b.fail(r.partition.Span, "add "+l.alias+"."+x+" = "+r.alias+"."+y+" to ON", "sources with PARTITION BY are joined by its key")
					o.failed = true
				}
			}
		}
	}
}

// keyOf names a key of the PARTITION BY of a source as canon does in the ON clause.
func (o *joinOn) keyOf(src *source, i int) string {
	key := src.partition.Keys[i]
	p, ok := key.(*syntax.Path)
	if ok && !(len(p.Parts) > 1 && strings.EqualFold(p.Parts[0].Name, src.alias)) {
		p = &syntax.Path{Span: p.Span, Parts: append([]syntax.Ident{{Name: src.alias, Span: p.Span}}, p.Parts...)}
		return canon(p, o.from)
	}
	return canon(key, o.from)
}

func (o *joinOn) equated(terms []syntax.Expr, x, y string) bool {
	for _, t := range terms {
		e, ok := t.(*syntax.Binary)
		if !ok || e.Op != "=" {
			continue
		}
		if l, r := canon(e.L, o.from), canon(e.R, o.from); l == x && r == y || l == y && r == x {
			return true
		}
	}
	return false
}
