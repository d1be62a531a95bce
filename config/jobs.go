package config

import (
	"math"
	"strings"
	"time"

	"spate/pipeline"
)

func (l *loader) jobsMap(o *object) {
	if o == nil {
		return
	}
	o.each(func(name string, e *entry) {
		o.named(e, jobName)
		if j := o.r.object(e.value, join(o.path, name)); j != nil {
			l.job(name, j)
		}
	})
}

func (l *loader) job(name string, o *object) {
	j := pipeline.Job{Name: name}
	places := &jobPlaces{query: o.at, inputs: map[string]place{}, outputs: map[string]place{}, columns: map[string]place{}}
	if e := o.take("query"); e == nil {
		o.missing("query", "query: a .asaql file")
	} else if s, ok := o.textOf(e); ok {
		places.query = placeOf(e.value)
		l.query(o, e, s, &j, places)
	}
	j.Disabled = !o.boolean("enabled", true)
	o.integer("streamingUnits", 3, 1, 396)
	j.Parallelism = int(o.integer("parallelism", 0, 1, 256))
	j.Start.Mode = pipeline.StartMode(o.oneOf("outputStartMode", "JobStartTime", "JobStartTime", "CustomTime", "LastOutputEventTime"))
	if e := o.take("outputStartTime"); e != nil {
		if s, ok := o.word(e); ok {
			t, err := ParseTime(s)
			if err != nil {
				o.fail(e, "E210", "a time is 2026-11-22T10:00:00Z", "%v", err)
			}
			j.Start.Time = t
		}
	} else if j.Start.Mode == pipeline.StartCustomTime {
		o.missing("outputStartTime", "outputStartMode: CustomTime needs it")
	}
	l.policies(o, &j.Policies)
	if c := o.child("checkpoint"); c != nil {
		j.CheckpointInterval = c.duration("interval", time.Second, 100*time.Millisecond, 10*time.Minute)
		c.done()
	}
	if in := o.child("inputs"); in != nil {
		in.each(func(alias string, e *entry) {
			places.inputs[strings.ToLower(alias)] = e.at
			if m := in.r.object(e.value, join(in.path, alias)); m != nil {
				l.input(alias, m, &j)
			}
		})
	}
	if out := o.child("outputs"); out != nil {
		out.each(func(alias string, e *entry) {
			places.outputs[strings.ToLower(alias)] = e.at
			if m := out.r.object(e.value, join(out.path, alias)); m != nil {
				l.output(alias, m, &j, places)
			}
		})
	}
	o.later("memoryLimit", "onTrimmed", "runtimeErrorPolicy", "dataLocale", "joinDatediff", "functions")
	o.done()
	if l.jobs == nil {
		l.jobs = map[string]*jobPlaces{}
	}
	l.jobs[name] = places
	l.o.Jobs = append(l.o.Jobs, j)
}

func (l *loader) query(o *object, e *entry, s string, j *pipeline.Job, places *jobPlaces) {
	if strings.ContainsAny(strings.TrimSpace(s), " \n\t") {
		j.Script = s
		return
	}
	data, err := l.folder.read(s)
	if err != nil {
		o.fail(e, "E303", "", "%v", err)
		return
	}
	j.Script, j.ScriptFile = string(data), resolvePath(l.folder.dir, s)
	places.script = j.ScriptFile
}

// maxLateSeconds and maxDisorder are Azure's bounds.
const (
	maxLate     = 1814399 * time.Second
	maxDisorder = 599 * time.Second
)

func (l *loader) policies(o *object, p *pipeline.Policies) {
	p.Action = pipeline.EventAction(o.oneOf("eventsOutOfOrderPolicy", "Adjust", "Adjust", "Drop"))
	p.MaxDisorder = o.duration("eventsOutOfOrderMaxDelay", 0, 0, maxDisorder)
	if e := o.find("eventsOutOfOrderMaxDelayInSeconds"); e != nil {
		if o.find("eventsOutOfOrderMaxDelay") != nil {
			o.fail(e, "E207", "keep one of the two", "two keys say the same")
		}
	}
	p.MaxDisorder += time.Duration(o.integer("eventsOutOfOrderMaxDelayInSeconds", 0, 0, 599)) * time.Second

	late := 5 * time.Second
	plain, seconds := o.take("eventsLateArrivalMaxDelay"), o.find("eventsLateArrivalMaxDelayInSeconds")
	switch {
	case plain != nil && seconds != nil:
		o.take("eventsLateArrivalMaxDelayInSeconds")
		o.fail(seconds, "E207", "keep one of the two", "two keys say the same")
	case plain != nil:
		if s, _, _ := scalar(plain.value); s == "infinite" {
			late = pipeline.Infinite
		} else if d, ok := o.durationOf(plain, 0, maxLate); ok {
			late = d
		}
	case seconds != nil:
		late = time.Duration(o.integer("eventsLateArrivalMaxDelayInSeconds", 5, -1, int64(maxLate/time.Second))) * time.Second
		if late < 0 {
			late = pipeline.Infinite
		}
	default:
		o.take("eventsLateArrivalMaxDelayInSeconds")
	}
	p.MaxLate = &late

	p.OutputError = errorPolicy(o.oneOf("outputErrorPolicy", "Drop", "Drop", "Stop", "Retry"))
	p.Compat = o.oneOf("compatibilityLevel", "1.2", "1.2")
	p.IgnoreCase = o.oneOf("stringCompare", "ordinal", "ordinal", "ignoreCase") == "ignoreCase"
	if d := o.child("deadLetter"); d != nil {
		p.DeadLetter.Disabled = !d.boolean("enabled", true)
		p.DeadLetter.Retain = d.duration("retain", 7*24*time.Hour, time.Minute, maxDuration)
		p.DeadLetter.MaxBytes = d.size("maxBytes", 1<<30, 1<<20, math.MaxInt64)
		d.done()
	}
}

