package conform

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"spate/column"
	"spate/conform/reference"
	"spate/sql/plan"
	"spate/stream"
)

// Skipped is a row that a step could not compute.
type Skipped = reference.Skipped

// letters keep everything that is dropped.
var letters = &stream.DeadLetters{Retain: 100 * 365 * 24 * time.Hour, MaxBytes: 1 << 40}

// skipped tells of the rows whose letters the job has kept.
func (r *streamRun) skipped(ctx context.Context) error {
	if r.options.Skipped == nil {
		return nil
	}
	files, err := r.letterFiles(ctx)
	if err != nil {
		return err
	}
	for _, key := range files {
		if slices.Contains(r.known, key) {
			continue
		}
		f, err := r.store.Open(ctx, key, 0, -1)
		if err != nil {
			return err
		}
		data, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			return err
		}
		for line := range bytes.Lines(data) {
			var l struct {
				Kind, Step, Output, Time string
				Line                     int
				Row                      json.RawMessage
			}
			if err := json.Unmarshal(line, &l); err != nil {
				return fmt.Errorf("letter %s: %w", line, err)
			}
			if l.Kind != "runtime" {
				continue
			}
			at, ok := column.ParseTicks(l.Time)
			if !ok {
				return fmt.Errorf("letter %s: %q is no time", line, l.Time)
			}
			rows, err := Records(l.Row)
			if err != nil || len(rows) != 1 {
				return fmt.Errorf("letter %s: %d rows, %w", line, len(rows), err)
			}
			rec := rows[0].Record()
			r.options.Skipped(Skipped{
				At:  plan.Part{Step: l.Step, Output: l.Output, Line: l.Line},
				Row: Row{Time: at, Names: rec.Names, Values: rec.Values},
			})
		}
	}
	return nil
}

// letterFiles lists the files of letters.
func (r *streamRun) letterFiles(ctx context.Context) ([]string, error) {
	var out []string
	for info, err := range r.store.List(ctx, "job/dead-letter/", "") {
		if err != nil {
			return nil, err
		}
		out = append(out, info.Key)
	}
	return out, nil
}

// Letters gathers the rows that were skipped, as text that two engines give alike.
type Letters struct{ lines []string }

// Add takes one.
func (l *Letters) Add(s Skipped) {
	row := column.AppendJSON(nil, column.RecordOf(&column.RecordValue{Names: s.Row.Names, Values: s.Row.Values}))
	// By way of its text: a time is one there.
	if rows, err := Records(row); err == nil && len(rows) == 1 {
		row = column.AppendJSON(nil, rows[0])
	}
	l.lines = append(l.lines, fmt.Sprintf("line %d, step %q, output %q, %s %s\n", s.At.Line, s.At.Step, s.At.Output, s.Row.Time, row))
}

// Len is how many there are.
func (l *Letters) Len() int { return len(l.lines) }

// Differ says what others have that is not here, and the other way round; empty: nothing.
func (l *Letters) Differ(others *Letters) string {
	got, want := slices.Sorted(slices.Values(l.lines)), slices.Sorted(slices.Values(others.lines))
	var sb strings.Builder
	for i, k := 0, 0; i < len(got) || k < len(want); {
		switch {
		case k == len(want) || i < len(got) && got[i] < want[k]:
			sb.WriteString("not wanted: " + got[i])
			i++
		case i == len(got) || want[k] < got[i]:
			sb.WriteString("missing: " + want[k])
			k++
		default:
			i, k = i+1, k+1
		}
	}
	return sb.String()
}
