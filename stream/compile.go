package stream

import (
	"fmt"
	"strings"

	"spate/sql/bind"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// Compile binds a script and compiles it for the engine: what comes back
// without errors runs.
func Compile(text string, o bind.Options) (*plan.Job, syntax.Errors, []bind.Warning) {
	job, errs, warnings := bind.Script(text, o)
	if len(errs) > 0 {
		return nil, errs, warnings
	}
	unsupported, err := Check(job)
	for _, u := range unsupported {
		errs = append(errs, &syntax.Error{Span: u.Where, Msg: u.What + " is not supported yet"})
	}
	if err != nil {
		errs = append(errs, &syntax.Error{Span: syntax.Span{From: syntax.Pos{Line: 1, Col: 1}}, Msg: fmt.Sprint(err)})
	}
	if len(errs) > 0 {
		return nil, errs, warnings
	}
	unifyNames(job)
	return job, nil, warnings
}

// unifyNames spells the name of an input or output everywhere as it stands first:
// names that differ only in case are one.
func unifyNames(job *plan.Job) {
	first := make(map[string]string)
	spell := func(kind, name string) string {
		key := kind + strings.ToLower(name)
		if first[key] == "" {
			first[key] = name
		}
		return first[key]
	}
	for _, in := range job.Inputs {
		in.Name = spell("input ", in.Name)
	}
	for _, out := range job.Outputs {
		out.Name = spell("output ", out.Name)
	}
}
