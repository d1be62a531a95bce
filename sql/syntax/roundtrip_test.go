package syntax

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// sample is a text that must parse.
type sample struct {
	dialect Dialect
	text    string
}

var samples = []sample{
	{ASA, `SELECT * INTO o FROM i`},
	{ASA, "\uFEFF-- head\nSELECT a /* x */ FROM i;;\n;"},
	{ASA, `SELECT a, b AS 'alertKey', c AS "The ABS", [d e], f = a + 1, x.y.*, R.[0].[x] FROM [device-telemetry] TIMESTAMP BY t OVER k, PartitionId PARTITION BY PartitionId INTO 3 AS q`},
	{ASA, `SELECT time, timestamp, type, value, count, user, duration, LEFT(a, 1) AS l FROM i RIGHT`},
	{ASA, `WITH a AS (SELECT x FROM i), SELECT x FROM a; SELECT x INTO p FROM a`},
	{ASA, `SELECT COUNT(*), COUNT(), COUNT(DISTINCT x), COUNT(ALL x), COUNT(all), System.Window().Id FROM i TIMESTAMP BY DATEADD(millisecond, ms, '1970-01-01T00:00:00Z') GROUP BY TUMBLINGWINDOW (mi, 5)`},
	{ASA, `SELECT LAG(a, 1, 'none') OVER (PARTITION BY b, c LIMIT DURATION(minute, 5) WHEN d > 1) FROM i WHERE ISFIRST(mi, 10) OVER (WHEN x = 1) = 1`},
	{ASA, `SELECT a FROM i GROUP BY a, HoppingWindow(Duration(minute, 10), Hop(minute, 5), Offset(millisecond, -1)), SessionWindow(second, 5, 60) OVER (PARTITION BY k) HAVING [Count] >= 3`},
	{ASA, `SELECT a FROM i GROUP BY Windows(Window('a', TumblingWindow(minute, 1)), Window('b', HoppingWindow(minute, 2, 1)))`},
	{ASA, `SELECT i.a, arr.ArrayValue.k FROM i CROSS APPLY GetArrayElements(i.x) AS arr OUTER APPLY GetRecordProperties(i.r) p`},
	{ASA, `SELECT a.x FROM a TIMESTAMP BY t JOIN (b LEFT OUTER JOIN c ON b.x = c.x AND DATEDIFF(s, b, c) BETWEEN 0 AND 5) ON a.x = b.x`},
	{ASA, `SELECT * FROM i TIMESTAMP BY t MATCH_RECOGNIZE (LIMIT DURATION(minute, 1) PARTITION BY k MEASURES Last(A.id) AS id, First(B.x) AFTER MATCH SKIP TO NEXT ROW PATTERN (A* (B | C)+ . (d{2,})?) DEFINE A AS A.v = 1, B AS B.v > 2) AS T`},
	{ASA, `(SELECT a FROM i UNION ALL SELECT a FROM j) UNION SELECT a INTO o FROM k`},
	{ASA, `SELECT a FROM (SELECT a FROM (SELECT a FROM i) x) AS y WHERE NOT (a = 1 OR b NOT LIKE 'x%' ESCAPE '!') AND c NOT IN (1, NULL) AND d IS NOT NULL AND e NOT BETWEEN 00 AND 15`},
	{ASA, `SELECT CASE a WHEN 1 THEN 'x' ELSE NULL END, CASE WHEN a !< 1 AND b !> 2 THEN 1 END, CAST(a AS nvarchar(max)), TRY_CAST(a AS bigint), ~a & b | c ^ d, - -a, -(a + b) * c % 2 FROM i`},
	{ASA, `SELECT PERCENTILE_CONT(0.95) OVER (ORDER BY x DESC), TopOne() OVER (ORDER BY a, b DESC), udf.f(a).b.c FROM i`},
	{ASA, `CREATE TABLE i (a bigint, [b c] nvarchar(max), time datetime, r record);SELECT (a = 1) AS x, (distinct) - 1, f((all) - 1) FROM i`},
	{TSQL, `SELECT TOP 100 * FROM telemetry.raw_telemetry ORDER BY Timestamp DESC`},
	{TSQL, `SELECT DISTINCT TOP (10) PERCENT WITH TIES a, [b c] x, "d" AS 'e' FROM db..t AS q WITH (NOLOCK), u ORDER BY 1 OFFSET 5 ROWS FETCH NEXT 10 ROWS ONLY OPTION (MAXDOP 1)`},
	{TSQL, `WITH c(a, b) AS (SELECT 1, 2), d AS (SELECT * FROM c) SELECT a, (SELECT MAX(b) FROM d) FROM c WHERE EXISTS (SELECT 1) AND a > ALL (SELECT b FROM d) AND a IN (SELECT a FROM d)`},
	{TSQL, `SELECT a FROM t EXCEPT SELECT a FROM u INTERSECT (SELECT a FROM v UNION SELECT 1) ORDER BY a`},
	{TSQL, `SELECT SUM(x) OVER (PARTITION BY a ORDER BY b ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), LAG(x) IGNORE NULLS OVER w, STRING_AGG(x, ',') WITHIN GROUP (ORDER BY y) FROM t WINDOW w AS (ORDER BY z)`},
	{TSQL, `SELECT CONVERT(varchar(10), d, 120), TRY_CONVERT(int, x), TRY_CAST(x AS decimal(10, 2)), N'ü', 0xFF, $1.50, .5, 5., 1e3, {ts '2020-01-01'}, {fn NOW()}, @p, @@version, ?`},
	{TSQL, `SELECT a, COUNT(*) FROM t GROUP BY GROUPING SETS ((a, b), (a), ()), ROLLUP (a, (b, c)), CUBE (a)`},
	{TSQL, `SELECT a, COUNT(*) FROM t GROUP BY a, b WITH ROLLUP`},
	{TSQL, `SELECT r.filepath(1) FROM OPENROWSET(BULK 'x/*.parquet', FORMAT = 'PARQUET') WITH (a int 1, b varchar(10) '$.x') AS r CROSS APPLY OPENJSON(r.j) WITH (k nvarchar(max) AS JSON) o`},
	{TSQL, `SELECT * FROM a LEFT HASH JOIN b INNER JOIN c ON b.x = c.x ON a.x = b.x FULL OUTER JOIN d ON 1 = 1 CROSS JOIN (VALUES (1, 2), (3, 4)) AS v(p, q)`},
	{TSQL, `SELECT d AT TIME ZONE 'UTC' AT TIME ZONE @z, s COLLATE Latin1_General_100_BIN2_UTF8 FROM t VERSION AS OF 5 x WHERE a IS NOT DISTINCT FROM b LIMIT 5`},
	{TSQL, `SET NOCOUNT ON SELECT 1; DECLARE @a int = 1, @b AS varchar(max); SET @a = @a + 1; SELECT @a = x FROM t; PRINT 'x'; USE [my db]; EXEC sp_help 'x', @y = 1 OUTPUT; EXEC('SELECT 1'); BEGIN TRAN x; COMMIT; IF @a > 1 SELECT 1 ELSE BEGIN SELECT 2; SELECT 3 END`},
	{TSQL, `sp_datatype_info_100 12,3`},
	{TSQL, `SELECT ((SELECT 1) + 1), ((SELECT 1) UNION SELECT 2) FROM ((SELECT 1 AS a) AS x JOIN t ON 1 = 1), ((SELECT 1) UNION (SELECT 2)) AS y WHERE a IN ((SELECT 1), 2)`},
	{Spark, "CREATE TABLE IF NOT EXISTS raw_telemetry (EventId STRING, Timestamp TIMESTAMP NOT NULL COMMENT 'it''s', Location STRING, D DATE GENERATED ALWAYS AS (CAST(Timestamp AS DATE)))\nUSING DELTA\nLOCATION 'abfss://c@a/x'\nPARTITIONED BY (DATE(Timestamp), p INT) TBLPROPERTIES ('delta.appendOnly' = 'true', a.b = 5) COMMENT \"x\\n\""},
	{Spark, `CREATE OR REPLACE TABLE db.t USING delta AS SELECT a[0]['x'], b::array<struct<c: int, d map<string,int>>>, 1D, 2L, 3BD, X'0A', DATE '2020-01-01', a == b, a <=> b, a || b, a DIV b, a & b | c, s RLIKE 'x', true, 'a' 'b' FROM t`},
	{TSQL, "DELETE FROM a.t WHERE x > 1; DELETE t; DELETE FROM t AS [u v] WHERE [u v].x IS NULL; UPDATE t SET a = a + 1, [b c] = NULL WHERE x IN (SELECT y FROM u); TRUNCATE TABLE t; ALTER TABLE t ADD c int NULL, d varchar(10)"},
	{Spark, "ALTER TABLE a.t ADD COLUMNS (c INT COMMENT 'x', `d e` STRING); ALTER TABLE t ADD COLUMN c INT; ALTER TABLE t DROP COLUMN a; ALTER TABLE t DROP COLUMNS (a, b.c); ALTER TABLE t RENAME COLUMN a TO b; ALTER TABLE t ALTER COLUMN a COMMENT 'it''s'; ALTER TABLE t ALTER COLUMN a SET NOT NULL; ALTER TABLE t ALTER COLUMN a DROP NOT NULL; ALTER TABLE t CHANGE COLUMN a TYPE BIGINT; ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0); ALTER TABLE t DROP CONSTRAINT IF EXISTS c; ALTER TABLE t SET TBLPROPERTIES (delta.appendOnly = true, 'x' = 'y'); ALTER TABLE t UNSET TBLPROPERTIES IF EXISTS ('x', a.b); SELECT * FROM t FOR SYSTEM_VERSION AS OF 3"},
	{Spark, "CREATE DATABASE IF NOT EXISTS telemetry; USE telemetry; OPTIMIZE telemetry.raw_telemetry WHERE d >= '2020-01-01' ZORDER BY (DeviceId, Timestamp); VACUUM `telemetry`.raw_telemetry RETAIN 168 HOURS DRY RUN; ANALYZE TABLE t COMPUTE STATISTICS FOR COLUMNS a, b; DESCRIBE HISTORY t LIMIT 5; DESCRIBE t; SHOW TABLES IN x; RESTORE t TO VERSION AS OF 3; INSERT INTO t (a) VALUES (1), (2); DROP TABLE IF EXISTS t; SET spark.sql.x = true; EXPLAIN SELECT 1"},
}

