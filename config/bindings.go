package config

import (
	"path/filepath"
	"strings"
	"time"

	"spate/connector/file"
	"spate/pipeline"
)

var inputKeys = section[pipeline.Input]{
	key("type", ChangeNone, "Kind of input: a stream, which is a hub; or reference data, which is a file or a table.", inputType()),
	key("eventHub", ChangeNever, "Hub that is read. A stream needs it.", inputHub()).refusal("its positions mean nothing"),
	key("path", ChangeLive, "Of reference data: a file, or with `{date}` and `{time}` files whose paths say from when each is in effect.", ofReference(text("", func(in *pipeline.Input) *string { return &in.Path }))),
	key("dateFormat", ChangeLive, "What `{date}` is.", ofReference(word(file.DateFormats[0], func(in *pipeline.Input) *string { return &in.DateFormat }, file.DateFormats...))),
	key("timeFormat", ChangeLive, "What `{time}` is.", ofReference(word(file.TimeFormats[0], func(in *pipeline.Input) *string { return &in.TimeFormat }, file.TimeFormats...))),
	key("table", ChangeLive, "Of reference data: a table, whose newest version is read, instead of a path.", ofReference(tableOf(func(in *pipeline.Input) *string { return &in.Table }))),
	key("refresh", ChangeLive, "How often a changed or another snapshot of reference data is looked for. It joins the events from then on.",
		ofReference(duration(time.Minute, time.Second, 24*time.Hour, func(in *pipeline.Input) *time.Duration { return &in.Refresh }))),
	key("consumerGroup", ChangeNone, "A group of the hub. It has no effect here: each job has positions of its own.",
		name(groupOfHub, "$Default", func(in *pipeline.Input) *string { return &in.ConsumerGroup })),
	key("serialization", ChangeLive, "How events are written.", serialization()),
	key("compression", ChangeNone, "How events are compressed: not at all.", word[pipeline.Input]("None", nil, "None")),
	later[pipeline.Input](append(inputSources, "partitionKey")...),
}

// inputSources are the sources that are not built.
var inputSources = []string{"eventHubs", "kafka", "file"}

var serializationKeys = section[pipeline.Input]{
	key("type", ChangeLive, "JSON, lines of it or lists; or CSV.", word("json", func(in *pipeline.Input) *string { return &in.Format }, "json", "csv")),
	key("encoding", ChangeNone, "UTF-8.", word[pipeline.Input]("UTF8", nil, "UTF8")),
	key("fieldDelimiter", ChangeLive, "Of CSV: a comma, semicolon, tab, space or vertical bar.", text("", func(in *pipeline.Input) *string { return &in.Delimiter })),
	key("header", ChangeLive, "Of CSV: whether each event begins with the names of its columns; else they are column1, column2 and so on.",
		unless(func(in *pipeline.Input) *bool { return &in.NoHeader })),
	later[pipeline.Input]("format"),
}

func inputType() value[pipeline.Input] {
	return value[pipeline.Input]{Key{Form: FormWord, Default: "Stream", Words: []string{"Stream", "Reference"}},
		func(_ *loader, o *object, key string, in *pipeline.Input) {
			in.Reference = o.oneOf(key, "Stream", "Stream", "Reference") == "Reference"
		},
		func(_ *Pipeline, in *pipeline.Input) any {
			if in.Reference {
				return "Reference"
			}
			return nil
		}}
}

// ofReference is a key that only reference data has.
func ofReference[V any](v value[V]) value[V] {
	show := v.show
	v.show = func(p *Pipeline, from *V) any {
		if in, ok := any(from).(*pipeline.Input); ok && !in.Reference {
			return nil
		}
		return show(p, from)
	}
	return v
}

func inputHub() value[pipeline.Input] {
	v := hubOf(func(in *pipeline.Input) *string { return &in.Hub })
	read := v.read
	v.read = func(l *loader, o *object, key string, in *pipeline.Input) {
		if o.find(key) == nil && !in.Reference && !o.hasAny(inputSources) { // done refuses the other sources
			o.missing(key, "name the hub that is read")
		}
		read(l, o, key, in)
	}
	return v
}

// serialization is a word, or a map that says more.
func serialization() value[pipeline.Input] {
	return value[pipeline.Input]{Key{Form: FormWord, Default: "json", Words: []string{"json", "csv"}, Keys: serializationKeys.keys()},
		func(l *loader, o *object, key string, in *pipeline.Input) {
			if e := o.find(key); e == nil || !e.isMap() {
				in.Format = o.oneOf(key, "json", "json", "csv")
			} else if m := o.child(key, false); m != nil {
				serializationKeys.read(l, m, in)
			}
		},
		func(p *Pipeline, in *pipeline.Input) any {
			switch {
			case in.Format == "":
				return nil
			case in.Delimiter == "" && !in.NoHeader:
				return in.Format
			}
			return serializationKeys.show(p, in)
		}}
}

