package conform_test

import (
	"testing"

	"spate/column"
	"spate/conform"
	"spate/conform/reference"
)

// A script that changes may bring reference data along: the state of its new steps is made of
// events that are read again, before any manifest names the snapshots.
func TestAChangedScriptBringsReferenceData(t *testing.T) {
	first, err := conform.Compile("SELECT k INTO o FROM i TIMESTAMP BY t")
	if err != nil {
		t.Fatal(err)
	}
	then, err := conform.Compile("SELECT w.v, COUNT(*) AS n INTO p FROM i x TIMESTAMP BY t JOIN ra w ON x.k = w.k GROUP BY w.v, TumblingWindow(second, 10)")
	if err != nil {
		t.Fatal(err)
	}
	records, err := conform.Records([]byte(`{"t":"2026-01-05T00:00:01Z","k":1}` + "\n" + `{"t":"2026-01-05T00:00:02Z","k":1}` + "\n" + `{"t":"2026-01-05T00:00:03Z","k":1}`))
	if err != nil {
		t.Fatal(err)
	}
	var events []conform.Event
	for _, v := range records {
		at, _ := column.ParseTicks(v.Field("t").Text())
		events = append(events, conform.Event{Input: "i", Arrival: at, Value: v})
	}
	rows, err := conform.Records([]byte(`{"k":1,"v":"one"}`))
	if err != nil {
		t.Fatal(err)
	}
	o := conform.Options{Late: -1, Snapshots: []reference.Snapshot{{Input: "ra", Rows: rows}}}
	_, after, err := conform.Streaming{}.RunChanged(t.Context(), first, then, 2, events, o)
	if err != nil {
		t.Fatal(err)
	}
	got := conform.AsRecords(after)["p"]
	if len(got) != 1 || string(column.AppendJSON(nil, got[0])) != `{"v":"one","n":3}` {
		t.Errorf("rows %v, want one of three events", got)
	}
}
