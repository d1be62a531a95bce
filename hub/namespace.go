// Package hub is Event Hubs without the protocols: a namespace of hubs, their
// partitions and consumer groups, and the choice of a partition. The records
// themselves are kept by eventlog.
//
// A Namespace owns the data folder's hubs from Open to Close; the caller holds
// the folder's lock. Reads and appends after Close fail with ErrClosed.
//
// Stability: importable, not promised before 1.0.
package hub

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"spate/hub/eventlog"
	"spate/metric"
)

// Options say where a namespace lives and what it reports to.
type Options struct {
	Dir     string           // data folder; created if missing
	Clock   func() time.Time // stamps records; default time.Now
	Metrics *metric.Recorder // may be nil
	Log     *slog.Logger     // default: nothing is logged
	// AcceptLoss has damaged partitions cut at the damage instead of opened
	// read-only: what lies behind it is given up.
	AcceptLoss bool
	// Files are shared with others that open logs; nil: the namespace has its own.
	Files *eventlog.Files
	// Keep has retention remove nothing.
	Keep bool
}

// Spec describes a hub to Create.
type Spec struct {
	Name           string
	Partitions     int           // 1..1024; default 4
	Retention      time.Duration // 0 keeps everything
	RetentionBytes int64         // per partition; 0: no limit
	ConsumerGroups []string      // besides $Default
	Policy         eventlog.Policy
	SegmentBytes   int64 // 1 MiB..1 GiB; default 64 MiB
	MaxBatchBytes  int   // limit of AppendBatch; default 1 MiB and 64 KiB
}

// Namespace is a set of hubs in one data folder.
type Namespace struct {
	o      Options
	syncer *eventlog.Syncer

	mu     sync.RWMutex    // guards the fields below
	hubs   []*Hub          // in order of creation
	byName map[string]*Hub // lower-case name
	closed bool

	stop context.CancelFunc
	done chan struct{}
}

// Hub returns the hub of that name, ignoring case.
func (n *Namespace) Hub(name string) (*Hub, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	h, ok := n.byName[strings.ToLower(name)]
	return h, ok
}

// HubByID returns the hub with that id.
func (n *Namespace) HubByID(id [16]byte) (*Hub, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	for _, h := range n.hubs {
		if h.id == id {
			return h, true
		}
	}
	return nil, false
}

// Hubs returns all hubs in order of creation.
func (n *Namespace) Hubs() []*Hub {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return append([]*Hub(nil), n.hubs...)
}
