package file

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"spate/column"
	"spate/connector"
)

// Snapshots is a connector.Snapshots of files. Its options say how all of them are cut.
type Snapshots struct {
	o     Options
	files []Snapshot
	paths *pattern // nil: files are all that there is
}

// CutOf says how a content is cut whose format is json (lines or an array), jsonl or csv.
func CutOf(format string) Cut {
	switch format {
	case "csv":
		return CSV
	case "jsonl":
		return Lines
	}
	return JSON
}

// Snapshot is a file with reference data.
type Snapshot struct {
	Name  string // its path
	Data  []byte // instead of the file
	From  column.Ticks
	Dated bool // From is said
}

// NewSnapshots are snapshots that stand in files, or in memory. Of the options those count
// that say how a file is cut.
func NewSnapshots(o Options, files ...Snapshot) *Snapshots {
	o.Delimiter = cmp.Or(o.Delimiter, ',')
	return &Snapshots{o: o, files: files}
}

// DateFormats and TimeFormats are what {date} and {time} of a pattern may stand for; the
// first of each is the usual one.
// Source: Stream Analytics, reference data from blob storage.
var (
	DateFormats = []string{"yyyy/MM/dd", "MM/dd/yyyy", "dd/MM/yyyy", "yyyy-MM-dd", "MM-dd-yyyy", "dd-MM-yyyy", "yyyyMMdd"}
	TimeFormats = []string{"HH", "HH/mm", "HH-mm", "HHmm"}
)

// pattern is a path with {date} and {time}.
type pattern struct {
	glob  string
	match *regexp.Regexp
	parts []string // what the groups of match are
}

// layouts are the parts of formats: what each is in a regular expression.
var layouts = []struct{ letters, expr string }{{"yyyy", `(\d{4})`}, {"MM", `(\d{2})`}, {"dd", `(\d{2})`}, {"HH", `(\d{2})`}, {"mm", `(\d{2})`}}

// IsPattern reports whether a path holds {date} or {time}.
func IsPattern(path string) bool {
	low := strings.ToLower(path)
	return strings.Contains(low, "{date}") || strings.Contains(low, "{time}")
}

// NewPattern are snapshots in files whose paths say from when each is in effect.
func NewPattern(o Options, path, dateFormat, timeFormat string) (*Snapshots, error) {
	s := NewSnapshots(o)
	s.paths = &pattern{}
	path = filepath.ToSlash(path)
	expr := "^"
	dated := false
	for len(path) > 0 {
		i := strings.IndexByte(path, '{')
		if i < 0 {
			i = len(path)
		}
		expr += regexp.QuoteMeta(path[:i])
		s.paths.glob += globQuoted(path[:i])
		if path = path[i:]; path == "" {
			break
		}
		end := strings.IndexByte(path, '}')
		if end < 0 {
			return nil, fmt.Errorf("the path has a { without a }")
		}
		format := ""
		switch token := strings.ToLower(path[:end+1]); token {
		case "{date}":
			format, dated = cmp.Or(dateFormat, DateFormats[0]), true
		case "{time}":
			format = cmp.Or(timeFormat, TimeFormats[0])
		default:
			return nil, fmt.Errorf("the path of reference data has no token %s: it may have {date} and {time}", path[:end+1])
		}
		path = path[end+1:]
		s.paths.add(format, &expr)
	}
	if !dated {
		return nil, errors.New("the path has {time} and no {date}")
	}
	var err error
	s.paths.match, err = regexp.Compile(expr + "$")
	return s, err
}

// add adds a format to the pattern and to its regular expression.
func (p *pattern) add(format string, expr *string) {
	for len(format) > 0 {
		i := slices.IndexFunc(layouts, func(l struct{ letters, expr string }) bool { return strings.HasPrefix(format, l.letters) })
		if i < 0 {
			*expr += regexp.QuoteMeta(format[:1])
			p.glob += format[:1]
			format = format[1:]
			continue
		}
		l := layouts[i]
		*expr += l.expr
		p.glob += strings.Repeat("[0-9]", len(l.letters))
		p.parts = append(p.parts, l.letters)
		format = format[len(l.letters):]
	}
}

