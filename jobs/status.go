package jobs

import (
	"strings"
	"time"

	"spate/column"
)

// Status is the state of one job.
type Status struct {
	Name           string        `json:"name"`
	State          string        `json:"state"` // Starting, Running, Degraded, Stopping, Stopped, Failed
	Error          string        `json:"error,omitempty"`
	EventsIn       int64         `json:"eventsIn"`
	RowsOut        int64         `json:"rowsOut"`
	EventRate      float64       `json:"eventsPerSecond"`
	RowRate        float64       `json:"rowsPerSecond"`
	Errors         int64         `json:"runtimeErrors"` // rows for which an expression of the query failed
	WatermarkDelay time.Duration `json:"watermarkDelayNanoseconds"`
	Checkpoint     *time.Time    `json:"lastCheckpoint,omitempty"` // since the job was started

	Capture bool `json:"-"` // the job captures a hub
}

// Status is what each job does.
func (r *Room) Status() []Status {
	var out []Status
	place := make(map[string]int)
	now := column.TicksOf(r.o.Clock())
	for _, j := range r.all() {
		s := Status{Name: j.name, Capture: j.made().capture != nil}
		s.State, s.Error = j.state()
		job := j.current()
		if w := job.Watermark(); w > 0 {
			s.WatermarkDelay = time.Duration(now-w) * 100
		}
		if at := job.Saved(); at > 0 {
			t := at.Time()
			s.Checkpoint = &t
		}
		if s.State == "Running" {
			s.EventRate, s.RowRate = job.Rates()
		}
		place[strings.ToLower(j.name)] = len(out)
		out = append(out, s)
	}
	for _, v := range r.o.Metrics.Series() {
		if v.Counter == nil {
			continue
		}
		for _, l := range v.Labels {
			i, ok := place[strings.ToLower(l.Value)]
			switch {
			case !ok || l.Name != "JobName":
			case v.Name == "InputEvents":
				out[i].EventsIn += v.Counter.Value()
			case v.Name == "OutputEvents":
				out[i].RowsOut += v.Counter.Value()
			case v.Name == "Errors":
				out[i].Errors += v.Counter.Value()
			}
		}
	}
	return out
}
