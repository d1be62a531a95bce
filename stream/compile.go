package stream

import (
	"fmt"
	"strings"

	"spate/sql/bind"
	"spate/sql/plan"
	"spate/sql/syntax"
	"spate/stream/exec"
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

// CheckPolicy says why a job that goes on and on cannot have a policy; nil: it can. The
// tolerance for late events is what closes the windows of substreams and lets go of keys
// that have fallen silent.
func CheckPolicy(job *plan.Job, p exec.TimePolicy) *syntax.Error {
	for _, in := range job.Inputs {
		if len(in.Over) > 0 && in.Time != nil && p.Late < 0 {
			return &syntax.Error{Span: in.Where, Msg: "TIMESTAMP BY ... OVER needs a tolerance for late events, and that of the job is infinite: no window would close, and no key be forgotten",
				Hint: "set eventsLateArrivalMaxDelay, such as 5m"}
		}
	}
	return nil
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
