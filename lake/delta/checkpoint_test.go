package delta

import (
	"bytes"
	"fmt"
	"testing"

	"spate/blob"
	"spate/lake/parquetfile"
)

func TestStatisticsThatACheckpointHoldsAsColumns(t *testing.T) {
	store := blob.NewMemory()
	table := create(t, store, telemetry)
	a := file("a", "2025-03-10")
	a.Stats = ""
	s := commitFiles(t, table, a)
	rows, _, err := s.checkpointRows(table.opts.Clock())
	if err != nil {
		t.Fatal(err)
	}
	rows[len(rows)-1]["add"].(map[string]any)["stats_parsed"] = map[string]any{"numRecords": int64(7),
		"minValues": map[string]any{"EventId": "a", "Timestamp": int64(-1), "Temperature": 0.5}, "maxValues": map[string]any{"EventId": "b\x7f", "Timestamp": int64(1_000_999)},
		"nullCount": map[string]any{"Temperature": int64(3)}}
	double, ts := parquetfile.Type{Kind: parquetfile.Double}, parquetfile.Type{Kind: parquetfile.Timestamp}
	bounds := func(name string) parquetfile.Field {
		return structOf(name, leafOf("EventId", stringType), leafOf("Timestamp", ts), leafOf("Temperature", double))
	}
	fields := checkpointFields()
	fields[1].Fields = append(fields[1].Fields, structOf("stats_parsed", leafOf("numRecords", longType), bounds("minValues"), bounds("maxValues"),
		structOf("nullCount", leafOf("Temperature", longType))))
	var b bytes.Buffer
	if err := parquetfile.WriteRows(&b, fields, rows, parquetfile.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Create(t.Context(), table.logKey(fmt.Sprintf("%020d.checkpoint.parquet", s.Version)), &b); err != nil {
		t.Fatal(err)
	}
	fresh, err := Open(t.Context(), store, "lake/t")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"numRecords":7,"minValues":{"EventId":"a","Temperature":0.5,"Timestamp":"1969-12-31T23:59:59.999Z"},` +
		"\"maxValues\":{\"EventId\":\"b\x7f\"," + `"Timestamp":"1970-01-01T00:00:01.000Z"},"nullCount":{"Temperature":3}}`
	if got := fresh.Known().Files()[0].Stats; got != want {
		t.Errorf("stats\n%s\nwant\n%s", got, want)
	}
}
