package interop

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// canonical writes a row so that equal rows are equal texts: fields by name,
// numbers as floats, times with as many digits as they have, and without the
// fields left out.
func canonical(t testing.TB, r row, without ...string) string {
	t.Helper()
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if slices.Contains(without, name) {
			continue
		}
		b.WriteString(name + "=")
		switch v := r[name].(type) {
		case json.Number:
			f, err := v.Float64()
			if err != nil {
				t.Fatalf("row %v: %v", r, err)
			}
			b.WriteString(strconv.FormatFloat(f, 'g', -1, 64))
		case string:
			if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
				v = at.UTC().Format(time.RFC3339Nano)
			}
			b.WriteString(strconv.Quote(v))
		default:
			raw, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(raw)
		}
		b.WriteByte(' ')
	}
	return b.String()
}

// canonicals is canonical for many rows, sorted.
func canonicals(t testing.TB, rows []row, without ...string) []string {
	t.Helper()
	out := make([]string, len(rows))
	for k, r := range rows {
		out[k] = canonical(t, r, without...)
	}
	slices.Sort(out)
	return out
}

// rename changes names of fields.
func rename(rows []row, names map[string]string) {
	for _, r := range rows {
		for from, to := range names {
			if v, ok := r[from]; ok {
				delete(r, from)
				r[to] = v
			}
		}
	}
}

// readLines reads a file of JSON lines; none if there is no file.
func readLines(t testing.TB, path string) []row {
	t.Helper()
	raw, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for line := range bytes.Lines(raw) {
		var r row
		decode(t, line, &r)
		rows = append(rows, r)
	}
	return rows
}

// bodies are the JSON objects in records.
func bodies(t testing.TB, partitions [][]*kgo.Record) []row {
	t.Helper()
	var rows []row
	for _, records := range partitions {
		for _, k := range records {
			var r row
			decode(t, k.Value, &r)
			rows = append(rows, r)
		}
	}
	return rows
}

// evaluate runs a script over the events of a log, at the times at which they
// arrived there, and returns the rows of its outputs.
func evaluate(t testing.TB, script string, partitions [][]*kgo.Record, args ...string) (aggregates, alerts []row) {
	t.Helper()
	var all []*kgo.Record
	for _, records := range partitions {
		all = append(all, records...)
	}
	slices.SortStableFunc(all, func(a, b *kgo.Record) int { return a.Timestamp.Compare(b.Timestamp) })
	var text bytes.Buffer
	for _, r := range all {
		body := bytes.TrimSpace(r.Value)
		if len(body) == 0 || body[0] != '{' || !json.Valid(body) {
			continue // such an event makes no row, in the job as here
		}
		text.WriteString(`{"_arrival":` + strconv.FormatInt(r.Timestamp.UnixMilli(), 10) + `,"_partition":` + strconv.Itoa(int(r.Partition)) + `,`)
		text.Write(body[1:])
		text.WriteByte('\n')
	}
	dir := t.TempDir()
	input := filepath.Join(dir, "input.jsonl")
	write(t, input, text.String())
	args = append([]string{"eval", "--query", script, "--arrival", "_arrival", "--arrival-drop", "--output-dir", dir, "--fail-on-drop",
		"--input", telemetryHub + "=" + input + ",partition=_partition,partitions=" + strconv.Itoa(len(partitions))}, args...)
	output(t, 2*time.Minute, nil, "", binary, args...)
	return readLines(t, filepath.Join(dir, "synapse-output.jsonl")), readLines(t, filepath.Join(dir, "alert-eventhub.jsonl"))
}
