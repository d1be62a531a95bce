package delta

import (
	"bytes"
	"testing"

	"spate/blob"
	"spate/lake/parquetfile"
)

// withProperties is the definition with some more properties.
func withProperties(d Definition, props map[string]string) Definition {
	all := map[string]string{}
	for k, v := range d.Properties {
		all[k] = v
	}
	for k, v := range props {
		all[k] = v
	}
	d.Properties = all
	return d
}

const someStats = `{"numRecords":7,"minValues":{"EventId":"a","Temperature":0.5,"Timestamp":"1969-12-31T23:59:59.999Z"},` +
	`"maxValues":{"EventId":"b\u007f","Timestamp":"1970-01-01T00:00:01.000Z"},"nullCount":{"EventId":0,"Temperature":3}}`

// Statistics are the same after a checkpoint, in whichever of its two forms it keeps them.
func TestStatisticsOutliveACheckpoint(t *testing.T) {
	for _, asJSON := range []string{"true", "false"} {
		for _, asStruct := range []string{"true", "false"} {
			store := blob.NewMemory()
			table := create(t, store, withProperties(telemetry, map[string]string{"delta.checkpoint.writeStatsAsJson": asJSON, "delta.checkpoint.writeStatsAsStruct": asStruct}))
			a := file("a", "2025-03-10")
			a.Stats = someStats
			s := commitFiles(t, table, a)
			if err := table.Checkpoint(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			fresh, err := Open(t.Context(), store, "lake/t")
			if err != nil {
				t.Fatal(err)
			}
			got, want := fresh.Known().Files()[0].Stats, someStats
			switch {
			case asJSON == "false" && asStruct == "false":
				want = ""
			case asJSON == "false":
				want = `{"numRecords":7,"minValues":{"EventId":"a","Temperature":0.5,"Timestamp":"1969-12-31T23:59:59.999Z"},` +
					"\"maxValues\":{\"EventId\":\"b\x7f\"," + `"Timestamp":"1970-01-01T00:00:01.000Z"},"nullCount":{"EventId":0,"Temperature":3}}`
			}
			if got != want {
				t.Errorf("json %s, struct %s: stats\n%s\nwant\n%s", asJSON, asStruct, got, want)
			}
		}
	}
}

// What a checkpoint keeps with the types of the table.
func TestAChecksPartitionsAndStatisticsAreTyped(t *testing.T) {
	store := blob.NewMemory()
	table := create(t, store, telemetry)
	a := file("a", "2025-03-10")
	a.Stats = someStats
	s := commitFiles(t, table, a)
	if err := table.Checkpoint(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	data, err := table.read(t.Context(), table.logKey(checkpointName(s.Version)))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := parquetfile.ReadRows(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		add, ok := row["add"].(map[string]any)
		if !ok || add["path"] == nil {
			continue
		}
		st := add["stats_parsed"].(map[string]any)
		if st["minValues"].(map[string]any)["Timestamp"] != int64(-1000) || st["maxValues"].(map[string]any)["EventId"] != "b\x7f" ||
			st["nullCount"].(map[string]any)["Temperature"] != int64(3) || st["numRecords"] != int64(7) {
			t.Errorf("stats_parsed %v", st)
		}
		if v := add["partitionValues_parsed"].(map[string]any)["TimestampDate"]; v != int64(20157) {
			t.Errorf("partitionValues_parsed %v", add["partitionValues_parsed"])
		}
		return
	}
	t.Errorf("no file in %v", rows)
}

// A checkpoint that cannot be read is passed over for an older one, or for all commits.
func TestADamagedCheckpointIsPassedOver(t *testing.T) {
	for _, content := range []string{"", "PAR1 torn", "half"} {
		store := blob.NewMemory()
		table := create(t, store, telemetry)
		for i, name := range []string{"a", "b", "c", "d"} {
			s := commitFiles(t, table, file(name, "2025-03-10"))
			if i == 1 || i == 3 {
				if err := table.Checkpoint(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
		}
		for n, left := range []int64{4, 2} { // the newest, then both
			key := table.logKey(checkpointName(left))
			data, err := table.read(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			body := []byte(content)
			if content == "half" {
				body = data[:len(data)/2]
			}
			if _, err := store.Replace(t.Context(), key, bytes.NewReader(body)); err != nil {
				t.Fatal(err)
			}
			fresh, err := Open(t.Context(), store, "lake/t")
			if err != nil {
				t.Fatalf("%q, %d damaged: %v", content, n+1, err)
			}
			if s := fresh.Known(); s.Version != 4 || len(s.Files()) != 4 {
				t.Errorf("%q, %d damaged: version %d with %d files", content, n+1, s.Version, len(s.Files()))
			}
			if s, err := fresh.SnapshotAt(t.Context(), 3); err != nil || len(s.Files()) != 3 {
				t.Errorf("%q, %d damaged: version 3: %v", content, n+1, err)
			}
		}
	}
}
