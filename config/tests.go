package config

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"spate/pipeline"
)

// TestMetrics are the metrics of a job that a test can look at.
var TestMetrics = []string{
	"ConversionErrors", "DeserializationError", "DroppedOrAdjustedEvents", "EarlyInputEvents", "Errors",
	"InputEvents", "InvalidInputTimeStamp", "LateInputEvents",
}

var testKeys = section[pipeline.Test]{
	key("name", ChangeNone, "Name of the test.", text("", func(t *pipeline.Test) *string { return &t.Name })).required("name: what the test shows"),
	key("job", ChangeNone, "The job whose query runs.", testJob()).required("job: the name of a job"),
	key("input", ChangeNone, "What each input of the query reads: a file, a list of rows, or a map with `file` or `rows`, `format` (json, jsonl, csv), `delimiter`, `header` and `partition` (the field that tells the partition).", testInputs()),
	key("arrival", ChangeNone, "Field with the time at which an event arrived; it is no part of the event. Without it events arrive at the time of TIMESTAMP BY.",
		text("", func(t *pipeline.Test) *string { return &t.Arrival })),
	key("clock", ChangeInside, "Times of the test.", part(section[pipeline.Test]{
		key("start", ChangeNone, "Arrival of events that tell none.", testTime(func(t *pipeline.Test) *time.Time { return &t.Start })),
		key("end", ChangeNone, "Where time stops: windows that end behind it stay open.", testTime(func(t *pipeline.Test) *time.Time { return &t.End })),
	}, testItself, nil)),
	key("policies", ChangeInside, "What differs from the policies of the job.", part(overriding(
		"eventsOutOfOrderPolicy", "eventsOutOfOrderMaxDelay", "eventsLateArrivalMaxDelay", "outputErrorPolicy", "runtimeErrorPolicy", "stringCompare", "joinDatediff"),
		testItself, nil)),
	key("expect", ChangeNone, "The rows that outputs of the query give, before `rename` and `columns`: a file, a list of rows, or a map with `file` or `rows`, `match` (exact, or subset: only the fields that are named count), `ordered` (true: their order counts) and `tolerance` (of floats, relative; 1e-9). `$any` stands for any value.", testExpect()),
	key("expectCount", ChangeNone, "How many rows outputs of the query give.", counts(func(t *pipeline.Test) *[]pipeline.TestCount { return &t.Counts }, nil)),
	key("expectMetrics", ChangeNone, "What metrics of the job count, such as dropped events.", counts(func(t *pipeline.Test) *[]pipeline.TestCount { return &t.Metrics }, TestMetrics)),
	key("expectError", ChangeNone, "A part of the error with which the query ends.", text("", func(t *pipeline.Test) *string { return &t.Error })),
	later[pipeline.Test]("alert", "metrics", "expectStates"),
}

func testItself(t *pipeline.Test) *pipeline.Test { return t }

func tests() value[pipeline.Options] {
	v := listOf(testKeys, func(o *pipeline.Options) *[]pipeline.Test { return &o.Tests }, func(l *loader, o *object, to *pipeline.Options, t *pipeline.Test) {
		if slices.ContainsFunc(to.Tests, func(x pipeline.Test) bool { return x.Name == t.Name }) {
			o.fail(o.find("name"), "E103", "", "another test has this name")
		}
		if len(t.Expect)+len(t.Counts)+len(t.Metrics) == 0 && t.Error == "" {
			o.missing("expect", "say what is expected: expect, expectCount, expectMetrics or expectError")
		}
	})
	show := v.show
	v.show = func(p *Pipeline, o *pipeline.Options) any {
		if len(o.Tests) == 0 {
			return nil
		}
		return show(p, o)
	}
	return v
}

// testJob is the name of a job that must be there.
func testJob() value[pipeline.Test] {
	v := text("", func(t *pipeline.Test) *string { return &t.Job })
	v.read = func(l *loader, o *object, key string, t *pipeline.Test) {
		e := o.take(key)
		if e == nil {
			return
		}
		s, ok := o.textOf(e)
		if !ok {
			return
		}
		t.Job = s
		l.refs = append(l.refs, func() {
			var names []string
			for _, j := range l.o.Jobs {
				if strings.EqualFold(j.Name, s) {
					return
				}
				names = append(names, j.Name)
			}
			o.fail(e, "E301", didYouMean(s, names), "there is no job %q", s)
		})
	}
	return v
}

func testTime(at func(*pipeline.Test) *time.Time) value[pipeline.Test] {
	return value[pipeline.Test]{Key{Form: FormTime},
		func(_ *loader, o *object, key string, t *pipeline.Test) {
			if e := o.take(key); e != nil {
				if s, ok := o.word(e); ok {
					var err error
					if *at(t), err = ParseTime(s); err != nil {
						o.fail(e, "E210", "a time is 2026-11-22T10:00:00Z", "%v", err)
					}
				}
			}
		},
		func(_ *Pipeline, t *pipeline.Test) any {
			if at(t).IsZero() {
				return nil
			}
			return at(t).UTC().Format(time.RFC3339Nano)
		}}
}

