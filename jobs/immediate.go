package jobs

import (
	"fmt"
	"time"

	"spate/connector/eventhub"
	"spate/hub"
	"spate/hub/eventlog"
	"spate/pipeline"
	"spate/stream"
)

// prepareImmediate readies the hubs that a job with immediate outputs reads. It lets no
// event be stored at the time of a row that has been shown, or before: the clock may have
// been set back while the process was away. The row itself was stored no earlier.
func (r *Room) prepareImmediate(j pipeline.Job, o stream.Options) error {
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
		if h, ok := r.o.Hubs.Hub(j.Output(name).Hub); ok {
			see(h)
		}
	}
	if output == "" {
		return nil
	}
	var read []*hub.Hub
	for alias := range o.Inputs {
		if h, ok := r.o.Hubs.Hub(j.Input(alias).Hub); ok {
			if h.Settings().Policy != eventlog.Sync {
				return fmt.Errorf("opening job %s: %w", j.Name, stream.EarlyInput(output, h.Name()))
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
