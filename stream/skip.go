package stream

import (
	"cmp"

	"spate/column"
	"spate/column/format"
	"spate/sql/plan"
	"spate/stream/deadletter"
	"spate/stream/exec"
)

// runtimeError is the type of what is reported of a row that a step cannot compute.
const runtimeError = "RuntimeError"

// skipping lets a step of node n go on without rows that it cannot compute, if the job
// does.
func (s *site) skipping(n plan.Node, step any) {
	k, ok := step.(exec.Skipper)
	if !ok || !s.job.opts.SkipErrors {
		return
	}
	j, part, ins := s.job, s.job.graph.parts[n], n.Inputs()
	k.SkipTo(func(b *column.Batch, row int, err *exec.Error) {
		j.counts.errors.Add(1)
		d := Diagnostic{
			Kind: "runtime", Type: runtimeError, Reason: err.Error(), Dropped: true,
			Step: part.Step, Output: part.Output, Line: part.Line,
			Row: format.AppendRow(nil, b, row),
		}
		if !err.Result {
			d.Input, d.Part, d.Offset = j.originOf(ins, b, row)
		}
		j.diagnose(d)
		if j.letters != nil {
			j.counts.deadLetter(cmp.Or(d.Step, d.Output), d.Type)
			l := letterOf(d, b, row)
			s.letters.add(&l)
		}
	})
}

// letterOf is the letter of a row that is dropped.
func letterOf(d Diagnostic, b *column.Batch, row int) deadletter.Letter {
	return deadletter.Letter{
		Kind: d.Kind, Reason: d.Type + ": " + d.Reason, Step: d.Step, Output: d.Output, Line: d.Line,
		Input: d.Input, Partition: d.Part, Offset: d.Offset, Time: b.Time[row], Row: format.AppendRow(nil, b, row),
	}
}

// originOf is the message that a row of one of some nodes came from. The input is empty
// where that is not known: rows of windows come from many.
func (j *Job) originOf(of []plan.Node, b *column.Batch, row int) (input string, partition int, offset int64) {
	if b.Seq == nil {
		return "", 0, 0
	}
	seq := b.Seq[row]
	names := make(map[string]bool)
	for _, n := range of {
		if !j.graph.exact(n) {
			return "", 0, 0
		}
		for _, k := range j.graph.from[n] {
			input = j.graph.inputs[k].Name
			names[input] = true
		}
	}
	switch {
	case len(names) == 1 && j.opts.Inputs[input].LineOrder:
		return input, 0, seq
	case len(names) > 1 && j.opts.Inputs[input].LineOrder:
		return "", 0, 0
	}
	p := j.partOf(seq)
	if p < 0 {
		return "", 0, 0
	}
	return j.parts[p].source.name, j.parts[p].number, seq & (1<<offsetBits - 1)
}
