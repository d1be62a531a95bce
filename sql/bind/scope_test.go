package bind

import (
	"strings"
	"testing"

	"spate/sql/plan"
	"spate/sql/syntax"
)

// pair is a step with two inputs and a condition over the columns of both. It prints as
// a union.
type pair struct {
	plan.Union
	left, right plan.Node
	on          plan.Expr
}

func (p *pair) Columns() []plan.Column {
	return append(append([]plan.Column(nil), p.left.Columns()...), p.right.Columns()...)
}
func (p *pair) Inputs() []plan.Node { return []plan.Node{p.left, p.right} }
func (p *pair) Edges() []*plan.Node { return []*plan.Node{&p.left, &p.right} }
func (p *pair) Exprs() []*plan.Expr { return []*plan.Expr{&p.on} }
func (p *pair) Passes() bool        { return true }

// bindPair binds a script whose last statement is a JOIN, with a pair in its place that
// keeps rows of both inputs.
func bindPair(t *testing.T, src string) (*plan.Job, *pair, syntax.Errors) {
	t.Helper()
	script, errs := syntax.Parse(src, syntax.ASA)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	b := newBinder(src, Options{})
	job := &plan.Job{}
	last := script.Stmts[len(script.Stmts)-1].(*syntax.QueryStmt)
	for _, s := range script.Stmts {
		switch s := s.(type) {
		case *syntax.CreateTable:
			b.declare(s)
		case *syntax.QueryStmt:
			if s != last {
				job.Outputs = append(job.Outputs, b.statement(s))
			}
		}
	}
	if last.Query.With != nil {
		for _, s := range last.Query.With.Steps {
			b.step(s)
		}
	}
	sel := last.Query.Body.(*syntax.Select)
	join := sel.From[0].(*syntax.Join)
	sc := &scope{}
	p := &pair{left: b.source(sc, join.Left), right: b.source(sc, join.Right)}
	if len(b.errs) > 0 {
		return nil, nil, b.errs
	}
	q := &query{b: b, from: sc, clause: "ON"}
	p.on = q.cond(join.On)
	sc.rows = p
	for _, s := range sc.sources {
		s.prune = s.stream != nil
	}
	out := b.selectFrom(sc, sel)
	if len(b.errs) > 0 {
		return nil, nil, b.errs
	}
	job.Outputs = append(job.Outputs, &plan.Output{Name: "o", In: out})
	b.settle(job)
	return job, p, nil
}

// on is the condition of a pair, as a plan prints it.
func (p *pair) String() string {
	text := plan.Explain(&plan.Job{Outputs: []*plan.Output{{In: &plan.Filter{In: &plan.Union{}, Cond: p.on}}}})
	_, text, _ = strings.Cut(text, "filter ")
	text, _, _ = strings.Cut(text, " from ")
	return text
}

