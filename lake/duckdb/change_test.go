//go:build cgo && !noduckdb

package duckdb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/blob"
	"spate/lake"
	"spate/lake/delta"
	"spate/lake/query"
)

// changing is a session that changes the tables of a folder.
func changing(t *testing.T, dir string) *query.Session {
	t.Helper()
	catalog, err := lake.NewCatalog(lake.Options{Store: blob.NewLocal(dir), Discover: true, Root: "abfss://data@spate.dfs.core.windows.net/"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(catalog.Close)
	spill := filepath.Join(t.TempDir(), "sp[il]l*") // the engine takes names of files for patterns
	if err := os.Mkdir(spill, 0o700); err != nil {
		t.Fatal(err)
	}
	eng := engine(t, query.Limits{SpillDir: spill})
	return &query.Session{Catalog: catalog, Engine: eng, Tables: &lake.Statements{Catalog: catalog, Engine: eng,
		Pinned: func(context.Context) (func(string) bool, error) { return nil, nil }}}
}

// do carries out statements.
func do(t *testing.T, s *query.Session, sql string) {
	t.Helper()
	if err := s.Each(t.Context(), sql, func(*query.Result) error { return nil }); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// fails says that a statement is refused, and why.
func fails(t *testing.T, s *query.Session, sql, want string) {
	t.Helper()
	err := s.Each(t.Context(), sql, func(*query.Result) error { return nil })
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want %q", sql, err, want)
	}
}

// rowsOf are the rows of a query, in an order of their own. The two zeros of floats are one.
func rowsOf(t *testing.T, s *query.Session, sql string) []string {
	t.Helper()
	out := strings.Split(strings.ReplaceAll(answer(t, s, sql), ",-0.0", ",0.0"), "\n")
	slices.Sort(out)
	return out
}

// Changing some rows of a table of another engine leaves the others as they were, whatever
// types and features it has.
func TestGoldenTablesKeepTheRowsThatAreNotChanged(t *testing.T) {
	dir := shared(t, "golden", "delta")
	tables, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range tables {
		from := filepath.Join(dir, e.Name(), "delta")
		table, err := delta.Open(t.Context(), blob.NewLocal(dir), e.Name()+"/delta")
		if !e.IsDir() || err != nil {
			continue
		}
		snap := table.Known()
		if snap.CanWrite() != nil || snap.NumFiles() == 0 {
			continue
		}
		t.Run(e.Name(), func(t *testing.T) {
			lakeDir := t.TempDir()
			if err := os.CopyFS(filepath.Join(lakeDir, "t"), os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
			s := changing(t, lakeDir)
			first := "[" + snap.Columns[0].Name + "]"
			if snap.AppendOnly() || snap.Property("delta.enableChangeDataFeed", "") == "true" || snap.Property("delta.enableRowTracking", "") == "true" {
				fails(t, s, "DELETE FROM t WHERE "+first+" IS NOT NULL", "delta.")
				return
			}
			hit := first + " = (SELECT MIN(" + first + ") FROM t)"
			want := rowsOf(t, s, "SELECT * FROM t WHERE NOT ("+hit+")")
			do(t, s, "DELETE FROM t WHERE "+hit)
			if got := rowsOf(t, s, "SELECT * FROM t"); !slices.Equal(got, want) {
				t.Fatalf("after DELETE\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			// Set a column of a row to NULL, and all others to themselves.
			nested, last := false, 0
			var set, items []string
			for i, c := range snap.Columns {
				day := slices.ContainsFunc(snap.PartitionDates(), func(d delta.PartitionDate) bool { return d.Column == c.Name })
				if nested = nested || c.Type.Nested(); !c.Type.Nested() && c.Nullable && !day {
					last = i
				}
			}
			for i, c := range snap.Columns {
				name := "[" + c.Name + "]"
				items = append(items, name)
				if i == last {
					items[i] = "CASE WHEN " + hit + " THEN NULL ELSE " + name + " END"
					set = append(set, name+" = NULL")
				} else if !c.Type.Nested() && c.Type != delta.Binary {
					set = append(set, name+" = "+name)
				}
			}
			want = rowsOf(t, s, "SELECT "+strings.Join(items, ", ")+" FROM t")
			do(t, s, "UPDATE t SET "+strings.Join(set, ", ")+" WHERE "+hit)
			if got := rowsOf(t, s, "SELECT * FROM t"); !slices.Equal(got, want) {
				t.Fatalf("after UPDATE\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if nested {
				fails(t, s, "INSERT INTO t SELECT * FROM t", "Writing a struct, array or map")
				return
			}
			if len(want) == 1 && strings.Trim(want[0], ",") == "" { // no row is left
				return
			}
			do(t, s, "INSERT INTO t SELECT * FROM t")
			if e.Name() == "rs_part_types" { // an empty text is NULL in a new partition
				for i := range want {
					want = append(want, strings.Replace(want[i], `,"",`, ",,", 1))
				}
			} else {
				want = append(want, want...)
			}
			slices.Sort(want)
			if got := rowsOf(t, s, "SELECT * FROM t"); !slices.Equal(got, want) {
				t.Fatalf("after INSERT\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// modelRow is a row of the random test.
type modelRow struct {
	id   int64
	k, n *int64
	at   string // empty: NULL
}

func (m modelRow) values() string {
	n := func(p *int64) string {
		if p == nil {
			return "NULL"
		}
		return fmt.Sprint(*p)
	}
	k, at := "NULL", "NULL"
	if m.k != nil {
		k = "'k" + n(m.k) + "'"
	}
	if m.at != "" {
		at = "'" + m.at + "'"
	}
	return fmt.Sprintf("(%d, %s, %s, %s)", m.id, k, n(m.n), at)
}

func (m modelRow) line() string {
	k, n := "", ""
	if m.k != nil {
		k = fmt.Sprintf("k%d", *m.k)
	}
	if m.n != nil {
		n = fmt.Sprint(*m.n)
	}
	return fmt.Sprintf("%d,%s,%s,%s", m.id, k, n, strings.Replace(m.at, " ", "T", 1)+map[bool]string{true: "", false: ".000000Z"}[m.at == ""])
}

// Random statements over a random table: its rows, and what conditions find by the statistics
// of its files, are those of a list.
func TestRandomChangesAgreeWithAList(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			s := changing(t, t.TempDir())
			do(t, s, "CREATE TABLE t (id BIGINT NOT NULL, k STRING, n INT, at TIMESTAMP) USING DELTA "+
				[]string{"", "PARTITIONED BY (DATE(at))", "PARTITIONED BY (k)", "PARTITIONED BY (k, DATE(at))"}[seed%4]+
				" TBLPROPERTIES ('delta.targetFileSize' = '"+[]string{"1kb", "128mb"}[seed%2]+"')")
			if seed >= 4 {
				do(t, s, "ALTER TABLE t SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
			}
			var rows []modelRow
			next := int64(0)
			some := func() *int64 {
				if r.IntN(6) == 0 {
					return nil
				}
				n := int64(r.IntN(5))
				return &n
			}
			when := func() string {
				if r.IntN(6) == 0 {
					return ""
				}
				return fmt.Sprintf("2026-01-%02d %02d:00:00", 1+r.IntN(4), r.IntN(24))
			}
			condition := func() (string, func(modelRow) bool) {
				x, at := int64(r.IntN(5)), fmt.Sprintf("2026-01-%02d 12:00:00", 1+r.IntN(4))
				switch r.IntN(6) {
				case 0:
					return fmt.Sprintf("n = %d", x), func(m modelRow) bool { return m.n != nil && *m.n == x }
				case 1:
					return fmt.Sprintf("n > %d OR k IS NULL", x), func(m modelRow) bool { return m.n != nil && *m.n > x || m.k == nil }
				case 2:
					return fmt.Sprintf("k = 'k%d'", x), func(m modelRow) bool { return m.k != nil && *m.k == x }
				case 3:
					return "at >= '" + at + "'", func(m modelRow) bool { return m.at >= at }
				case 4:
					return "at < '" + at + "' AND n IS NOT NULL", func(m modelRow) bool { return m.at != "" && m.at < at && m.n != nil }
				}
				return fmt.Sprintf("id %% 7 = %d", x), func(m modelRow) bool { return m.id%7 == x }
			}
			for range 25 {
				where, holds := condition()
				switch r.IntN(5) {
				case 0, 1:
					var list []string
					for range 1 + r.IntN(40) {
						m := modelRow{next, some(), some(), when()}
						next++
						rows, list = append(rows, m), append(list, m.values())
					}
					do(t, s, "INSERT INTO t (id, k, n, at) VALUES "+strings.Join(list, ", "))
				case 2:
					do(t, s, "DELETE FROM t WHERE "+where)
					rows = slices.DeleteFunc(rows, holds)
				case 3:
					k, at := some(), when()
					set, text := "NULL", "NULL"
					if k != nil {
						set = fmt.Sprintf("'k%d'", *k)
					}
					if at != "" {
						text = "'" + at + "'"
					}
					do(t, s, "UPDATE t SET n = n + 1, k = "+set+", at = "+text+" WHERE "+where)
					for i := range rows {
						if m := &rows[i]; holds(*m) {
							if m.n != nil {
								n := *m.n + 1
								m.n = &n
							}
							m.k, m.at = k, at
						}
					}
				case 4:
					do(t, s, []string{"OPTIMIZE t", "OPTIMIZE t ZORDER BY (id, n)"}[r.IntN(2)])
				}
				var want []string
				for _, m := range rows {
					want = append(want, m.line())
				}
				slices.Sort(want)
				if want == nil {
					want = []string{""}
				}
				if got := rowsOf(t, s, "SELECT id, k, n, at FROM t"); !slices.Equal(got, want) {
					t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				where, holds = condition()
				n := 0
				for _, m := range rows {
					if holds(m) {
						n++
					}
				}
				if got := answer(t, s, "SELECT COUNT(*) FROM t WHERE "+where); got != fmt.Sprint(n) {
					t.Fatalf("%s: %s rows, want %d", where, got, n)
				}
			}
		})
	}
}

// Statements do not get in each other's way, nor in that of those who append or pack.
func TestChangesBesideOthersLoseNothing(t *testing.T) {
	dir := t.TempDir()
	s := changing(t, dir)
	do(t, s, "CREATE TABLE t (id INT, v INT) USING DELTA")
	var work sync.WaitGroup
	run := func(f func(s *query.Session) error) {
		own := changing(t, dir)
		work.Go(func() {
			if err := f(own); err != nil {
				t.Error(err)
			}
		})
	}
	each := func(s *query.Session, sql string) error {
		return s.Each(t.Context(), sql, func(*query.Result) error { return nil })
	}
	const batches, size = 25, 8
	for part := range 2 {
		run(func(s *query.Session) error {
			for b := range batches {
				var list []string
				for i := range size {
					list = append(list, fmt.Sprintf("(%d, 0)", (b*size+i)*2+part))
				}
				if err := each(s, "INSERT INTO t VALUES "+strings.Join(list, ", ")); err != nil {
					return err
				}
			}
			return nil
		})
	}
	run(func(s *query.Session) error {
		for range 8 {
			if err := each(s, "DELETE FROM t WHERE id % 3 = 0"); err != nil {
				return err
			}
		}
		return nil
	})
	run(func(s *query.Session) error {
		for range 8 {
			if err := each(s, "UPDATE t SET v = 1 WHERE id % 5 = 0 AND v = 0"); err != nil {
				return err
			}
		}
		return nil
	})
	run(func(s *query.Session) error {
		for range 8 {
			if err := each(s, "OPTIMIZE t"); err != nil && !errors.Is(err, delta.ErrDeleteConflict) {
				return err
			}
		}
		return nil
	})
	work.Wait()
	do(t, s, "DELETE FROM t WHERE id % 3 = 0; UPDATE t SET v = 1 WHERE id % 5 = 0")
	var want []string
	for id := range batches * size * 2 {
		if id%3 != 0 {
			want = append(want, fmt.Sprintf("%d,%d", id, map[bool]int{true: 1}[id%5 == 0]))
		}
	}
	slices.Sort(want)
	if got := rowsOf(t, s, "SELECT * FROM t"); !slices.Equal(got, want) {
		t.Errorf("%d rows, want %d\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
}

func TestChangesThatAreRefused(t *testing.T) {
	s := changing(t, t.TempDir())
	do(t, s, `CREATE TABLE t (id INT NOT NULL, b TINYINT, s STRING, at TIMESTAMP, st STRUCT<a: INT>) USING DELTA PARTITIONED BY (DATE(at));
		INSERT INTO t (id, b, at) VALUES (1, 2, '2026-01-01')`)
	before := rowsOf(t, s, "SELECT * FROM t")
	fails(t, s, "INSERT INTO t (b) VALUES (1)", "Msg 515: Cannot insert the value NULL into column 'id'")
	fails(t, s, "UPDATE t SET id = NULL", "Msg 515")
	fails(t, s, "INSERT INTO t (id, b) VALUES (1, 200)", "Msg 8115")
	fails(t, s, "INSERT INTO t (id, x) VALUES (1, 2)", "Msg 207: Invalid column name 'x'")
	fails(t, s, "INSERT INTO t (id, ID) VALUES (1, 2)", "Msg 264")
	fails(t, s, "INSERT INTO t (id) VALUES (1, 2)", "Msg 110")
	fails(t, s, "INSERT INTO t VALUES (1, 2)", "Msg 213")
	fails(t, s, "INSERT INTO t (id) VALUES ('x')", "Msg 245")
	fails(t, s, "INSERT INTO t (id, st) VALUES (1, '{}')", "Writing a struct, array or map, as column st has, is not supported yet")
	fails(t, s, "INSERT INTO t (id, at, atDate) VALUES (1, '2026-01-01', '2026-01-02')", "Column atDate is not the day of at")
	fails(t, s, "UPDATE t SET atDate = '2026-01-02', at = '2026-01-01'", "Column atDate is not the day of at")
	fails(t, s, "UPDATE t SET x = 1", "Msg 207")
	fails(t, s, "UPDATE t SET b = 1, b = 2", "Msg 264")
	fails(t, s, "DELETE FROM t WHERE x = 1", "Msg 207")
	fails(t, s, "DELETE FROM nothing", "Msg 208")
	fails(t, s, "TRUNCATE TABLE nothing", "Msg 208")
	fails(t, s, "DROP TABLE nothing", "Msg 3701")
	fails(t, s, "DROP DATABASE nothing", "Msg 911")
	if got := rowsOf(t, s, "SELECT * FROM t"); !slices.Equal(got, before) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(before, "\n"))
	}
	do(t, s, "ALTER TABLE t SET TBLPROPERTIES ('delta.appendonly' = 'true')")
	fails(t, s, "DELETE FROM t WHERE id = 1", "delta.appendOnly")
	fails(t, s, "INSERT OVERWRITE t (id) VALUES (1)", "delta.appendOnly")
	do(t, s, "INSERT INTO t (id, b) VALUES (2, 1)")
}

// Every type survives being written by a statement, at its ends too, and is found there.
func TestTypesAtTheirEndsAreWrittenAndFound(t *testing.T) {
	s := changing(t, t.TempDir())
	do(t, s, `CREATE TABLE t (id INT, l LONG, h SMALLINT, b TINYINT, f FLOAT, d DOUBLE, dec DECIMAL(38,5), small DECIMAL(5,2), s STRING, z BOOLEAN, bin BINARY, day DATE, at TIMESTAMP) USING DELTA;
		INSERT INTO t VALUES (1, -9223372036854775808, -32768, -128, -3.4028235e38, -1.7976931348623157e308, -999999999999999999999999999999999.99999, -999.99, '', 0, 0x, '0001-01-01', '0001-01-01 00:00:00');
		INSERT INTO t VALUES (2, 9223372036854775807, 32767, 127, 20.1, 1.7976931348623157e308, 999999999999999999999999999999999.99999, 999.99, N'z`+strings.Repeat("ü", 40)+`', 1, 0xFF00, '9999-12-31', '9999-12-31 23:59:59.999999');
		INSERT INTO t (id) VALUES (3)`)
	for _, c := range []string{"l = -9223372036854775808", "l = 9223372036854775807", "h = -32768", "b = 127", "f = CAST(20.1 AS real)", "d = 1.7976931348623157e308",
		"dec = 999999999999999999999999999999999.99999", "dec < -999999999999999999999999999999999", "small = 999.99", "s = ''", "s = N'z" + strings.Repeat("ü", 40) + "'", "z = 1",
		"bin = 0xFF00", "day = '0001-01-01'", "day > '9999-12-30'", "at = '9999-12-31 23:59:59.999999'", "at < '0001-01-02'", "l IS NULL"} {
		if got := answer(t, s, "SELECT COUNT(*) FROM t WHERE "+c); got != "1" {
			t.Errorf("%s: %s rows, want 1", c, got)
		}
	}
	want := rowsOf(t, s, "SELECT * FROM t")
	do(t, s, "CREATE TABLE u USING DELTA AS SELECT * FROM t; INSERT OVERWRITE t SELECT * FROM u")
	for _, table := range []string{"t", "u"} {
		if got := rowsOf(t, s, "SELECT * FROM "+table); !slices.Equal(got, want) {
			t.Errorf("%s\n%s\nwant\n%s", table, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestTablesThatAreRefused(t *testing.T) {
	s := changing(t, t.TempDir())
	do(t, s, `CREATE TABLE t (id INT NOT NULL, b TINYINT, s STRING, at TIMESTAMP, st STRUCT<a: INT>) USING DELTA PARTITIONED BY (DATE(at));
		INSERT INTO t (id, b, at) VALUES (1, 2, '2026-01-01');
		CREATE TABLE m (id INT) USING DELTA; ALTER TABLE m SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')`)
	f := func(sql, want string) {
		t.Helper()
		fails(t, s, sql, want)
	}
	f("CREATE TABLE t (a INT) USING DELTA", "Msg 2714")
	f("CREATE TABLE u (a INT, A INT) USING DELTA", "differ only in case")
	f("CREATE TABLE u (a INT) USING DELTA PARTITIONED BY (a)", "no partition column")
	f("CREATE TABLE u (a INT) USING DELTA PARTITIONED BY (a + 1)", "PARTITIONED BY an expression other than DATE(column) is not supported yet")
	f("CREATE TABLE u (a INT) USING DELTA PARTITIONED BY (b)", "Msg 207")
	f("CREATE TABLE u (a INT DEFAULT 1) USING DELTA", "A DEFAULT of a column is not supported yet")
	f("CREATE TABLE u (a VARCHAR(10)) USING DELTA", "A text of limited length in a table: VARCHAR(10) is not supported yet")
	f("CREATE TABLE u (a INT, b INT GENERATED ALWAYS AS (a + 1)) USING DELTA", "GENERATED ALWAYS AS an expression other than CAST(column AS DATE) is not supported yet")
	f("CREATE TABLE u (a INTERVAL) USING DELTA", "The type INTERVAL is not supported yet")
	f("CREATE TABLE u (a INT) USING DELTA CLUSTER BY (a)", "CLUSTER BY is not supported yet")
	f("CREATE TABLE u (a INT) USING DELTA TBLPROPERTIES ('delta.nope' = '1')", "DELTA_UNKNOWN_CONFIGURATION")
	f("CREATE TABLE u (a INT) USING DELTA TBLPROPERTIES ('delta.logRetentionDuration' = 'long')", "no interval")
	f("CREATE TABLE u (a INT) USING DELTA TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')", "the property needs delta.enableChangeDataFeed")
	f("CREATE TABLE u (a INT) USING DELTA LOCATION 's3://b/u'", "tables elsewhere are not supported yet")
	f("CREATE TABLE u (a INT) USING DELTA LOCATION '../u'", "is no place of a table")
	f("CREATE TABLE u (a INT) USING PARQUET", "A table USING PARQUET is not supported yet")
	f("CREATE TABLE u.v (a INT) USING DELTA", "Msg 911")
	f("CREATE TABLE [../u] (a INT) USING DELTA", "cannot be the name of a table or a database")
	f("CREATE DATABASE [a/b]", "cannot be the name of a table or a database")
	f("CREATE TABLE u (a INT) USING DELTA LOCATION 'default.db/t/u'", "there is a table in default.db/t, and VACUUM of one would delete files of the other")
	f("CREATE TABLE u (a INT) USING DELTA LOCATION 'default.db'", "there is a table in default.db/m")
	f("CREATE TABLE u USING DELTA LOCATION 'empty'", "there is no Delta table in its place")
	f("CREATE TABLE u (a INT) USING DELTA AS SELECT 1 AS a", "takes its columns from the query")
	f("CREATE TABLE u USING DELTA AS SELECT 1", "No column name was specified for column 1")
	f("DROP TABLE nothing", "Msg 3701")
	f("DROP TABLE delta.[default.db/t]", "DROP TABLE of a path is not supported yet")
	f("DROP DATABASE nothing", "Msg 911")
	f("DROP DATABASE [default]", "is the pipeline's, and stays")
	f("ALTER TABLE t RENAME COLUMN id TO x", "DELTA_UNSUPPORTED_RENAME_COLUMN")
	f("ALTER TABLE t DROP COLUMN id", "DELTA_UNSUPPORTED_DROP_COLUMN")
	f("ALTER TABLE m DROP COLUMN id", "a column that is no partition column")
	f("ALTER TABLE m UNSET TBLPROPERTIES ('delta.columnMapping.mode')", "UNSET of the property delta.columnMapping.mode is not supported yet")
	f("ALTER TABLE t UNSET TBLPROPERTIES ('nothing')", "no property nothing")
	f("ALTER TABLE t ALTER COLUMN b SET NOT NULL; ALTER TABLE t ALTER COLUMN s SET NOT NULL", "Msg 515: Column s has no value in 1 rows")
	f("ALTER TABLE t ALTER COLUMN b TYPE INT", "ALTER TABLE ... ALTER COLUMN ... TYPE is not supported yet")
	f("ALTER TABLE t ALTER COLUMN st.a COMMENT 'x'", "ALTER TABLE of a field of a column is not supported yet")
	f("ALTER TABLE t ADD COLUMN d DATE GENERATED ALWAYS AS (CAST(at AS DATE))", "ADD COLUMNS of a generated column is not supported yet")
	f("ALTER TABLE t ADD COLUMN b INT", "Msg 2705")
	f("ALTER TABLE t ADD COLUMN c INT NOT NULL", "Msg 4901")
	f("ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0)", "ALTER TABLE ... ADD CONSTRAINT is not supported yet")
	f("UPDATE t SET t.st.a = 1", "UPDATE of a field of a column is not supported yet")
	if got := answer(t, s, "SELECT id, b FROM t"); got != "1,2" {
		t.Errorf("the table has %s", got)
	}
}

// Rows of tables whose changes others follow, or whose rows have ids, are added and not changed.
func TestChangesOfWhatOthersFollow(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"spark_cdf", "spark_rowtracking"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(shared(t, "golden", "delta"), name, "delta"))); err != nil {
			t.Fatal(err)
		}
	}
	s := changing(t, dir)
	for _, verb := range []string{"DELETE FROM spark_cdf", "TRUNCATE TABLE spark_cdf", "INSERT OVERWRITE spark_cdf SELECT * FROM spark_cdf"} {
		fails(t, s, verb, "of a table with delta.enableChangeDataFeed is not supported yet: its change files are not written.")
	}
	fails(t, s, "DELETE FROM spark_rowtracking", "of a table with delta.enableRowTracking is not supported yet: rows would lose their ids.")
	fails(t, s, "OPTIMIZE spark_rowtracking ZORDER BY (id)", "moving rows to other files of the table")
	do(t, s, "INSERT INTO spark_rowtracking VALUES (10), (11)")
	table, err := delta.Open(t.Context(), blob.NewLocal(dir), "spark_rowtracking")
	if err != nil {
		t.Fatal(err)
	}
	files := table.Known().Files()
	last := files[len(files)-1]
	if last.BaseRowID == nil || *last.BaseRowID != 3 || last.DefaultRowCommitVersion == nil || *last.DefaultRowCommitVersion != 3 {
		t.Errorf("the new file is numbered %+v", last)
	}
	if d := table.Known().DomainMetadata(); len(d) != 1 || d[0].Configuration != `{"rowIdHighWaterMark":4,"domainName":"delta.rowTracking"}` {
		t.Errorf("domains %+v", d)
	}
}

// Rows that are clustered by the engine come into few files for what queries ask, as those that
// are clustered by our own writer.
func TestTablesWithNestedColumnsAreClustered(t *testing.T) {
	dir := t.TempDir()
	s := changing(t, dir)
	do(t, s, `CREATE TABLE t (a INT, b INT, st STRUCT<x: INT>, d DECIMAL(38,2)) USING DELTA TBLPROPERTIES ('delta.targetFileSize' = '2kb');
		INSERT INTO t (a, b, d) SELECT g.value % 100, g.value / 100, g.value FROM GENERATE_SERIES(0, 9999) AS g`)
	want := rowsOf(t, s, "SELECT * FROM t")
	touched := func() int {
		r, err := s.Explain(t.Context(), "SELECT * FROM t WHERE a = 17 AND b BETWEEN 20 AND 24")
		if err != nil {
			t.Fatal(err)
		}
		return r.Stats.FilesOpened
	}
	before := touched()
	do(t, s, "OPTIMIZE t ZORDER BY (a, b)")
	if got := rowsOf(t, s, "SELECT * FROM t"); !slices.Equal(got, want) {
		t.Error("the rows have changed")
	}
	if after := touched(); after > 3 || before < 2 {
		t.Errorf("a query opens %d files, and opened %d before", after, before)
	}
	fails(t, s, "OPTIMIZE t ZORDER BY (st)", "it is a struct, array or map")
}

// A statement looks at one moment, and at one version of the other tables, however often it reads.
func TestAChangeSeesOneMoment(t *testing.T) {
	s := changing(t, t.TempDir())
	do(t, s, `CREATE TABLE t (id INT, at TIMESTAMP) USING DELTA; CREATE TABLE u (id INT) USING DELTA;
		INSERT INTO t SELECT g.value, DATEADD(second, g.value, '2026-01-01') FROM GENERATE_SERIES(0, 99) AS g; INSERT INTO u VALUES (1)`)
	seconds := 0
	s.Now = func() time.Time { // each look at the clock is ten seconds later
		seconds += 10
		return time.Date(2026, 1, 1, 0, 0, seconds, 0, time.UTC)
	}
	do(t, s, "DELETE FROM t WHERE at < GETUTCDATE()")
	first := answer(t, s, "SELECT MIN(id) FROM t")
	if n := answer(t, s, "SELECT COUNT(*) + MIN(id) FROM t"); n != "100" || first == "0" {
		t.Errorf("first id %s, count and first id together %s, want 100", first, n)
	}
	s.Now = nil
	own := s.Catalog
	s.Catalog = &growing{Catalog: own, grow: func() { do(t, changingIn(t, own), "INSERT INTO u SELECT MAX(id) + 1 FROM u") }}
	do(t, s, "DELETE FROM t WHERE id % 2 = (SELECT COUNT(*) FROM u) % 2 AND id > 50")
	s.Catalog = own
	if got := answer(t, s, "SELECT COUNT(DISTINCT id % 2) FROM t WHERE id > 50"); got != "1" {
		t.Errorf("rows of %s kinds are left, want 1", got)
	}
}

// growing is a catalog in which something happens whenever a table is opened.
type growing struct {
	query.Catalog
	grow func()
}

func (g *growing) Table(ctx context.Context, database, name string, at query.AsOf) (*query.Table, error) {
	g.grow()
	return g.Catalog.Table(ctx, database, name, at)
}

// changingIn is another session on the tables of a catalog.
func changingIn(t *testing.T, c query.Catalog) *query.Session {
	eng := engine(t, query.Limits{})
	return &query.Session{Catalog: c, Engine: eng, Tables: &lake.Statements{Catalog: c.(*lake.Catalog), Engine: eng}}
}

// A file whose columns have no ids is refused where columns are found by them.
func TestFilesWithoutIDsAreRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "t"), os.DirFS(filepath.Join(shared(t, "golden", "delta"), "spark_cm_id", "delta"))); err != nil {
		t.Fatal(err)
	}
	s := changing(t, dir)
	do(t, s, "SELECT * FROM t; CREATE TABLE plain (a INT) USING DELTA; INSERT INTO plain VALUES (1)")
	find := func(table string) string {
		files, err := filepath.Glob(filepath.Join(dir, table, "*.parquet"))
		more, err2 := filepath.Glob(filepath.Join(dir, table, "*", "*.parquet"))
		if files = append(files, more...); err != nil || err2 != nil || len(files) != 1 {
			t.Fatalf("files %v (%v, %v)", files, err, err2)
		}
		return files[0]
	}
	data, err := os.ReadFile(find("default.db/plain"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(find("t"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := answer(t, s, "SELECT * FROM t"); !strings.Contains(got, "mapped by id, and a data file has no field ids: ") {
		t.Errorf("got %s", got)
	}
}
