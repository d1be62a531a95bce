package conform_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"spate/conform"
)

// What is said of an event agrees with the reference interpreter: which policy dropped or
// moved it, and in how many rows of each step it is. A step that it does not come through
// is the reason why there is no row.
func TestTracesOfCases(t *testing.T) {
	t.Parallel()
	for _, c := range cases(t) {
		if c.WantError != "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			job, err := c.Compile()
			if err != nil {
				t.Fatal(err)
			}
			err = (conform.Streaming{}).Traces(t.Context(), job, c.Events(job), c.Options)
			if errors.Is(err, conform.ErrUnsupported) {
				t.Skip(err)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTracesOfRandomScripts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		script, events, o := checked(t)
		job, err := conform.Compile(script)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) > 12 {
			events = events[:12]
		}
		how := conform.Streaming{Shards: []int{rapid.IntRange(1, 3).Draw(t, "shards")}}
		if err := how.Traces(t.Context(), job, events, o); err != nil {
			t.Fatalf("%v\n%s\n%s\n%+v", err, script, listed(events), o)
		}
	})
}
