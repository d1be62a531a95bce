package workload

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

// The stages run, agree on how many events there were, and print a checksum.
func TestSeed3RunsShort(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a whole pipeline")
	}
	r, err := Seed3(t.Context(), Seed3Options{Duration: time.Second, Devices: 100})
	if err != nil {
		t.Fatal(err)
	}
	if r.Counters["pipeline.sent"] == 0 || r.Counters["statements.alerts"] == 0 || r.Counters["statements.metrics"] == 0 {
		t.Errorf("a stage did nothing: %v", r.Counters)
	}
	if testing.Verbose() {
		e := json.NewEncoder(os.Stderr)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
}
