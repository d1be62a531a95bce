package bind

import (
	"fmt"
	"go/ast"
	"regexp"
	"strings"
	"testing"

	"spate/internal/gosource"
)

// hints are all hints that stand in the source of the front end.
func hints(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	var add func(e ast.Expr)
	add = func(e ast.Expr) {
		if c, ok := e.(*ast.CallExpr); ok {
			if gosource.Called(c) == "Or" { // of cmp
				for _, a := range c.Args {
					add(a)
				}
			}
			return
		}
		if s := gosource.Text(e); strings.Trim(s, "…") != "" {
			out[s] = true
		}
	}
	for _, dir := range []string{".", "../syntax"} {
		for _, f := range gosource.Files(t, dir) {
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					name := gosource.Called(n)
					if name == "warn" && len(n.Args) > 2 { // its advice stands behind a semicolon
						if _, s, ok := strings.Cut(gosource.Text(n.Args[2]), "; "); ok && word.MatchString(s) {
							out[s] = true
						}
					}
					if (name == "fail" || name == "report" || name == "refuse") && len(n.Args) > 2 {
						add(n.Args[1])
					}
					if name == "stopped" || name == "need" {
						add(n.Args[1])
					}
				case *ast.AssignStmt:
					if id, ok := n.Lhs[0].(*ast.Ident); ok && id.Name == "hint" {
						add(n.Rhs[0])
					}
				case *ast.FuncDecl:
					if strings.HasSuffix(n.Name.Name, "Hint") && n.Name.Name != "Hint" {
						ast.Inspect(n, func(n ast.Node) bool {
							if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) == 1 {
								add(r.Results[0])
							}
							return true
						})
					}
				case *ast.ValueSpec:
					switch name := n.Names[0].Name; {
					case strings.HasSuffix(name, "Form") && len(n.Values) == 1:
						add(n.Values[0])
					case name == "replacements" || name == "misplaced" || name == "usages":
						for _, e := range n.Values[0].(*ast.CompositeLit).Elts {
							add(e.(*ast.KeyValueExpr).Value)
						}
					}
				}
				return true
			})
		}
	}
	return out
}

// word begins an advice.
var word = regexp.MustCompile(`^(use|compare|write) `)

// construct finds what a hint names: words in capitals, names with capitals inside, calls.
var construct = regexp.MustCompile(`[A-Z][A-Z_]+\b|\b[A-Z][a-z]+[A-Z]\w*|\b\w+\.\w+\(|\b\w+\(`)

