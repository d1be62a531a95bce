package syntax

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// forest makes random expressions of the parts that all dialects have.
type forest struct {
	r       *rand.Rand
	dialect Dialect
}

func (f *forest) pick(ss ...string) string { return ss[f.r.IntN(len(ss))] }

func (f *forest) ident() Ident {
	name := f.pick("a", "Timestamp", "all", "distinct", "top", "limit", "value", "x1")
	if f.dialect == TSQL { // all, distinct and top are reserved there
		name = f.pick("a", "Timestamp", "value", "limit", "x1")
	}
	if f.dialect == Spark {
		name = f.pick("a", "Timestamp", "all", "top", "value", "x1")
	}
	if f.r.IntN(4) == 0 {
		return Ident{Name: f.pick("a b", "x]y", "select", "it's"), Quote: '['}
	}
	return Ident{Name: name}
}

func (f *forest) exprs(depth, least int) []Expr {
	out := make([]Expr, least+f.r.IntN(3))
	for i := range out {
		out[i] = f.expr(depth)
	}
	return out
}

func (f *forest) expr(depth int) Expr {
	if depth == 0 {
		switch f.r.IntN(5) {
		case 0:
			return &Literal{Kind: IntLit, Text: f.pick("0", "17", "00")}
		case 1:
			return &Literal{Kind: DecimalLit, Text: f.pick("1.5", ".5", "5.")}
		case 2:
			return &Literal{Kind: StringLit, Text: f.pick("", "it's", `back\slash`, "--", "a\nb")}
		case 3:
			return &Literal{}
		}
		return &Path{Parts: []Ident{f.ident()}}
	}
	d := depth - 1
	not := f.r.IntN(2) == 0
	switch f.r.IntN(13) {
	case 0:
		return &Path{Parts: []Ident{f.ident(), f.ident()}}
	case 1:
		return &Unary{Op: f.pick("-", "+", "~", "NOT"), X: f.expr(d)}
	case 2, 3, 4:
		return &Binary{Op: f.pick("+", "-", "*", "/", "%", "&", "|", "^", "=", "<>", "<", ">=", "AND", "OR"), L: f.expr(d), R: f.expr(d)}
	case 5:
		return &IsNull{X: f.expr(d), Not: not}
	case 6:
		return &Between{X: f.expr(d), Lo: f.expr(d), Hi: f.expr(d), Not: not}
	case 7:
		return &In{X: f.expr(d), List: f.exprs(d, 1), Not: not}
	case 8:
		like := &Like{X: f.expr(d), Pattern: f.expr(d), Not: not}
		if f.r.IntN(2) == 0 {
			like.Escape = f.expr(d)
		}
		return like
	case 9:
		c := &Case{Whens: []When{{f.expr(d), f.expr(d)}}}
		if not {
			c.Operand, c.Else = f.expr(d), f.expr(d)
		}
		return c
	case 10:
		return &Cast{Func: f.pick("CAST", "TRY_CAST"), X: f.expr(d), Type: &TypeName{Name: "NVARCHAR", Args: []string{"MAX"}}}
	case 11:
		return &Field{X: &Call{Name: &Name{Parts: []Ident{{Name: "f"}}}, Args: f.exprs(d, 1)}, Name: f.ident()}
	}
	c := &Call{Name: &Name{Parts: []Ident{{Name: f.pick("f", "LEFT", "COUNT")}}}, Args: f.exprs(d, 1), Distinct: f.r.IntN(4) == 0}
	if f.r.IntN(3) == 0 {
		c.Over = &Over{PartitionBy: f.exprs(d, 1), OrderBy: []OrderItem{{Expr: f.expr(d), Desc: not}}}
		if f.dialect == ASA {
			c.Over.Limit = &Duration{Unit: Ident{Name: "minute"}, Count: f.expr(d)}
			c.Over.When = f.expr(d)
		}
	}
	return c
}

func TestAnyTreeSurvivesPrintingAndParsing(t *testing.T) {
	for seed := range uint64(3000) {
		f := &forest{r: rand.New(rand.NewPCG(seed, 1)), dialect: Dialect(seed % 3)}
		s := &Select{Items: []Item{{Expr: f.expr(4)}}, Where: f.expr(3), From: []Source{&TableRef{Name: &Name{Parts: []Ident{f.ident()}}}}}
		if seed%2 == 0 {
			alias := f.ident()
			s.Items[0].Alias = &alias
		}
		want := &Script{Dialect: f.dialect, Stmts: []Stmt{&QueryStmt{Query: &Query{Body: s}}}}
		text := want.String()
		got, errs := Parse(text, f.dialect)
		if len(errs) > 0 {
			t.Fatalf("seed %d: %v\n%s", seed, errs, text)
		}
		strip(reflect.ValueOf(got))
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: the tree differs after printing and parsing:\n%s\n%s", seed, text, got)
		}
	}
}

func TestHoistMakesOneWith(t *testing.T) {
	s := parsed(t, "WITH a AS (SELECT x FROM i) SELECT x INTO o FROM a; CREATE TABLE i (x bigint); WITH b AS (SELECT x FROM a) SELECT x INTO p FROM b", ASA)
	got := strings.Join(strings.Fields(Hoist(s).String()), " ")
	want := "CREATE TABLE i ( x BIGINT ); WITH a AS ( SELECT x FROM i ), b AS ( SELECT x FROM a ) SELECT x INTO o FROM a; SELECT x INTO p FROM b;"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(s.Stmts[0].(*QueryStmt).Query.With.Steps) != 1 {
		t.Error("the script itself has changed")
	}
}
