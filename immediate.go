package spate

import (
	"fmt"
	"strings"
	"time"

	"spate/connector/eventhub"
	"spate/hub"
	"spate/hub/eventlog"
	"spate/pipeline"
	"spate/sql/plan"
	"spate/stream"
)

// CheckImmediate says why the rows of an output of a job cannot be shown at once;
// compiled is the job's script. What stands in the way is a *stream.ImmediateError.
func CheckImmediate(j pipeline.Job, compiled *plan.Job, output string, hubs []pipeline.Hub) error {
	if err := stream.CheckImmediate(compiled, output, true); err != nil {
		return err
	}
	for _, in := range compiled.Inputs {
		for _, h := range hubs {
			if strings.EqualFold(h.Name, j.Input(in.Name).Hub) && h.Acknowledge == pipeline.AckOS {
				return forgetful(output, h.Name)
			}
		}
	}
	return nil
}

// forgetful refuses an input whose events a power cut may take back.
func forgetful(output, name string) error {
	return &stream.ImmediateError{Output: output,
		What: fmt.Sprintf("the hub %s acknowledges events before the disk has them, and a power cut may take those back of which rows have been shown", name),
		Hint: "let the hub acknowledge: sync, or give the output visibility: epoch"}
}

// prepareImmediate readies the hubs that a job with immediate outputs reads. It lets no
// event be stored at the time of a row that has been shown, or before: the clock may have
// been set back while the process was away. The row itself was stored no earlier.
func (p *Pipeline) prepareImmediate(j pipeline.Job, o stream.Options) error {
	last, output := time.Time{}, ""
	see := func(h *hub.Hub) {
		for i := range h.Partitions() {
			if t := h.Partition(i).Bounds().LastTime; t.After(last) {
				last = t
			}
		}
	}
	for name, s := range o.Outputs {
		if _, ok := s.(*eventhub.ImmediateSink); !ok {
			continue
		}
		output = name
		if h, ok := p.namespace.Hub(j.Output(name).Hub); ok {
			see(h)
		}
	}
	if output == "" {
		return nil
	}
	var read []*hub.Hub
	for alias := range o.Inputs {
		if h, ok := p.namespace.Hub(j.Input(alias).Hub); ok {
			if h.Settings().Policy != eventlog.Sync {
				return fmt.Errorf("opening job %s: %w", j.Name, forgetful(output, h.Name()))
			}
			see(h)
			read = append(read, h)
		}
	}
	for _, h := range read {
		for i := range h.Partitions() {
			h.Partition(i).NotBefore(last.UnixMilli() + 1)
		}
	}
	return nil
}