// overriding are keys of a job that a test may say too.
func overriding(names ...string) section[pipeline.Test] {
	var out section[pipeline.Test]
	for _, name := range names {
		i := slices.IndexFunc(jobKeys, func(f field[pipeline.Job]) bool { return f.keys[0].Name == name })
		f := jobKeys[i]
		k := f.keys[0]
		def := k.Default
		k.Change, k.Default = ChangeNone, "as the job"
		out = append(out, field[pipeline.Test]{[]Key{k},
			func(l *loader, o *object, t *pipeline.Test) {
				if o.find(name) == nil {
					o.take(name)
					return
				}
				j := pipeline.Job{Policies: t.Policies}
				f.read(l, o, &j)
				t.Policies, t.Overrides = j.Policies, append(t.Overrides, name)
			},
			func(p *Pipeline, t *pipeline.Test) any {
				if !slices.Contains(t.Overrides, name) {
					return nil
				}
				if v := f.show(p, &pipeline.Job{Policies: t.Policies}); v != nil {
					return v
				}
				return def
			}})
	}
	return out
}

// testInputs reads what the inputs of a test are.
func testInputs() value[pipeline.Test] {
	return value[pipeline.Test]{Key{Form: FormRows, Words: []string{"file", "rows", "format", "delimiter", "header", "partition"}},
		func(l *loader, o *object, key string, t *pipeline.Test) {
			l.rows(o, key, func(m *object, e *entry) {
				in := pipeline.TestInput{Alias: e.key}
				rest := l.fileOrRows(m, e, &in.File, &in.Rows)
				if rest == nil {
					t.Inputs = append(t.Inputs, in)
					return
				}
				in.Format = rest.oneOf("format", "", "json", "jsonl", "csv")
				in.Delimiter, in.NoHeader, in.Partition = rest.text("delimiter", ""), !rest.boolean("header", true), rest.text("partition", "")
				rest.done()
				t.Inputs = append(t.Inputs, in)
			})
		},
		func(p *Pipeline, t *pipeline.Test) any {
			out := &fields{}
			for _, in := range t.Inputs {
				m := rowsShown(p, in.File, in.Rows)
				m.add("format", in.Format)
				m.add("delimiter", in.Delimiter)
				if in.NoHeader {
					m.add("header", false)
				}
				m.add("partition", in.Partition)
				out.add(in.Alias, m)
			}
			return out
		}}
}

// testExpect reads what the outputs of a test are expected to give.
func testExpect() value[pipeline.Test] {
	return value[pipeline.Test]{Key{Form: FormRows, Words: []string{"file", "rows", "match", "ordered", "tolerance"}},
		func(l *loader, o *object, key string, t *pipeline.Test) {
			l.rows(o, key, func(m *object, e *entry) {
				x := pipeline.TestRows{Output: e.key, Tolerance: pipeline.DefaultTolerance}
				if rest := l.fileOrRows(m, e, &x.File, &x.Rows); rest != nil {
					x.Subset, x.Ordered = rest.oneOf("match", "exact", "exact", "subset") == "subset", rest.boolean("ordered", false)
					x.Tolerance = rest.fraction("tolerance", x.Tolerance)
					rest.done()
				}
				t.Expect = append(t.Expect, x)
			})
		},
		func(p *Pipeline, t *pipeline.Test) any {
			out := &fields{}
			for _, x := range t.Expect {
				m := rowsShown(p, x.File, x.Rows)
				if x.Subset {
					m.add("match", "subset")
				}
				if x.Ordered {
					m.add("ordered", true)
				}
				if x.Tolerance != pipeline.DefaultTolerance {
					m.add("tolerance", x.Tolerance)
				}
				out.add(x.Output, m)
			}
			return out
		}}
}

// rows reads a map from names to rows.
func (l *loader) rows(o *object, key string, one func(m *object, e *entry)) {
	if m := o.child(key, false); m != nil {
		m.each(func(_ string, e *entry) { one(m, e) })
	}
}

// fileOrRows reads a file, a list of rows, or a map that holds one of the two; its other keys
// are left in what is returned.
func (l *loader) fileOrRows(m *object, e *entry, file *string, rows *[]byte) (rest *object) {
	if e.isMap() {
		rest = m.part(e)
		if rest == nil {
			return nil
		}
		f, r := rest.take("file"), rest.take("rows")
		switch {
		case f != nil && r != nil:
			rest.fail(r, "E207", "keep one of the two", "file and rows exclude each other")
		case f != nil:
			if s, ok := rest.textOf(f); ok {
				*file = resolvePath(l.folder.dir, s)
			}
		case r != nil:
			*rows = rest.jsonRows(r)
		default:
			rest.missing("file", "a file, or rows: a list of rows")
		}
		return rest
	}
	if _, ok := e.value.(*ast.SequenceNode); ok {
		*rows = m.jsonRows(e)
		return nil
	}
	if _, _, ok := scalar(e.value); !ok {
		m.fail(e, "E104", "", "want a file, a list of rows or a map, got %s", kindOf(e.value))
		return nil
	}
	if s, ok := m.textOf(e); ok {
		*file = resolvePath(l.folder.dir, s)
	}
	return nil
}

