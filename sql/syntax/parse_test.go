package syntax

import (
	"strings"
	"testing"
)

func TestMistakesAreReportedAtTheirPlace(t *testing.T) {
	for _, c := range []struct {
		dialect Dialect
		text    string
		want    string // line:column: message
	}{
		{ASA, "SELECT a,\nFROM i", "2:1: unexpected FROM, want a column"},
		{ASA, "SELECT a b c FROM i", "1:12: unexpected name c, want ',' or FROM"},
		{ASA, "SELECT a", "1:9: the text ends where ',' or FROM is expected"},
		{ASA, "SELECT 'abc FROM i", "1:8: string without end"},
		{ASA, "SELECT [abc FROM i", "1:8: name in quotes without end"},
		{ASA, "SELECT a /* FROM i", "1:10: comment without end"},
		{ASA, "SELECT é, 12ab FROM i", "1:11: number 12 runs into a name"},
		{ASA, "SELECT DISTINCT a FROM i", "1:8: SELECT DISTINCT is not part"},
		{ASA, "SELECT TOP 5 a FROM i", "1:8: TOP is not part"},
		{ASA, "SELECT a FROM i ORDER BY a", "1:17: ORDER BY, LIMIT and OFFSET are not part"},
		{ASA, "SELECT a FROM i, j", "1:16: a comma join is not part"},
		{ASA, "SELECT a FROM i FULL JOIN j ON i.a = j.a", "1:17: RIGHT JOIN and FULL JOIN are not part"},
		{ASA, "SELECT a FROM i CROSS JOIN j", "1:17: CROSS JOIN is not part"},
		{ASA, "SELECT a FROM i UNION DISTINCT SELECT a FROM j", "1:23: a UNION of streams keeps duplicates"},
		{ASA, "SELECT a FROM i EXCEPT SELECT a FROM j", "1:17: EXCEPT and INTERSECT are not part"},
		{ASA, "SET @x = 1", "1:1: unexpected SET, want WITH, SELECT or CREATE TABLE"},
		{ASA, "SELECT a FROM i WHERE a = ", "1:27: the text ends where an expression"},
		{ASA, "SELECT a FROM i TIMESTAMP BY t TIMESTAMP BY t", "1:32: TIMESTAMP BY stands twice"},
		{ASA, "SELECT LAG(a) OVER (LIMIT DURATION(s, 1) LIMIT DURATION(s, 1)) FROM i", "1:42: LIMIT stands twice in OVER"},
		{ASA, "SELECT a FROM Group", "1:15: unexpected name Group, want a name (GROUP is a keyword; write [Group]"},
		{ASA, "SELECT \xff FROM i", "1:8: the text is not UTF-8"},
		{ASA, "SELECT a = FROM i", "1:12: unexpected FROM, want an expression"},
		{TSQL, "SELECT a FROM t PIVOT (x)", "1:17: PIVOT is not supported yet"},
		{TSQL, "MERGE t USING u", "1:1: MERGE is not supported yet"},
		{TSQL, "UPDATE t SET a = 1 FROM u", "1:20: UPDATE with FROM is not supported yet"},
		{TSQL, "UPDATE TOP (1) t SET a = 1", "1:8: UPDATE TOP is not supported yet"},
		{TSQL, "DELETE TOP (1) FROM t", "1:8: DELETE TOP is not supported yet"},
		{TSQL, "DELETE FROM t FROM u", "1:15: DELETE with a second FROM is not supported yet"},
		{Spark, "ALTER TABLE t ADD COLUMNS (a int) FIRST", "1:35: ADD COLUMNS with FIRST is not supported yet"},
		{Spark, "ALTER TABLE t FROB", "1:15: unexpected FROB, want ADD, DROP, ALTER COLUMN, RENAME COLUMN, SET TBLPROPERTIES or UNSET TBLPROPERTIES"},
		{TSQL, "SELECT a FROM t FOR JSON PATH", "1:17: SELECT ... FOR is not supported yet"},
		{Spark, "VACUUM t USING INVENTORY x", "1:10: VACUUM USING INVENTORY is not supported yet"},
		{Spark, "CREATE TABLE t (a INT) USING DELTA USING DELTA", "1:36: USING stands twice"},
	} {
		_, errs := Parse(c.text, c.dialect)
		if len(errs) == 0 || !strings.HasPrefix(errs[0].Error(), c.want) {
			t.Errorf("%q: got %v, want %s", c.text, errs, c.want)
		}
	}
}

