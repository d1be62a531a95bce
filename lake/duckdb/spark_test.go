//go:build cgo && !noduckdb

package duckdb_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"spate/lake/query"
	"spate/sql/syntax"
)

func inSpark(t *testing.T) *query.Session {
	s := changing(t, t.TempDir())
	s.Dialect = syntax.Spark
	s.Now = func() time.Time { return time.Date(2026, 11, 30, 12, 30, 15, 123456789, time.UTC) }
	return s
}

// What Spark itself answers is compared in interop; here is what the dialect is about.
func TestDialectOfSpark(t *testing.T) {
	s := inSpark(t)
	do(t, s, "CREATE TABLE t (n INT, s STRING, at TIMESTAMP) USING DELTA; INSERT INTO t VALUES (1, 'a', TIMESTAMP '2026-11-30 12:00:00'), (2, 'a ', NULL), (NULL, \"b\", '2026-11-29')")
	f := func(sql, want string) {
		t.Helper()
		if got := answer(t, s, sql); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
	f("SELECT 7 / 2", "3.5")
	f("SELECT 7 DIV 2", "3")
	f("SELECT concat('a', NULL) IS NULL AND 'x' || 'y' = 'xy'", "true")
	f("SELECT count(*) FROM t WHERE s = 'a'", "1")
	f("SELECT count(*) FROM t WHERE n > 1 OR `s` LIKE 'b%'", "2")
	f("SELECT count(*) FROM t WHERE at >= current_timestamp() - INTERVAL 1 DAY", "1")
	f("SELECT datediff(current_date(), '2026-11-01')", "29")
	f("SELECT date_format(now(), 'dd.MM.yyyy HH:mm:ss')", "30.11.2026 12:30:15")
	f("SELECT sum(n) AS k FROM t HAVING k > 2", "3")
	f("SELECT max(c) FROM (SELECT s, count(*) AS c FROM t GROUP BY 1)", "1")
	f("SELECT CAST(1D AS STRING)", "1.0")
	f("SELECT round(2.675D, 2)", "2.68")
	f("SELECT 1 / 0", "error: Msg 8134: Divide by zero error encountered.")
	for sql, want := range map[string]string{
		"SELECT GETDATE()":                     "a function of T-SQL, and not of Spark",
		"SELECT collect_list(n) FROM t":        "not supported yet in the dialect of Spark",
		"SELECT nonsense(1)":                   "not a recognized function name",
		"SELECT CAST('x' AS INT)":              "malformed",
		"SELECT '1' + '2'":                     "|| joins them",
		"SELECT at - at FROM t":                "which DATEDIFF and TIMESTAMPDIFF count",
		"SELECT n FROM t JOIN t u USING (n)":   "JOIN ... USING is not supported yet",
		"SET spark.sql.shuffle.partitions = 3": "is not supported yet",
		"SELECT date_format(now(), 'G')":       "'G' in the pattern of a date",
		"SELECT INTERVAL 1 DAY":                "An INTERVAL other than one that is added",
		"MERGE INTO t USING u ON 1 = 1":        "MERGE is not supported yet",
	} {
		fails(t, s, sql, want)
	}
}

// The SQL of the notebook is carried out as it stands.
func TestNotebookStatementsRunInSpark(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(shared(t, "seed"), "delta_lake_processing.py"))
	if err != nil {
		t.Fatal(err)
	}
	s := inSpark(t)
	found := 0
	for _, m := range regexp.MustCompile(`spark\.sql\(f?(?:"""([^"]*)"""|"([^"]*)")\)`).FindAllStringSubmatch(string(text), -1) {
		sql := strings.NewReplacer("{raw_table_path}", "abfss://data@spate.dfs.core.windows.net/delta/raw_telemetry",
			"{agg_table_path}", "abfss://data@spate.dfs.core.windows.net/delta/aggregated_metrics").Replace(m[1] + m[2])
		do(t, s, sql)
		found++
		if found == 4 {
			do(t, s, `INSERT INTO raw_telemetry (EventId, DeviceId, Location, DeviceType, Temperature, Humidity, BatteryLevel, Timestamp)
				SELECT concat('e', value), concat('d', value % 3), 'Building-A', 'Multi', 20 + value, 50.5, 80, timestamp '2026-11-30 00:00:00' + INTERVAL 1 SECOND FROM GENERATE_SERIES(0, 99)`)
		}
	}
	if found != 7 {
		t.Fatalf("%d statements in the notebook, want 7", found)
	}
	if got := answer(t, s, "SELECT count(*) FROM raw_telemetry WHERE Temperature > 80 AND TimestampDate = DATE '2026-11-30'"); got != "39" {
		t.Errorf("%s rows above 80, want 39", got)
	}
	do(t, s, `CREATE OR REPLACE TABLE device_summary USING DELTA LOCATION 'abfss://data@spate.dfs.core.windows.net/delta/device_summary' AS
		SELECT DeviceId, Location, DeviceType, count(*) AS TotalEvents, avg(Temperature) AS AvgTemperature, min(Timestamp) AS FirstSeen, max(Timestamp) AS LastSeen
		FROM raw_telemetry GROUP BY DeviceId, Location, DeviceType`)
	if got := answer(t, s, "SELECT concat_ws('|', DeviceId, TotalEvents, AvgTemperature) FROM device_summary ORDER BY TotalEvents DESC LIMIT 1"); got != "d0|34|69.5" {
		t.Errorf("device summary %s", got)
	}
}
