package bind

import (
	"strings"
	"testing"

	"spate/sql/plan"
	"spate/sql/syntax"
)

func TestColumnsOfTwoSources(t *testing.T) {
	for _, c := range []struct{ what, src, want string }{
		{"each source has its columns behind the other's", "SELECT a.y, b.x AS z, a.x INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(s, a, b) = 0 AND b.n > 1",
			`#1 = input [i] ([k] payload k, [y] payload y, [x] payload x)
#2 = project ([k]@0 as [a.k], [y]@1 as [a.y], [x]@2 as [a.x]) from #1
#3 = input [j] ([k] payload k, [n] payload n, [x] payload x)
#4 = project ([k]@0 as [b.k], [n]@1 as [b.n], [x]@2 as [b.x]) from #3
#5 = join within -9999999 to 9999999 right >([b.n]@4, 1:bigint) keys (=([a.k]@0, [b.k]@3)) bound second(nothing, nothing) 0 to 0 from #2, #4
#6 = project ([a.y]@1 as [y], [b.x]@5 as [z], [a.x]@2 as [x]) from #5
output [o] from #6
`},
		{"an input joined with itself is read once, and each side takes along what is read through it",
			"SELECT a.x, b.x AS z, b.y INTO o FROM i a JOIN i b ON a.k = b.k AND DATEDIFF(s, a, b) = 0",
			`#1 = input [i] ([k] payload k, [x] payload x, [y] payload y)
#2 = project ([k]@0 as [a.k], [x]@1 as [a.x]) from #1
#3 = project ([k]@0 as [b.k], [x]@1 as [b.x], [y]@2 as [b.y]) from #1
#4 = join within -9999999 to 9999999 keys (=([a.k]@0, [b.k]@2)) bound second(nothing, nothing) 0 to 0 from #2, #3
#5 = project ([a.x]@1 as [x], [b.x]@3 as [z], [b.y]@4 as [y]) from #4
output [o] from #5
`},
		{"columns that a statement before and one behind read are left out",
			"SELECT p, q INTO p FROM i; SELECT b.v INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(s, a, b) = 0",
			`#1 = input [i] ([p] payload p, [q] payload q, [k] payload k)
#2 = project ([p]@0 as [p], [q]@1 as [q]) from #1
output [p] from #2
#3 = project ([k]@2 as [a.k]) from #1
#4 = input [j] ([k] payload k, [v] payload v)
#5 = project ([k]@0 as [b.k], [v]@1 as [b.v]) from #4
#6 = join within -9999999 to 9999999 keys (=([a.k]@0, [b.k]@1)) bound second(nothing, nothing) 0 to 0 from #3, #5
#7 = project ([b.v]@2 as [v]) from #6
output [o] from #7
`},
		{"analytic functions are below, WHERE, keys and aggregates above",
			"SELECT a.k, SUM(b.v) AS s, COUNT(LAG(b.v) OVER (LIMIT DURATION(s, 1))) AS n INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(s, a, b) = 0 WHERE a.w > b.w GROUP BY a.k, TumblingWindow(s, 5) HAVING SUM(b.v) > 1",
			`#1 = input [i] ([k] payload k, [w] payload w)
#2 = project ([k]@0 as [a.k], [w]@1 as [a.w]) from #1
#3 = input [j] ([k] payload k, [w] payload w, [v] payload v)
#4 = project ([k]@0 as [b.k], [w]@1 as [b.w], [v]@2 as [b.v]) from #3
#5 = analytic lag([b.v]@2, 1) as [LAG(b.v) OVER (LIMIT DURATION(s, 1))] by () limit 10000000 from #4
#6 = join within -9999999 to 9999999 keys (=([a.k]@0, [b.k]@2)) bound second(nothing, nothing) 0 to 0 from #2, #5
#7 = filter >([a.w]@1, [b.w]@3) from #6
#8 = aggregate SUM([b.v]@4) as [SUM(b.v)] of null, COUNT([LAG(b.v) OVER (LIMIT DURATION(s, 1))]@5) as [COUNT(LAG(b.v) OVER (LIMIT DURATION(s, 1)))] of null by ([a.k]@0 as [k]) over tumbling(50000000, 50000000, 0) from #7
#9 = filter >([SUM(b.v)]@1, 1:bigint) from #8
#10 = project ([k]@0 as [k], [SUM(b.v)]@1 as [s], [COUNT(LAG(b.v) OVER (LIMIT DURATION(s, 1)))]@2 as [n]) from #9
output [o] from #10
`},
		{"a name that one source surely has needs no alias, nor at its second place",
			"WITH s AS (SELECT k, v FROM j) SELECT V, a.V AS w, b.* INTO o FROM i a JOIN s b ON a.k = b.K AND DATEDIFF(s, a, b) = 0 WHERE v > 1",
			`#1 = input [i] ([k] payload k, [V] payload V)
#2 = project ([k]@0 as [a.k], [V]@1 as [a.V]) from #1
#3 = input [j] ([k] payload k, [v] payload v)
#4 = project ([k]@0 as [k], [v]@1 as [v]) from #3
#5 = project ([k]@0 as [b.k], [v]@1 as [b.v]) from #4
#6 = join within -9999999 to 9999999 keys (=([a.k]@0, [b.k]@2)) bound second(nothing, nothing) 0 to 0 from #2, #5
#7 = filter >([b.v]@3, 1:bigint) from #6
#8 = project ([b.v]@3 as [V], [a.V]@1 as [w], [b.k]@2 as [k]) from #7
output [o] from #8
`},
		{"a key with an alias and one without are one",
			"CREATE TABLE i (k bigint); SELECT k, COUNT(*) AS n INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(s, a, b) = 0 GROUP BY a.k, b.k, TumblingWindow(s, 5)",
			`#1 = input [i] ([k] payload k as bigint)
#2 = project ([k]@0 as [a.k]) from #1
#3 = input [j] ([k] payload k)
#4 = project ([k]@0 as [b.k]) from #3
#5 = join within -9999999 to 9999999 keys (=([a.k]@0, [b.k]@1)) bound second(nothing, nothing) 0 to 0 from #2, #4
#6 = aggregate COUNT(*) as [COUNT(*)] of null by ([a.k]@0 as [k], [b.k]@1 as [b.k]) over tumbling(50000000, 50000000, 0) from #5
#7 = project ([k]@0 as [k], [COUNT(*)]@2 as [n]) from #6
output [o] from #7
`},
		{"an event is named by its alias", "SELECT COUNT(DISTINCT b) AS n, COUNT(a) AS m INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(s, a, b) = 0 GROUP BY TumblingWindow(s, 5)",
			`#1 = input [i] ([k] payload k)
#2 = project ([k]@0 as [a.k]) from #1
#3 = input [j] ([k] payload k, [*] whole)
#4 = project ([k]@0 as [b.k], [*]@1.*) from #3
#5 = join within -9999999 to 9999999 keys (=([a.k]@0, [b.k]@1)) bound second(nothing, nothing) 0 to 0 from #2, #4
#6 = aggregate COUNT(distinct [*]@2) as [COUNT(DISTINCT b)] of record, COUNT(*) as [COUNT(a)] of null by () over tumbling(50000000, 50000000, 0) from #5
#7 = project ([COUNT(DISTINCT b)]@0 as [n], [COUNT(a)]@1 as [m]) from #6
output [o] from #7
`},
	} {
		job, errs, _ := Script(c.src, Options{})
		if len(errs) > 0 {
			t.Errorf("%s: %v", c.what, errs)
			continue
		}
		if got := plan.Explain(job); got != c.want {
			t.Errorf("%s\n%s\ngot\n%swant\n%s", c.what, c.src, got, c.want)
		}
	}
}