func TestColumnsOfTwoSources(t *testing.T) {
	for _, c := range []struct{ what, src, on, want string }{
		{"each source has its columns behind the other's", "SELECT a.y, b.x AS z, a.x INTO o FROM i a JOIN j b ON a.k = b.k AND b.n > 1",
			"and(=([k]@0, [k]@3), >([n]@4, 1:bigint))", `#1 = input [i] ([k] payload k, [y] payload y, [x] payload x)
#2 = input [j] ([k] payload k, [n] payload n, [x] payload x)
#3 = union () from #1, #2
#4 = project ([y]@1 as [y], [x]@5 as [z], [x]@2 as [x]) from #3
output [o] from #4
`},
		{"an input joined with itself is read once, and each side takes along what is read through it",
			"SELECT a.x, b.x AS z, b.y INTO o FROM i a JOIN i b ON a.k = b.k",
			"=([k]@0, [k]@2)", `#1 = input [i] ([k] payload k, [x] payload x, [y] payload y)
#2 = project ([k]@0 as [k], [x]@1 as [x]) from #1
#3 = union () from #2, #1
#4 = project ([x]@1 as [x], [x]@3 as [z], [y]@4 as [y]) from #3
output [o] from #4
`},
		{"columns that a statement before and one behind read are left out",
			"SELECT p, q INTO p FROM i; SELECT b.v INTO o FROM i a JOIN j b ON a.k = b.k",
			"=([k]@0, [k]@1)", `#1 = input [i] ([p] payload p, [q] payload q, [k] payload k)
#2 = project ([p]@0 as [p], [q]@1 as [q]) from #1
output [p] from #2
#3 = project ([k]@2 as [k]) from #1
#4 = input [j] ([k] payload k, [v] payload v)
#5 = union () from #3, #4
#6 = project ([v]@2 as [v]) from #5
output [o] from #6
`},
		{"analytic functions, WHERE, keys and aggregates are above",
			"SELECT a.k, SUM(b.v) AS s, COUNT(LAG(b.v) OVER (LIMIT DURATION(s, 1))) AS n INTO o FROM i a JOIN j b ON a.k = b.k WHERE a.w > b.w GROUP BY a.k, TumblingWindow(s, 5) HAVING SUM(b.v) > 1",
			"=([k]@0, [k]@2)", `#1 = input [i] ([k] payload k, [w] payload w)
#2 = input [j] ([k] payload k, [w] payload w, [v] payload v)
#3 = union () from #1, #2
#4 = analytic lag([v]@4, 1) as [LAG(b.v) OVER (LIMIT DURATION(s, 1))] by () limit 10000000 from #3
#5 = filter >([w]@1, [w]@3) from #4
#6 = aggregate SUM([v]@4) as [SUM(b.v)] of null, COUNT([LAG(b.v) OVER (LIMIT DURATION(s, 1))]@5) as [COUNT(LAG(b.v) OVER (LIMIT DURATION(s, 1)))] of null by ([k]@0 as [k]) over tumbling(50000000, 50000000, 0) from #5
#7 = filter >([SUM(b.v)]@1, 1:bigint) from #6
#8 = project ([k]@0 as [k], [SUM(b.v)]@1 as [s], [COUNT(LAG(b.v) OVER (LIMIT DURATION(s, 1)))]@2 as [n]) from #7
output [o] from #8
`},
		{"a name that one source surely has needs no alias, nor at its second place",
			"WITH s AS (SELECT k, v FROM j) SELECT V, a.V AS w, b.* INTO o FROM i a JOIN s b ON a.k = b.K WHERE v > 1",
			"=([k]@0, [k]@2)", `#1 = input [i] ([k] payload k, [V] payload V)
#2 = input [j] ([k] payload k, [v] payload v)
#3 = project ([k]@0 as [k], [v]@1 as [v]) from #2
#4 = union () from #1, #3
#5 = filter >([v]@3, 1:bigint) from #4
#6 = project ([v]@3 as [V], [V]@1 as [w], [k]@2 as [k]) from #5
output [o] from #6
`},
		{"a key with an alias and one without are one",
			"CREATE TABLE i (k bigint); SELECT k, COUNT(*) AS n INTO o FROM i a JOIN j b ON a.k = b.k GROUP BY a.k, b.k, TumblingWindow(s, 5)",
			"=([k]@0, [k]@1)", `#1 = input [i] ([k] payload k as bigint)
#2 = input [j] ([k] payload k)
#3 = union () from #1, #2
#4 = aggregate COUNT(*) as [COUNT(*)] of null by ([k]@0 as [k], [k]@1 as [k]) over tumbling(50000000, 50000000, 0) from #3
#5 = project ([k]@0 as [k], [COUNT(*)]@2 as [n]) from #4
output [o] from #5
`},
		{"an event is named by its alias", "SELECT COUNT(DISTINCT b) AS n, COUNT(a) AS m INTO o FROM i a JOIN j b ON a.k = b.k GROUP BY TumblingWindow(s, 5)",
			"=([k]@0, [k]@1)", `#1 = input [i] ([k] payload k)
#2 = input [j] ([k] payload k, [*] whole)
#3 = union () from #1, #2
#4 = aggregate COUNT(distinct [*]@2) as [COUNT(DISTINCT b)] of record, COUNT(*) as [COUNT(a)] of null by () over tumbling(50000000, 50000000, 0) from #3
#5 = project ([COUNT(DISTINCT b)]@0 as [n], [COUNT(a)]@1 as [m]) from #4
output [o] from #5
`},
	} {
		job, p, errs := bindPair(t, c.src)
		if len(errs) > 0 {
			t.Errorf("%s: %v", c.what, errs)
			continue
		}
		if got := plan.Explain(job); got != c.want {
			t.Errorf("%s\n%s\ngot\n%swant\n%s", c.what, c.src, got, c.want)
		}
		if p.String() != c.on {
			t.Errorf("%s: ON is %s, want %s", c.what, p, c.on)
		}
	}
}

