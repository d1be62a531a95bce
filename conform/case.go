package conform

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"

	"spate/column"
	"spate/column/format"
	"spate/conform/reference"
	"spate/pipeline"
	"spate/sql/plan"
)

// Event is one event of an input, in arrival order.
type Event = reference.Event

// Row is one row of an output as it is printed, Star columns expanded.
type Row = reference.Row

// Options are the settings of a job that change its rows.
type Options = reference.Options

// DefaultArrival is when an event without any time arrives.
var DefaultArrival, _ = column.ParseTicks("2026-01-05T00:00:00Z")

// Case is one conformance case.
type Case struct {
	Name      string // file name without extension
	Title     string // the text above the first file
	Source    string // of the rule; those of the project all have one
	Script    string
	Inputs    []Input
	Functions []pipeline.Function
	Want      map[string][]column.Value // rows of each output as records
	WantError string                    // part of the message; empty: no error
	Skipped   []column.Value            // records of the rows that are skipped; nil: an error ends the run
	KeyOrder  bool                      // the order of keys counts
	Elapsed   bool                      // joinDatediff: elapsed
	Level     plan.Level
	Options   Options
}

// Input is one input of a case.
type Input struct {
	Name   string
	Events []column.Value // records, _arrival included
}

// LoadAll reads all cases of a folder.
func LoadAll(fsys fs.FS, dir string) ([]*Case, error) {
	names, err := fs.Glob(fsys, path.Join(dir, "*.txtar"))
	if err != nil {
		return nil, fmt.Errorf("list cases in %s: %w", dir, err)
	}
	sort.Strings(names)
	var cases []*Case
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read case: %w", err)
		}
		c, err := Parse(strings.TrimSuffix(path.Base(name), ".txtar"), data)
		if err != nil {
			return nil, err
		}
		if c.Source == "" {
			return nil, fmt.Errorf("case %s: no Source line", c.Name)
		}
		cases = append(cases, c)
	}
	return cases, nil
}

// Parse reads one case, which need not say its Source.
func Parse(name string, data []byte) (*Case, error) {
	c := &Case{Name: name, Want: map[string][]column.Value{}, Options: Options{Late: -1}}
	ar := txtar.Parse(data)
	for line := range strings.Lines(string(ar.Comment)) {
		if s, ok := strings.CutPrefix(line, "Source:"); ok {
			c.Source = strings.TrimSpace(s)
		} else {
			c.Title += line
		}
	}
	c.Title = strings.TrimSpace(c.Title)
	for _, f := range ar.Files {
		if err := c.file(f.Name, f.Data); err != nil {
			return nil, fmt.Errorf("case %s: %s: %w", name, f.Name, err)
		}
	}
	if c.Script == "" {
		return nil, fmt.Errorf("case %s: no query.sql", name)
	}
	return c, nil
}

func (c *Case) file(name string, data []byte) error {
	base := strings.TrimSuffix(path.Base(name), ".jsonl")
	switch {
	case name == "query.sql":
		c.Script = string(data)
	case name == "settings":
		return c.settings(string(data))
	case name == "want-error":
		c.WantError = strings.TrimSpace(string(data))
	case name == "skipped.jsonl":
		rows, err := Records(data)
		c.Options.SkipErrors = true
		c.Skipped = rows
		return err
	case path.Dir(name) == "function":
		prefix, rest, _ := strings.Cut(path.Base(name), ".")
		f := pipeline.Function{Name: strings.TrimSuffix(rest, ".js"), Kind: pipeline.ScalarFunction, File: path.Base(name), Text: string(data)}
		if prefix == "uda" {
			f.Kind = pipeline.AggregateFunction
		}
		c.Functions = append(c.Functions, f)
	case path.Dir(name) == "in":
		rows, err := Records(data)
		c.Inputs = append(c.Inputs, Input{base, rows})
		return err
	case path.Dir(name) == "ref": // ref/NAME.jsonl, and ref/NAME@TIME.jsonl from a time on
		rows, err := Records(data)
		name, from, dated := strings.Cut(base, "@")
		s := reference.Snapshot{Input: name, Rows: rows}
		if dated {
			at, ok := column.ParseTicks(from)
			if s.From = at; !ok {
				return fmt.Errorf("%q is no time", from)
			}
		}
		c.Options.Snapshots = append(c.Options.Snapshots, s)
		return err
	case path.Dir(name) == "want":
		rows, err := Records(data)
		c.Want[base] = rows
		return err
	default:
		return fmt.Errorf("a case has no such file")
	}
	return nil
}

