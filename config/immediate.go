package config

import (
	"strings"

	"spate/pipeline"
	"spate/sql/plan"
	"spate/stream"
)

// checkImmediate says why the rows of an output of a job cannot be shown at once; p is the
// job's script. What stands in the way is a *stream.ImmediateError.
func (l *loader) checkImmediate(j *pipeline.Job, p *plan.Job, output string) error {
	if err := stream.CheckImmediate(p, output, true); err != nil {
		return err
	}
	for _, in := range p.Inputs {
		for _, h := range l.o.Hubs {
			if strings.EqualFold(h.Name, j.Input(in.Name).Hub) && h.Acknowledge == pipeline.AckOS {
				return stream.EarlyInput(output, h.Name)
			}
		}
	}
	return nil
}
