package console

import (
	"errors"
	"net/http"
	"time"

	"spate/hub"
)

// Hubs is the part of a pipeline that is about its hubs and its files.
type Hubs interface {
	Hubs() ([]Hub, error)
	DeleteHub(name string) error
	Gather(stage string) error
}

// Hub is what people see of a hub.
type Hub struct {
	Name       string        `json:"name"`
	Partitions int           `json:"partitions"`
	Events     int64         `json:"events"`
	Bytes      int64         `json:"bytes"`
	Retention  time.Duration `json:"retentionNanoseconds"`      // 0: everything is kept
	PerSecond  *float64      `json:"eventsPerSecond,omitempty"` // in the minute before; nil: no instance runs
	InPipeline bool          `json:"inPipeline"`                // false: it has left the pipeline, and stays until it is deleted
}

// HubOf is a hub as people see it.
func HubOf(i hub.Info, inPipeline, running bool) Hub {
	h := Hub{Name: i.Name, Partitions: i.Partitions, Events: i.Events, Bytes: i.Bytes, Retention: i.Retention, InPipeline: inPipeline}
	if running {
		h.PerSecond = &i.PerSecond
	}
	return h
}

// ErrHubUsed: a hub cannot be deleted, because the pipeline has a use for it.
var ErrHubUsed = errors.New("take that out of the pipeline first")

func (c *console) hubs(w http.ResponseWriter, r *http.Request) {
	if c.trusted(w, r) {
		c.answer(w)(c.o.Hubs.Hubs())
	}
}

// deleteHub deletes a hub: POST /api/hubs/NAME/delete.
func (c *console) deleteHub(w http.ResponseWriter, r *http.Request) {
	if c.trusted(w, r) {
		name := r.PathValue("name")
		c.answer(w)(map[string]string{"hub": name, "done": "delete"}, c.o.Hubs.DeleteHub(name))
	}
}

// gather fills a stage of the data folder for a backup: POST /api/backup?stage=NAME.
func (c *console) gather(w http.ResponseWriter, r *http.Request) {
	if c.trusted(w, r) {
		stage := r.URL.Query().Get("stage")
		c.answer(w)(map[string]string{"stage": stage, "done": "gather"}, c.o.Hubs.Gather(stage))
	}
}
