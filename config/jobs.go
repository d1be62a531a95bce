package config

import (
	"math"
	"path/filepath"
	"strings"
	"time"

	"spate/pipeline"
	"spate/sql/plan"
)

var jobKeys = section[pipeline.Job]{
	key("query", ChangeLive, "A `.asaql` file, or the query itself where it holds a blank.", query()).required("query: a .asaql file"),
	key("enabled", ChangeLive, "`false`: known, and not started.", unless(func(j *pipeline.Job) *bool { return &j.Disabled })),
	key("streamingUnits", ChangeNone, "What Azure charges. It has no effect here.", integer[pipeline.Job](3, 1, 396, nil)),
	key("parallelism", ChangeLive, "At most so many shards, and never more than half the processors; rows do not depend on it. Without it, as many as there are processors.",
		integer(0, 1, 256, func(j *pipeline.Job) *int { return &j.Parallelism })),
	key("outputStartMode", ChangeNew, "Where a job begins that has no checkpoint; later it goes on from its checkpoint, and `spate job start` begins it anew.",
		word(pipeline.StartJobStartTime, func(j *pipeline.Job) *pipeline.StartMode { return &j.Start.Mode }, "JobStartTime", "CustomTime", "LastOutputEventTime")),
	key("outputStartTime", ChangeNew, "Time of the first output, with `CustomTime`.", startTime()),
	key("eventsOutOfOrderPolicy", ChangeLive, "What happens to late and disordered events: their time is adjusted, or they are dropped.",
		word(pipeline.Adjust, func(j *pipeline.Job) *pipeline.EventAction { return &j.Policies.Action }, "Adjust", "Drop")),
	key("eventsOutOfOrderMaxDelay", ChangeLive, "How long events wait to be sorted by time.",
		duration(0, 0, maxDisorder, func(j *pipeline.Job) *time.Duration { return &j.Policies.MaxDisorder })),
	key("eventsOutOfOrderMaxDelayInSeconds", ChangeLive, "The same in Azure's form; one of the two.", disorderSeconds()),
	key("eventsLateArrivalMaxDelay", ChangeLive, "How far the time of an event may lie behind its arrival.", late()),
	key("eventsLateArrivalMaxDelayInSeconds", ChangeLive, "The same in Azure's form, -1 for infinite; one of the two.", lateSeconds()),
	key("outputErrorPolicy", ChangeLive, "What happens to a row that its output cannot hold: `Drop` counts it and keeps it as a dead letter, `Stop` and `Retry` hold it.",
		errorPolicy("Drop", func(j *pipeline.Job) *pipeline.OutputErrorPolicy { return &j.Policies.OutputError })),
	key("runtimeErrorPolicy", ChangeLive, "What happens to a row for which an expression of the query fails: `fail` ends the job, `skipToDeadLetter` counts the row, keeps it as a dead letter and goes on without it.",
		word(pipeline.FailJob, func(j *pipeline.Job) *pipeline.RuntimeErrorPolicy { return &j.Policies.RuntimeError }, "fail", "skipToDeadLetter")),
	key("compatibilityLevel", ChangeLive, "Level of Stream Analytics: `1.1` and `1.0` run a job as it ran when they were the newest; see [differences](functions.md#compatibility-levels).",
		word("1.2", func(j *pipeline.Job) *string { return &j.Policies.Compat }, plan.Levels...)),
	key("stringCompare", ChangeLive, "How texts compare.", either("ordinal", "ignoreCase", func(j *pipeline.Job) *bool { return &j.Policies.IgnoreCase })),
	key("joinDatediff", ChangeLive, "What DATEDIFF between the sources of a JOIN is: a count of boundaries, as elsewhere, or the time that passes.",
		either("boundary", "elapsed", func(j *pipeline.Job) *bool { return &j.Policies.JoinElapsed })),
	key("deadLetter", ChangeInside, "What is kept of dropped rows.", optional(deadLetterKeys, func(j *pipeline.Job) *pipeline.DeadLetter { return &j.Policies.DeadLetter })),
	key("checkpoint", ChangeInside, "Checkpoints.", optional(checkpointKeys, func(j *pipeline.Job) *time.Duration { return &j.CheckpointInterval })),
	key("inputs", ChangeInside, "What the aliases of FROM read; an alias without an entry reads the hub of its name.", names[pipeline.Job, pipeline.Input]{
		keys: inputKeys, at: func(j *pipeline.Job) *[]pipeline.Input { return &j.Inputs }, name: func(in *pipeline.Input) *string { return &in.Alias },
		check: (*loader).checkInput,
	}.value()),
	key("outputs", ChangeInside, "Where the aliases of INTO go; an alias without an entry goes to the hub or the table of its name.", names[pipeline.Job, pipeline.Output]{
		keys: outputKeys, at: func(j *pipeline.Job) *[]pipeline.Output { return &j.Outputs }, name: func(out *pipeline.Output) *string { return &out.Alias },
		check: (*loader).checkOutput,
	}.value()),
	key("acknowledge", ChangeNone, "Codes of warnings of this job that are known to be meant; a comment `spate: ignore W507` on the line of a warning, or right above it, does the same, in the query and here. One that has nothing to acknowledge is a warning.", acknowledged()),
	key("functions", ChangeInside, "JavaScript that the query calls. A file that changes is a changed query.", names[pipeline.Job, pipeline.Function]{
		rule: functionName, keys: functionKeys, at: func(j *pipeline.Job) *[]pipeline.Function { return &j.Functions },
		name: func(f *pipeline.Function) *string { return &f.Name }, check: (*loader).checkFunction,
	}.value()),
	later[pipeline.Job]("memoryLimit", "onTrimmed", "dataLocale"),
}

