package eval

import (
	"context"
	"path/filepath"

	"spate/blob"
	"spate/connector"
	"spate/connector/deltatable"
	"spate/lake/delta"
	"spate/sql/plan"
)

// openTable opens the Delta table in a folder, or prepares to make it from the columns
// of the output and its first rows. All rows of a run are one version.
func openTable(ctx context.Context, o *Options, folder, output string, job *plan.Job) (connector.Sink, error) {
	parent, name := filepath.Split(filepath.Clean(folder))
	if parent == "" {
		parent = "."
	}
	return deltatable.Open(ctx, deltatable.Options{
		Store: blob.NewLocal(parent), Path: name, Log: o.Log,
		Output:      output,
		Infer:       &deltatable.Inference{Columns: columnsOf(job, output), Name: name},
		BufferBytes: tableBytes, TargetFileBytes: tableBytes,
	})
}

// columnsOf are the columns that the statements of an output name, with their types where
// the plan knows them.
func columnsOf(job *plan.Job, output string) (cols []delta.Column) {
	for _, x := range job.Outputs {
		if x.Name != output {
			continue
		}
		for _, c := range x.In.Columns() {
			if !c.Star && delta.FindColumn(cols, c.Name) == nil {
				cols = append(cols, delta.Column{Name: c.Name, Type: deltatable.TypeOf(c.Type)})
			}
		}
	}
	return cols
}

// tableBytes is what a table may keep in memory and how large its files become.
const tableBytes = 32 << 20