func TestMistakesOverTwoSources(t *testing.T) {
	const steps = "WITH s AS (SELECT alpha, k FROM i), u AS (SELECT beta, k FROM i) "
	for _, c := range []struct{ src, want string }{
		{"SELECT x INTO o FROM i a JOIN j b ON a.k = b.k", "1:8: x may be a field both of a (1:22) and of b (1:31) (write a.x or b.x)"},
		{steps + "SELECT k INTO o FROM s JOIN u ON s.k = u.k", "k is a column both of s (1:87) and of u (1:94) (write s.k or u.k)"},
		{"SELECT k INTO o FROM i JOIN (SELECT k FROM j) ON i.k = 1", ""}, // surely of the query
		{"SELECT x INTO o FROM i JOIN (SELECT * FROM j) ON i.k = 1", "x may be a field both of i (1:22) and of the sub-query (1:29) (give both an alias"},
		{steps + "SELECT bet INTO o FROM s JOIN u ON s.k = u.k", "there is no column bet in s or u (did you mean beta?)"},
		{steps + "SELECT s.bet INTO o FROM s JOIN u ON s.k = u.k", "1:73: there is no column bet in s"},
		{steps + "SELECT alpha INTO o FROM s JOIN u ON s.k = u.alpha", "there is no column alpha in u"},
		{steps + "SELECT * INTO o FROM s JOIN u ON s.k = u.k", "SELECT * is not allowed over several sources (write s.*, or name the columns)"},
		{"SELECT a.x INTO o FROM i a JOIN j A ON a.k = 1", "1:33: two sources are named A, the other at 1:24"},
		{"SELECT i.x INTO o FROM i JOIN i ON i.k = 1", "two sources are named i"},
		{"SELECT LAST(*) OVER (LIMIT DURATION(s, 1)) AS l INTO o FROM i JOIN j ON i.k = j.k", "LAST(*) over several sources is not supported yet"},
		{"SELECT GetMetadataPropertyValue(x, '[EventHub].[PartitionId]') AS p INTO o FROM i JOIN j ON i.k = j.k", "the first argument of GetMetadataPropertyValue is the input of this SELECT"},
	} {
		_, _, errs := bindPair(t, c.src)
		switch {
		case c.want == "" && len(errs) > 0:
			t.Errorf("%s: %v", c.src, errs)
		case c.want != "" && (len(errs) == 0 || !strings.Contains(errs[0].Error(), c.want)):
			t.Errorf("%s\n got %v\nwant %s", c.src, errs, c.want)
		}
	}
}

// A scope inside another sees its own names first, then those outside; what is open
// inside takes every name that is no alias.
func TestNamesOfAScopeInsideAnother(t *testing.T) {
	closed := func(alias string, names ...string) *source {
		var cols []plan.Column
		for _, n := range names {
			cols = append(cols, plan.Column{Name: n})
		}
		return stepSource(alias, syntax.Span{}, nil, cols)
	}
	outer := &scope{sources: []*source{closed("out", "x", "y")}}
	for _, c := range []struct {
		inner *source
		path  string
		alias string // of the source; empty: none
		rest  string
	}{
		{closed("in", "x"), "x", "in", "x"},
		{closed("in", "x"), "y", "out", "y"},
		{closed("in", "x"), "z", "", "z"},
		{closed("in", "x"), "out.x", "out", "x"},
		{closed("in", "x"), "IN.y", "in", "y"},
		{closed("in", "out"), "out.x", "out", "x"},
		{closed("out", "a"), "out.x", "out", "x"}, // the inner one; it has no x
		{inputSource("in", syntax.Span{}, &stream{decl: &inputDecl{}}), "x", "in", "x"},
		{inputSource("in", syntax.Span{}, &stream{decl: &inputDecl{}}), "out.x", "out", "x"},
	} {
		sc := &scope{sources: []*source{c.inner}, outer: outer}
		src, rest, rival := sc.resolve(strings.Split(c.path, "."))
		alias := ""
		if src != nil {
			alias = src.alias
		}
		if alias != c.alias || strings.Join(rest, ".") != c.rest || rival != nil {
			t.Errorf("%s in %s inside of out: source %q, rest %v, rival %v; want %q, %s", c.path, c.inner.alias, alias, rest, rival, c.alias, c.rest)
		}
		if c.inner.alias == "out" && src != c.inner {
			t.Errorf("%s: the alias outside hides the one inside", c.path)
		}
	}
}