// checkInput checks the keys of an input together, and that the hub has the consumer group.
func (l *loader) checkInput(o *object, _ *entry, in *pipeline.Input) {
	if e := o.find("consumerGroup"); e != nil && in.Hub != "" && !in.Reference {
		l.needGroup(o, e, in.Hub, in.ConsumerGroup)
	}
	l.checkReference(o, in)
	m := o.within("serialization")
	if m == nil {
		return
	}
	for _, k := range []string{"fieldDelimiter", "header"} {
		if e := m.find(k); e != nil && in.Format != "csv" {
			m.fail(e, "E207", "say type: csv, or leave it out", "only CSV has it")
		}
	}
	if d := in.Delimiter; len(d) > 1 && d != "tab" && d != `\t` {
		m.fail(m.find("fieldDelimiter"), "E206", "want a comma, semicolon, tab, space or vertical bar", "%q is no delimiter", d)
	}
}

// checkReference checks the keys that only one of the two kinds of input has.
func (l *loader) checkReference(o *object, in *pipeline.Input) {
	if !in.Reference {
		for _, k := range []string{"path", "dateFormat", "timeFormat", "table", "refresh"} {
			if e := o.find(k); e != nil {
				o.fail(e, "E207", "say type: Reference, or leave it out", "only reference data has it")
			}
		}
		in.Path, in.DateFormat, in.TimeFormat, in.Table, in.Refresh = "", "", "", "", 0
		return
	}
	for _, k := range []string{"eventHub", "consumerGroup"} {
		if e := o.find(k); e != nil {
			o.fail(e, "E207", "leave it out, or leave type: Reference out", "reference data is no stream")
		}
	}
	in.Hub, in.ConsumerGroup = "", ""
	pattern := file.IsPattern(in.Path)
	for _, k := range []string{"dateFormat", "timeFormat"} {
		if e := o.find(k); e != nil && !pattern {
			o.fail(e, "E207", "leave it out", "the path has no {date} and no {time}")
		}
	}
	if !pattern {
		in.DateFormat, in.TimeFormat = "", ""
	}
	switch e := o.find("path"); {
	case in.Path == "" && in.Table == "" && !o.hasAny(inputSources):
		o.missing("path", "name a file, such as sites.csv, or a table")
	case in.Path != "" && in.Table != "":
		o.fail(e, "E207", "keep one of the two", "reference data is a file or a table, not both")
	case in.Path == "":
		if e := o.find("serialization"); e != nil && in.Table != "" {
			o.fail(e, "E207", "leave it out", "a table has columns of its own")
		}
		in.Format = ""
	case pattern:
		if _, err := file.NewPattern(file.Options{}, in.Path, in.DateFormat, in.TimeFormat); err != nil {
			o.fail(e, "E206", "such as sites/{date}/{time}/sites.csv", "%v", err)
		}
		fallthrough
	default:
		in.Path = absolute(resolvePath(l.folder.dir, in.Path))
		if o.find("serialization") == nil && strings.EqualFold(filepath.Ext(in.Path), ".csv") {
			in.Format = "csv"
		}
	}
}

// needGroup checks that a hub has a consumer group.
func (l *loader) needGroup(o *object, e *entry, hub, group string) {
	l.refs = append(l.refs, func() {
		for _, h := range l.o.Hubs {
			if !strings.EqualFold(h.Name, hub) {
				continue
			}
			groups := append([]string{"$Default"}, h.ConsumerGroups...)
			for _, g := range groups {
				if strings.EqualFold(g, group) {
					return
				}
			}
			o.fail(e, "E301", didYouMean(group, groups), "the hub %s has no consumer group %q", hub, group)
		}
	})
}

