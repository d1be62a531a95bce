package deltatable

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/lake/delta"
)

// deltaRS runs the script that reads a table with delta-rs, or appends to it, and returns
// its lines. It needs a Python with deltalake, polars and pyarrow: SPATE_DELTA_PYTHON
// names it.
func deltaRS(t *testing.T, table string) func(args ...string) []string {
	t.Helper()
	python := os.Getenv("SPATE_DELTA_PYTHON")
	if python == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("SPATE_DELTA_PYTHON is not set")
		}
		t.Skip("SPATE_DELTA_PYTHON is not set")
	}
	script := filepath.Join("..", "..", "interop", "python", "delta_read.py")
	return func(args ...string) []string {
		t.Helper()
		cmd := exec.Command(python, append([]string{script, table}, args...)...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return strings.Split(strings.TrimSpace(string(out)), "\n")
	}
}

func TestDeltaRSReadsFilesFromBeforeAColumn(t *testing.T) {
	dir := t.TempDir()
	run := deltaRS(t, filepath.Join(dir, "t"))
	store := blob.NewLocal(dir)
	s := inferred(t, store, nil, idAndP...)
	w := writerOf(t, s, 0)
	put(t, w, batch("id,p", pair("a", null)))
	commitEpoch(t, s, 1, w)
	put(t, w, batch("id,p", pair("b", column.IntOf(5))))
	commitEpoch(t, s, 2, w)
	if got, want := run(), []string{"2", `{"id": "a", "p": null}`, `{"id": "b", "p": 5.0}`}; !slices.Equal(got, want) {
		t.Errorf("delta-rs reads %v, want %v", got, want)
	}
	run("--append", "2")
	put(t, w, batch("id,p", pair("c", column.IntOf(6))))
	commitEpoch(t, s, 3, w)
	wantTable(t, store, withP, `{"id":"a"}`, `{"id":"a+rs"}`, `{"id":"b","p":5}`, `{"id":"b+rs","p":5}`, `{"id":"c","p":6}`)
}

func TestDeltaRSReadsAndAppends(t *testing.T) {
	dir := t.TempDir()
	run := deltaRS(t, filepath.Join(dir, "t"))
	store := blob.NewLocal(dir)
	d := delta.Definition{Columns: []delta.Column{{Name: "EventId", Type: delta.String, Nullable: true}, {Name: "Temperature", Type: delta.Double, Nullable: true},
		{Name: "EventCount", Type: delta.Integer, Nullable: true}, {Name: "Timestamp", Type: delta.Timestamp, Nullable: true},
		{Name: "ok", Type: delta.Boolean, Nullable: true}, {Name: "dec", Type: delta.Decimal(12, 2), Nullable: true}, {Name: "da", Type: delta.Date, Nullable: true}},
		PartitionBy: []delta.Partition{{DateOf: "Timestamp"}}, Properties: map[string]string{"delta.checkpointInterval": "4"}}
	s := open(t, store, func(o *Options) { o.Create = &d })
	w := writerOf(t, s, 0)
	var want []string
	dict := column.NewDict()
	for e := range int64(7) {
		b := batch("EventId,Temperature,EventCount,Timestamp,ok,dec,da")
		builders := make([]*column.Builder, 7)
		for i := range builders {
			builders[i] = column.NewBuilder(nil)
		}
		builders[0] = column.NewBuilder(dict)
		b.Rows = 50
		for k := range 50 {
			at := day + column.Ticks(e-2)*column.Day + column.Ticks(k)*column.Hour
			row := map[string]any{"EventId": fmt.Sprintf("ü%d", k%7), "Temperature": float64(k) / 4, "EventCount": k, "ok": k%2 == 0, "dec": fmt.Sprintf("%d.25", k),
				"Timestamp": string(column.AppendTicks(nil, at)[:26]) + "Z", "TimestampDate": delta.DateText(at), "da": "2026-03-01"}
			vals := []column.Value{column.TextOf(row["EventId"].(string)), column.FloatOf(float64(k) / 4), column.IntOf(int64(k)), column.TimeOf(at),
				column.BoolOf(k%2 == 0), column.FloatOf(float64(k) + .25), column.TimeOf(day)}
			if k%10 == 9 {
				for i, n := range []string{"EventId", "Temperature", "EventCount", "Timestamp", "ok", "dec", "da"} {
					if i != int(e) {
						vals[i], row[n] = column.Value{}, nil
					}
				}
				if row["Timestamp"] == nil {
					row["TimestampDate"] = nil
				}
			}
			for i, v := range vals {
				builders[i].Append(v)
			}
			text, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, string(text))
		}
		b.Time = make([]column.Ticks, b.Rows)
		b.Cols = nil
		for _, x := range builders {
			b.Cols = append(b.Cols, x.Vector())
		}
		if bad := put(t, w, b); len(bad) > 0 {
			t.Fatalf("bad rows %v", bad)
		}
		if err := s.Commit(t.Context(), epoch(e+1), []connector.Prepared{prepare(t, w, e+1)}); err != nil {
			t.Fatal(err)
		}
	}
	compare := func(got, want []string) {
		t.Helper()
		count := map[string]int{}
		for _, r := range want {
			count[canonical(t, r)]++
		}
		for _, r := range got {
			if c := canonical(t, r); count[c] == 0 {
				t.Errorf("unexpected row %s", c)
			} else {
				count[c]--
			}
		}
	}
	got := run()
	if got[0] != "350" {
		t.Fatalf("delta-rs counts %s rows, want 350", got[0])
	}
	compare(got[1:], want)
	run("--append", "20")
	// The job goes on behind the foreign version.
	put(t, w, batch(names, event("after", day)))
	if err := s.Commit(t.Context(), epoch(8), []connector.Prepared{prepare(t, w, 8)}); err != nil {
		t.Fatal(err)
	}
	if got := run(); got[0] != "371" {
		t.Errorf("%s rows, want 371", got[0])
	}
	if got := rows(t, store); len(got) != 371 {
		t.Errorf("we read %d rows, want 371", len(got))
	}
	if v := version(t, store); v != 9 {
		t.Errorf("version %d, want 9", v)
	}
	all := run()
	for _, by := range [][]string{nil, {"EventId", "Timestamp"}} {
		if _, err := s.Table().Optimize(t.Context(), delta.OptimizeOptions{ZOrderBy: by}); err != nil {
			t.Fatal(err)
		}
		if got := run(); !slices.Equal(got, all) {
			t.Errorf("ordered by %v delta-rs reads other rows", by)
		}
	}
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
