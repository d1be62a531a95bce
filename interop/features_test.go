package interop

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Tables with the features that Spark switches on: Spate reads, changes and packs them, and Spark
// reads what it has made of them, and changes them again.
func TestTablesOfSparkWithFeatures(t *testing.T) {
	t.Parallel()
	program := tool(t, "PySpark", "spark", "bin", "python")
	jars := filepath.Dir(tool(t, "Delta's jars for Spark", "jars", "delta-storage-4.4.0.jar"))
	i := newInstance(t, variant{})
	folder := filepath.Join(i.data, "lake", "spate", "telemetry-data", "spark")
	run := func(what string) {
		t.Helper()
		output(t, 5*time.Minute, nil, "", program, script(t, "spark_features.py"), jars, what, folder)
	}
	run("make")
	names := []string{"vectors", "mapped", "ids", "widened", "numbered", "stamped", "clustered"}
	var tables []string
	for _, n := range names {
		tables = append(tables, filepath.Join(folder, n))
	}
	// Nested values and bytes are shown as text by one and not by the other.
	plain := func(rows []row) []row {
		for _, r := range rows {
			for _, c := range []string{"st", "arr", "m", "bin"} {
				delete(r, c)
			}
			if n, ok := r["dec"].(json.Number); ok { // Spark's script gives the text of all digits
				r["dec"] = n.String()
			}
		}
		return rows
	}
	compare := func(when string) {
		t.Helper()
		for k, rows := range (spark{}).read(t, tables...) {
			own := i.query("SELECT * FROM [default]." + names[k])
			if len(own) == 0 {
				t.Errorf("%s has no rows", names[k])
			}
			same(t, names[k]+", "+when+", read by Spark", canonicals(t, plain(rows)), canonicals(t, plain(own)))
		}
	}
	compare("as Spark made it")
	for _, n := range names {
		text := map[bool]string{true: "text", false: "s"}[n == "mapped"]
		var list []string
		for id := 30; id < 36; id++ {
			list = append(list, fmt.Sprintf("(%d, 'new %d', %d.5, '2026-02-0%dT01:02:03.123456', '2026-02-0%d', %d.25)", id, id, id, id-29, id-29, id))
		}
		sql := "INSERT INTO @t (id, " + text + ", d, at, day, dec) VALUES " + strings.Join(list, ", ")
		if n != "numbered" {
			sql += "; DELETE FROM @t WHERE id IN (0, 10, 31) OR at >= '2026-02-06'; UPDATE @t SET d = d + 1, " + text + " = N'ü' WHERE id IN (1, 11, 32)"
		}
		i.spate("query", strings.ReplaceAll(sql, "@t ", "[default]."+n+" "), "-o", "jsonl")
	}
	compare("changed by Spate")
	run("change")
	compare("changed by Spark again")
}
