package interop

import (
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Tables of the running pipeline, read and written by others.
func TestDeltaTables(t *testing.T) {
	t.Parallel()
	readers := []deltaReader{deltaRS{}, spark{}}
	for _, r := range readers {
		t.Run(r.name(), func(t *testing.T) {
			t.Parallel()
			testDeltaTables(t, r)
		})
	}
}

// deltaReader is a program that reads Delta tables and adds to them.
type deltaReader interface {
	name() string
	read(t testing.TB, tables ...string) [][]row
	append(t testing.TB, tables ...string) // one row to each, with mark behind its texts
	mark() string
}

type deltaRS struct{}

func (deltaRS) name() string { return "delta-rs" }
func (deltaRS) mark() string { return "+rs" }
func (deltaRS) read(t testing.TB, tables ...string) (all [][]row) {
	t.Helper()
	for _, table := range tables {
		all = append(all, deltaRows(t, table))
	}
	return all
}
func (deltaRS) append(t testing.TB, tables ...string) {
	t.Helper()
	for _, table := range tables {
		output(t, 2*time.Minute, nil, "", python(t), script(t, "delta_read.py"), table, "--append", "1")
	}
}

type spark struct{}

func (spark) name() string { return "Spark" }
func (spark) mark() string { return "+spark" }

func (spark) run(t testing.TB, args ...string) string {
	t.Helper()
	program := tool(t, "PySpark", "spark", "bin", "python")
	jars := tool(t, "Delta's jars for Spark", "jars", "delta-storage-4.4.0.jar")
	return output(t, 4*time.Minute, nil, "", program, append([]string{script(t, "spark_table.py"), filepath.Dir(jars)}, args...)...)
}

func (s spark) read(t testing.TB, tables ...string) (all [][]row) {
	t.Helper()
	text := s.run(t, tables...)
	for range tables {
		rows := lines(t, text)
		all = append(all, rows)
		_, text, _ = cutLines(text, len(rows)+1)
	}
	return all
}

func (s spark) append(t testing.TB, tables ...string) {
	t.Helper()
	s.run(t, append([]string{"--append"}, tables...)...)
}

// cutLines cuts text behind n lines.
func cutLines(text string, n int) (before, after string, found bool) {
	at := 0
	for range n {
		k := strings.IndexByte(text[at:], '\n')
		if k < 0 {
			return text, "", false
		}
		at += k + 1
	}
	return text[:at], text[at:], true
}

func testDeltaTables(t *testing.T, r deltaReader) {
	query, err := filepath.Abs(filepath.Join("testdata", "short.asaql"))
	if err != nil {
		t.Fatal(err)
	}
	i := newInstance(t, variant{Query: query, WindowStart: "DATEADD(second, -2, WindowEndTime)"}).start()
	lake := filepath.Join(i.data, "lake", "spate", "telemetry-data", "delta")
	tables := []string{filepath.Join(lake, "raw_telemetry"), filepath.Join(lake, "aggregated_metrics")}
	queries := []string{"SELECT * FROM telemetry.raw_telemetry", "SELECT * FROM telemetry.aggregated_metrics"}
	rnd := rand.New(rand.NewPCG(7, 7))

	stop := load(i.senders(t, rnd))
	time.Sleep(4 * time.Second)
	stop()
	i.settle(t)
	for k, rows := range r.read(t, tables...) {
		want := canonicals(t, i.query(queries[k]))
		if len(want) == 0 {
			t.Errorf("%s has no rows", tables[k])
		}
		same(t, "rows of "+filepath.Base(tables[k])+" read by "+r.name(), canonicals(t, rows), want)
	}

	// While the pipeline commits, somebody else does.
	stop = load(i.senders(t, rnd))
	r.append(t, tables...)
	time.Sleep(2 * time.Second)
	stop()
	events := int64(i.settle(t))
	for k, name := range []string{"EventId", "DeviceId"} {
		rows := i.query(queries[k])
		foreign := slices.DeleteFunc(slices.Clone(rows), func(r2 row) bool { return !strings.HasSuffix(r2[name].(string), r.mark()) })
		if len(foreign) != 1 {
			t.Errorf("%d rows of %s were appended by %s, want 1", len(foreign), tables[k], r.name())
		}
		if k == 0 && int64(len(rows)) != events+1 {
			t.Errorf("raw_telemetry has %d rows, want the %d events and one", len(rows), events)
		}
	}

	i.stop()

	// What Spate has packed, clustered and restored is read by others as by itself.
	names := []string{"telemetry.raw_telemetry", "telemetry.aggregated_metrics"}
	var versions []string
	for _, name := range names {
		versions = append(versions, i.query("DESCRIBE HISTORY " + name + " LIMIT 1")[0]["version"].(json.Number).String())
		i.spate("table", "optimize", name)
		i.spate("table", "optimize", name, "--zorder-by", "DeviceId")
	}
	clustered := r.read(t, tables...)
	for k, name := range names {
		i.spate("table", "restore", name, "--version", versions[k])
	}
	restored := r.read(t, tables...)
	for k, name := range names {
		want := canonicals(t, i.query(queries[k]))
		same(t, name+", clustered, read by "+r.name(), canonicals(t, clustered[k]), want)
		same(t, name+", restored, read by "+r.name(), canonicals(t, restored[k]), want)
	}
}

// settle waits until the tables do not grow any more and raw_telemetry holds what
// the log holds; it returns how many events those are.
func (i *instance) settle(t testing.TB) int {
	t.Helper()
	events := countRecords(i.readLog(t, telemetryHub))
	last := int64(-1)
	eventually(t, 30*time.Second, "tables at rest", func() bool {
		raw := i.number("SELECT COUNT(*) AS n FROM telemetry.raw_telemetry")
		now := i.number("SELECT COUNT(*) AS n FROM telemetry.aggregated_metrics")
		done := raw >= int64(events) && now == last
		last = now
		time.Sleep(2500 * time.Millisecond) // longer than a window and a commit
		return done
	})
	return events
}
