package config

import (
	"errors"
	"path/filepath"
	"strings"

	"spate/column/javascript"
	"spate/pipeline"
	"spate/sql/bind"
	"spate/sql/plan"
)

var functionKeys = section[pipeline.Function]{
	key("kind", ChangeLive, "`scalar`, which the query calls as `udf.NAME`, or `aggregate`, `uda.NAME`.",
		word(pipeline.ScalarFunction, func(f *pipeline.Function) *pipeline.FunctionKind { return &f.Kind }, "scalar", "aggregate")),
	key("file", ChangeLive, "A file of JavaScript with `function main(...)`.", functionFile()).required("file: a .js file"),
	key("inputs", ChangeLive, "Types of the arguments, which are converted to them as by CAST; without it, as many of any type as the query gives.",
		list(func(f *pipeline.Function) *[]string { return &f.Inputs }, functionTypes...)),
	key("output", ChangeLive, "Type of the result, which is converted to it as by CAST; `any`: a whole number is a bigint, another a float.",
		word("any", func(f *pipeline.Function) *string { return &f.Output }, functionTypes...)),
}

var functionTypes = []string{"any", "bigint", "float", "nvarchar(max)", "datetime", "bit", "record", "array"}

// functionFile is the file of a function.
func functionFile() value[pipeline.Function] {
	return value[pipeline.Function]{Key{Form: FormText},
		func(l *loader, o *object, key string, f *pipeline.Function) {
			e := o.take(key)
			if e == nil {
				return
			}
			s, ok := o.textOf(e)
			if !ok {
				return
			}
			data, err := l.folder.read(s)
			if err != nil {
				o.fail(e, "E303", "", "%v", err)
				return
			}
			f.Text, f.File = string(data), resolvePath(l.folder.dir, s)
		},
		func(p *Pipeline, f *pipeline.Function) any {
			if rel, err := filepath.Rel(filepath.Dir(p.Path), f.File); err == nil && p.Kind == File {
				return rel
			}
			return filepath.Base(f.File)
		}}
}

// checkFunction compiles a function.
func (l *loader) checkFunction(o *object, e *entry, f *pipeline.Function) {
	if f.File == "" {
		return // reported
	}
	l.compileFunction(f, func(hint, format string, args ...any) { o.fail(e, "E400", hint, format, args...) })
}

// compileFunction compiles a function. What is wrong and has no place in its text is told to
// fail.
func (l *loader) compileFunction(f *pipeline.Function, fail func(hint, format string, args ...any)) {
	made, err := bind.NewFunction(*f)
	var wrong *javascript.Error
	switch {
	case errors.As(err, &wrong) && wrong.Line > 0:
		l.problems = append(l.problems, Problem{File: f.File, Line: wrong.Line, Column: max(wrong.Column, 1), Code: "E400", Severity: severity("E400"),
			Message: wrong.Msg, Hint: wrong.Hint, excerpt: excerpt(f.Text, wrong.Line, max(wrong.Column, 1))})
	case errors.As(err, &wrong):
		fail(wrong.Hint, "%s: %s", wrong.File, wrong.Msg)
	case err != nil:
		fail("", "%v", err)
	default:
		if l.functions == nil {
			l.functions = make(map[functionOf]*plan.Function)
		}
		l.functions[keyOf(f)] = made
	}
}

// functionOf names a function that was compiled.
type functionOf struct {
	file, name     string
	kind           pipeline.FunctionKind
	output, inputs string
}

// functionsOf are the functions of a job; false: one has mistakes.
func (l *loader) functionsOf(j *pipeline.Job) (out []*plan.Function, ok bool) {
	for i := range j.Functions {
		made := l.functions[keyOf(&j.Functions[i])]
		if made == nil {
			return nil, false
		}
		out = append(out, made)
	}
	return out, true
}

func keyOf(f *pipeline.Function) functionOf {
	return functionOf{f.File, strings.ToLower(f.Name), f.Kind, f.Output, strings.Join(f.Inputs, ",")}
}
