package spate

import (
	"fmt"

	"spate/sql/bind"
	"spate/sql/plan"
	"spate/sql/syntax"
	"spate/stream"
)

// CompileScript binds a script and compiles it for the engine: what comes back
// without errors runs.
func CompileScript(text string, o bind.Options) (*plan.Job, syntax.Errors, []bind.Warning) {
	job, errs, warnings := bind.Script(text, o)
	if len(errs) > 0 {
		return nil, errs, warnings
	}
	unsupported, err := stream.Check(job)
	for _, u := range unsupported {
		errs = append(errs, &syntax.Error{Span: u.Where, Msg: u.What + " is not supported yet"})
	}
	if err != nil {
		errs = append(errs, &syntax.Error{Span: syntax.Span{From: syntax.Pos{Line: 1, Col: 1}}, Msg: fmt.Sprint(err)})
	}
	if len(errs) > 0 {
		return nil, errs, warnings
	}
	return job, nil, warnings
}
