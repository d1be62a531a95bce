package spate

import (
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/sql/syntax"
	"spate/stream"
)

// CompileScript binds a script and compiles it for the engine: what comes back
// without errors runs.
func CompileScript(text string, o bind.Options) (*plan.Job, syntax.Errors, []bind.Warning) {
	return stream.Compile(text, o)
}