// strip clears all spans below v, so that trees compare by meaning.
func strip(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			strip(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			strip(v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[Span]() {
			v.SetZero()
			return
		}
		for i := range v.NumField() {
			strip(v.Field(i))
		}
	}
}

func parsed(t *testing.T, src string, d Dialect) *Script {
	t.Helper()
	s, errs := Parse(src, d)
	if len(errs) > 0 {
		t.Fatalf("parse %s text: %v\n%s", d, errs, src)
	}
	return s
}

// checkRoundTrip prints s and parses the text again.
func checkRoundTrip(t *testing.T, s *Script) {
	t.Helper()
	text := s.String()
	again := parsed(t, text, s.Dialect)
	if second := again.String(); second != text {
		t.Fatalf("printed twice, the text differs:\n%s\n---\n%s", text, second)
	}
	strip(reflect.ValueOf(s))
	strip(reflect.ValueOf(again))
	if !reflect.DeepEqual(s, again) {
		t.Fatalf("the tree of the printed text differs:\n%s", text)
	}
}

func TestPrintedTextParsesToTheSameTree(t *testing.T) {
	for _, c := range samples {
		t.Run(c.dialect.String(), func(t *testing.T) {
			checkRoundTrip(t, parsed(t, c.text, c.dialect))
		})
	}
}

// seed reads a file of the seed; the test is skipped where there is none.
func seed(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("SPATE_SEED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "seed")
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("seed file %s: %v", name, err)
	}
	return string(text)
}

func TestSeedScriptParses(t *testing.T) {
	s := parsed(t, seed(t, "telemetry-processing.asaql"), ASA)
	if len(s.Stmts) != 3 {
		t.Errorf("%d statements, want 3", len(s.Stmts))
	}
	checkRoundTrip(t, s)
}

func TestSeedQueriesParse(t *testing.T) {
	s := parsed(t, seed(t, "queries.sql"), TSQL)
	if len(s.Stmts) != 2 {
		t.Errorf("%d statements, want 2", len(s.Stmts))
	}
	checkRoundTrip(t, s)
}

func FuzzParse(f *testing.F) {
	for _, c := range samples {
		f.Add(c.text, byte(c.dialect))
	}
	f.Fuzz(func(t *testing.T, src string, d byte) {
		dialect := Dialect(d % 3)
		s, errs := Parse(src, dialect)
		for _, e := range errs {
			if e.Span.From.Line < 1 || e.Span.From.Col < 1 || e.Span.To.Offset > len(src) || e.Msg == "" {
				t.Fatalf("error without place or text: %+v", e)
			}
		}
		if len(errs) == 0 {
			checkRoundTrip(t, s)
		}
	})
}