// jsonRows are the rows of a list as lines of JSON.
func (o *object) jsonRows(e *entry) []byte {
	seq, ok := e.value.(*ast.SequenceNode)
	if !ok {
		o.fail(e, "E104", "", "want a list of rows, got %s", kindOf(e.value))
		return nil
	}
	out := []byte{}
	for _, v := range seq.Values {
		switch v.(type) {
		case *ast.MappingNode, *ast.MappingValueNode:
			out = append(o.r.appendJSON(out, v), '\n')
		default:
			o.r.fail(placeOf(v), "E104", join(o.path, e.key), "", "want a row, got %s", kindOf(v))
		}
	}
	return out
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// appendJSON writes a value of YAML as JSON; numbers keep their digits.
func (r *reader) appendJSON(dst []byte, n ast.Node) []byte {
	switch x := n.(type) {
	case *ast.MappingNode:
		return r.appendMap(dst, n, x.Values)
	case *ast.MappingValueNode:
		return r.appendMap(dst, n, []*ast.MappingValueNode{x})
	case *ast.SequenceNode:
		dst = append(dst, '[')
		for i, v := range x.Values {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = r.appendJSON(dst, v)
		}
		return append(dst, ']')
	case *ast.NullNode:
		return append(dst, "null"...)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		s := n.GetToken().Value
		if !jsonNumber.MatchString(s) {
			r.fail(placeOf(n), "E105", "", "quote it, or write it as JSON has it", "%s is no number of JSON", s)
			return append(dst, "null"...)
		}
		return append(dst, s...)
	}
	s, quoted, ok := scalar(n)
	if _, is := n.(*ast.BoolNode); is && !quoted && (s == "true" || s == "false") {
		return append(dst, s...)
	}
	if !ok {
		r.fail(placeOf(n), "E104", "", "", "%s is no value of a row", kindOf(n))
	}
	return appendQuoted(dst, s)
}

func (r *reader) appendMap(dst []byte, n ast.Node, values []*ast.MappingValueNode) []byte {
	dst = append(dst, '{')
	seen := map[string]bool{}
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		name := v.Key.GetToken().Value
		if seen[name] {
			r.fail(placeOf(n), "E103", "", "", "%s is there twice", name)
		}
		seen[name] = true
		dst = append(appendQuoted(dst, name), ':')
		dst = r.appendJSON(dst, v.Value)
	}
	return append(dst, '}')
}

func appendQuoted(dst []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		return append(dst, `""`...) // texts have a JSON
	}
	return append(dst, text...)
}

// rowsShown are rows as a file of their own would print them.
func rowsShown(p *Pipeline, file string, rows []byte) *fields {
	out := &fields{}
	if file != "" {
		out.add("file", file)
		return out
	}
	list := []any{}
	for line := range strings.Lines(string(rows)) {
		list = append(list, yamlRow(strings.TrimSpace(line)))
	}
	out.items = append(out.items, yaml.MapItem{Key: "rows", Value: list})
	return out
}

// yamlRow is a row as YAML prints it.
func yamlRow(line string) any {
	var row yaml.MapSlice
	if err := yaml.UnmarshalWithOptions([]byte(line), &row, yaml.UseOrderedMap()); err != nil {
		return line // JSON is YAML
	}
	return row
}

// counts reads a map from names to numbers.
func counts(at func(*pipeline.Test) *[]pipeline.TestCount, words []string) value[pipeline.Test] {
	return value[pipeline.Test]{Key{Form: FormCounts, Words: words},
		func(_ *loader, o *object, key string, t *pipeline.Test) {
			m := o.child(key, false)
			if m == nil {
				return
			}
			for i := range m.entries {
				name := m.entries[i].key
				if words != nil && !slices.Contains(words, name) {
					m.r.fail(m.entries[i].at, "E206", join(m.path, name), didYouMean(name, words), "%q is not one of %s", name, strings.Join(words, ", "))
				}
				*at(t) = append(*at(t), pipeline.TestCount{Name: name, Count: m.integer(name, 0, 0, 1<<53)})
			}
		},
		func(_ *Pipeline, t *pipeline.Test) any {
			out := &fields{}
			for _, c := range *at(t) {
				out.add(c.Name, c.Count)
			}
			return out
		}}
}

// fraction is a number of at least 0 and below 1.
func (o *object) fraction(key string, def float64) float64 {
	e := o.take(key)
	if e == nil {
		return def
	}
	s, quoted, ok := scalar(e.value)
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case !ok || quoted || err != nil:
		o.fail(e, "E104", "", "want a number, got %s", kindOf(e.value))
		return def
	case !(f >= 0 && f < 1):
		o.fail(e, "E205", "", "%s is outside 0 to 1", s)
		return def
	}
	return f
}