func (c *Case) settings(text string) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		var err error
		switch name {
		case "late":
			if c.Options.Late, err = seconds(value); value == "-1" {
				c.Options.Late = -1
			}
		case "outoforder":
			c.Options.Disorder, err = seconds(value)
		case "policy":
			c.Options.Drop = value == "drop"
		case "start":
			ok := false
			if c.Options.Start, ok = column.ParseTicks(value); !ok {
				err = fmt.Errorf("%q is no time", value)
			}
		case "stringCompare":
			c.Options.FoldCase = value == "ignoreCase"
		case "joinDatediff":
			c.Elapsed = value == "elapsed"
		case "keyorder":
			c.KeyOrder, err = strconv.ParseBool(value)
		case "noearly":
			c.Options.NoEarly, err = strconv.ParseBool(value)
		case "level":
			c.Level, err = plan.ParseLevel(value)
		default:
			err = fmt.Errorf("no such setting")
		}
		if err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	return nil
}

func seconds(s string) (column.Ticks, error) {
	f, err := strconv.ParseFloat(s, 64)
	return column.Ticks(f * float64(column.Second)), err
}

// Records reads JSON objects, one a line, as the engine's decoder does.
func Records(jsonl []byte) ([]column.Value, error) {
	d := format.NewDecoder([]format.Column{{Whole: true}}, format.Options{General: true})
	r := d.Decode(jsonl, []uint32{0}, []uint32{uint32(len(jsonl))}, 0)
	if len(r.Bad) > 0 {
		return nil, fmt.Errorf("byte %d: %s (near %s)", r.Bad[0].ByteOffset, r.Bad[0].Reason, r.Bad[0].Excerpt)
	}
	rows := make([]column.Value, r.Rows)
	for i := range rows {
		rows[i] = r.Cols[0].At(i)
	}
	return rows, nil
}

// Events returns the events of all inputs merged by arrival time. job tells the
// event time of events that give no arrival.
func (c *Case) Events(job *plan.Job) []Event {
	var out []Event
	for _, in := range c.Inputs {
		var node *plan.Input
		for _, n := range job.Inputs {
			if strings.EqualFold(n.Name, in.Name) && (node == nil || node.Time == nil) {
				node = n
			}
		}
		for _, v := range in.Events {
			out = append(out, arrive(in.Name, node, v))
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Arrival < out[j].Arrival })
	return out
}

// ofMessages are fields that do not belong to an event: when and in which partition it
// arrived, and the key and the properties that were sent with it.
var ofMessages = []string{"_arrival", "_partition", "_key", "_properties"}

func arrive(input string, node *plan.Input, v column.Value) Event {
	e := Event{Input: input, Arrival: DefaultArrival, Value: v, Key: v.Field("_key"), Properties: v.Field("_properties")}
	r := &column.RecordValue{}
	for i, n := range v.Record().Names {
		if !slices.Contains(ofMessages, n) {
			r.Names, r.Values = append(r.Names, n), append(r.Values, v.Record().Values[i])
		}
	}
	e.Value = column.RecordOf(r)
	if p := v.Field("_partition"); p.Kind == column.Int64 {
		e.Partition = int(p.Int())
	}
	if a, ok := column.ParseTicks(v.Field("_arrival").Text()); ok {
		e.Arrival = a
		return e
	}
	if t, ok := column.ParseTicks(v.Field("t").Text()); ok {
		e.Arrival = t
	} else if node != nil {
		if t, ok := reference.EventTime(node, v); ok {
			e.Arrival = t
		}
	}
	return e
}
