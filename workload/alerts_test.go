package workload

import (
	"testing"
	"time"
)

// Alerts fails if an alert does not come.
func TestEveryAlertOfTheWorkloadComes(t *testing.T) {
	r, err := Alerts(t.Context(), AlertsOptions{Devices: 100, Duration: 500 * time.Millisecond, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range alertLoads {
		if r.Counters[l.name+".alerts"] == 0 || r.Counters[l.name+".sent"] == 0 {
			t.Errorf("%s: counters %v", l.name, r.Counters)
		}
	}
}
