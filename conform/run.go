package conform

import (
	"context"
	"fmt"
	"strings"

	"spate/column"
	"spate/conform/reference"
	"spate/sql/bind"
	"spate/sql/plan"
)

// Engine runs a job over events given in arrival order, to the end of the input,
// and returns the rows of each output in any order.
type Engine func(ctx context.Context, job *plan.Job, events []Event, o Options) (map[string][]Row, error)

// Reference is the engine that runs plans by definition.
func Reference(_ context.Context, job *plan.Job, events []Event, o Options) (map[string][]Row, error) {
	rows, _, err := reference.Run(job, events, o)
	return rows, err
}

// ReferenceInputs are the inputs of a script of a test that are reference data.
var ReferenceInputs = []string{"ra", "rb"}

// Compile turns a script into a plan. It may call Functions, and read ReferenceInputs.
func Compile(script string) (*plan.Job, error) { return CompileAt(script, plan.Level12) }

// CompileAt turns a script into a plan of some level.
func CompileAt(script string, level plan.Level) (*plan.Job, error) {
	functions, err := Functions()
	if err != nil {
		return nil, err
	}
	return compile(script, bind.Options{Level: level, Functions: functions, References: ReferenceInputs})
}

func compile(script string, o bind.Options) (*plan.Job, error) {
	job, errs, _ := bind.Script(script, o)
	if len(errs) > 0 {
		return nil, errs
	}
	return job, nil
}

// Compile turns the script of a case into a plan.
func (c *Case) Compile() (*plan.Job, error) {
	functions, err := bind.NewFunctions(c.Functions)
	if err != nil {
		return nil, err
	}
	o := bind.Options{JoinElapsed: c.Elapsed, Level: c.Level, Functions: functions}
	for _, s := range c.Options.Snapshots {
		o.References = append(o.References, s.Input)
	}
	return compile(c.Script, o)
}

// Run runs c on engine and reports how the outcome differs from what is wanted.
func (c *Case) Run(ctx context.Context, engine Engine) error {
	job, err := c.Compile()
	var rows map[string][]Row
	o, skipped := c.Options, map[string][]column.Value{}
	if o.SkipErrors {
		o.Skipped = func(s Skipped) { skipped["skipped"] = append(skipped["skipped"], skippedRecord(s)) }
	}
	if err == nil {
		rows, err = engine(ctx, job, c.Events(job), o)
	}
	if c.WantError != "" {
		switch {
		case err == nil:
			return fmt.Errorf("no error, want one with %q", c.WantError)
		case !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.WantError)):
			return fmt.Errorf("error %q, want one with %q", err, c.WantError)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if err := Compare(AsRecords(rows), c.Want, Published, c.KeyOrder); err != nil {
		return err
	}
	return Compare(skipped, map[string][]column.Value{"skipped": c.Skipped}, Published, c.KeyOrder)
}

// skippedRecord is a row that was skipped as a case writes it.
func skippedRecord(s Skipped) column.Value {
	r := &column.RecordValue{Names: []string{"output", "line", "row"}, Values: []column.Value{column.TextOf(s.At.Output), column.IntOf(int64(s.At.Line)),
		column.RecordOf(&column.RecordValue{Names: s.Row.Names, Values: s.Row.Values})}}
	if s.At.Step != "" {
		r.Names[0], r.Values[0] = "step", column.TextOf(s.At.Step)
	}
	return column.RecordOf(r)
}

// AsRecords turns rows into the records that printing them would give.
func AsRecords(rows map[string][]Row) map[string][]column.Value {
	out := make(map[string][]column.Value, len(rows))
	for name, list := range rows {
		for _, r := range list {
			out[name] = append(out[name], column.RecordOf(&column.RecordValue{Names: r.Names, Values: r.Values}))
		}
	}
	return out
}

// RowsOf reads the live rows of a batch in the form that engines return.
func RowsOf(b *column.Batch) []Row {
	out := make([]Row, b.LiveRows())
	for k := range out {
		i := b.Row(k)
		cols := make([]plan.Column, len(b.Cols))
		vals := make([]column.Value, len(b.Cols))
		for c := range b.Cols {
			cols[c] = plan.Column{Name: b.Schema.Fields[c].Name, Star: b.Schema.Fields[c].Star}
			vals[c] = b.Cols[c].At(i)
		}
		out[k] = reference.Expand(b.Time[i], cols, vals)
	}
	return out
}