var outputKeys = section[pipeline.Output]{
	key("table", ChangeLive, "Table that rows are written to.", tableOf(func(o *pipeline.Output) *string { return &o.Table })),
	key("eventHub", ChangeLive, "Hub that rows are sent to. An output has a table or a hub.", hubOf(func(o *pipeline.Output) *string { return &o.Hub })),
	key("columns", ChangeLive, "Columns that are computed from the row, before `rename`: expressions of the query language.",
		computed(func(o *pipeline.Output) *[]pipeline.OutputColumn { return &o.Columns })),
	key("rename", ChangeLive, "Names of columns in the target, by their names in the query.", texts(
		func(o *pipeline.Output, name, text string) {
			if o.Rename == nil {
				o.Rename = map[string]string{}
			}
			o.Rename[name] = text
		},
		func(o *pipeline.Output) *fields { return sortedTexts(o.Rename) })),
	key("partitionKey", ChangeLive, "Of hubs: column by which rows are spread over partitions.", text("", func(o *pipeline.Output) *string { return &o.PartitionKey })),
	key("visibility", ChangeNever, "Of hubs: rows are seen with the next checkpoint, or at once. `immediate` has [rules](limits.md) of its own.",
		either("epoch", "immediate", func(o *pipeline.Output) *bool { return &o.Immediate })).refusal("another visibility"),
	key("mismatch", ChangeLive, "Of tables: columns that the table does not have are dropped and missing ones null, or the row is an error.", mismatch(
		func(o *pipeline.Output) *bool { return &o.Strict })),
	key("serialization", ChangeNone, "How events are written: JSON.", word[pipeline.Output]("json", nil, "json")),
	key("errorPolicy", ChangeLive, "`outputErrorPolicy` of this output; without it, the job's.",
		errorPolicy("", func(o *pipeline.Output) *pipeline.OutputErrorPolicy { return &o.ErrorPolicy })),
	later[pipeline.Output](append(outputTargets, "propertyColumns", "batch")...),
}

// outputTargets are the targets that are not built.
var outputTargets = []string{"eventHubs", "kafka", "file", "blob", "webhook", "sql"}

func mismatch[T any](at func(*T) *bool) value[T] { return either("project", "strict", at) }

// computed are columns and their expressions.
func computed[T any](at func(*T) *[]pipeline.OutputColumn) value[T] {
	return texts(
		func(to *T, name, text string) {
			*at(to) = append(*at(to), pipeline.OutputColumn{Name: name, Expr: text})
		},
		func(from *T) *fields {
			out := &fields{}
			for _, c := range *at(from) {
				out.add(c.Name, c.Expr)
			}
			return out
		})
}

// checkOutput checks the keys of an output together.
func (l *loader) checkOutput(o *object, _ *entry, out *pipeline.Output) {
	table, hub := o.find("table"), o.find("eventHub")
	switch {
	case table != nil && hub != nil:
		o.fail(hub, "E207", "keep one of the two", "table and eventHub exclude each other")
	case table == nil && hub == nil && !o.hasAny(outputTargets):
		o.missing("table or eventHub", "say where the rows go")
	}
	if e := o.find("partitionKey"); e != nil && table != nil {
		o.fail(e, "E207", "leave it out", "only the events of a hub have one")
	}
	if out.Strict && hub != nil {
		o.fail(o.find("mismatch"), "E207", "leave it out", "only the rows of a table are compared with its columns")
	}
	if out.Immediate && hub == nil {
		o.fail(o.find("visibility"), "E207", "leave it out", "only the rows of a hub can be shown at once")
	}
}

var captureKeys = section[pipeline.Capture]{
	key("table", ChangeLive, "Table that is filled.", tableOf(func(c *pipeline.Capture) *string { return &c.Table })).required("name the table that is filled"),
	key("columns", ChangeLive, "Columns that are computed from the event and its system columns, as `EventEnqueuedUtcTime`.",
		computed(func(c *pipeline.Capture) *[]pipeline.OutputColumn { return &c.Columns })),
	key("mismatch", ChangeLive, "As of outputs.", mismatch(func(c *pipeline.Capture) *bool { return &c.Strict })),
	later[pipeline.Capture]("avro"),
}

func captureNames() value[pipeline.Options] {
	return names[pipeline.Options, pipeline.Capture]{keys: captureKeys,
		at:    func(o *pipeline.Options) *[]pipeline.Capture { return &o.Captures },
		name:  func(c *pipeline.Capture) *string { return &c.Hub },
		check: (*loader).needCapture,
	}.value()
}

// needCapture checks a capture when all hubs and tables are known.
func (l *loader) needCapture(o *object, e *entry, c *pipeline.Capture) {
	l.needHub(&object{r: o.r, path: "capture"}, e, c.Hub)
	at := map[string]place{}
	for _, x := range o.within("columns").all() {
		at[x.key] = placeOf(x.value)
	}
	out := *c
	l.refs = append(l.refs, func() { l.checkCapture(&out, o.path, at) })
}