func TestMistakesOverTwoSources(t *testing.T) {
	const steps = "WITH s AS (SELECT alpha, k FROM i), u AS (SELECT beta, k FROM i) "
	for _, c := range []struct{ src, want string }{
		{"SELECT x INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(s, a, b) = 0", "1:8: x may be a field both of a (1:22) and of b (1:31) (write a.x or b.x)"},
		{steps + "SELECT k INTO o FROM s JOIN u ON s.k = u.k AND DATEDIFF(s, s, u) = 0", "k is a column both of s (1:87) and of u (1:94) (write s.k or u.k)"},
		{"SELECT k INTO o FROM i JOIN (SELECT k FROM j) q ON DATEDIFF(s, i, q) = 0", ""}, // surely of the query
		{"SELECT x INTO o FROM i JOIN (SELECT * FROM j) q ON DATEDIFF(s, i, q) = 0", "x may be a field both of i (1:22) and of q (1:29) (write i.x or q.x)"},
		{steps + "SELECT bet INTO o FROM s JOIN u ON s.k = u.k AND DATEDIFF(s, s, u) = 0", "there is no column bet in s or u (did you mean beta?)"},
		{steps + "SELECT s.bet INTO o FROM s JOIN u ON s.k = u.k AND DATEDIFF(s, s, u) = 0", "1:73: there is no column bet in s"},
		{steps + "SELECT alpha INTO o FROM s JOIN u ON s.k = u.alpha AND DATEDIFF(s, s, u) = 0", "there is no column alpha in u"},
		{steps + "SELECT * INTO o FROM s JOIN u ON s.k = u.k AND DATEDIFF(s, s, u) = 0", "SELECT * is not allowed over several sources (write s.*, or name the columns)"},
		{"SELECT a.x INTO o FROM i a JOIN j A ON a.k = 1", "1:33: two sources are named A, the other at 1:24"},
		{"SELECT i.x INTO o FROM i JOIN i ON i.k = 1", "two sources are named i"},
		{"SELECT LAST(*) OVER (LIMIT DURATION(s, 1)) AS l INTO o FROM i JOIN j ON i.k = j.k AND DATEDIFF(s, i, j) = 0", "LAST(*) is not allowed over several sources"},
		{"SELECT LAG(i.v + j.v) OVER (LIMIT DURATION(s, 1)) AS l INTO o FROM i JOIN j ON i.k = j.k AND DATEDIFF(s, i, j) = 0", "LAG looks at the rows of one source, before they are joined, and names columns of several"},
		{"SELECT ISFIRST(s, 1) AS l INTO o FROM i JOIN j ON i.k = j.k AND DATEDIFF(s, i, j) = 0", "ISFIRST looks at the rows of one source, before they are joined, and names none"},
		{"SELECT GetMetadataPropertyValue(x, '[EventHub].[PartitionId]') AS p INTO o FROM i JOIN j ON i.k = j.k AND DATEDIFF(s, i, j) = 0", "the first argument of GetMetadataPropertyValue is the input of this SELECT"},
	} {
		_, errs, _ := Script(c.src, Options{})
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
