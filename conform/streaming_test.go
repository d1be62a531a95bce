package conform_test

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"spate/conform"
)

// variants are the ways to run the engine that must not show in a result.
func variants() map[string]conform.Streaming {
	out := make(map[string]conform.Streaming)
	for _, n := range []int{1, 7, 1024} {
		out[fmt.Sprintf("batch%d", n)] = conform.Streaming{Batch: n}
		out[fmt.Sprintf("batch%d-crash", n)] = conform.Streaming{Batch: n, Crash: true}
	}
	out["general"] = conform.Streaming{General: true}
	return out
}

func TestCasesOnEngine(t *testing.T) {
	for _, c := range cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			for name, v := range variants() {
				err := c.Run(t.Context(), v.Run)
				if errors.Is(err, conform.ErrUnsupported) {
					t.Skip(err)
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

// Over four partitions the engine agrees with the reference, which is given the
// same partitions.
func TestCasesOnEngineOverPartitions(t *testing.T) {
	for _, c := range cases(t) {
		if c.WantError != "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			job, err := conform.Compile(c.Script)
			if err != nil {
				t.Fatal(err)
			}
			events := c.Events(job)
			for i := range events {
				events[i].Partition = i % 4
			}
			want, err := conform.Reference(t.Context(), job, events, c.Options)
			if err != nil {
				t.Fatal(err)
			}
			for _, crash := range []bool{false, true} {
				got, err := conform.Streaming{Batch: 7, Crash: crash}.Run(t.Context(), job, events, c.Options)
				if errors.Is(err, conform.ErrUnsupported) {
					t.Skip(err)
				}
				if err == nil {
					err = conform.Compare(conform.AsRecords(got), conform.AsRecords(want), conform.Exact, false)
				}
				if err != nil {
					t.Errorf("crash=%v: %v", crash, err)
				}
			}
		})
	}
}

// Random scripts over random streams: the engine, however it is run, gives the
// rows of the reference interpreter, to the last bit.
func TestRandomScriptsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		script, events, o := checked(t)
		job, err := conform.Compile(script)
		if err != nil {
			t.Fatalf("%s\n%v", script, err)
		}
		want, wantErr := conform.Reference(t.Context(), job, events, o)
		how := conform.Streaming{
			Batch: rapid.SampledFrom([]int{1, 7, 1024}).Draw(t, "batch"),
			Crash: rapid.Bool().Draw(t, "crash"), General: rapid.Bool().Draw(t, "general"),
		}
		got, err := how.Run(t.Context(), job, events, o)
		if errors.Is(err, conform.ErrUnsupported) {
			t.Skip(err)
		}
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("%s\nengine: %v\nreference: %v", script, err, wantErr)
		}
		if err != nil {
			return
		}
		if err := conform.Compare(conform.AsRecords(got), conform.AsRecords(want), conform.Exact, false); err != nil {
			t.Fatalf("%+v\n%s\n%v", how, script, err)
		}
	})
}
