// Package pipeline holds the words of a pipeline: hubs, tables, jobs, alerts and the
// fleet of the simulator, with their defaults. It knows no machine; the pipeline file is
// read into it, and what runs is built from it.
//
// Stability: importable, not promised before 1.0.
package pipeline

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options is a whole pipeline. Package config makes one from a pipeline file;
// an embedding program fills it in itself.
type Options struct {
	Dir          string // data folder, created if missing; required
	Name         string // of the pipeline; the resource group in answers; default "spate"
	Subscription string // used in resource ids; default the zero UUID
	Location     string // region named in answers; default "local"
	Namespace    string // Event Hubs namespace name; default "<Name>-ns"
	Listen       Listen
	Auth         Auth
	Hubs         []Hub
	Storage      Storage
	Tables       []Table
	Jobs         []Job
	Captures     []Capture
	Tests        []Test // of the jobs; nothing that runs looks at them

	ActionGroups     []ActionGroup
	Notify           []Notify
	MetricsRetention time.Duration // how long minute rows are kept; default 93 days

	Simulate *Simulate // nil: no simulator

	// AcceptCopy opens a data folder that is a copy of one that was in use: somebody knows
	// that nothing ran there while it was copied.
	AcceptCopy bool

	Drain time.Duration // how long a stop waits for jobs to read what was accepted; default 30s

	// QueryWorker is the command of the query engine's child process, program
	// first. Default: this executable with the argument duckdb-worker.
	QueryWorker []string

	Clock func() time.Time // default time.Now
	Log   *slog.Logger     // default slog.Default()
}

// Simulate is a fleet of devices that sends through a real listener.
type Simulate struct {
	Hub       string
	Devices   int           // default 20
	Interval  time.Duration // between two events of a device; default 5s
	Duration  time.Duration // 0: until stopped
	Scenario  string        // default seed
	Seed      int64         // default 1
	Via       string        // kafka or amqp; default kafka
	Rate      float64       // events per second of the whole fleet; 0: as Interval says
	Locations []string
	Types     []string
}

// WithDefaults fills in what is not said.
func (o Options) WithDefaults() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("opening the pipeline: a data folder is required")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, fmt.Errorf("opening the pipeline: %w", err)
	}
	o.Dir = dir
	if o.Name == "" {
		o.Name = "spate"
	}
	if o.Namespace == "" {
		o.Namespace = o.Name + "-ns"
	}
	if o.Storage.Account == "" {
		o.Storage.Account = "spate"
	}
	if o.Storage.Container == "" {
		o.Storage.Container = "data"
	}
	if o.Storage.Database == "" {
		o.Storage.Database = "default"
	}
	if o.Listen.MaxConnections == 0 {
		o.Listen.MaxConnections = DefaultMaxConnections
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o, nil
}

// HasHub says whether the pipeline has a hub of that name, ignoring case.
func (o Options) HasHub(name string) bool {
	return slices.ContainsFunc(o.Hubs, func(h Hub) bool { return strings.EqualFold(h.Name, name) })
}

// UseOf says what the pipeline has a hub for; empty: it does not know it.
func (o Options) UseOf(name string) string {
	is := func(hub string) bool { return strings.EqualFold(hub, name) }
	if o.HasHub(name) {
		return "it is a hub of the pipeline"
	}
	for _, j := range o.Jobs {
		for _, in := range j.Inputs {
			if is(in.Hub) {
				return "job " + j.Name + " reads it"
			}
		}
		for _, out := range j.Outputs {
			if is(out.Hub) {
				return "job " + j.Name + " writes it"
			}
		}
	}
	for _, c := range o.Captures {
		if is(c.Hub) {
			return "it is captured"
		}
	}
	for _, n := range o.Notify {
		if is(n.Hub) {
			return "notify " + n.Name + " reads it"
		}
	}
	if o.Simulate != nil && is(o.Simulate.Hub) {
		return "the simulator sends to it"
	}
	return ""
}
