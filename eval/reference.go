package eval

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"spate/column"
	"spate/connector/file"
	"spate/sql/syntax"
	"spate/stream"
)

// Reference is a snapshot of reference data. Several of one Name are in effect one after the
// other: each from its From on.
type Reference struct {
	Name      string
	Path      string    // of a file; with Data, what the content is called
	Data      []byte    // the content itself, instead of the file
	From      time.Time // the first event time that it joins; zero: it joins all, until the next is in effect
	Format    string    // json (lines and arrays), jsonl or csv; default by the extension
	Delimiter string    // csv
	NoHeader  bool      // csv: columns are named by CREATE TABLE, else column1, column2, ...
}

// references opens the reference data of a run.
func references(o *Options) (map[string]stream.Reference, error) {
	out := make(map[string]stream.Reference)
	snapshots := make(map[string][]file.Snapshot)
	first := make(map[string]Reference)
	for _, r := range o.References {
		key := strings.ToLower(r.Name)
		was, known := first[key]
		if !known {
			first[key], was = r, r
		}
		if was.format() != r.format() || was.Delimiter != r.Delimiter || was.NoHeader != r.NoHeader {
			return nil, &InputError{File: r.Path, Reason: fmt.Sprintf("is written otherwise than %s: all snapshots of reference data %s have one format", was.Path, r.Name)}
		}
		s := file.Snapshot{Name: r.Path, Data: r.Data, Dated: !r.From.IsZero()}
		if s.Dated {
			s.From = column.TicksOf(r.From)
		}
		if r.Data == nil {
			if _, err := os.Stat(r.Path); err != nil {
				return nil, fmt.Errorf("reading reference data %s: %w", r.Name, err)
			}
		}
		for _, other := range snapshots[key] {
			if other.From == s.From {
				return nil, fmt.Errorf("reading reference data %s: %s and %s are in effect from the same time on: say from=TIME of one of them", r.Name, other.Name, s.Name)
			}
		}
		snapshots[key] = append(snapshots[key], s)
	}
	for key, list := range snapshots {
		r := first[key]
		f, err := stream.ParseFormat(r.format(), r.Delimiter)
		if err != nil {
			return nil, fmt.Errorf("reading reference data %s: %w", r.Name, err)
		}
		fo := file.Options{Cut: file.CutOf(r.format()), Delimiter: f.Delimiter, NoHeader: r.NoHeader, Names: syntax.Declared(o.Script, r.Name)}
		out[r.Name] = stream.Reference{Source: file.NewSnapshots(fo, list...), Format: f}
	}
	return out, nil
}

// format is how the content is written.
func (r Reference) format() string {
	return cmp.Or(r.Format, formats[strings.ToLower(filepath.Ext(r.Path))], "json")
}
