package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"spate/column"
	"spate/internal/near"
	"spate/pipeline"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/sql/syntax"
	"spate/stream"
	"spate/stream/exec"
)

// checkScripts compiles the query of every job against the hubs and tables, and gives
// the aliases that the file does not name their hub or table.
func (l *loader) checkScripts() {
	for i := range l.o.Jobs {
		if j := &l.o.Jobs[i]; j.Script != "" {
			l.checkScript(j, l.jobs[j.Name])
		}
	}
	l.lintGroups()
}

// compile compiles the script of a job; any alias is taken. Where a function has mistakes,
// which have been reported, there is neither a plan nor an error.
func (l *loader) compile(j *pipeline.Job) (*plan.Job, syntax.Errors, []bind.Warning) {
	functions, ok := l.functionsOf(j)
	if !ok {
		return nil, nil, nil
	}
	level, err := plan.ParseLevel(j.Policies.Compat)
	if err != nil {
		return nil, nil, nil // its key is reported
	}
	return stream.Compile(j.Script, bind.Options{
		Level: level, JoinElapsed: j.Policies.JoinElapsed, Functions: functions, References: j.References(), Elsewhere: projectCodes,
	})
}

// ScriptProblems turns the mistakes of a script into problems of its file.
func ScriptProblems(file, src string, errs syntax.Errors) Problems {
	var ps Problems
	for _, err := range errs {
		at := err.Span.From
		ps = append(ps, Problem{File: file, Line: max(at.Line, 1), Column: max(at.Col, 1), Code: "E400", Severity: "error",
			Message: err.Msg, Hint: err.Hint, excerpt: excerpt(src, at.Line, at.Col)})
	}
	return ps
}

// ScriptWarnings turns advice about a script into problems of its file.
func ScriptWarnings(file, src string, warnings ...bind.Warning) Problems {
	var ps Problems
	for _, w := range warnings {
		at := w.Span.From
		ps = append(ps, Problem{File: file, Line: max(at.Line, 1), Column: max(at.Col, 1), Code: w.Code, Severity: severity(w.Code),
			Message: w.Msg, excerpt: excerpt(src, at.Line, at.Col)})
	}
	return ps
}

// inScript reports a problem at a place in the query of a job.
func (l *loader) inScript(j *pipeline.Job, places *jobPlaces, code string, at syntax.Pos, hint, format string, args ...any) {
	path := "jobs." + j.Name + ".query"
	if j.ScriptFile == "" {
		l.fail(places.query, code, path, hint, "line %d column %d of the query: %s", at.Line, at.Col, fmt.Sprintf(format, args...))
		return
	}
	l.problems = append(l.problems, Problem{File: j.ScriptFile, Line: max(at.Line, 1), Column: max(at.Col, 1), Code: code,
		Severity: severity(code), Path: path, Message: fmt.Sprintf(format, args...), Hint: hint, excerpt: excerpt(j.Script, at.Line, at.Col)})
}

func (l *loader) checkScript(j *pipeline.Job, places *jobPlaces) {
	for i, line := range strings.Split(j.Script, "\n") {
		if m := literalSecret.FindStringIndex(line); m != nil {
			l.inScript(j, places, "S602", syntax.Pos{Line: i + 1, Col: len([]rune(line[:m[0]])) + 1}, "queries are copied and shown: keep secrets out of them",
				"a secret is written out")
		}
	}
	p, errs, warnings := l.compile(j)
	for _, err := range errs {
		l.inScript(j, places, "E400", err.Span.From, err.Hint, "%s", err.Msg)
	}
	for _, w := range warnings {
		l.inScript(j, places, w.Code, w.Span.From, "", "%s", w.Msg)
	}
	if p == nil {
		return
	}
	if late := j.Policies.MaxLate; late != nil && *late == pipeline.Infinite {
		if why := stream.CheckPolicy(p, exec.TimePolicy{Late: -1}); why != nil {
			l.inScript(j, places, "E313", why.Span.From, why.Hint, "%s", why.Msg)
		}
	}
	before := len(l.problems)
	for _, in := range p.Inputs {
		l.bindInput(j, places, in)
	}
	for _, out := range p.Outputs {
		l.bindOutput(j, places, out)
	}
	if len(l.problems) == before { // else a name is misspelt, and has been said to be
		l.checkAliases(j, places, p)
	}
	l.lintJob(j, places, p)
	l.checkIntervals(j, places)
	l.checkVisibility(j, places, p)
	for _, in := range j.Inputs {
		for _, out := range j.Outputs {
			if out.Hub != "" && strings.EqualFold(in.Hub, out.Hub) {
				at, ok := places.outputs[strings.ToLower(out.Alias)]
				if !ok {
					at = places.query
				}
				l.fail(at, "E308", "jobs."+j.Name+".outputs."+out.Alias, "write to another hub",
					"%s: the job reads the hub %s that it writes", out.Alias, out.Hub)
			}
		}
	}
}