// errorPolicy reads Azure's words: Stop and Retry both hold the row.
func errorPolicy(s string) pipeline.OutputErrorPolicy {
	if s == "Drop" || s == "" {
		return pipeline.OutputErrorPolicy(s)
	}
	return pipeline.Stop
}

func (l *loader) input(alias string, o *object, j *pipeline.Job) {
	in := pipeline.Input{Alias: alias, ConsumerGroup: "$Default", Format: "json"}
	if s := o.oneOf("type", "Stream", "Stream", "Reference"); s == "Reference" {
		o.fail(o.find("type"), "E206", "", "Reference is not supported yet")
	}
	e := o.take("eventHub")
	others := []string{"eventHubs", "kafka", "file", "table"}
	if e == nil && !o.hasAny(others) {
		o.missing("eventHub", "name the hub that is read")
	} else if e == nil {
		// done refuses the other source
	} else if s, ok := o.textOf(e); ok {
		in.Hub = s
		l.needHub(o, e, s)
	}
	in.ConsumerGroup = o.name("consumerGroup", "$Default", groupOfHub)
	if e := o.find("consumerGroup"); e != nil && in.Hub != "" {
		l.needGroup(o, e, in.Hub, in.ConsumerGroup)
	}
	if e := o.take("serialization"); e != nil && e.isMap() {
		if m := o.r.object(e.value, join(o.path, e.key)); m != nil {
			in.Format = m.oneOf("type", "json", "json", "csv")
			m.oneOf("encoding", "UTF8", "UTF8")
			in.Delimiter = m.text("fieldDelimiter", "")
			in.NoHeader = !m.boolean("header", true)
			m.later("format")
			m.done()
		}
	} else if e != nil {
		in.Format = o.oneOf("serialization", "json", "json", "csv")
	}
	o.oneOf("compression", "None", "None")
	o.later(append(others, "path", "refresh", "partitionKey")...)
	o.done()
	j.Inputs = append(j.Inputs, in)
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

func (l *loader) output(alias string, o *object, j *pipeline.Job, places *jobPlaces) {
	out := pipeline.Output{Alias: alias}
	table, hub := o.take("table"), o.take("eventHub")
	switch {
	case table != nil && hub != nil:
		o.fail(hub, "E207", "keep one of the two", "table and eventHub exclude each other")
	case table != nil:
		if s, ok := o.textOf(table); ok {
			out.Table = s
			l.needTable(o, table, s)
		}
	case hub != nil:
		if s, ok := o.textOf(hub); ok {
			out.Hub = s
			l.needHub(o, hub, s)
		}
	case !o.hasAny(outputTargets()):
		o.missing("table or eventHub", "say where the rows go")
	}
	if out.Immediate = o.oneOf("visibility", "epoch", "epoch", "immediate") == "immediate"; out.Immediate {
		if hub == nil {
			o.fail(o.find("visibility"), "E207", "leave it out", "only the rows of a hub can be shown at once")
		}
	}
	if r := o.child("rename"); r != nil {
		out.Rename = map[string]string{}
		r.each(func(from string, e *entry) {
			if to, ok := r.textOf(e); ok {
				out.Rename[from] = to
				places.columns[columnKey(alias, "\x00"+from)] = e.at
			}
		})
	}
	out.Columns = outputColumns(o, func(name string, at place) { places.columns[columnKey(alias, name)] = at })
	out.Strict = o.oneOf("mismatch", "project", "project", "strict") == "strict"
	o.oneOf("serialization", "json", "json")
	out.PartitionKey = o.text("partitionKey", "")
	out.ErrorPolicy = errorPolicy(o.oneOf("errorPolicy", "", "Drop", "Stop", "Retry"))
	o.later(append(outputTargets(), "propertyColumns", "batch")...)
	o.done()
	j.Outputs = append(j.Outputs, out)
}

// outputTargets are the targets that are not built.
func outputTargets() []string {
	return []string{"eventHubs", "kafka", "file", "blob", "webhook", "sql"}
}

func columnKey(alias, name string) string { return strings.ToLower(alias + "\x00" + name) }

// outputColumns reads the key columns and tells where each expression stands.
func outputColumns(o *object, stands func(name string, at place)) []pipeline.OutputColumn {
	var cols []pipeline.OutputColumn
	if c := o.child("columns"); c != nil {
		c.each(func(name string, e *entry) {
			if expr, ok := c.textOf(e); ok {
				cols = append(cols, pipeline.OutputColumn{Name: name, Expr: expr})
				stands(name, placeOf(e.value))
			}
		})
	}
	return cols
}

func (l *loader) capture(o *object) {
	if o == nil {
		return
	}
	o.each(func(hub string, e *entry) {
		c := o.r.object(e.value, join(o.path, hub))
		if c == nil {
			return
		}
		l.needHub(o, &entry{key: hub, at: e.at, value: e.value}, hub)
		out := pipeline.Capture{Hub: hub}
		if t := c.take("table"); t == nil {
			c.missing("table", "name the table that is filled")
		} else if s, ok := c.textOf(t); ok {
			out.Table = s
			l.needTable(c, t, s)
		}
		at := map[string]place{}
		out.Columns = outputColumns(c, func(name string, p place) { at[name] = p })
		out.Strict = c.oneOf("mismatch", "project", "project", "strict") == "strict"
		c.later("avro")
		c.done()
		l.o.Captures = append(l.o.Captures, out)
		l.refs = append(l.refs, func() { l.checkCapture(&out, join(o.path, hub), at) })
	})
}
