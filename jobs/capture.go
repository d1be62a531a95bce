package jobs

import (
	"context"
	"fmt"

	"spate/column"
	"spate/pipeline"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/stream"
)

// optionsOfCapture makes the job that appends every event of a hub to a table: a
// plan that passes the table's columns through, from the oldest event on.
func (r *Room) optionsOfCapture(ctx context.Context, s *spec) (o stream.Options, err error) {
	c, name := *s.capture, s.name()
	tb, err := r.table(s, c.Table)
	if err != nil {
		return o, fmt.Errorf("opening the capture of hub %s: %w", c.Hub, err)
	}
	compiled, err := capturePlan(c, tb)
	if err != nil {
		return o, fmt.Errorf("opening the capture of hub %s: %w", c.Hub, err)
	}
	o = r.jobOptions(name, compiled)
	o.Start = stream.Start{Oldest: true}
	o.Interval = tb.Flush.Interval
	o.DeadLetters = deadLettersOf(pipeline.DeadLetter{})
	if err := r.bindInput(&o, name, c.Hub, pipeline.Input{Hub: c.Hub}); err != nil {
		return o, err
	}
	o.Targets[c.Table] = "table " + tb.Location(r.o.Storage)
	if o.Outputs[c.Table], err = r.openTable(ctx, s, c.Table, c.Table, c.Strict, compiled.Outputs[0].In.Columns()); err != nil {
		return o, err
	}
	return o, nil
}

func capturePlan(c pipeline.Capture, tb pipeline.Table) (*plan.Job, error) {
	in := &plan.Input{Name: c.Hub}
	project := &plan.Project{In: in}
	if len(tb.Columns) == 0 {
		whole := plan.Column{Name: "*", Star: true, Type: column.Record}
		in.Cols = append(in.Cols, plan.Source{Column: whole, Kind: plan.Whole})
		project.Items = append(project.Items, plan.Item{Column: whole, Expr: &plan.Col{Base: plan.Base{Static: column.Record}, Name: "*"}})
		for _, x := range c.Columns { // behind the fields of the event
			tb.Columns = append(tb.Columns, pipeline.TableColumn{Name: x.Name})
		}
	}
	computed := func(name string) *pipeline.OutputColumn {
		for i := range c.Columns {
			if column.EqualNames(c.Columns[i].Name, name) {
				return &c.Columns[i]
			}
		}
		return nil
	}
	for _, col := range tb.Columns {
		if computed(col.Name) == nil {
			in.Cols = append(in.Cols, plan.Source{Column: plan.Column{Name: col.Name}, Kind: plan.Payload, Path: []string{col.Name}})
		}
	}
	payload := len(in.Cols)
	for kind, name := range map[plan.SourceKind]string{
		plan.EventEnqueued: "EventEnqueuedUtcTime", plan.EventProcessed: "EventProcessedUtcTime", plan.Partition: "PartitionId",
	} {
		t := column.Time
		if kind == plan.Partition {
			t = column.Int64
		}
		in.Cols = append(in.Cols, plan.Source{Column: plan.Column{Name: name, Type: t}, Kind: kind})
	}
	sortSystem(in.Cols[payload:])
	cols := in.Columns()
	next := 0
	for _, col := range tb.Columns {
		if x := computed(col.Name); x != nil {
			e, errs := bind.Expression(x.Expr, cols)
			if len(errs) > 0 {
				return nil, fmt.Errorf("column %s: %w", col.Name, errs)
			}
			project.Items = append(project.Items, plan.Item{Column: plan.Column{Name: col.Name, Type: e.Type()}, Expr: e})
			continue
		}
		project.Items = append(project.Items, plan.Item{Column: plan.Column{Name: col.Name}, Expr: &plan.Col{Index: next, Name: col.Name}})
		next++
	}
	return &plan.Job{Inputs: []*plan.Input{in}, Outputs: []*plan.Output{{Name: c.Table, In: project}}}, nil
}

// sortSystem brings the system columns into one order, so that the plan's text
// is the same in every process.
func sortSystem(cols []plan.Source) {
	for i := range cols {
		for k := i; k > 0 && cols[k].Kind < cols[k-1].Kind; k-- {
			cols[k], cols[k-1] = cols[k-1], cols[k]
		}
	}
}