var deadLetterKeys = section[pipeline.DeadLetter]{
	key("enabled", ChangeLive, "`false`: dropped rows are only counted.", unless(func(d *pipeline.DeadLetter) *bool { return &d.Disabled })).
		printed(func(d *pipeline.DeadLetter) any { return !d.Disabled }),
	key("retain", ChangeLive, "How long they are kept.", duration(7*24*time.Hour, time.Minute, maxDuration,
		func(d *pipeline.DeadLetter) *time.Duration { return &d.Retain })),
	key("maxBytes", ChangeLive, "How much of them is kept.", size(1<<30, 1<<20, math.MaxInt64, func(d *pipeline.DeadLetter) *int64 { return &d.MaxBytes })),
}

var checkpointKeys = section[time.Duration]{
	key("interval", ChangeLive, "How often; without it as the tables of the outputs say, or every second.", duration(time.Second, 100*time.Millisecond, 10*time.Minute,
		func(d *time.Duration) *time.Duration { return d })),
}

func jobNames() value[pipeline.Options] {
	return names[pipeline.Options, pipeline.Job]{rule: jobName, keys: jobKeys,
		at:    func(o *pipeline.Options) *[]pipeline.Job { return &o.Jobs },
		name:  func(j *pipeline.Job) *string { return &j.Name },
		check: (*loader).checkJob,
	}.value()
}

// checkJob checks the keys of a job together, and keeps where its parts stand.
func (l *loader) checkJob(o *object, _ *entry, j *pipeline.Job) {
	if j.Start.Mode == pipeline.StartCustomTime && o.find("outputStartTime") == nil {
		o.missing("outputStartTime", "outputStartMode: CustomTime needs it")
	}
	if e := o.find("outputStartTime"); e != nil && j.Start.Mode != pipeline.StartCustomTime {
		o.fail(e, "E207", "say outputStartMode: CustomTime, or leave it out", "it goes with outputStartMode: CustomTime")
	}
	for _, k := range []string{"eventsOutOfOrderMaxDelay", "eventsLateArrivalMaxDelay"} {
		if e := o.find(k + "InSeconds"); e != nil && o.find(k) != nil {
			o.fail(e, "E207", "keep one of the two", "two keys say the same")
		}
	}
	if l.jobs == nil {
		l.jobs = map[string]*jobPlaces{}
	}
	l.jobs[j.Name] = placesOf(o, j)
}

// placesOf says where the parts of a job stand.
func placesOf(o *object, j *pipeline.Job) *jobPlaces {
	p := &jobPlaces{query: o.at, script: j.ScriptFile, inputs: map[string]place{}, outputs: map[string]place{}, columns: map[string]place{}}
	p.late = o.find("eventsLateArrivalMaxDelay") != nil || o.find("eventsLateArrivalMaxDelayInSeconds") != nil
	if e := o.find("query"); e != nil {
		p.query = placeOf(e.value)
	}
	for _, in := range o.within("inputs").all() {
		p.inputs[strings.ToLower(in.key)] = in.at
	}
	for _, out := range o.within("outputs").all() {
		p.outputs[strings.ToLower(out.key)] = out.at
		for _, c := range o.within("outputs", out.key, "rename").all() {
			p.columns[columnKey(out.key, "\x00"+c.key)] = c.at
		}
		for _, c := range o.within("outputs", out.key, "columns").all() {
			p.columns[columnKey(out.key, c.key)] = placeOf(c.value)
		}
	}
	return p
}