func TestEveryStatementReportsItsOwnMistake(t *testing.T) {
	s, errs := Parse("SELECT FROM i;\nSELECT a FROM i;\nSELECT b FROM;", ASA)
	if len(s.Stmts) != 1 {
		t.Errorf("%d statements read, want 1", len(s.Stmts))
	}
	if len(errs) != 2 || errs[0].Span.From.Line != 1 || errs[1].Span.From.Line != 3 {
		t.Errorf("errors %v, want one in line 1 and one in line 3", errs)
	}
}

func TestDeepNestingIsRefused(t *testing.T) {
	for _, open := range []string{"(", "-", "NOT ", "CASE WHEN ", "f(", "[a].b + ("} {
		_, errs := Parse("SELECT "+strings.Repeat(open, 20_000)+" FROM i", ASA)
		if len(errs) == 0 {
			t.Errorf("%d times %q is accepted", 20_000, open)
		}
	}
	if _, errs := Parse("SELECT a"+strings.Repeat(" + a", 20_000)+" FROM i", ASA); len(errs) == 0 {
		t.Error("a chain of 20000 additions is accepted")
	}
}

func TestPrecedence(t *testing.T) {
	for _, c := range []struct {
		dialect    Dialect
		text, want string
	}{
		{ASA, "a + b * c", "a + b * c"},
		{ASA, "(a + b) * c", "(a + b) * c"},
		{ASA, "a - (b - c) - d", "a - (b - c) - d"},
		{ASA, "a & b + c", "a & b + c"},
		{ASA, "a & (b + c)", "a & (b + c)"},
		{Spark, "(a & b) + c", "(a & b) + c"},
		{Spark, "a & (b + c)", "a & b + c"},
		{ASA, "NOT (a = 1 AND b)", "NOT (a = 1 AND b)"},
		{ASA, "(NOT a = 1) AND b", "NOT a = 1 AND b"},
		{ASA, "a OR (b AND c)", "a OR b AND c"},
		{ASA, "(a OR b) AND c", "(a OR b) AND c"},
		{ASA, "a != b", "a <> b"},
		{ASA, "a !< -1", "a >= -1"},
		{ASA, "- -a", "- -a"},
		{ASA, "(-a).b", "(-a).b"},
		{ASA, "ExitStream .ExitTime", "ExitStream.ExitTime"},
		{ASA, "'it''s'", "'it''s'"},
		{ASA, "a BETWEEN 1 AND 2 AND b", "a BETWEEN 1 AND 2 AND b"},
	} {
		e, errs := ParseExpr(c.text, c.dialect)
		if len(errs) > 0 {
			t.Errorf("%s: %v", c.text, errs)
			continue
		}
		if got := FormatExpr(e, c.dialect); got != c.want {
			t.Errorf("%s is printed as %s, want %s", c.text, got, c.want)
		}
	}
}

func TestSpansCoverTheirText(t *testing.T) {
	src := "SELECT  a + b.c  AS x,\n\tABS( d )\nFROM [in] TIMESTAMP BY t"
	q := parsed(t, src, ASA).Stmts[0].(*QueryStmt).Query.Body.(*Select)
	text := func(s Span) string { return src[s.From.Offset:s.To.Offset] }
	if got := text(q.Items[0].Expr.Loc()); got != "a + b.c" {
		t.Errorf("first expression covers %q", got)
	}
	if got := text(q.Items[1].Expr.Loc()); got != "ABS( d )" {
		t.Errorf("second expression covers %q", got)
	}
	if at := q.Items[1].Expr.Loc().From; at.Line != 2 || at.Col != 2 {
		t.Errorf("second expression begins at %d:%d, want 2:2", at.Line, at.Col)
	}
	if got := text(q.From[0].Loc()); got != "[in] TIMESTAMP BY t" {
		t.Errorf("source covers %q", got)
	}
}