// checkAliases refuses settings of inputs and outputs that the script does not name.
func (l *loader) checkAliases(j *pipeline.Job, places *jobPlaces, p *plan.Job) {
	var reads, writes []string
	for _, in := range append(slices.Clone(p.Inputs), p.Refs...) {
		reads = append(reads, in.Name)
	}
	for _, out := range p.Outputs {
		writes = append(writes, out.Name)
	}
	refuse := func(kind, clause, alias string, at place, names []string) {
		if slices.ContainsFunc(names, func(n string) bool { return column.EqualNames(n, alias) }) {
			return
		}
		hint := didYouMean(alias, names)
		if hint == "" {
			hint = fmt.Sprintf("%s names %s", clause, strings.Join(names, ", "))
		}
		l.fail(at, "E312", "jobs."+j.Name+"."+kind+"."+alias, hint, "the query names no %s %q", strings.TrimSuffix(kind, "s"), alias)
	}
	for _, in := range j.Inputs {
		if at, ok := places.inputs[strings.ToLower(in.Alias)]; ok {
			refuse("inputs", "FROM", in.Alias, at, reads)
		}
	}
	for _, out := range j.Outputs {
		if at, ok := places.outputs[strings.ToLower(out.Alias)]; ok {
			refuse("outputs", "INTO", out.Alias, at, writes)
		}
	}
}

// checkVisibility refuses to show rows at once where that would not be exact.
func (l *loader) checkVisibility(j *pipeline.Job, places *jobPlaces, p *plan.Job) {
	for _, out := range p.Outputs {
		i := slices.IndexFunc(j.Outputs, func(o pipeline.Output) bool { return o.Immediate && strings.EqualFold(o.Alias, out.Name) })
		if i < 0 || j.Outputs[i].Hub == "" {
			continue
		}
		var why *stream.ImmediateError
		if err := l.checkImmediate(j, p, out.Name); errors.As(err, &why) {
			l.fail(places.outputs[strings.ToLower(out.Name)], "E311", "jobs."+j.Name+".outputs."+j.Outputs[i].Alias+".visibility", why.Hint,
				"%s: rows cannot be shown at once, because %s", j.Outputs[i].Alias, why.What)
			return
		}
	}
}

// checkIntervals refuses tables of one job that want to be committed to differently.
func (l *loader) checkIntervals(j *pipeline.Job, places *jobPlaces) {
	var tables []pipeline.Table
	for _, out := range j.Outputs {
		t := l.findTable(out.Table)
		if out.Table == "" || t == nil {
			continue
		}
		tables = append(tables, *t)
		if _, err := pipeline.CommitInterval(j.CheckpointInterval, tables...); err != nil {
			at, ok := places.outputs[strings.ToLower(out.Alias)]
			if !ok {
				at = places.query
			}
			l.fail(at, "E206", "jobs."+j.Name+".outputs."+out.Alias, "give them one interval", "%v", err)
			return
		}
	}
}

func (l *loader) findHub(name string) *pipeline.Hub {
	for i := range l.o.Hubs {
		if strings.EqualFold(l.o.Hubs[i].Name, name) {
			return &l.o.Hubs[i]
		}
	}
	return nil
}

// bindInput finds what an alias of FROM reads: the job's input, or the hub of that name.
func (l *loader) bindInput(j *pipeline.Job, places *jobPlaces, in *plan.Input) {
	var names []string
	for _, have := range j.Inputs {
		if strings.EqualFold(have.Alias, in.Name) {
			return
		}
		names = append(names, have.Alias)
	}
	if h := l.findHub(in.Name); h != nil {
		j.Inputs = append(j.Inputs, pipeline.Input{Alias: in.Name, Hub: h.Name, ConsumerGroup: "$Default", Format: "json"})
		return
	}
	for _, h := range l.o.Hubs {
		names = append(names, h.Name)
	}
	names = append(names, steps(j.Script)...)
	l.inScript(j, places, "E305", in.Where.From, didYouMean(in.Name, names), "%s is no input of the job %s and no hub", in.Name, j.Name)
}

// steps are the names of the WITH steps of a script.
func steps(src string) []string {
	var names []string
	script, _ := syntax.Parse(src, syntax.ASA)
	if script == nil {
		return nil
	}
	for _, st := range script.Stmts {
		if q, ok := st.(*syntax.QueryStmt); ok && q.Query != nil && q.Query.With != nil {
			for _, step := range q.Query.With.Steps {
				names = append(names, step.Name.Name)
			}
		}
	}
	return names
}