// advice says of each hint of the front end what somebody writes who takes it. What a hint
// tells to leave out, and words of errors, are no part of it.
var advice = map[string]string{
	"write CROSS APPLY GetArrayElements(x) AS e, or GetRecordProperties(x)": "SELECT e.ArrayIndex, p.PropertyName INTO o FROM i CROSS APPLY GetArrayElements(x) AS e CROSS APPLY GetRecordProperties(x) AS p",
	"write AS e behind it":                                                                     "SELECT e.ArrayIndex INTO o FROM i CROSS APPLY GetArrayElements(x) AS e",
	"it stands only behind CROSS APPLY or OUTER APPLY":                                         "SELECT e.ArrayIndex INTO o FROM i CROSS APPLY GetArrayElements(x) AS e OUTER APPLY GetRecordProperties(y) AS p",
	"put the APPLY into a step, and compute it over the rows of that":                          "WITH s AS (SELECT e.ArrayValue AS v FROM i CROSS APPLY GetArrayElements(x) AS e) SELECT LAG(v) OVER (LIMIT DURATION(minute, 5)) AS p INTO o FROM s",
	"write the same INTO behind both":                                                          "SELECT x.a INTO o FROM i x PARTITION BY k INTO 2 JOIN j y PARTITION BY k INTO 2 ON x.k = y.k AND DATEDIFF(minute, x, y) = 0",
	"use JOIN ... ON with a DATEDIFF bound":                                                    "SELECT a.x INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5",
	"use a JOIN":                                                                               "SELECT a.x INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5",
	"write JOIN ... ON":                                                                        "SELECT a.x INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5",
	"use a JOIN, or a step":                                                                    "SELECT a.x INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5",
	"use WHERE or a JOIN":                                                                      "SELECT a.x INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5 WHERE a.x = 1",
	"write the stream before JOIN and the reference data behind it":                            "SELECT a.x INTO o FROM i a JOIN ref r ON a.k = r.k",
	"join the reference data with a stream first":                                              "WITH s AS (SELECT r.x FROM i a JOIN ref r ON a.k = r.k) SELECT x INTO o FROM s UNION SELECT x FROM i",
	"join it with a stream: FROM stream s JOIN reference r ON s.k = r.k":                       "SELECT s.x INTO o FROM stream s JOIN ref reference ON s.k = reference.k",
	"join it with a stream first":                                                              "SELECT r.k, COUNT(*) AS n INTO o FROM i a JOIN ref r ON a.k = r.k GROUP BY r.k, TumblingWindow(minute, 5)",
	"leave it out: which snapshot joins a row is decided by the time of that row":              "SELECT a.x INTO o FROM i a TIMESTAMP BY t JOIN ref r ON a.k = r.k",
	"use LEFT JOIN":                                                                            "SELECT a.x INTO o FROM i a LEFT JOIN j b ON a.k = b.k AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5",
	"name a column of the source whose rows are meant":                                         "SELECT x.a INTO o FROM i x JOIN j y ON DATEDIFF(minute, x, y) = 0 WHERE ISFIRST(minute, 10) OVER (PARTITION BY x.k) = 1",
	"join in a step, and compute it over the rows of that":                                     "WITH s AS (SELECT x.a + y.b AS c FROM i x JOIN j y ON DATEDIFF(minute, x, y) = 0) SELECT LAG(c) OVER (LIMIT DURATION(minute, 5)) AS p INTO o FROM s",
	"the units of a JOIN are week, day, hour, minute, second, millisecond and microsecond":     "SELECT x.a INTO o FROM i x JOIN j y ON DATEDIFF(week, x, y) = 0 AND DATEDIFF(day, x, y) = 0 AND DATEDIFF(hour, x, y) = 0 AND DATEDIFF(minute, x, y) = 0 AND DATEDIFF(second, x, y) = 0 AND DATEDIFF(millisecond, x, y) = 0 AND DATEDIFF(microsecond, x, y) = 0",
	"such as AND …":                                                                            "SELECT a.x INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5",
	"the sources are its arguments, and it has an upper and a lower bound: …":                  "SELECT a.x INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5",
	"add ….… = ….… to ON":                                                                      "SELECT x.a INTO o FROM i x PARTITION BY k JOIN j y PARTITION BY k ON x.k = y.k AND DATEDIFF(minute, x, y) = 0",
	"INTO stands before FROM: SELECT ... INTO output FROM input":                               "SELECT a INTO output FROM input",
	"PARTITION BY stands behind the input: FROM input PARTITION BY key":                        "SELECT a INTO o FROM input PARTITION BY key",
	"System.Timestamp() has no argument":                                                       "SELECT System.Timestamp() AS t INTO o FROM i",
	"TIMESTAMP BY stands behind the input: FROM input TIMESTAMP BY time":                       "SELECT a INTO o FROM input TIMESTAMP BY time",
	"add GROUP BY with a window such as TumblingWindow(minute, 5)":                             "SELECT COUNT(*) AS n INTO o FROM i GROUP BY TumblingWindow(minute, 5)",
	"add LIMIT DURATION(minute, 5) behind PARTITION BY":                                        "SELECT LAG(a) OVER (PARTITION BY k LIMIT DURATION(minute, 5)) AS p INTO o FROM i",
	"add MEASURES Last(A.x) AS x":                                                              matchScript,
	"name the columns, such as Last(A.x) AS x":                                                 matchScript,
	"name it in PATTERN":                                                                       matchScript,
	"define … first":                                                                           matchScript,
	"compute the rest around it, as in …(A.x) + 1":                                             "SELECT * INTO o FROM i MATCH_RECOGNIZE (LIMIT DURATION(minute, 1) MEASURES Max(A.x) + 1 AS x PATTERN (A) DEFINE A AS x > 1) AS m",
	"write {2}, {2,} or {2,5}, with numbers up to 1000":                                        "SELECT * INTO o FROM i MATCH_RECOGNIZE (LIMIT DURATION(minute, 1) MEASURES Last(A.x) AS x PATTERN (A{2} A{2,} A{2,5}) DEFINE A AS x > 1) AS m",
	"compute it in a step over the rows of the match":                                          "WITH s AS (SELECT * FROM i MATCH_RECOGNIZE (LIMIT DURATION(minute, 1) MEASURES Last(A.x) AS x PATTERN (A) DEFINE A AS x > 1) AS m) SELECT SUM(x) AS n INTO o FROM s GROUP BY TumblingWindow(minute, 5)",
	"add PartitionId to GROUP BY":                                                              "SELECT PartitionId, COUNT(*) AS n INTO o FROM i PARTITION BY PartitionId GROUP BY PartitionId, TumblingWindow(minute, 5)",
	"add it to GROUP BY or put it into an aggregate such as MAX(…)":                            "SELECT k, MAX(a) AS m INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"add it to GROUP BY, or compute it in a step":                                              "WITH s AS (SELECT LAG(a) OVER (LIMIT DURATION(minute, 5)) AS p FROM i) SELECT p, COUNT(*) AS n INTO o FROM s GROUP BY p, TumblingWindow(minute, 5)",
	"add one to GROUP BY, such as TumblingWindow(minute, 5)":                                   "SELECT COUNT(*) AS n INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"add the maximum duration: …":                                                              "SELECT COUNT(*) AS n INTO o FROM i GROUP BY SessionWindow(minute, 5, 10)",
	"an alias is visible only behind its SELECT: repeat the expression, or put it into a step": "WITH s AS (SELECT a + 1 AS b FROM i) SELECT b INTO o FROM s WHERE b > 1",
	"compare it, as in x = 1":                                                                  "SELECT a INTO o FROM i WHERE x = 1",
	"compare with CAST(1 AS bit)":                                                              "SELECT a INTO o FROM i WHERE b = CAST(1 AS bit)",
	"compute the aggregate in a step and apply the analytic function to that step":             "WITH s AS (SELECT MAX(a) AS m FROM i GROUP BY TumblingWindow(minute, 5)) SELECT LAG(m) OVER (LIMIT DURATION(minute, 10)) AS p INTO o FROM s",
	"compute the inner one in a step":                                                          "WITH s AS (SELECT MAX(a) AS m FROM i GROUP BY TumblingWindow(minute, 5)) SELECT MAX(m) AS m INTO o FROM s GROUP BY TumblingWindow(minute, 10)",
	"give both an alias and write it before the column":                                        "SELECT x.a INTO o FROM i x",
	"give it another name with AS":                                                             "SELECT a, a AS b INTO o FROM i",
	"give one of them another alias":                                                           "SELECT x.a INTO o FROM i x",
	"leave DISTINCT out":                                                                       "SELECT a INTO o FROM i UNION SELECT a FROM j",
	"leave ORDER BY out: rows come in the order of their timestamps":                           "SELECT LAG(a) OVER (PARTITION BY k LIMIT DURATION(minute, 5)) AS p INTO o FROM i",
	"leave the prefix out":                                                                     "SELECT ABS(a) AS b INTO o FROM i",
	"move the steps to the WITH of the statement":                                              "WITH s AS (SELECT a FROM i) SELECT a INTO o FROM s",
	"name a column":                "SELECT MAX(a) AS m INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"name a column, or the input":  "SELECT COUNT(DISTINCT i) AS m INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"name the columns":             "SELECT k, a INTO o FROM i GROUP BY k, a, TumblingWindow(minute, 5)",
	"put it on the input":          "WITH s AS (SELECT a FROM i TIMESTAMP BY t) SELECT a INTO o FROM s",
	"put the query in parentheses": "SELECT a INTO o FROM (SELECT a FROM i) s",
	"such as '[EventHub].[PartitionId]', '[User].[name]' or 'EventId'":            "SELECT GetMetadataPropertyValue(i, '[EventHub].[PartitionId]') AS p, GetMetadataPropertyValue(i, '[User].[name]') AS n, GetMetadataPropertyValue(i, 'EventId') AS e INTO o FROM i",
	"of what a device has sent it is '[IoTHub].[…]'":                              "SELECT GetMetadataPropertyValue(i, '[IoTHub].[MessageId]') AS m INTO o FROM i",
	"add it to GROUP BY or put it into an aggregate such as MAX(...)":             "SELECT MAX(GetMetadataPropertyValue(i, '[EventHub].[SequenceNumber]')) AS m INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"give it OVER and a key too":                                                  "SELECT a INTO o FROM i TIMESTAMP BY t OVER k; SELECT a INTO p FROM j TIMESTAMP BY t OVER d",
	"use fields of the event":                                                     "SELECT a INTO o FROM i TIMESTAMP BY t",
	"such as year, month, day, weekday, hour, minute or second":                   "SELECT DATEPART(year, t) AS year, DATEPART(month, t) AS month, DATEPART(day, t) AS day, DATEPART(weekday, t) AS weekday, DATEPART(hour, t) AS hour, DATEPART(minute, t) AS minute, DATEPART(second, t) AS second INTO o FROM i",
	"the clauses are SELECT, INTO, FROM, WHERE, GROUP BY, HAVING, in this order":  "SELECT k INTO o FROM i WHERE a = 1 GROUP BY k, TumblingWindow(minute, 5) HAVING k = 1",
	"the interval is the argument: ISFIRST(minute, 10)":                           "SELECT a INTO o FROM i WHERE ISFIRST(minute, 10) = 1",
	"the language has no logarithm":                                               "",
	"the language has no variables":                                               "",
	"the types are bigint, float, nvarchar(max), datetime, bit, record and array": "CREATE TABLE i (a bigint, b float, c nvarchar(max), d datetime, e bit, f record, g array); SELECT a INTO o FROM i",
	"the units are day, hour, minute, second, millisecond and microsecond":        "SELECT COUNT(*) AS n INTO o FROM i GROUP BY Windows(Window('a', TumblingWindow(day, 1)), Window('b', TumblingWindow(hour, 1)), Window('c', TumblingWindow(minute, 1)), Window('d', TumblingWindow(second, 1)), Window('e', TumblingWindow(millisecond, 1)), Window('f', TumblingWindow(microsecond, 1)))",
	"there is no look-ahead in a stream; use LAG":                                 "SELECT LAG(a) OVER (LIMIT DURATION(minute, 5)) AS p INTO o FROM i",
	"use AS in the SELECT list":                                                   "WITH s AS (SELECT a AS b FROM i) SELECT b INTO o FROM s",
	"use CASE":                                                                    "SELECT CASE a WHEN 1 THEN 'x' WHEN 2 THEN 'y' END AS b INTO o FROM i",
	"use CASE WHEN ... THEN ... ELSE ... END":                                     "SELECT CASE WHEN a > 1 THEN 1 ELSE 0 END AS b INTO o FROM i",
	"use CASE WHEN ... THEN 1 ELSE 0 END":                                         "SELECT CASE WHEN a > 1 THEN 1 ELSE 0 END AS b INTO o FROM i",
	"use CAST(x AS bigint), FLOOR or CEILING":                                     "SELECT CAST(x AS bigint) AS a, FLOOR(x) AS b, CEILING(x) AS c INTO o FROM i",
	"use CAST(x AS type)":                                                         "SELECT CAST(x AS float) AS a INTO o FROM i",
	"use CEILING(x)":                                                              "SELECT CEILING(x) AS a INTO o FROM i",
	"use COALESCE(a, b)":                                                          "SELECT COALESCE(a, b) AS c INTO o FROM i",
	"use COUNT(DISTINCT x), or ISFIRST() in WHERE":                                "SELECT COUNT(DISTINCT x) AS n INTO o FROM i GROUP BY k, TumblingWindow(minute, 5); SELECT a INTO p FROM i WHERE ISFIRST(minute, 5) = 1",
	"use DATEADD and DATEDIFF":                                                    "SELECT DATEADD(day, 1, t) AS a, DATEDIFF(day, t, u) AS b INTO o FROM i",
	"use DATEADD(millisecond, x, '1970-01-01T00:00:00Z') for Unix time":           "SELECT a INTO o FROM i TIMESTAMP BY DATEADD(millisecond, x, '1970-01-01T00:00:00Z')",
	"use HAVING, or a step":                                                       "SELECT k INTO o FROM i GROUP BY k, TumblingWindow(minute, 5) HAVING COUNT(*) > 1",
	"use IS NULL":                                                                 "SELECT a INTO o FROM i WHERE b IS NULL",
	"use LEN(x)":                                                                  "SELECT LEN(x) AS n INTO o FROM i",
	"use LIMIT DURATION(unit, n)":                                                 "SELECT LAG(a) OVER (LIMIT DURATION(minute, 5)) AS p INTO o FROM i",
	"write OVER (PARTITION BY k LIMIT DURATION(minute, 5))":                       "SELECT AVG(a) OVER (PARTITION BY k LIMIT DURATION(minute, 5)) AS m INTO o FROM i",
	"add LIMIT DURATION(minute, 5)":                                               "SELECT TopOne() OVER (PARTITION BY k ORDER BY a LIMIT DURATION(minute, 5)) AS m INTO o FROM i",
	"use TopOne() or CollectTop(n) OVER (ORDER BY ...)":                           "SELECT TopOne() OVER (ORDER BY a) AS t, CollectTop(3) OVER (ORDER BY a) AS c INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"use TopOne() OVER (ORDER BY ...)":                                            "SELECT TopOne() OVER (ORDER BY a) AS t INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"use CollectTop(n) OVER (ORDER BY ...)":                                       "SELECT CollectTop(3) OVER (ORDER BY a) AS c INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"use Collect()":                                                               "SELECT Collect() AS c INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"leave it out":                                                                "SELECT Collect() AS c INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"the service has it no more; use AnomalyDetection_SpikeAndDip or AnomalyDetection_ChangePoint": "SELECT AnomalyDetection_SpikeAndDip(x, 95, 120, 'spikesanddips') OVER (LIMIT DURATION(minute, 2)) AS s, AnomalyDetection_ChangePoint(x, 80, 120) OVER (LIMIT DURATION(minute, 2)) AS c INTO o FROM i",
	"use PERCENTILE_CONT(0.5) OVER (ORDER BY x)":                                                   "SELECT PERCENTILE_CONT(0.5) OVER (ORDER BY x) AS p INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"write …(...) OVER (ORDER BY x)":                                                               "SELECT PERCENTILE_CONT(0.5) OVER (ORDER BY x) AS p, TopOne() OVER (ORDER BY x) AS t, CollectTop(3, a) OVER (ORDER BY x) AS c INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"write it again as a .js file, and declare that under functions of the job":                    "SELECT udf.f(x) AS y INTO o FROM i",
	"declare it under functions of the job; spate eval takes --function …=f.js":                    "SELECT udf.f(x) AS y INTO o FROM i",
	"give it the whole row":        "SELECT udf.f(i) AS y INTO o FROM i",
	"write udf.…":                  "SELECT udf.f(x) AS y INTO o FROM i",
	"write uda.…":                  "SELECT uda.g(x) AS y INTO o FROM i GROUP BY TumblingWindow(minute, 5)",
	"use POWER(x, y)":              "SELECT POWER(x, y) AS n INTO o FROM i",
	"use STDEV(x)":                 "SELECT STDEV(x) AS n INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"use System.Timestamp()":       "SELECT System.Timestamp() AS t INTO o FROM i",
	"use System.Window().Id":       "SELECT System.Window().Id AS w, COUNT(*) AS n INTO o FROM i GROUP BY Windows(Window('a', TumblingWindow(minute, 5)))",
	"use TRY_CAST(x AS type)":      "SELECT TRY_CAST(x AS float) AS a INTO o FROM i",
	"use VAR(x)":                   "SELECT VAR(x) AS n INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"use Windows(...) for several": "SELECT COUNT(*) AS n INTO o FROM i GROUP BY Windows(TumblingWindow(minute, 5), SlidingWindow(minute, 5))",
	"use a % b":                    "SELECT a % b AS c INTO o FROM i",
	"use brackets":                 "SELECT [a b] INTO o FROM i",
	"use it with GROUP BY and a window, such as SlidingWindow(minute, 5)": "SELECT AVG(x) AS n INTO o FROM i GROUP BY SlidingWindow(minute, 5)",
	"use nvarchar(max)":         "SELECT CAST(x AS nvarchar(max)) AS t INTO o FROM i",
	"use single quotes":         "SELECT 'a' AS b INTO o FROM i",
	"use week (wk, ww)":         "SELECT DATEPART(week, t) AS a, DATEPART(wk, t) AS b, DATEPART(ww, t) AS c INTO o FROM i",
	"use weekday (dw)":          "SELECT DATEPART(weekday, t) AS a, DATEPART(dw, t) AS b INTO o FROM i",
	"use …":                     "SELECT CAST(a AS bigint) AS a, CAST(b AS float) AS b, CAST(c AS nvarchar(max)) AS c, CAST(d AS datetime) AS d, CAST(e AS bit) AS e INTO o FROM i",
	"write ISFIRST(minute, 10)": "SELECT a INTO o FROM i WHERE ISFIRST(minute, 10) = 1",
	"write Window('id', TumblingWindow(minute, 5))":              "SELECT COUNT(*) AS n INTO o FROM i GROUP BY Windows(Window('id', TumblingWindow(minute, 5)))",
	"write it with a point to make it a float":                   "SELECT 9223372036854775808.0 AS x INTO o FROM i",
	"write …(…) OVER (PARTITION BY k LIMIT DURATION(minute, 5))": "SELECT LAG(x) OVER (PARTITION BY k LIMIT DURATION(minute, 5)) AS p, ANOMALYDETECTION_CHANGEPOINT(x, 95, 120) OVER (PARTITION BY k LIMIT DURATION(minute, 5)) AS q INTO o FROM i",
	"write …(…)":                     "SELECT ANOMALYDETECTION_SPIKEANDDIP(x, 95, 120, 'spikesanddips') OVER (LIMIT DURATION(minute, 5)) AS p INTO o FROM i",
	"write …":                        "SELECT COUNT(*) AS n INTO o FROM i GROUP BY Windows(TumblingWindow(minute, 5), HoppingWindow(minute, 10, 5), SlidingWindow(minute, 5), SessionWindow(minute, 5, 10))",
	"write ….*, or name the columns": "SELECT x.* INTO o FROM i x",
	"write ….… or ….…":               "SELECT x.a INTO o FROM i x",

	// what the parser says of words and signs
	"IN takes at least one value, as in IN ('a', 'b')":                                                                   "SELECT a INTO o FROM i WHERE a IN ('a', 'b')",
	"OVER stands behind a call, with parentheses: OVER (PARTITION BY key LIMIT DURATION(minute, 5))":                     "SELECT LAG(a) OVER (PARTITION BY key LIMIT DURATION(minute, 5)) AS p INTO o FROM i",
	"a SELECT reads an input or a step: SELECT ... INTO output FROM input":                                               "SELECT 1 AS a INTO output FROM input",
	"a column has a name and a type, and nothing else":                                                                   "CREATE TABLE i (a bigint); SELECT a INTO o FROM i",
	"a comment begins with --":                                                                                           "SELECT a INTO o FROM i -- all",
	"a name that begins with a digit stands in brackets, a time in single quotes, and a number has decimal digits alone": "SELECT [1st] AS a INTO o FROM i WHERE t > '2026-01-05T00:00:00Z' AND n > 1000",
	"a quote inside a text is written twice: 'it''s'":                                                                    "SELECT 'it''s' AS a INTO o FROM i",
	"a script holds queries and the declarations of inputs, and no other statements":                                     "CREATE TABLE i (a bigint); SELECT a INTO o FROM i",
	"a statement has one INTO: write a statement for each output":                                                        "SELECT a INTO o FROM i; SELECT a INTO p FROM i",
	"a step does not read itself":                                                                                        "WITH s AS (SELECT a FROM i) SELECT a INTO o FROM s",
	"a step is visible behind its definition, which stands at …: move it up":                                             "WITH s AS (SELECT a FROM i), u AS (SELECT a FROM s) SELECT a INTO o FROM u",
	"a window stands in GROUP BY, behind a comma if there are keys: GROUP BY key, TumblingWindow(minute, 5)":             "SELECT key, COUNT(*) AS n INTO o FROM i GROUP BY key, TumblingWindow(minute, 5)",
	"an alias belongs to a column of the SELECT list or to a source":                                                     "SELECT a > 1 AS b INTO o FROM i AS x",
	"close the comment with */":                                                                                          "SELECT a INTO o FROM i /* all */",
	"close the name with the quote or bracket that ends it":                                                              "SELECT [a] INTO o FROM i",
	"close the query before it with a parenthesis":                                                                       "WITH s AS (SELECT a FROM i) SELECT a INTO o FROM s",
	"close the text with a single quote; a quote inside is written twice":                                                "SELECT 'it''s' AS a INTO o FROM i",
	"compare it, as in DATEDIFF(minute, a, b) BETWEEN 0 AND 5":                                                           "SELECT a.x INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5",
	"compute it in a step":         "WITH s AS (SELECT MAX(a) AS m FROM i GROUP BY TumblingWindow(minute, 1)) SELECT m, COUNT(*) AS n INTO o FROM s GROUP BY m, TumblingWindow(minute, 5)",
	"did you mean … instead of …?": "SELECT a INTO o FROM i WHERE a = 1 GROUP BY a, TumblingWindow(minute, 5)",
	"did you mean …?":              "SELECT CAST(a AS float) AS a INTO o FROM i GROUP BY a, TumblingWindow(minute, 5)",
	"events are not changed: write a SELECT whose WHERE keeps the rows that are wanted":             "SELECT a INTO o FROM i WHERE a = 1",
	"fields of a record stand behind a dot: record.field":                                           "SELECT record.field INTO o FROM i",
	"leave CASE out: a CASE ends with END":                                                          "SELECT CASE WHEN a > 1 THEN 1 WHEN a > 0 THEN 2 ELSE 0 END AS b INTO o FROM i",
	"leave EMIT out: a window gives its rows when it ends":                                          "SELECT k, COUNT(*) AS n INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"leave GO out: statements need nothing between them":                                            "SELECT a INTO o FROM i\nSELECT a INTO p FROM i",
	"leave IF NOT EXISTS out":                                                                       "CREATE TABLE i (a bigint); SELECT a INTO o FROM i",
	"leave RECURSIVE out: a step does not read itself":                                              "WITH s AS (SELECT a FROM i) SELECT a INTO o FROM s",
	"leave WITH and its parenthesis out: streams have no locks":                                     "SELECT a INTO o FROM i",
	"leave the N before the text out":                                                               "SELECT 'a' AS b INTO o FROM i",
	"leave the comma before it out":                                                                 "SELECT a INTO o FROM i",
	"leave the comma out":                                                                           "SELECT a INTO o FROM i",
	"leave the length out":                                                                          "CREATE TABLE i (a float); SELECT a INTO o FROM i",
	"leave the second INTO out, or write a statement for each output":                               "SELECT a INTO o FROM i; SELECT a INTO p FROM i",
	"m is month: write minute, mi or n":                                                             "SELECT COUNT(*) AS n INTO o FROM i GROUP BY Windows(TumblingWindow(minute, 1), TumblingWindow(mi, 2), TumblingWindow(n, 3))",
	"move DATEDIFF from WHERE to ON: …":                                                             "SELECT a.x INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5 WHERE a.x = 1",
	"name columns behind SELECT, or write *":                                                        "SELECT a INTO o FROM i; SELECT * INTO p FROM i",
	"no source is named …: write ….… or ….…":                                                        "SELECT a.x INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5",
	"steps stand before the SELECT that reads them: WITH step AS (SELECT ...) SELECT ... FROM step": "WITH s AS (SELECT a FROM i) SELECT a INTO o FROM s",
	"texts stand in straight single quotes: 'text'":                                                 "SELECT 'text' AS a INTO o FROM i",
	"the alias stands behind AS, the expression before it":                                          "SELECT a + 1 AS b INTO o FROM i",
	"the unit stands first, as in (minute, 5)":                                                      "SELECT k, COUNT(*) AS n INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"this parenthesis closes nothing: leave it out, or open it":                                     "SELECT (a + 1) * 2 AS b INTO o FROM i",
	"use <=":                               "SELECT a INTO o FROM i WHERE a <= 1",
	"use =":                                "SELECT a INTO o FROM i WHERE a = 1",
	"use = or <>: IS tests for NULL alone": "SELECT a INTO o FROM i WHERE a = 'x' OR b <> 'x' OR c IS NULL",
	"use >=":                               "SELECT a INTO o FROM i WHERE a >= 1",
	"use AND":                              "SELECT a INTO o FROM i WHERE a > 1 AND b > 1",
	"use AND between conditions; a number has no comma inside":                     "SELECT a INTO o FROM i WHERE a > 1000 AND b > 1",
	"use AND between two comparisons":                                              "SELECT a INTO o FROM i WHERE 1 < a AND a < 2",
	"use AVG(x)":                                                                   "SELECT AVG(x) AS n INTO o FROM i GROUP BY TumblingWindow(minute, 5)",
	"use CAST('2026-01-05T00:00:00Z' AS datetime)":                                 "SELECT a INTO o FROM i WHERE t > CAST('2026-01-05T00:00:00Z' AS datetime)",
	"use CAST(x AS datetime)":                                                      "SELECT CAST(x AS datetime) AS t INTO o FROM i",
	"use CAST(x AS nvarchar(max)), DATENAME(month, t) or DATEPART(year, t)":        "SELECT CAST(x AS nvarchar(max)) AS a, DATENAME(month, t) AS b, DATEPART(year, t) AS c INTO o FROM i",
	"use CHARINDEX(text, x)":                                                       "SELECT CHARINDEX(text, x) AS n INTO o FROM i",
	"use DATEADD(minute, 5, x) for a time, TumblingWindow(minute, 5) for a window": "SELECT DATEADD(minute, 5, x) AS t INTO o FROM i; SELECT COUNT(*) AS n INTO p FROM i GROUP BY TumblingWindow(minute, 5)",
	"use DATEPART(hour, x)":                                                        "SELECT DATEPART(hour, x) AS h INTO o FROM i",
	"use GetArrayElement(array, 0)":                                                "SELECT GetArrayElement(array, 0) AS a INTO o FROM i",
	"use GetRecordPropertyValue(JSON_PARSE(x), 'name')":                            "SELECT GetRecordPropertyValue(JSON_PARSE(x), 'name') AS a INTO o FROM i",
	"use IS NOT NULL":                                                              "SELECT a INTO o FROM i WHERE b IS NOT NULL",
	"use LIKE, over LOWER(x) to ignore case":                                       "SELECT a INTO o FROM i WHERE LOWER(x) LIKE '%a%'",
	"use NOT":                                                                      "SELECT a INTO o FROM i WHERE NOT a = 1",
	"use OR between conditions, + or CONCAT(a, b) for texts":                       "SELECT a + b AS c, CONCAT(a, b) AS d INTO o FROM i WHERE a = 'x' OR b = 'x'",
	"use REGEXMATCH(x, 'pattern') = 1":                                             "SELECT a INTO o FROM i WHERE REGEXMATCH(x, 'pattern') = 1",
	"use SELECT ... INTO output FROM input":                                        "SELECT a INTO output FROM input",
	"use a step, and WHERE in the SELECT that reads it":                            "WITH s AS (SELECT LAG(a) OVER (LIMIT DURATION(minute, 5)) AS p FROM i) SELECT p INTO o FROM s WHERE p > 1",
	"use a step: WITH name AS (SELECT ...) before the SELECT that reads it":        "WITH s AS (SELECT a FROM i) SELECT a INTO o FROM s",
	"write %s.%s":                   "SELECT x.a INTO o FROM i x",
	"write BETWEEN a AND b":         "SELECT x INTO o FROM i WHERE x BETWEEN a AND b",
	"write CAST(x AS type)":         "SELECT CAST(x AS float) AS a INTO o FROM i",
	"write CHARINDEX('part', text)": "SELECT CHARINDEX('part', text) AS n INTO o FROM i",
	"write CREATE TABLE input (column bigint, ...), a type behind each column": "CREATE TABLE input (a bigint, b float); SELECT a INTO o FROM input",
	"write DATEADD(minute, 5, t)":                                               "SELECT DATEADD(minute, 5, t) AS u INTO o FROM i",
	"write DATEDIFF(minute, a, b)":                                              "SELECT DATEDIFF(minute, a, b) AS n INTO o FROM i",
	"write DATENAME(month, t)":                                                  "SELECT DATENAME(month, t) AS n INTO o FROM i",
	"write DATEPART(hour, t)":                                                   "SELECT DATEPART(hour, t) AS n INTO o FROM i",
	"write FROM input ... GROUP BY TumblingWindow(minute, 5)":                   "SELECT COUNT(*) AS n INTO o FROM input GROUP BY TumblingWindow(minute, 5)",
	"write GROUP BY":                                                            "SELECT k, COUNT(*) AS n INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"write GetMetadataPropertyValue(input, '[EventHub].[PartitionId]')":         "SELECT GetMetadataPropertyValue(input, '[EventHub].[PartitionId]') AS p INTO o FROM input",
	"write IN ('a', 'b')":                                                       "SELECT a INTO o FROM i WHERE a IN ('a', 'b')",
	"write INTO: without it the rows go to an output named output":              "SELECT a INTO o FROM i",
	"write JOIN b ON a.key = b.key AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5":  "SELECT a.x INTO o FROM a JOIN b ON a.key = b.key AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5",
	"write LIMIT DURATION(minute, 5) behind PARTITION BY, without a comma":      "SELECT LAG(a) OVER (PARTITION BY key LIMIT DURATION(minute, 5)) AS p INTO o FROM i",
	"write NULL AS name where a member has no such column":                      "SELECT a, b INTO o FROM i UNION SELECT a, NULL AS b FROM j",
	"write REPLACE(text, 'old', 'new')":                                         "SELECT REPLACE(text, 'old', 'new') AS a INTO o FROM i",
	"write ROUND(x, 2)":                                                         "SELECT ROUND(x, 2) AS a INTO o FROM i",
	"write SELECT ... INTO output FROM input":                                   "SELECT a INTO output FROM input",
	"write SUBSTRING(text, 1, 5): the first character is 1":                     "SELECT SUBSTRING(text, 1, 5) AS a INTO o FROM i",
	"write TIMESTAMP BY":                                                        "SELECT a INTO o FROM i TIMESTAMP BY t",
	"write WITH step AS (SELECT ...)":                                           "WITH s AS (SELECT a FROM i) SELECT a INTO o FROM s",
	"write Windows(TumblingWindow(minute, 5), ...)":                             "SELECT COUNT(*) AS n INTO o FROM i GROUP BY Windows(TumblingWindow(minute, 5), HoppingWindow(minute, 10, 5))",
	"write a comma before …":                                                    "SELECT a, UPPER(b) AS b INTO o FROM i",
	"write a comma between steps":                                               "WITH s AS (SELECT a FROM i), u AS (SELECT a FROM s) SELECT a INTO o FROM u",
	"write a key beside it: GROUP BY key, Windows(...)":                         "SELECT COUNT(*) AS n INTO o FROM i GROUP BY key, Windows(TumblingWindow(minute, 5))",
	"write another WHEN ... THEN ... before ELSE":                               "SELECT CASE WHEN a > 1 THEN 1 WHEN a > 0 THEN 2 ELSE 0 END AS b INTO o FROM i",
	"write it in GROUP BY; the end of the window is System.Timestamp()":         "SELECT System.Timestamp() AS t, COUNT(*) AS n INTO o FROM i GROUP BY TumblingWindow(minute, 5)",
	"write it in the SELECT that reads the step":                                "WITH s AS (SELECT a FROM i) SELECT a INTO o FROM s",
	"write one WITH, with a comma between its steps":                            "WITH s AS (SELECT a FROM i), u AS (SELECT a FROM s) SELECT a INTO o FROM u",
	"write the column":                                                          "SELECT k, COUNT(*) AS n INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"write the key beside the window: GROUP BY key, TumblingWindow(minute, 5)":  "SELECT key, COUNT(*) AS n INTO o FROM i GROUP BY key, TumblingWindow(minute, 5)",
	"write the last part alone, or all in brackets if the name holds a dot":     "SELECT a INTO o FROM i; SELECT a INTO [o.x] FROM [i.x]",
	"write the name in brackets: […-…]":                                         "SELECT a INTO [o-x] FROM [i-x]",
	"write the name of the window as one word, as in TumblingWindow(minute, 5)": "SELECT k, COUNT(*) AS n INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"write the name without quotes, or in brackets":                             "SELECT a INTO o FROM i; SELECT a INTO [o] FROM [i]",
	"write the pattern in single quotes: LIKE '%text%'":                         "SELECT a INTO o FROM i WHERE a LIKE '%text%'",
	"write the unit first, and a comma behind it: (…, …)":                       "SELECT k, COUNT(*) AS n INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"write the unit without quotes":                                             "SELECT k, COUNT(*) AS n INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
	"write … instead of …":                                                      "SELECT a.x INTO o FROM i a JOIN j b ON a.k = b.k AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5",
	"… is a keyword; write […] to use it as a name":                             "SELECT [group] INTO [table] FROM [select]",
}