func columnKey(alias, name string) string { return strings.ToLower(alias + "\x00" + name) }

// query is a file, or text that holds a blank.
func query() value[pipeline.Job] {
	return value[pipeline.Job]{Key{Form: FormText},
		func(l *loader, o *object, key string, j *pipeline.Job) {
			if e := o.take(key); e != nil {
				if s, ok := o.textOf(e); ok {
					l.query(o, e, s, j)
				}
			}
		},
		func(p *Pipeline, j *pipeline.Job) any {
			if j.ScriptFile == "" {
				return j.Script
			}
			if rel, err := filepath.Rel(filepath.Dir(p.Path), j.ScriptFile); err == nil && p.Kind == File {
				return rel
			}
			return filepath.Base(j.ScriptFile)
		}}
}

func (l *loader) query(o *object, e *entry, s string, j *pipeline.Job) {
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
}

func startTime() value[pipeline.Job] {
	return value[pipeline.Job]{Key{Form: FormTime},
		func(_ *loader, o *object, key string, j *pipeline.Job) {
			if e := o.take(key); e != nil {
				if s, ok := o.word(e); ok {
					t, err := ParseTime(s)
					if err != nil {
						o.fail(e, "E210", "a time is 2026-11-22T10:00:00Z", "%v", err)
					}
					j.Start.Time = t
				}
			}
		},
		func(_ *Pipeline, j *pipeline.Job) any {
			if j.Start.Time.IsZero() {
				return nil
			}
			return j.Start.Time.UTC().Format(time.RFC3339Nano)
		}}
}

// maxLate and maxDisorder are Azure's bounds.
const (
	maxLate     = 1814399 * time.Second
	maxDisorder = 599 * time.Second
	usualLate   = 5 * time.Second
)

func disorderSeconds() value[pipeline.Job] {
	return value[pipeline.Job]{Key{Form: FormInteger, High: int64(maxDisorder / time.Second)},
		func(_ *loader, o *object, key string, j *pipeline.Job) {
			j.Policies.MaxDisorder += time.Duration(o.integer(key, 0, 0, int64(maxDisorder/time.Second))) * time.Second
		}, nil}
}

// late is a duration, or infinite.
func late() value[pipeline.Job] {
	return value[pipeline.Job]{Key{Form: FormDuration, Default: FormatDuration(usualLate), High: int64(maxLate), Words: []string{"infinite"}},
		func(_ *loader, o *object, key string, j *pipeline.Job) {
			late := usualLate
			if e := o.find(key); e == nil {
				o.take(key)
			} else if s, _, _ := scalar(e.value); s == "infinite" {
				o.take(key)
				late = pipeline.Infinite
			} else {
				late = o.duration(key, usualLate, 0, maxLate)
			}
			j.Policies.MaxLate = &late
		},
		func(_ *Pipeline, j *pipeline.Job) any {
			switch l := j.Policies.MaxLate; {
			case l == nil:
				return nil
			case *l < 0:
				return "infinite"
			default:
				return *l
			}
		}}
}

func lateSeconds() value[pipeline.Job] {
	return value[pipeline.Job]{Key{Form: FormInteger, Low: -1, High: int64(maxLate / time.Second)},
		func(_ *loader, o *object, key string, j *pipeline.Job) {
			if o.find(key) == nil {
				o.take(key)
				return
			}
			if late := time.Duration(o.integer(key, 5, -1, int64(maxLate/time.Second))) * time.Second; late < 0 {
				*j.Policies.MaxLate = pipeline.Infinite
			} else {
				*j.Policies.MaxLate = late
			}
		}, nil}
}

// errorPolicy is Azure's words: Stop and Retry both hold the row.
func errorPolicy[T any](def string, at func(*T) *pipeline.OutputErrorPolicy) value[T] {
	v := word(pipeline.OutputErrorPolicy(def), at, "Drop", "Stop", "Retry")
	v.read = func(_ *loader, o *object, key string, to *T) {
		switch s := o.oneOf(key, def, v.Words...); s {
		case "Stop", "Retry":
			*at(to) = pipeline.Stop
		default:
			*at(to) = pipeline.OutputErrorPolicy(s)
		}
	}
	return v
}
