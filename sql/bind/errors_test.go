package bind

import (
	"strings"
	"testing"

	"spate/sql/plan"
)

func TestMistakesAreReportedAtTheirPlace(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		// names
		{"SELECT a INTO alert FROM j", "1:26: there is no input or step [j]"},
		{"SELECT a INTO alert FROM inn", "did you mean in?"},
		{"SELECT a INTO alrt FROM [in]", "1:15: the job has no output [alrt] (did you mean alert?)"},
		{"WITH s AS (SELECT a, b AS Bee FROM [in]) SELECT bea INTO alert FROM s", "1:49: there is no column bea in s (did you mean Bee?)"},
		{"WITH s AS (SELECT a FROM [in]) SELECT a AS x INTO alert FROM s WHERE x > 1", "an alias is visible only behind its SELECT"},
		{"WITH s AS (SELECT a FROM [in]), s AS (SELECT b FROM [in]) SELECT a INTO alert FROM s", "1:33: step s is already defined"},
		{"WITH s AS (SELECT a INTO alert FROM [in]) SELECT a INTO alert FROM s", "1:26: INTO stands only in a statement"},
		{"SELECT a INTO alert FROM [in] UNION SELECT a INTO alert FROM [in]", "1:51: a statement has one INTO"},
		{"SELECT a, A INTO alert FROM [in]", "1:11: two columns are named A"},
		{"SELECT AVG(a), b AS avg INTO alert FROM [in] GROUP BY b, TumblingWindow(s, 1)", "1:16: two columns are named avg"},
		{"SELECT a INTO alert FROM later; WITH later AS (SELECT a FROM [in]) SELECT a INTO alert FROM later", "1:26: there is no input or step [later]"},
		// grouping
		{"SELECT a, COUNT(*) AS n INTO alert FROM [in] GROUP BY a", "1:55: a window must be specified"},
		{"SELECT COUNT(*) AS n INTO alert FROM [in]", "1:8: a window must be specified"},
		{"SELECT a INTO alert FROM [in] HAVING COUNT(*) > 1", "1:38: a window must be specified"},
		{"SELECT COUNT(*) AS n INTO alert FROM [in] GROUP BY DATEPART(minute, System.Timestamp())", "a window must be specified"},
		{"SELECT a, b, COUNT(*) AS n INTO alert FROM [in] GROUP BY a, TumblingWindow(s, 1)", "1:11: column b is neither in GROUP BY nor in an aggregate"},
		{"SELECT x.y AS q INTO alert FROM [in] GROUP BY x, TumblingWindow(s, 1)", "column x.y is neither"},
		{"SELECT a INTO alert FROM [in] GROUP BY a, TumblingWindow(s, 1), SlidingWindow(s, 1)", "1:65: GROUP BY has two windows"},
		{"SELECT * INTO alert FROM [in] GROUP BY a, TumblingWindow(s, 1)", "1:8: SELECT * is not allowed with GROUP BY"},
		{"SELECT MAX(MIN(a)) AS m INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "an aggregate inside an aggregate"},
		{"SELECT a INTO alert FROM [in] WHERE COUNT(*) > 1", "1:37: an aggregate is not allowed in WHERE"},
		{"SELECT a AS b INTO alert FROM [in] GROUP BY a, TumblingWindow(s, 1) HAVING c > 1", "column c is neither"},
		{"SELECT SUM(a, b) AS s INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "SUM takes one argument, 2 given"},
		{"SELECT SUM(CAST(a AS datetime)) AS s INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "SUM does not take a datetime"},
		// windows
		{"SELECT COUNT(*) INTO alert FROM [in] GROUP BY TumblingWindow(fortnight, 1)", "1:62: fortnight is no unit of time here"},
		{"SELECT COUNT(*) INTO alert FROM [in] GROUP BY TumblingWindow(month, 1)", "month is no unit"},
		{"SELECT COUNT(*) INTO alert FROM [in] GROUP BY TumblingWindow(minute, 0)", "a span of time is positive"},
		{"SELECT COUNT(*) INTO alert FROM [in] GROUP BY TumblingWindow(minute, a)", "a span of time is a number"},
		{"SELECT COUNT(*) INTO alert FROM [in] GROUP BY TumblingWindow(mcs, 0.33)", "does not amount to whole ticks"},
		{"SELECT COUNT(*) INTO alert FROM [in] GROUP BY TumblingWindow(day, 8)", "the longest window or duration is 7 days"},
		{"SELECT COUNT(*) INTO alert FROM [in] GROUP BY TumblingWindow(day, 99999999999999999999)", "the longest window"},
		{"SELECT COUNT(*) INTO alert FROM [in] GROUP BY HoppingWindow(minute, 5)", "write HoppingWindow(minute, 10, 5)"},
		{"SELECT COUNT(*) INTO alert FROM [in] GROUP BY SessionWindow(minute, 5)", "add the maximum duration"},
		{"SELECT COUNT(*) INTO alert FROM [in] GROUP BY HoppingWindow(Hop(minute, 5), Duration(minute, 5))", "wants DURATION(unit, n) here"},
		{"SELECT COUNT(*) INTO alert FROM [in] GROUP BY TumblingWindow(minute, 5) OVER (PARTITION BY a)", "only SessionWindow takes OVER"},
		{"SELECT COUNT(*) INTO alert FROM [in] GROUP BY Windows(Window('a', TumblingWindow(s, 1)), TumblingWindow(s, 2))", "either all windows have an id or none"},
		{"SELECT COUNT(*) INTO alert FROM [in] GROUP BY Windows(Window('a', TumblingWindow(s, 1)), Window('A', TumblingWindow(s, 2)))", "two windows have the id"},
		{"SELECT TumblingWindow(s, 1) AS w INTO alert FROM [in]", "a window stands only in GROUP BY"},
		// analytic functions
		{"SELECT LAG(a) AS p INTO alert FROM [in]", "1:8: LAG needs OVER (LIMIT DURATION(...))"},
		{"SELECT LAG(a) OVER (PARTITION BY b) AS p INTO alert FROM [in]", "LAG needs LIMIT DURATION"},
		{"SELECT LAG(a) OVER (PARTITION BY b ORDER BY t LIMIT DURATION(s, 1)) AS p INTO alert FROM [in]", "LAG takes no ORDER BY"},
		{"SELECT LAG(a, 0) OVER (LIMIT DURATION(s, 1)) AS p INTO alert FROM [in]", "the offset of LAG is a number from 1 on"},
		{"SELECT LAG(LAG(a) OVER (LIMIT DURATION(s, 1))) OVER (LIMIT DURATION(s, 1)) AS p INTO alert FROM [in]", "an analytic function inside an analytic function"},
		{"SELECT LAG(AVG(a)) OVER (LIMIT DURATION(s, 1)) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "LAG is neither in GROUP BY"},
		{"SELECT LAG(CAST(a AS bigint), 1, 'x') OVER (LIMIT DURATION(s, 1)) AS p INTO alert FROM [in]", "the default of LAG is a nvarchar(max), the expression a bigint"},
		{"SELECT ISFIRST(mi, 1) OVER (LIMIT DURATION(s, 1)) AS p INTO alert FROM [in]", "ISFIRST takes no LIMIT DURATION"},
		{"SELECT AVG(a) OVER (PARTITION BY b) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "AVG with OVER needs LIMIT DURATION (write OVER (PARTITION BY k LIMIT DURATION(minute, 5)))"},
		// expressions
		{"SELECT ISNULL(a, 1) AS b INTO alert FROM [in]", "1:8: there is no function ISNULL (use COALESCE(a, b))"},
		{"SELECT LN(a) AS b INTO alert FROM [in]", "there is no function LN (the language has no logarithm)"},
		{"SELECT CONCATT(a, b) AS b INTO alert FROM [in]", "did you mean CONCAT?"},
		{"SELECT ABS(a, 1) AS b INTO alert FROM [in]", "ABS takes 1 argument, 2 given"},
		{"SELECT CONCAT(a) AS b INTO alert FROM [in]", "CONCAT takes at least 2 arguments, 1 given"},
		{"SELECT CHARINDEX(a) AS b INTO alert FROM [in]", "CHARINDEX takes 2 or 3 arguments, 1 given"},
		{"SELECT ROUND('NaN', 1) AS b INTO alert FROM [in]", "The 1st argument of function round has invalid type 'nvarchar(max)'. Only 'bigint', 'float' is allowed."},
		{"SELECT a INTO alert FROM [in] WHERE JSON_PARSE(a) LIKE '1%'", "The 1st argument of function like has invalid type 'record'. Only 'nvarchar(max)' is allowed."},
		{"SELECT DATEADD(fortnight, 1, t) AS b INTO alert FROM [in]", "1:16: fortnight is no part of a date"},
		{"SELECT DATEPART(dayofweek, t) AS b INTO alert FROM [in]", "1:17: dayofweek is no part of a date (use weekday (dw))"},
		{"SELECT a INTO alert FROM [in] GROUP BY a, HoppingWindow(s)", "HoppingWindow takes a unit and two or three spans"},
		{"SELECT a INTO alert FROM [in] GROUP BY a, SlidingWindow(s, 1, 2)", "SlidingWindow takes a unit and one span"},
		{"SELECT a INTO alert FROM [in] GROUP BY a, SessionWindow(Timeout(s, 1))", "SessionWindow takes two spans"},
		{"SELECT GetMetadataPropertyValue([in], 'Error') AS b INTO alert FROM [in]", "1:39: there is no metadata property 'Error'"},
		{"SELECT GetMetadataPropertyValue([in], '[User].[]') AS b INTO alert FROM [in]", "there is no metadata property '[User].[]' (such as '[EventHub].[PartitionId]', '[User].[name]' or 'EventId')"},
		{"SELECT GetMetadataPropertyValue([in], '[EventHub].[a].[b]') AS b INTO alert FROM [in]", "there is no metadata property '[EventHub].[a].[b]'"},
		{"SELECT GetMetadataPropertyValue([in], '[EventHub].[messageid]') AS b INTO alert FROM [in]", "an event hub does not tell the messageid of its events (of what a device has sent it is '[IoTHub].[messageid]')"},
		{"SELECT GetMetadataPropertyValue([in], a) AS b INTO alert FROM [in]", "the second argument of GetMetadataPropertyValue is a string"},
		{"WITH s AS (SELECT a FROM [in]) SELECT GetMetadataPropertyValue(s, 'EventId') AS b INTO alert FROM s", "the first argument of GetMetadataPropertyValue is the input of this SELECT"},
		{"SELECT x.a INTO alert FROM [in] x JOIN [in] y ON x.a = y.a AND DATEDIFF(s, x, y) = 0 WHERE GetMetadataPropertyValue([in], 'EventId') = 'a'", "the first argument of GetMetadataPropertyValue is the input of this SELECT"},
		{"SELECT a INTO alert FROM [in] TIMESTAMP BY GetMetadataPropertyValue([in], '[User].[t]')", "GetMetadataPropertyValue is not allowed in TIMESTAMP BY (use fields of the event)"},
		{"SELECT GetMetadataPropertyValue([in], 'EventId') AS b INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "GetMetadataPropertyValue is neither in GROUP BY nor in an aggregate"},
		{"SELECT a INTO alert FROM [in] TIMESTAMP BY t OVER k; SELECT a INTO alert FROM [in] TIMESTAMP BY t", "1:79: in is read without OVER, and in (1:26) with it: TIMESTAMP BY ... OVER stands on all inputs or on none (give it OVER and a key too)"},
		{"SELECT COUNT(*) AS n INTO alert FROM [in] TIMESTAMP BY t OVER k GROUP BY TumblingWindow(s, 1)", "1:8: GROUP BY has not the key k: with TIMESTAMP BY ... OVER its keys are in every GROUP BY, in every PARTITION BY of a function and in the condition of every JOIN (add it to GROUP BY)"},
		{"SELECT k, COUNT(*) AS n INTO alert FROM [in] TIMESTAMP BY t OVER k, d GROUP BY k, TumblingWindow(s, 1)", "GROUP BY has not the key d"},
		{"WITH s AS (SELECT UPPER(k) AS k FROM [in] TIMESTAMP BY t OVER k) SELECT k, COUNT(*) AS n INTO alert FROM s GROUP BY k, TumblingWindow(s, 1)", "GROUP BY has not the key k"},
		{"WITH s AS (SELECT k, d FROM [in] TIMESTAMP BY t OVER k UNION ALL SELECT d, k FROM [in] TIMESTAMP BY t OVER k) SELECT k, COUNT(*) AS n INTO alert FROM s GROUP BY k, TumblingWindow(s, 1)", "GROUP BY has not the key k"},
		{"SELECT LAG(a) OVER (LIMIT DURATION(s, 5)) AS b INTO alert FROM [in] TIMESTAMP BY t OVER k", "1:8: OVER has not the key k"},
		{"SELECT x.a INTO alert FROM [in] x TIMESTAMP BY t OVER k JOIN [in] y TIMESTAMP BY t OVER k ON x.d = y.d AND DATEDIFF(s, x, y) = 0", "the condition of JOIN has not the key k"},
		{"SELECT a INTO alert FROM [in] GROUP BY a, TumblingWindow(s, 1) PARTITION BY a", "unexpected PARTITION, want WITH, SELECT or CREATE TABLE (PARTITION BY stands behind the input: FROM input PARTITION BY key)"},
		{"SELECT a INTO alert PARTITION BY a FROM [in]", "1:21: unexpected PARTITION, want ',' or FROM (PARTITION BY stands behind the input"},
		{"SELECT a FROM [in] INTO alert", "1:20: unexpected INTO, want WITH, SELECT or CREATE TABLE (INTO stands before FROM"},
		{"SELECT a INTO alert FROM [in] HAVING a = 1 WHERE b = 1", "unexpected WHERE, want WITH, SELECT or CREATE TABLE (the clauses are SELECT, INTO, FROM, WHERE"},
		{"SELECT CAST(a AS int) AS b INTO alert FROM [in]", "there is no type int (use bigint)"},
		{"SELECT CAST(a AS nvarchar(10)) AS b INTO alert FROM [in]", "nvarchar has no length but max"},
		{"SELECT x.ABS(a) AS b INTO alert FROM [in]", "function ABS takes no prefix at compatibility level 1.2"},
		{"SELECT a + System.Timestamp() AS b INTO alert FROM [in]", "operator + does not take a datetime"},
		{"SELECT 9223372036854775808 AS b INTO alert FROM [in]", "outside the range of bigint"},
		{"SELECT a INTO alert FROM [in] WHERE a", "1:37: a condition is expected in WHERE"},
		{"SELECT a INTO alert FROM [in] WHERE a IN (SELECT b FROM [in])", "a query inside an expression"},
		{"SELECT LEAD(a) OVER (LIMIT DURATION(s, 5)) AS b INTO alert FROM [in]", "1:8: there is no function LEAD (there is no look-ahead in a stream; use LAG)"},
		{"SELECT ROW_NUMBER() OVER (ORDER BY a) AS b INTO alert FROM [in]", "1:8: there is no function ROW_NUMBER"},
		{"SELECT ABS(a) OVER (LIMIT DURATION(s, 5)) AS b INTO alert FROM [in]", "ABS takes no OVER"},
		{"SELECT SUM(a) OVER (PARTITION BY b) AS p INTO alert FROM [in]", "1:15: SUM with OVER needs LIMIT DURATION"},
		{"SELECT STDEV(a) OVER (LIMIT DURATION(s, 5)) AS p INTO alert FROM [in]", "STDEV has no form with OVER (LIMIT DURATION)"},
		{"SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY a) OVER () AS p INTO alert FROM [in]", "WITHIN GROUP is not part of the Stream Analytics language"},
		{"SELECT PERCENTILE_CONT(0.5) OVER (ORDER BY a) AS p INTO alert FROM [in]", "a window must be specified"},
		{"SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY a) OVER () AS p INTO alert FROM [in]", "(write PERCENTILE_CONT(...) OVER (ORDER BY x))"},
		{"SELECT SUM(a) WITHIN GROUP (ORDER BY a) AS p INTO alert FROM [in]", "WITHIN GROUP is not part of the Stream Analytics language"},
		{"SELECT PERCENTILE_CONT(0.5) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "1:8: PERCENTILE_CONT needs OVER (ORDER BY ...) (write PERCENTILE_CONT(...) OVER (ORDER BY x))"},
		{"SELECT PERCENTILE_DISC(1.5) OVER (ORDER BY a) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "1:24: the argument of PERCENTILE_DISC is a number from 0 to 1"},
		{"SELECT PERCENTILE_DISC(a) OVER (ORDER BY a) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "the argument of PERCENTILE_DISC is a number from 0 to 1"},
		{"SELECT PERCENTILE_DISC('0.5') OVER (ORDER BY a) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "the argument of PERCENTILE_DISC is a number from 0 to 1"},
		{"SELECT PERCENTILE_DISC(-0.5) OVER (ORDER BY a) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "the argument of PERCENTILE_DISC is a number from 0 to 1"},
		{"SELECT PERCENTILE_DISC() OVER (ORDER BY a) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "PERCENTILE_DISC takes one argument, 0 given"},
		{"SELECT PERCENTILE_DISC(0.5) OVER (ORDER BY a, b) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "1:47: the ORDER BY of PERCENTILE_DISC has one key"},
		{"SELECT PERCENTILE_DISC(0.5) OVER (PARTITION BY b ORDER BY a) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "PERCENTILE_DISC takes no PARTITION BY and no WHEN"},
		{"SELECT PERCENTILE_DISC(0.5) OVER (ORDER BY a LIMIT DURATION(s, 5)) AS p INTO alert FROM [in]", "PERCENTILE_DISC has no form with OVER (LIMIT DURATION)"},
		{"SELECT PERCENTILE_DISC(0.5) OVER (ORDER BY System.Timestamp()) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "1:44: PERCENTILE_DISC does not take a datetime"},
		{"SELECT PERCENTILE_DISC(0.5) OVER (ORDER BY MAX(a)) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "an aggregate inside an aggregate"},
		{"SELECT TopOne() AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "1:8: TOPONE needs OVER (ORDER BY ...)"},
		{"SELECT TopOne() OVER (PARTITION BY b ORDER BY a) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "1:17: TOPONE with PARTITION BY or WHEN needs LIMIT DURATION"},
		{"SELECT TopOne() OVER (ORDER BY a ROWS UNBOUNDED PRECEDING) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "TOPONE takes no ROWS or RANGE"},
		{"SELECT TopOne() OVER (ORDER BY a NULLS LAST) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "NULLS LAST is not part of the Stream Analytics language: NULL is the smallest value"},
		{"SELECT TopOne(a, b) OVER (ORDER BY a) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "TOPONE takes one expression, 2 given"},
		{"SELECT TopOne(*) OVER (ORDER BY a) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "1:15: TOPONE takes no *: without an expression it takes whole rows (leave it out)"},
		{"SELECT TopOne() OVER (ORDER BY CAST(a AS bit)) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "1:32: the ORDER BY of TOPONE takes a bigint, a float or a datetime, not a bit"},
		{"SELECT TopOne() OVER (ORDER BY b) AS a, 1 AS b INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", ""},
		{"WITH s AS (SELECT a FROM [in]) SELECT TopOne() OVER (ORDER BY b) AS p, 1 AS b INTO alert FROM s GROUP BY TumblingWindow(s, 1)", "1:63: there is no column b in s"},
		{"SELECT CollectTop(a) OVER (ORDER BY a) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "1:19: the first argument of COLLECTTOP is a number from 1 to 1000000"},
		{"SELECT CollectTop(0) OVER (ORDER BY a) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "the first argument of COLLECTTOP is a number from 1 to 1000000"},
		{"SELECT CollectTop() OVER (ORDER BY a) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "COLLECTTOP takes a number of rows"},
		{"SELECT Collect(a) OVER (ORDER BY a) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "COLLECT takes no ORDER BY (use CollectTop(n) OVER (ORDER BY ...))"},
		{"SELECT COUNT(DISTINCT a) OVER (LIMIT DURATION(s, 5)) AS p INTO alert FROM [in]", "1:8: COUNT with OVER takes no DISTINCT"},
		{"SELECT AVG(a) OVER (ORDER BY b LIMIT DURATION(s, 5)) AS p INTO alert FROM [in]", "AVG takes no ORDER BY"},
		{"SELECT AVG(LAG(a) OVER (LIMIT DURATION(s, 5))) OVER (LIMIT DURATION(s, 5)) AS p INTO alert FROM [in]", "an analytic function inside an analytic function"},
		{"SELECT AVG(a) OVER (LIMIT DURATION(s, 5)) AS p, COUNT(*) AS n INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "AVG is neither in GROUP BY nor in an aggregate"},
		{"SELECT MAX(AVG(a) OVER (LIMIT DURATION(s, 5))) AS p INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", ""},
		{"SELECT COUNT(*) OVER (LIMIT DURATION(s, 5)) AS p INTO alert FROM [in] a JOIN [in] b ON DATEDIFF(s, a, b) = 0", "names none"},
		{"SELECT a INTO alert FROM [in] WHERE TopOne(b) OVER (PARTITION BY c ORDER BY a LIMIT DURATION(s, 5) WHEN d > 1) = 1", ""},
		{"SELECT Collect() AS p INTO alert FROM [in]", "a window must be specified"},
		{"SELECT Collect() AS p INTO alert FROM [in] a JOIN [in] b ON DATEDIFF(s, a, b) = 0 GROUP BY TumblingWindow(s, 1)", "1:8: COLLECT of whole rows is not allowed over several sources (name a column)"},
		{"SELECT a INTO alert FROM [in] WHERE TopOne(b) OVER (ORDER BY a) = 1", "an aggregate is not allowed in WHERE"},
		{"SELECT a INTO alert FROM [in] WHERE a LIKE 'x' ESCAPE '!!'", "ESCAPE takes one character"},
		{"SELECT COUNT(*) AS n INTO alert FROM [in] GROUP BY TumblingWindw(s, 1)", "did you mean TumblingWindow?"},
		// time
		{"SELECT a INTO alert FROM [in] TIMESTAMP BY System.Timestamp()", "System.Timestamp() is not allowed in TIMESTAMP BY"},
		{"SELECT a INTO alert FROM [in] TIMESTAMP BY CAST(a AS bigint)", "TIMESTAMP BY wants a datetime, not a bigint"},
		{"WITH s AS (SELECT a FROM [in]) SELECT a INTO alert FROM s TIMESTAMP BY a", "TIMESTAMP BY on a step is not allowed"},
		// declarations
		{"CREATE TABLE [in] (a bigint); CREATE TABLE [in] (b bigint); SELECT a INTO alert FROM [in]", "has two CREATE TABLE"},
		{"CREATE TABLE [in] (a bigint, A float); SELECT a INTO alert FROM [in]", "column A is declared twice"},
		{"CREATE TABLE nope (a bigint); SELECT a INTO alert FROM [in]", "there is no input or step [nope]"},
		{"SELECT a INTO alert FROM [in] UNION SELECT a, b FROM [in]", "the members of a UNION have the same number of columns"},
		{"", "1:1: the script has no SELECT statement"},
		// APPLY
		{"SELECT x INTO alert FROM [in] CROSS APPLY GetArrayElements(a) AS e", ""},
		{"SELECT e.ArrayIndex, arrayvalue.b, e, x INTO alert FROM [in] OUTER APPLY GetArrayElements(a) e WHERE ArrayIndex > 0 AND e IS NOT NULL", ""},
		{"SELECT x INTO alert FROM [in] CROSS APPLY GetArrayElements(a)", "1:43: what APPLY makes needs an alias (write AS e behind it)"},
		{"SELECT x INTO alert FROM [in] CROSS APPLY GetArrayElements(a, b) AS e", "1:43: GetArrayElements takes one argument, 2 given"},
		{"SELECT x INTO alert FROM [in] CROSS APPLY GetArrayElements(DISTINCT a) AS e", "GetArrayElements takes an expression alone"},
		{"SELECT x INTO alert FROM [in] CROSS APPLY GetArrayElements(*) AS e", "* is not allowed here"},
		{"SELECT x INTO alert FROM [in] CROSS APPLY GetArrayElement(a, 0) AS e", "1:43: APPLY does not take the function GetArrayElement"},
		{"SELECT x INTO alert FROM [in] CROSS APPLY [in] AS e", "1:43: APPLY takes a function"},
		{"SELECT x INTO alert FROM [in] CROSS APPLY (SELECT a FROM [in]) AS e", "1:43: APPLY takes a function"},
		{"SELECT x INTO alert FROM GetArrayElements(a) AS e", "1:26: GetArrayElements is no source of its own (it stands only behind"},
		{"SELECT x INTO alert FROM OpenRowset(a) AS e", "1:26: there is no function OpenRowset that makes rows"},
		{"SELECT GetArrayElements(a) AS x INTO alert FROM [in]", "1:8: there is no function GetArrayElements (it stands only behind CROSS APPLY or OUTER APPLY)"},
		{"CREATE TABLE [in] (r record); SELECT e.ArrayIndex INTO alert FROM [in] CROSS APPLY GetArrayElements(r) AS e", "GetArrayElements takes a value of type 'array', not of type 'record'"},
		{"SELECT p.PropertyName INTO alert FROM [in] CROSS APPLY GetRecordProperties('x') AS p", "GetRecordProperties takes a value of type 'record', not of type 'nvarchar(max)'"},
		{"SELECT p.PropertyValue, p.ArrayIndex INTO alert FROM [in] CROSS APPLY GetRecordProperties(r) AS p", "1:25: there is no column ArrayIndex in p"},
		{"SELECT e.x INTO alert FROM [in] CROSS APPLY GetArrayElements(a) AS e", "1:8: there is no column x in e"},
		{"SELECT x INTO alert FROM [in] CROSS APPLY GetArrayElements(a) AS e CROSS APPLY GetArrayElements(b) AS E", "two sources are named E, the other at 1:43"},
		{"SELECT ArrayIndex INTO alert FROM [in] CROSS APPLY GetArrayElements(a) AS e CROSS APPLY GetArrayElements(b) AS f", "ArrayIndex is a column both of e (1:52) and of f (1:89)"},
		{"SELECT x INTO alert FROM [in] i CROSS APPLY GetArrayElements(e.ArrayValue) AS d CROSS APPLY GetArrayElements(d.ArrayValue) AS e WHERE e.ArrayIndex = 0", ""},
		{"SELECT x INTO alert FROM [in] CROSS APPLY GetArrayElements(COUNT(a)) AS e", "an aggregate is not allowed in APPLY"},
		{"SELECT x INTO alert FROM [in] CROSS APPLY GetArrayElements(a) AS e TIMESTAMP BY e.ArrayValue", "1:68: TIMESTAMP BY behind APPLY is not allowed (put it on the input)"},
		{"SELECT x INTO alert FROM [in] TIMESTAMP BY e.ArrayValue CROSS APPLY GetArrayElements(a) AS e", ""},
		{"SELECT x INTO alert FROM [in] CROSS APPLY GetArrayElements(a) AS e PARTITION BY x", "1:68: PARTITION BY behind APPLY is not allowed"},
		{"SELECT LAG(e.ArrayValue) OVER (LIMIT DURATION(s, 1)) AS p INTO alert FROM [in] CROSS APPLY GetArrayElements(a) AS e", "1:8: LAG looks at the rows of one source, before APPLY takes them apart, and names what APPLY makes (put the APPLY into a step"},
		{"SELECT LAG(x) OVER (PARTITION BY e.ArrayIndex LIMIT DURATION(s, 1)) AS p INTO alert FROM [in] CROSS APPLY GetArrayElements(a) AS e", "and names what APPLY makes"},
		{"SELECT LAG(x) OVER (LIMIT DURATION(s, 1)) AS p, LAG(*) OVER (LIMIT DURATION(s, 1)) AS q, ISFIRST(s, 1) AS f INTO alert FROM [in] CROSS APPLY GetArrayElements(a) AS e", ""},
		{"SELECT x INTO alert FROM [in] CROSS APPLY GetArrayElements(LAG(a) OVER (LIMIT DURATION(s, 1))) AS e", ""},
		{"SELECT * INTO alert FROM [in] CROSS APPLY GetArrayElements(a) AS e", ""},
		{"SELECT * INTO alert FROM [in] a JOIN [in] b ON DATEDIFF(s, a, b) = 0 CROSS APPLY GetArrayElements(a.x) AS e", "SELECT * is not allowed over several sources"},
		{"SELECT a.x INTO alert FROM [in] a CROSS APPLY GetArrayElements(a.v) AS e JOIN [in] b ON DATEDIFF(s, a, b) = 0 AND e.ArrayValue = b.v", ""},
		{"SELECT a.x INTO alert FROM [in] a JOIN ([in] b CROSS APPLY GetArrayElements(b.v) AS e) ON DATEDIFF(s, a, b) = 0 AND e.ArrayValue = a.v", ""},
		{"SELECT a.x INTO alert FROM [in] a JOIN ([in] b CROSS APPLY GetArrayElements(a.v) AS e) ON DATEDIFF(s, a, b) = 0", ""},
		{"SELECT a.x INTO alert FROM [in] a CROSS APPLY GetArrayElements(a.v) AS e JOIN [in] b ON DATEDIFF(s, e, b) = 0", "The 2nd argument of function datediff has invalid type 'record'"},
		// what the engine does not run
		{"SELECT a.x INTO alert FROM [in] a JOIN [in] b ON a.x = b.x", "1:40: The join predicate is not time bounded"},
		{"SELECT a.x INTO alert FROM [in] a JOIN [in] b ON a.x = b.x", "Please add DATEDIFF to the JOIN condition. (such as AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5)"},
		{"SELECT a.x INTO alert FROM [in] a JOIN [in] b ON DATEDIFF(s, a.t, b.t) BETWEEN 0 AND 5", "(the sources are its arguments, and it has an upper and a lower bound: DATEDIFF(minute, a, b) BETWEEN 0 AND 5)"},
		{"SELECT a.x INTO alert FROM [in] a JOIN [in] b ON DATEDIFF(s, a, b) < 5", "The join predicate is not time bounded"},
		{"SELECT a.x INTO alert FROM [in] a JOIN [in] b ON DATEDIFF(month, a, b) = 0", "1:59: month is no unit of the distance between two sources"},
		{"SELECT a.x INTO alert FROM [in] a JOIN [in] b ON DATEDIFF(day, a, b) BETWEEN 0 AND 8", "1:50: the sources of a JOIN are at most 7 days apart"},
		{"SELECT a.x INTO alert FROM [in] a JOIN [in] b ON DATEDIFF(hour, a, b) BETWEEN 0 AND 24 * 7", ""},
		{"SELECT a.x INTO alert FROM [in] a JOIN [in] b ON DATEDIFF(s, a, b) = 0 JOIN [in] c ON DATEDIFF(s, b, c) = 0 AND DATEDIFF(s, a, c) < 4", ""},
		{"SELECT a.x INTO alert FROM [in] a JOIN [in] b ON DATEDIFF(s, a, b) = 0 JOIN [in] c ON DATEDIFF(s, b, a) = 0", "1:77: The join predicate is not time bounded"},
		{"SELECT a.x INTO alert FROM [in] a PARTITION BY k JOIN [in] b PARTITION BY k ON DATEDIFF(s, a, b) = 0", "sources with PARTITION BY are joined by its key (add a.k = b.k to ON)"},
		{"SELECT a.x INTO alert FROM [in] a PARTITION BY k JOIN [in] b PARTITION BY b.k ON b.k = a.k AND DATEDIFF(s, a, b) = 0", ""},
		{"SELECT a.x INTO alert FROM [in] a PARTITION BY k INTO 2 JOIN [in] b PARTITION BY k INTO 3 ON b.k = a.k AND DATEDIFF(s, a, b) = 0", "partitioned into the same number of partitions"},
		{"SELECT a.x INTO alert FROM [in] a JOIN [in] b ON LAG(b.x) OVER (LIMIT DURATION(s, 5)) = a.x AND DATEDIFF(s, a, b) = 0", ""},
		{"SELECT a.x INTO alert FROM [in] a JOIN ref r ON a.x = r.x", ""},
		{"SELECT a.x INTO alert FROM [in] a LEFT JOIN [REF] ON a.x = [REF].x", ""},
		{"SELECT a.x INTO alert FROM ref r JOIN [in] a ON a.x = r.x", "1:39: reference data stands to the right of JOIN (write the stream before JOIN"},
		{"SELECT x INTO alert FROM ref", "1:1: a statement writes rows of streams, and this one reads reference data alone (join it with a stream"},
		{"SELECT a.x INTO alert FROM [in] a JOIN ref r TIMESTAMP BY t ON a.x = r.x", "TIMESTAMP BY on reference data is not allowed"},
		{"WITH s AS (SELECT x, COUNT(*) AS n FROM ref GROUP BY x, TumblingWindow(s, 5)) SELECT a.x INTO alert FROM [in] a JOIN s ON a.x = s.x", "GROUP BY over reference data is not allowed: its rows have no time (join it with a stream first)"},
		{"WITH s AS (SELECT COUNT(*) AS n FROM ref) SELECT a.x INTO alert FROM [in] a JOIN s ON a.x = s.x", "1:19: COUNT over reference data is not allowed"},
		{"WITH s AS (SELECT System.Timestamp() AS x FROM ref) SELECT a.x INTO alert FROM [in] a JOIN s ON a.x = s.x", "System.Timestamp() over reference data is not allowed"},
		{"WITH s AS (SELECT LAG(x) OVER (LIMIT DURATION(s, 5)) AS x FROM ref) SELECT a.x INTO alert FROM [in] a JOIN s ON a.x = s.x", "1:19: LAG over reference data is not allowed"},
		{"SELECT a.x, LAG(r.x) OVER (LIMIT DURATION(s, 5)) AS y INTO alert FROM [in] a JOIN ref r ON a.x = r.x", "LAG over reference data is not allowed"},
		{"SELECT DATEDIFF(minute, a, r) AS d INTO alert FROM [in] a JOIN ref r ON a.x = r.x", "1:28: r is reference data, whose rows have no time (name a column)"},
		{"SELECT DATEDIFF(minute, a, r.t) AS d INTO alert FROM [in] a JOIN ref r ON a.x = r.x", ""},
		{"SELECT x INTO alert FROM ref MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS A.x = 1) AS t", "MATCH_RECOGNIZE over reference data is not allowed"},
		{"WITH s AS (SELECT x FROM ref UNION SELECT x FROM [in]) SELECT x INTO alert FROM s", "a UNION of reference data and a stream is not allowed"},
		{"WITH s AS (SELECT x FROM ref WHERE x > 1 UNION SELECT r.y AS x FROM ref r JOIN ref q ON r.x = q.x) SELECT a.x INTO alert FROM [in] a LEFT JOIN s ON a.x > s.x", ""},
		{"SELECT a.x INTO alert FROM [in] a JOIN ref r ON a.x = r.x JOIN [in] b ON a.x = b.x", "The join predicate is not time bounded"},
		{"SELECT a.x INTO alert FROM [in] a JOIN ref r ON a.x = r.x JOIN [in] b ON DATEDIFF(s, a, b) BETWEEN 0 AND 5", ""},
		{"SELECT a.x INTO alert FROM [in] a JOIN ref r ON a.x = r.x JOIN [in] b ON DATEDIFF(s, r, b) BETWEEN 0 AND 5", "The join predicate is not time bounded"},
		{"SELECT a.x INTO alert FROM [in] a JOIN [in] b ON DATEDIFF(s, a, b) BETWEEN 0 AND 5 JOIN ref r ON r.x = b.x AND a.y LIKE r.y", ""},
		{"SELECT ST_WITHIN(a, CAST(b AS bigint)) AS x INTO alert FROM [in]", "The 2nd argument of function st_within has invalid type 'bigint'. Only 'record', 'nvarchar(max)' is allowed."},
		{"SELECT CreatePolygon(a, b) AS x INTO alert FROM [in]", "CREATEPOLYGON takes at least 3 arguments, 2 given"},
		{"SELECT CreateLineString(a) AS x INTO alert FROM [in]", "CREATELINESTRING takes at least 2 arguments, 1 given"},
		{"SELECT x INTO alert FROM [in] MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS A.x = 1) AS t", "MATCH_RECOGNIZE without MEASURES"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES A.x AS x AFTER MATCH SKIP PAST LAST ROW PATTERN (A)) AS t", "AFTER MATCH SKIP TO NEXT ROW alone"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES A.x AS x ALL ROWS PER MATCH PATTERN (A)) AS t", "ONE ROW PER MATCH alone"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (ORDER BY x MEASURES A.x AS x PATTERN (A)) AS t", "takes no ORDER BY"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES A.x AS x PATTERN (A+?)) AS t", "there is no form that ends early"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES A.x AS x PATTERN (A) PATTERN (A)) AS t", "PATTERN stands twice in MATCH_RECOGNIZE"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES A.x AS x PATTERN (A) DEFINE A AS PREV(A.x) > 1) AS t", "PREV is not part of MATCH_RECOGNIZE"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES LAG(A.x) AS x PATTERN (A)) AS t", "LAG is not part of MATCH_RECOGNIZE"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES * PATTERN (A)) AS t", "MEASURES takes no *"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES A.x AS x, Last(A.x) AS X PATTERN (A)) AS t", "two columns are named X"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES SUM(A.x) AS x PATTERN (A)) AS t", "SUM is not part of MATCH_RECOGNIZE, which has FIRST, LAST, MIN, MAX and CLASSIFIER"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES Max(A.x + A.y) AS x PATTERN (A)) AS t", "MAX in MATCH_RECOGNIZE takes one field"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES Last(A.x) AS x PATTERN (A) DEFINE A AS Classifier() = 'A') AS t", "CLASSIFIER stands in MEASURES alone"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES Last(A.x) AS x PATTERN (A B) DEFINE A AS A.x > Last(B.x), B AS B.x > 1) AS t", "a definition names variables that are defined before it, and itself"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES Last(B.x) AS x PATTERN (A) DEFINE A AS A.x > 1, B AS B.x > 1) AS t", "variable B is defined, and the pattern does not name it"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES Last(A.x) AS x PATTERN (A) DEFINE A AS A.x > 1, a AS A.x > 2) AS t", "variable a is defined twice"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES Last(A.x) AS x PATTERN (A{3,2})) AS t", "{3,2} is no number of repetitions"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES Last(A.x) AS x PATTERN (A{0})) AS t", "{0} is no number of repetitions"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES Last(A.x) AS x PATTERN ((A{100}){11})) AS t", "names more than 1000 rows"},
		{"SELECT * INTO alert FROM [in] MATCH_RECOGNIZE (LIMIT DURATION(day, 8) MEASURES Last(A.x) AS x PATTERN (A)) AS t", "7 days"},
		{"SELECT x INTO alert FROM [in] MATCH_RECOGNIZE (MEASURES Last(A.y) AS y PATTERN (A)) AS t", "there is no column x in t"},
		{"SELECT * INTO alert FROM [in] TIMESTAMP BY t OVER k MATCH_RECOGNIZE (MEASURES Last(A.x) AS x PATTERN (A)) AS m", "MATCH_RECOGNIZE has not the key k"},
		{"SELECT * INTO alert FROM [in] TIMESTAMP BY t OVER k MATCH_RECOGNIZE (PARTITION BY k MEASURES Last(A.x) AS x PATTERN (A)) AS m", ""},
		{"SELECT AnomalyDetection_SpikeAndDip(a, 95, 120, 'spikes') OVER (LIMIT DURATION(s, 120)) AS x INTO alert FROM [in]", ""},
		{"SELECT AnomalyDetection_SpikeAndDip(a, 95, 120, 'spikes') AS x INTO alert FROM [in]", "write ANOMALYDETECTION_SPIKEANDDIP(x, 95, 120, 'spikesanddips') OVER"},
		{"SELECT AnomalyDetection_SpikeAndDip(a, 95, 120, 'spikes') OVER (PARTITION BY k) AS x INTO alert FROM [in]", "ANOMALYDETECTION_SPIKEANDDIP needs LIMIT DURATION"},
		{"SELECT AnomalyDetection_SpikeAndDip(a, 95, 120) OVER (LIMIT DURATION(s, 120)) AS x INTO alert FROM [in]", "takes 4 arguments, 3 given"},
		{"SELECT AnomalyDetection_SpikeAndDip(*, 95, 120, 'dips') OVER (LIMIT DURATION(s, 120)) AS x INTO alert FROM [in]", "takes no *"},
		{"SELECT AnomalyDetection_SpikeAndDip(CAST(a AS nvarchar(max)), 95, 120, 'dips') OVER (LIMIT DURATION(s, 120)) AS x INTO alert FROM [in]", "Only 'bigint', 'float' is allowed."},
		{"SELECT AnomalyDetection_SpikeAndDip(a, 95, 120, 'up') OVER (LIMIT DURATION(s, 120)) AS x INTO alert FROM [in]", "is 'spikes', 'dips' or 'spikesanddips'"},
		{"SELECT AnomalyDetection_ChangePoint(a, 0.5, 120) OVER (LIMIT DURATION(s, 120)) AS x INTO alert FROM [in]", "is a literal from 1 to 100"},
		{"SELECT AnomalyDetection_ChangePoint(a, 101, 120) OVER (LIMIT DURATION(s, 120)) AS x INTO alert FROM [in]", "is a literal from 1 to 100"},
		{"SELECT AnomalyDetection_ChangePoint(a, b, 120) OVER (LIMIT DURATION(s, 120)) AS x INTO alert FROM [in]", "is a literal from 1 to 100"},
		{"SELECT AnomalyDetection_ChangePoint(a, 90, 0) OVER (LIMIT DURATION(s, 120)) AS x INTO alert FROM [in]", "is a literal from 1 to 100000"},
		{"SELECT AnomalyDetection_ChangePoint(a, 90, 100001) OVER (LIMIT DURATION(s, 120)) AS x INTO alert FROM [in]", "is a literal from 1 to 100000"},
		{"SELECT AnomalyDetection_ChangePoint(a, 90, 1.5) OVER (LIMIT DURATION(s, 120)) AS x INTO alert FROM [in]", "is a literal from 1 to 100000"},
		{"SELECT udf.h(a) AS x INTO alert FROM [in]", "1:8: the job has no function h"},
		{"SELECT udf.ff(a) AS x INTO alert FROM [in]", "1:8: the job has no function ff (did you mean f?)"},
		{"SELECT udf.g(a) AS x INTO alert FROM [in]", "1:8: g is an aggregate (write uda.g)"},
		{"SELECT uda.f(a) AS x INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "1:8: f is no aggregate (write udf.f)"},
		{"SELECT uda.g(a) AS x INTO alert FROM [in]", "1:8: a window must be specified"},
		{"SELECT a INTO alert FROM [in] WHERE uda.g(a) = 1", "an aggregate is not allowed in WHERE"},
		{"SELECT uda.g(MAX(a)) AS x INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "an aggregate inside an aggregate"},
		{"SELECT uda.g() AS x INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "uda.g takes one expression, and perhaps a time, 0 given"},
		{"SELECT uda.g(a, b, c) AS x INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "uda.g takes one expression, and perhaps a time, 3 given"},
		{"SELECT uda.g(DISTINCT a) AS x INTO alert FROM [in] GROUP BY TumblingWindow(s, 1)", "uda.g takes no DISTINCT"},
		{"SELECT uda.g(a) OVER (LIMIT DURATION(s, 1)) AS x INTO alert FROM [in]", "uda.g takes no OVER"},
		{"SELECT udf.two(a) AS x INTO alert FROM [in]", "1:8: udf.two takes 2 arguments, 1 given"},
		{"SELECT udf.f(a) OVER (LIMIT DURATION(s, 1)) AS x INTO alert FROM [in]", "udf.f takes no OVER"},
		{"SELECT a INTO alert FROM [in] WHERE udf.f(a)", "a condition is expected in WHERE"},
		{"SELECT udf.old(a) AS x INTO alert FROM [in]", "1:8: udf.old is a C# function, which Spate does not run (write it again"},
		{"SELECT udf.f(b) AS x INTO alert FROM [in] GROUP BY a, TumblingWindow(s, 1)", "column b is neither in GROUP BY"},
		{"SELECT system.f(a) AS x INTO alert FROM [in]", "there is no function System.f"},
	} {
		_, errs, _ := Script(c.src, Options{
			Functions: testFunctions(t),
			Inputs:    []InputInfo{{Name: "in"}, {Name: "ref", Reference: true}},
			Outputs:   []string{"alert"},
		})
		if (len(errs) == 0) != (c.want == "") || len(errs) > 0 && !strings.Contains(errs[0].Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.src, errs, c.want)
		}
	}
}

func TestEveryMistakeOfAScriptIsReported(t *testing.T) {
	_, errs, _ := Script("SELECT ISNULL(a, 1) AS x, IIF(a > 1, 2, 3) AS y INTO o FROM i;\nSELECT LEAD(a) AS z INTO o FROM i", Options{})
	if len(errs) != 3 {
		t.Errorf("%d mistakes, want 3:\n%v", len(errs), errs)
	}
}

func TestAConditionInItsPlaceIsNoWarning(t *testing.T) {
	_, errs, warnings := Script("SELECT CASE WHEN a > 1 AND NOT (b IN (1, 2) OR c BETWEEN 1 AND 2) THEN 1 END AS x INTO o FROM i WHERE a IS NULL OR (b LIKE 'x%');\n"+
		"SELECT COUNT(*) AS n INTO p FROM i GROUP BY TumblingWindow(s, 1) HAVING COUNT(*) > 1", Options{})
	if len(errs) > 0 || len(warnings) > 0 {
		t.Errorf("mistakes %v, warnings %v", errs, warnings)
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{`SELECT a INTO o FROM i WHERE b = "x"`, `1:34: "x" is read as a string; use single quotes (W513)`},
		{`SELECT "[a][b]" INTO o FROM i`, "is read as a column; use brackets (W513)"},
		{"WITH s AS (SELECT a FROM i) SELECT a INTO o FROM s; WITH u AS (SELECT a FROM s) SELECT a INTO o FROM u", "several WITH clauses"},
		{"SELECT a INTO o FROM i TIMESTAMP BY EventProcessedUtcTime", "processing time"},
		{"SELECT *, a INTO o FROM i", "the * to the left wins"},
		{"SELECT a INTO o FROM i PARTITION BY PartitionId", "read as a hint"},
		{"SELECT a INTO o FROM i WHERE b = true", "1:34: true is read as a column"},
		{"SELECT a INTO o FROM i WHERE a = NULL", "never true; use IS NULL"},
		{"SELECT a > 1 AS b INTO o FROM i", "1:8: a condition is read as a value, a bit, which no reference shows; use CASE WHEN ... THEN 1 ELSE 0 END (W518)"},
		{"SELECT 1 + 2 = 3 AS z INTO o FROM i", "1:8: a condition is read as a value"},
		{"SELECT a INTO o FROM i WHERE a = b = 1", "1:30: a comparison is compared with a value"},
		{"SELECT NOT (a IS NULL) AS b INTO o FROM i", "1:8: a condition is read as a value"},
		{"SELECT COALESCE(a LIKE 'x%', 0) AS b INTO o FROM i", "1:17: a condition is read as a value"},
		{"SELECT COUNT(*) AS n, MAX(a) > 1 AS b INTO o FROM i GROUP BY TumblingWindow(s, 1) HAVING b = 1", "1:23: a condition is read as a value"},
		{"CREATE TABLE i (a bigint); SELECT b INTO o FROM i", "1:35: column b is not declared in CREATE TABLE i"},
		{"SELECT a INTO o FROM i UNION SELECT b FROM i", "column 1 of the UNION is named a and b"},
		{"SELECT a INTO o FROM i TIMESTAMP BY t; SELECT a INTO o FROM i TIMESTAMP BY u", "different TIMESTAMP BY"},
		{"WITH s AS (SELECT System.Timestamp() AS w FROM i) SELECT w INTO o FROM s TIMESTAMP BY w", "changes nothing"},
	} {
		_, errs, warnings := Script(c.src, Options{})
		if len(errs) > 0 {
			t.Errorf("%s: %v", c.src, errs)
			continue
		}
		if len(warnings) != 1 || !strings.Contains(warnings[0].String(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.src, warnings, c.want)
		}
	}
}

// A comment on the line of a warning, or right above it, acknowledges it.
func TestAcknowledgedWarnings(t *testing.T) {
	with := "WITH s AS (SELECT a FROM i) SELECT a INTO o FROM s;\n"
	second := "WITH u AS (SELECT a FROM s) SELECT a INTO p FROM u"
	for src, want := range map[string]string{
		with + second: "2:1: several WITH",
		with + "-- spate: ignore W507\n" + second:                                       "",
		with + "-- spate: ignore W507: nobody has asked the service\n" + second:         "",
		with + "-- spate: ignore W507\r\n" + second:                                     "",
		with + "--spate:ignore W507\n\n-- of alerts\n/* more\n*/ " + second:             "",
		with + "/* spate: ignore W507 */ " + second:                                     "",
		with + second + " -- spate: ignore W507":                                        "",
		"-- spate: ignore W507\n" + with + second:                                       "1:1: there is no W507 here that this could acknowledge (W523)\n3:1: several WITH",
		with + "-- spate: ignore W513\n" + second:                                       "2:1: there is no W513 here that this could acknowledge (W523)\n3:1: several WITH",
		with + "-- spate: ignore\n" + second:                                            "2:1: this names no warning: write spate: ignore W507 (W523)\n3:1: several WITH",
		with + second + "\n-- spate: ignore W507":                                       "2:1: several WITH clauses in one script: no public example on the real service (W507)\n3:1: there is no W507 here",
		"SELECT a INTO o FROM i WHERE b = \"x\" OR c = NULL -- spate: ignore W518,W513": "",
		"SELECT a INTO o FROM i WHERE b = \"x\" OR c = NULL -- spate: ignore W513":      "a comparison with NULL",
		"SELECT a INTO o FROM i WHERE b = '-- spate: ignore W513'":                      "",
		"SELECT a INTO o FROM i -- we spate: ignore W513":                               "",
		"SELECT a INTO o FROM i -- spate: ignore W523":                                  "there is no W523 here",
		"SELECT a INTO o\nFROM i\nWHERE b = \"x\" -- spate: ignore W513":                "",
	} {
		_, errs, warnings := Script(src, Options{})
		var got []string
		for _, w := range warnings {
			got = append(got, w.String())
		}
		if s := strings.Join(got, "\n"); len(errs) > 0 || !strings.Contains(s, want) || (s == "") != (want == "") {
			t.Errorf("%s\n got %s %v\nwant %s", src, s, errs, want)
		}
	}
	if _, _, warnings := Script("SELECT nope( INTO o FROM i -- spate: ignore W507", Options{}); len(warnings) > 0 {
		t.Errorf("a script with mistakes: %v", warnings)
	}
	if _, errs, warnings := Script("SELECT a INTO o FROM i WHERE nope(b) = 1 -- spate: ignore W513", Options{}); len(errs) == 0 || len(warnings) > 0 {
		t.Errorf("a script with mistakes: %v, %v", errs, warnings)
	}
}

func TestExpressionOfAnOutputMap(t *testing.T) {
	cols := []plan.Column{{Name: "WindowEndTime"}, {Name: "n"}}
	e, errs := Expression("DATEADD(minute, -5, WindowEndTime)", cols)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	c, ok := e.(*plan.Call)
	if !ok || c.Func != "DATEADD" || len(c.Args) != 3 {
		t.Fatalf("got %#v", e)
	}
	if col, ok := c.Args[2].(*plan.Col); !ok || col.Index != 0 {
		t.Errorf("third argument %#v, want column 0", c.Args[2])
	}
	for src, want := range map[string]string{
		"WindowEnd":                          "1:1: there is no column WindowEnd (did you mean WindowEndTime?)",
		"COUNT(*)":                           "an aggregate is not allowed in an output column",
		"LAG(n) OVER (LIMIT DURATION(s, 1))": "LAG is not allowed in an output column",
		"n +":                                "1:4: the text ends where an expression is expected",
		"n n":                                "1:3: unexpected name n, want the end of the expression",
	} {
		if _, errs := Expression(src, cols); len(errs) == 0 || !strings.Contains(errs[0].Error(), want) {
			t.Errorf("%s: got %v, want %s", src, errs, want)
		}
	}
}