func globQuoted(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(`*?[\`, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// from is the time that a path says; false if it says none.
func (p *pattern) from(path string) (column.Ticks, bool) {
	groups := p.match.FindStringSubmatch(filepath.ToSlash(path))
	if groups == nil {
		return 0, false
	}
	said := map[string]string{"HH": "00", "mm": "00"}
	for i, part := range p.parts {
		if old, twice := said[part]; twice && old != groups[i+1] && slices.Index(p.parts, part) < i {
			return 0, false // two parts of the path say two things
		}
		said[part] = groups[i+1]
	}
	t, err := time.Parse("2006-01-02T15:04", said["yyyy"]+"-"+said["MM"]+"-"+said["dd"]+"T"+said["HH"]+":"+said["mm"])
	return column.TicksOf(t), err == nil
}

// List implements connector.Snapshots.
func (s *Snapshots) List(context.Context) ([]connector.Snapshot, error) {
	var out []connector.Snapshot
	for _, f := range s.files {
		c := connector.Snapshot{Name: f.Name, From: f.From, Dated: f.Dated}
		if f.Data == nil {
			var err error
			if c.Stamp, err = stampOf(f.Name); err != nil {
				return nil, err
			}
		}
		out = append(out, c)
	}
	if s.paths == nil {
		return out, nil
	}
	names, err := filepath.Glob(filepath.FromSlash(s.paths.glob))
	if err != nil {
		return nil, fmt.Errorf("looking for files %s: %w", s.paths.glob, err)
	}
	for _, name := range names {
		c := connector.Snapshot{Name: name, Dated: true}
		ok := false
		if c.From, ok = s.paths.from(name); !ok {
			continue
		}
		if c.Stamp, err = stampOf(name); err != nil {
			if errors.Is(err, os.ErrNotExist) {
				continue // it has gone since
			}
			return nil, err
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b connector.Snapshot) int { return cmp.Compare(a.From, b.From) })
	return out, nil
}

// stampOf changes with a file.
func stampOf(name string) (string, error) {
	st, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if st.IsDir() {
		return "", &Error{File: name, Reason: "is a folder, not a file with reference data"}
	}
	return fmt.Sprintf("%d-%d", st.Size(), st.ModTime().UnixNano()), nil
}

// Read implements connector.Snapshots.
func (s *Snapshots) Read(_ context.Context, c connector.Snapshot) ([]byte, error) {
	for _, f := range s.files {
		if f.Name == c.Name && f.From == c.From && f.Data != nil {
			return f.Data, nil
		}
	}
	data, err := os.ReadFile(c.Name)
	if err != nil {
		return nil, cannotOpen(c.Name, err)
	}
	now, err := stampOf(c.Name)
	if err != nil {
		return nil, err
	}
	if now != c.Stamp {
		return nil, &Error{File: c.Name, Reason: "changed while it was read: write a new file and rename it to this name"}
	}
	return data, nil
}

// Cut implements connector.Snapshots.
func (s *Snapshots) Cut(data []byte) (*connector.Chunk, error) {
	name := "reference data"
	if len(s.files) > 0 {
		name = s.files[0].Name
	}
	return CutAll(s.o, name, data)
}

// CutAll cuts a whole content into messages.
func CutAll(o Options, name string, data []byte) (*connector.Chunk, error) {
	o.Delimiter = cmp.Or(o.Delimiter, ',')
	sc := newScanner(o, []part{{name, bytes.NewReader(data)}})
	all := new(connector.Chunk)
	var c connector.Chunk
	for {
		c.Reset()
		err := sc.next(&c, 0)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for i := range c.Starts {
			all.Starts = append(all.Starts, uint32(len(all.Data)))
			all.Data = append(all.Data, c.Data[c.Starts[i]:c.Ends[i]]...)
			all.Ends = append(all.Ends, uint32(len(all.Data)))
		}
		all.Offsets = append(all.Offsets, c.Offsets...)
	}
	all.Arrivals = make([]column.Ticks, len(all.Starts))
	all.Data = append(all.Data, slack[:]...)
	if len(all.Data) > 1<<32-1 {
		return nil, &Error{File: name, Reason: "is larger than 4 GiB"}
	}
	return all, nil
}
