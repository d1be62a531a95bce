package pipeline

import (
	"slices"
	"time"
)

// Test is a test of a job: events that go in and rows that are expected.
type Test struct {
	Name    string
	Job     string
	Inputs  []TestInput
	Arrival string    // field of the events with the arrival time
	Start   time.Time // arrival of events without one; zero: 2000-01-01
	End     time.Time // where the watermark stops; zero: behind all events

	// Policies are those of the job but for Overrides, which are keys of a job.
	Policies  Policies
	Overrides []string

	Expect  []TestRows
	Counts  []TestCount // of rows, by output
	Metrics []TestCount // of events, by metric
	Error   string      // a part of the error with which the script ends
}

// TestInput is what an input of the script reads: a file, or rows.
type TestInput struct {
	Alias     string
	File      string
	Rows      []byte // JSON lines; of a test without a file
	Format    string // json, jsonl or csv; default by the extension
	Delimiter string // of csv
	NoHeader  bool   // of csv
	Partition string // field whose value is the partition
}

// TestRows are the rows that an output is expected to give: those of a file, or rows.
type TestRows struct {
	Output    string
	File      string
	Rows      []byte  // JSON lines; without a file
	Subset    bool    // only the fields that are named count
	Ordered   bool    // the order of rows counts
	Tolerance float64 // of floats, relative
}

// TestCount is a number that is expected.
type TestCount struct {
	Name  string
	Count int64
}

// DefaultTolerance is how far floats may be from what a test expects, relative to the larger.
const DefaultTolerance = 1e-9

// PoliciesOf are the policies with which a test runs its job.
func (t Test) PoliciesOf(j Job) Policies {
	p := j.Policies
	for key, set := range map[string]func(){
		"eventsOutOfOrderPolicy":    func() { p.Action = t.Policies.Action },
		"eventsOutOfOrderMaxDelay":  func() { p.MaxDisorder = t.Policies.MaxDisorder },
		"eventsLateArrivalMaxDelay": func() { p.MaxLate = t.Policies.MaxLate },
		"outputErrorPolicy":         func() { p.OutputError = t.Policies.OutputError },
		"runtimeErrorPolicy":        func() { p.RuntimeError = t.Policies.RuntimeError },
		"compatibilityLevel":        func() { p.Compat = t.Policies.Compat },
		"stringCompare":             func() { p.IgnoreCase = t.Policies.IgnoreCase },
		"joinDatediff":              func() { p.JoinElapsed = t.Policies.JoinElapsed },
	} {
		if slices.Contains(t.Overrides, key) {
			set()
		}
	}
	return p
}
