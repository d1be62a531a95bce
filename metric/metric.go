// Package metric records what happens: counters and gauges by name and
// dimensions. It knows nothing of who reads them.
package metric

import (
	"math"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
)

// Recorder hands out counters and gauges. The zero value is ready; a nil
// Recorder records nothing.
type Recorder struct {
	mu     sync.Mutex
	series map[string]*Series
}

// Series is one metric with one set of dimensions.
type Series struct {
	Name    string
	Labels  []Label
	Counter *Counter // one of the two is set
	Gauge   *Gauge
}

// Label is one dimension of a series.
type Label struct{ Name, Value string }

// Counter counts up, and never down: whoever reads it takes less for a new beginning.
type Counter struct{ n atomic.Int64 }

// Add adds n, which is not negative. It may be called on nil.
func (c *Counter) Add(n int64) {
	if c != nil {
		c.n.Add(n)
	}
}

// Value returns the count.
func (c *Counter) Value() int64 {
	if c == nil {
		return 0
	}
	return c.n.Load()
}

// Gauge holds the last value set.
type Gauge struct{ bits atomic.Uint64 }

// Set sets the value. It may be called on nil.
func (g *Gauge) Set(v float64) {
	if g != nil {
		g.bits.Store(math.Float64bits(v))
	}
}

// Value returns the last value set.
func (g *Gauge) Value() float64 {
	if g == nil {
		return 0
	}
	return math.Float64frombits(g.bits.Load())
}

// Counter returns the counter of that name and those dimensions, given as
// name, value, name, value. The same arguments give the same counter.
func (r *Recorder) Counter(name string, dims ...string) *Counter {
	if r == nil {
		return nil
	}
	return r.get(name, dims, func(s *Series) { s.Counter = new(Counter) }).Counter
}

// Gauge is Counter for gauges.
func (r *Recorder) Gauge(name string, dims ...string) *Gauge {
	if r == nil {
		return nil
	}
	return r.get(name, dims, func(s *Series) { s.Gauge = new(Gauge) }).Gauge
}

func (r *Recorder) get(name string, dims []string, make_ func(*Series)) *Series {
	key := name + "\x00" + strings.Join(dims, "\x00")
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.series[key]; ok {
		return s
	}
	s := &Series{Name: name}
	for i := 0; i+1 < len(dims); i += 2 {
		s.Labels = append(s.Labels, Label{dims[i], dims[i+1]})
	}
	make_(s)
	if r.series == nil {
		r.series = make(map[string]*Series)
	}
	r.series[key] = s
	return s
}

// Series returns all series, ordered by name and dimensions.
func (r *Recorder) Series() []*Series {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := make([]string, 0, len(r.series))
	for k := range r.series {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	out := make([]*Series, len(keys))
	for i, k := range keys {
		out[i] = r.series[k]
	}
	return out
}
