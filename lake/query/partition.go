package query

import (
	"strings"

	"spate/sql/syntax"
)

// truth3 is a truth of three values.
type truth3 int8

const (
	isFalse truth3 = iota - 1
	isUnknown
	isTrue
)

func (t truth3) not() truth3 { return -t }

// partitionTest judges the values of a partition.
type partitionTest func(partition map[string]*string) truth3

// partitionFilter compiles a condition on the partition columns of a table. On others it is
// refused, as Spark does: such a condition would pack a part of a file.
func (b *binder) partitionFilter(e syntax.Expr, t *Table) (func(map[string]*string) bool, error) {
	test, err := b.partitionTest(e, t)
	if err != nil {
		return nil, err
	}
	return func(p map[string]*string) bool { return test(p) == isTrue }, nil
}

func (b *binder) partitionTest(e syntax.Expr, t *Table) (partitionTest, error) {
	switch e := e.(type) {
	case *syntax.Unary:
		if e.Op == "NOT" {
			x, err := b.partitionTest(e.X, t)
			if err != nil {
				return nil, err
			}
			return func(p map[string]*string) truth3 { return x(p).not() }, nil
		}
	case *syntax.Binary:
		switch e.Op {
		case "AND", "OR":
			l, err := b.partitionTest(e.L, t)
			if err != nil {
				return nil, err
			}
			r, err := b.partitionTest(e.R, t)
			if err != nil {
				return nil, err
			}
			if e.Op == "AND" {
				return func(p map[string]*string) truth3 { return min(l(p), r(p)) }, nil
			}
			return func(p map[string]*string) truth3 { return max(l(p), r(p)) }, nil
		case "=", "<>", "<", "<=", ">", ">=":
			if _, ok := e.L.(*syntax.Path); ok {
				c, err := b.partitionColumn(e.L, t)
				if err != nil {
					return nil, err
				}
				return b.partitionCompare(c, e.Op, e.R)
			}
			c, err := b.partitionColumn(e.R, t)
			if err != nil {
				return nil, err
			}
			return b.partitionCompare(c, map[string]string{"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}[e.Op], e.L)
		}
	case *syntax.Between:
		lo, err := b.partitionTest(&syntax.Binary{Span: e.Span, Op: ">=", L: e.X, R: e.Lo}, t)
		if err != nil {
			return nil, err
		}
		hi, err := b.partitionTest(&syntax.Binary{Span: e.Span, Op: "<=", L: e.X, R: e.Hi}, t)
		if err != nil {
			return nil, err
		}
		return negated(e.Not, func(p map[string]*string) truth3 { return min(lo(p), hi(p)) }), nil
	case *syntax.In:
		if e.Query != nil {
			break
		}
		var any []partitionTest
		for _, x := range e.List {
			one, err := b.partitionTest(&syntax.Binary{Span: e.Span, Op: "=", L: e.X, R: x}, t)
			if err != nil {
				return nil, err
			}
			any = append(any, one)
		}
		return negated(e.Not, func(p map[string]*string) truth3 {
			out := isFalse
			for _, one := range any {
				out = max(out, one(p))
			}
			return out
		}), nil
	case *syntax.IsNull:
		c, err := b.partitionColumn(e.X, t)
		if err != nil {
			return nil, err
		}
		return negated(e.Not, func(p map[string]*string) truth3 {
			if v, err := partitionValue(p[c.Physical], c.Type); err == nil && v.IsNull() {
				return isTrue
			}
			return isFalse
		}), nil
	}
	return nil, unsupported(e.Loc(), "A condition of this form in OPTIMIZE ... WHERE")
}

func negated(not bool, test partitionTest) partitionTest {
	if !not {
		return test
	}
	return func(p map[string]*string) truth3 { return test(p).not() }
}

func (b *binder) partitionColumn(e syntax.Expr, t *Table) (*TableColumn, error) {
	p, ok := e.(*syntax.Path)
	if !ok {
		return nil, unsupported(e.Loc(), "An expression over columns in OPTIMIZE ... WHERE")
	}
	name := p.Parts[len(p.Parts)-1].Name
	for i := range t.Columns {
		c := &t.Columns[i]
		if !strings.EqualFold(c.Name, name) {
			continue
		}
		if !c.Partition {
			return nil, &Error{Number: 50000, Class: 16, Pos: e.Loc().From,
				Message: "OPTIMIZE ... WHERE takes conditions on partition columns, and " + c.Name + " is none."}
		}
		return c, nil
	}
	return nil, errorf(207, e.Loc(), "Invalid column name '%s'.", name)
}

func (b *binder) partitionCompare(c *TableColumn, op string, e syntax.Expr) (partitionTest, error) {
	n, err := b.value(e, &env{})
	if err != nil {
		return nil, err
	}
	if n, err = b.convert(n, c.Type, castImplicit, e.Loc()); err != nil {
		return nil, err
	}
	if n.null {
		return func(map[string]*string) truth3 { return isUnknown }, nil
	}
	if n.con == nil {
		return nil, unsupported(e.Loc(), "An expression other than a constant in OPTIMIZE ... WHERE")
	}
	want := *n.con
	return func(p map[string]*string) truth3 {
		v, err := partitionValue(p[c.Physical], c.Type)
		if err != nil || v.IsNull() || want.IsNull() {
			return isUnknown
		}
		k := compareValues(v, want)
		ok := false
		switch op {
		case "=":
			ok = k == 0
		case "<>":
			ok = k != 0
		case "<":
			ok = k < 0
		case "<=":
			ok = k <= 0
		case ">":
			ok = k > 0
		case ">=":
			ok = k >= 0
		}
		if ok {
			return isTrue
		}
		return isFalse
	}, nil
}
