package spate

import (
	"strings"
	"time"

	"spate/jobs"
)

// Status is what the pipeline is doing.
type Status struct {
	Started        time.Time     `json:"started"`
	EventsIn       int64         `json:"eventsIn"`
	RowsOut        int64         `json:"rowsOut"`
	Alerts         int64         `json:"alerts"` // events delivered to hubs that notify reads
	WatermarkDelay time.Duration `json:"watermarkDelayNanoseconds"`
	Jobs           []jobs.Status `json:"jobs"`
	Problems       []string      `json:"problems,omitempty"` // what /healthz says
	GoneHubs       []string      `json:"goneHubs,omitempty"` // hubs that are there, and not in the pipeline any more
}

// Status returns the state of the pipeline. It may be called while Run runs.
func (p *Pipeline) Status() Status {
	s := Status{Started: p.started, Jobs: p.jobs.Status()}
	for _, err := range p.problems() {
		s.Problems = append(s.Problems, err.Error())
	}
	for _, j := range s.Jobs {
		if !j.Capture {
			s.WatermarkDelay = max(s.WatermarkDelay, j.WatermarkDelay)
			s.RowsOut += j.RowsOut
		}
	}
	alerts, written := make(map[string]bool), make(map[string]bool)
	o := p.options()
	s.GoneHubs = p.hubs.gone(o)
	for _, n := range o.Notify {
		alerts[strings.ToLower(n.Hub)] = true
	}
	for _, j := range o.Jobs {
		for _, out := range j.Outputs {
			written[strings.ToLower(out.Hub)] = true
		}
	}
	for _, v := range p.metrics.Series() {
		if v.Counter == nil || v.Name != "IncomingMessages" {
			continue
		}
		for _, l := range v.Labels {
			if l.Name != "EntityName" {
				continue
			}
			switch name := strings.ToLower(l.Value); {
			case alerts[name]:
				s.Alerts += v.Counter.Value()
			case !written[name]: // what a job writes has been counted on its way in
				s.EventsIn += v.Counter.Value()
			}
		}
	}
	return s
}
