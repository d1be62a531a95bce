package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"spate/pipeline"
)

// evalFunctions reads the files of --function. A function that the job has too is taken
// from the flag.
func (f *evalFlags) evalFunctions(o *evalRun) error {
	for _, x := range f.functions {
		name, file, ok := strings.Cut(x, "=")
		if !ok || name == "" || file == "" {
			return fmt.Errorf("--function %s: want NAME=FILE.js", x)
		}
		fn := pipeline.Function{Name: name, File: file}
		if prefix, rest, ok := strings.Cut(name, "."); ok {
			switch strings.ToLower(prefix) {
			case "udf":
				fn.Kind = pipeline.ScalarFunction
			case "uda":
				fn.Kind = pipeline.AggregateFunction
			default:
				return fmt.Errorf("--function %s: a name begins with udf., uda. or neither", x)
			}
			fn.Name = rest
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("--function %s: %w", name, err)
		}
		fn.Text = string(text)
		o.Functions = slices.DeleteFunc(slices.Clone(o.Functions), func(have pipeline.Function) bool { return strings.EqualFold(have.Name, fn.Name) })
		o.Functions = append(o.Functions, fn)
	}
	return nil
}
