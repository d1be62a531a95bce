package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
	"time"

	"spate/config"
	"spate/eval"
	"spate/examples"
	"spate/jobs"
	"spate/pipeline"
	"spate/simulator"
)

// Whoever starts the example sees, within two minutes, windows close and every kind
// of alert: so its fleet and its script have to fit.
func TestTelemetryExampleShowsEverythingWithinTwoMinutes(t *testing.T) {
	p, err := config.Example(config.Source{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	script, err := fs.ReadFile(examples.Files, "telemetry/telemetry-processing.asaql")
	if err != nil {
		t.Fatal(err)
	}
	s := p.Options.Simulate
	begin := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	now := begin
	fleet, err := simulator.New(simulator.Options{Devices: s.Devices, Interval: s.Interval, Duration: 2 * time.Minute, Start: begin,
		Scenario: simulator.Scenario(s.Scenario), Seed: s.Seed, Now: func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	_, err = fleet.Run(t.Context(), simulator.Func(func(_ context.Context, events []simulator.Event) error {
		for _, e := range events {
			at := e.Time.Format("2006-01-02T15:04:05.0000000Z")
			lines.WriteString(`{"EventEnqueuedUtcTime":"` + at + `",` + strings.TrimPrefix(string(e.Body), "{") + "\n")
		}
		return nil
	}), nil)
	if err != nil {
		t.Fatal(err)
	}
	windows, kinds := 0, map[string]int{}
	_, err = eval.Run(t.Context(), eval.Options{Script: string(script), ScriptFile: "telemetry-processing.asaql", NoFlush: true, Policy: jobs.TimePolicy(pipeline.Policies{}),
		Inputs: []eval.Input{{Name: "device-telemetry", Reader: &lines, Format: "jsonl", Partitions: 1}},
		Row: func(output string, row []byte) error {
			if output == "synapse-output" {
				windows++
				return nil
			}
			var r struct{ AlertType, Severity string }
			if err := json.Unmarshal(row, &r); err != nil {
				return err
			}
			kinds[r.AlertType+" "+r.Severity]++
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if windows < 5*15 {
		t.Errorf("%d windows closed", windows)
	}
	for _, kind := range []string{"TemperatureAnomaly Critical", "TemperatureAnomaly High", "TemperatureAnomaly Medium",
		"DeviceHealth Critical", "DeviceHealth High", "DeviceHealth Medium"} {
		if kinds[kind] == 0 {
			t.Errorf("no %s in %v", kind, kinds)
		}
	}
}