// matchScript has all clauses of MATCH_RECOGNIZE.
const matchScript = "SELECT * INTO o FROM i MATCH_RECOGNIZE (LIMIT DURATION(minute, 1) PARTITION BY k MEASURES Last(A.x) AS x PATTERN (A B) DEFINE A AS x > 1, B AS x > A.x) AS m"

// Whoever takes a hint is not refused again: each has a script that does what it says, with
// everything that it names, and that is bound.
func TestHintsLeadToWhatIsAccepted(t *testing.T) {
	given := hints(t)
	if len(given) < 40 {
		t.Fatalf("%d hints found in the source: %v", len(given), given)
	}
	for hint := range given {
		if strings.Contains(hint, "not supported yet") {
			continue // it refuses, and advises nothing
		}
		script, ok := advice[hint]
		if !ok {
			t.Errorf("%q: advice has no script that takes this hint", hint)
			continue
		}
		if script == "" {
			if named := construct.FindAllString(hint, -1); named != nil {
				t.Errorf("%q names %q and has no script", hint, named)
			}
			continue
		}
		if _, errs, _ := Script(script, Options{Functions: testFunctions(t), References: []string{"ref"}}); len(errs) > 0 {
			t.Errorf("%q leads to\n%s\nwhich is refused: %v", hint, script, errs)
		}
		for _, name := range construct.FindAllString(leave.ReplaceAllString(hint, ""), -1) {
			if !strings.Contains(strings.ToLower(script), strings.ToLower(name)) {
				t.Errorf("%q names %s, which its script has not: %s", hint, name, script)
			}
		}
	}
	for hint := range advice {
		if !given[hint] {
			t.Errorf("advice has a script for %q, which is no hint", hint)
		}
	}
}

var leave = regexp.MustCompile(`leave (\w+ )+out`)

// A word that is misspelt is not taken for one that is missing.
func TestNoHintProposesAMissingFunction(t *testing.T) {
	for _, name := range functionNames() {
		for _, args := range []string{"", "a", "a, b", "a, b, c", "day, a, b", "1, 2, 3, 4, 5, 6, 7"} {
			src := fmt.Sprintf("SELECT %s(%s) AS x INTO o FROM i GROUP BY a, b, c, TumblingWindow(s, 1)", name, args)
			if _, errs, _ := Script(src, Options{}); strings.Contains(errs.Error(), "not supported yet") {
				t.Errorf("a hint may propose %s, and %s is refused: %v", name, src, errs)
			}
		}
	}
}
