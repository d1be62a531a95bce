package jobs

import (
	"path/filepath"
	"strings"

	"spate/connector/deltatable"
	"spate/connector/file"
	"spate/sql/syntax"
	"spate/stream"
)

// reference opens the reference data that an alias of a job is.
func (r *Room) reference(s *spec, alias string) (stream.Reference, error) {
	b := s.job.Input(alias)
	out := stream.Reference{Refresh: b.Refresh}
	if b.Table != "" {
		t, err := r.table(s, b.Table)
		if err != nil {
			return out, err
		}
		out.Source = deltatable.NewSnapshots(r.o.Store, t.Location(r.o.Storage), r.o.Tables)
		return out, nil
	}
	var err error
	if out.Format, err = formatOf(b.Format, b.Delimiter); err != nil {
		return out, err
	}
	o := file.Options{Cut: file.CutOf(b.Format), Delimiter: out.Format.Delimiter, NoHeader: b.NoHeader, Names: syntax.Declared(s.job.Script, alias)}
	if ext := strings.ToLower(filepath.Ext(b.Path)); o.Cut == file.JSON && (ext == ".jsonl" || ext == ".ndjson") {
		o.Cut = file.Lines
	}
	if file.IsPattern(b.Path) {
		out.Source, err = file.NewPattern(o, b.Path, b.DateFormat, b.TimeFormat)
		return out, err
	}
	out.Source = file.NewSnapshots(o, file.Snapshot{Name: b.Path})
	return out, nil
}