// bindOutput finds where INTO goes: the job's output, the hub, or the table of that name.
func (l *loader) bindOutput(j *pipeline.Job, places *jobPlaces, out *plan.Output) {
	var names []string
	for i := range j.Outputs {
		if have := &j.Outputs[i]; strings.EqualFold(have.Alias, out.Name) {
			l.checkColumns(j, places, have, out)
			return
		}
		names = append(names, j.Outputs[i].Alias)
	}
	target := pipeline.Output{Alias: out.Name}
	if h := l.findHub(out.Name); h != nil {
		target.Hub = h.Name
	} else if t := l.findTable(out.Name); t != nil {
		target.Table = t.Database + "." + t.Name
	} else {
		for _, h := range l.o.Hubs {
			names = append(names, h.Name)
		}
		for _, t := range l.o.Tables {
			names = append(names, t.Name)
		}
		l.inScript(j, places, "E306", out.Where.From, didYouMean(out.Name, names), "%s is no output of the job %s, no hub and no table", out.Name, j.Name)
		return
	}
	j.Outputs = append(j.Outputs, target)
	l.checkColumns(j, places, &j.Outputs[len(j.Outputs)-1], out)
}

// checkColumns compares what a SELECT gives with what the output asks for.
func (l *loader) checkColumns(j *pipeline.Job, places *jobPlaces, out *pipeline.Output, from *plan.Output) {
	at, ok := places.outputs[strings.ToLower(out.Alias)]
	if !ok {
		at = places.query
	}
	path := "jobs." + j.Name + ".outputs." + out.Alias
	var names []string
	star := false
	for _, c := range from.In.Columns() {
		star = star || c.Star
		names = append(names, c.Name)
	}
	for _, c := range out.Columns {
		_, errs := syntax.ParseExpr(c.Expr, syntax.ASA)
		if len(errs) == 0 && !star {
			_, errs = bind.Expression(c.Expr, from.In.Columns())
		}
		l.columnErrors(places.columns[columnKey(out.Alias, c.Name)], path, c, errs)
	}
	if star {
		return // the columns are known at run time only
	}
	for _, c := range out.Columns {
		names = append(names, c.Name)
	}
	for old, renamed := range out.Rename {
		i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, old) })
		if i < 0 {
			l.fail(places.columns[columnKey(out.Alias, "\x00"+old)], "E310", path+".rename", didYouMean(old, names), "%s: rename: the query has no column %s", out.Alias, old)
			continue
		}
		names[i] = renamed
	}
	if t := l.findTable(out.Table); out.Table != "" && t != nil && len(t.Columns) > 0 {
		l.compareColumns(at, path, t, names)
	}
}

// columnErrors reports what is wrong with a computed column.
func (l *loader) columnErrors(at place, path string, c pipeline.OutputColumn, errs syntax.Errors) {
	if len(errs) > 0 {
		l.fail(at, "E400", path+".columns."+c.Name, errs[0].Hint, "%s: %s", c.Name, errs[0].Msg)
	}
}

// checkCapture binds the computed columns of a capture: they see the columns of the table
// that are not computed, which are the event's, and the system columns.
func (l *loader) checkCapture(c *pipeline.Capture, path string, at map[string]place) {
	t := l.findTable(c.Table)
	if t == nil || len(t.Columns) == 0 {
		return // reported, or known at run time only
	}
	cols := []plan.Column{{Name: "EventEnqueuedUtcTime", Type: column.Time}, {Name: "EventProcessedUtcTime", Type: column.Time}, {Name: "PartitionId", Type: column.Int64}}
	for _, have := range t.Columns {
		if !slices.ContainsFunc(c.Columns, func(x pipeline.OutputColumn) bool { return strings.EqualFold(x.Name, have.Name) }) {
			cols = append(cols, plan.Column{Name: have.Name})
		}
	}
	for _, x := range c.Columns {
		_, errs := bind.Expression(x.Expr, cols)
		l.columnErrors(at[x.Name], path, x, errs)
	}
}

func (l *loader) compareColumns(at place, path string, t *pipeline.Table, names []string) {
	var missing, extra []string
	for _, c := range t.Columns {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, c.Name) }) {
			missing = append(missing, c.Name)
		}
	}
	for _, n := range names {
		if !hasColumn(t.Columns, n) {
			extra = append(extra, n)
		}
	}
	if len(missing)+len(extra) == 0 {
		return
	}
	var parts []string
	if len(missing) > 0 {
		parts = append(parts, "the table has "+strings.Join(missing, ", ")+", which will be null")
	}
	if len(extra) > 0 {
		parts = append(parts, "the query has "+strings.Join(extra, ", ")+", which will be dropped")
	}
	hint := ""
	if len(missing) > 0 && len(extra) > 0 {
		if meant := near.Word(extra[0], missing); meant != "" {
			hint = fmt.Sprintf("rename: { %s: %s }", extra[0], meant)
		} else {
			hint = "see rename and columns"
		}
	}
	l.fail(at, "W505", path, hint, "columns differ: %s", strings.Join(parts, "; "))
}
