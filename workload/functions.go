package workload

import (
	"context"
	"fmt"

	"spate/column"
	"spate/pipeline"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/stream/exec"
)

// measureFunctions is a scalar function of one line of arithmetic, one whose text holds a
// table and is evaluated for each call, and an aggregate over tumbling windows.
func measureFunctions(_ context.Context, r *Report) error {
	const rows, rounds = 1024, 200
	functions, err := bind.NewFunctions([]pipeline.Function{
		{Name: "line", Kind: pipeline.ScalarFunction, Text: "function main(x) { return x * 1.8 + 32 }"},
		{Name: "table", Kind: pipeline.ScalarFunction, Text: "var t = { a: 1.8, b: 32 }; function main(x) { return x * t.a + t.b }"},
		{Name: "sum", Kind: pipeline.AggregateFunction, Text: `function main() {
	this.init = function () { this.s = 0 }
	this.accumulate = function (v) { this.s += v }
	this.computeResult = function () { return this.s }
}`},
	})
	if err != nil {
		return err
	}
	bound := func(script string) (*plan.Job, error) {
		job, errs, _ := bind.Script(script, bind.Options{Functions: functions})
		if len(errs) > 0 {
			return nil, errs
		}
		return job, nil
	}
	for _, c := range []struct {
		name, call string
		budget     float64
	}{{"one line of arithmetic", "udf.line(v)", 700}, {"with a table of its own", "udf.table(v)", 0}} {
		job, err := bound("SELECT k, " + c.call + " AS f INTO o FROM i")
		if err != nil {
			return err
		}
		step, err := exec.Compile(job.Outputs[0].In)
		if err != nil {
			return err
		}
		op, err := step.New()
		if err != nil {
			return err
		}
		b := benchBatch(job, column.NewDict(), rows, func(i int) column.Ticks { return benchEpoch + column.Ticks(i) }, func(i int) string { return fmt.Sprint(i % 100) })
		var out nothing
		if err := op.Process(0, b, &out); err != nil { // makes the machine
			return err
		}
		before := used()
		for range rounds {
			if err := op.Process(0, b, &out); err != nil {
				return err
			}
		}
		r.add("function, "+c.name, "CPU-ns/event", float64(used().since(before).cpu)/(rows*rounds), c.budget)
	}
	job, err := bound("SELECT k, uda.sum(v) AS f INTO o FROM i GROUP BY k, TumblingWindow(second, 1)")
	if err != nil {
		return err
	}
	step, err := exec.Compile(job.Outputs[0].In.Inputs()[0])
	if err != nil {
		return err
	}
	op, err := step.New()
	if err != nil {
		return err
	}
	before := used()
	if _, _, err := feed(op, job, benchEpoch, rows*rounds, column.Millisecond/10, 100); err != nil {
		return err
	}
	r.add("aggregate of JavaScript, tumbling, 100 groups", "CPU-ns/event", float64(used().since(before).cpu)/(rows*rounds), 0)
	return nil
}
