// Package monitor keeps the history of metrics: it samples a metric.Recorder into
// rows of one minute, keeps them on disk, and answers what Azure Monitor's metrics
// call answers.
//
// A History is made by Open in the process that records (Run, then Close), or by
// Read for a look at what another process has written. Its methods may be called
// concurrently.
//
// Stability: importable, not promised before 1.0.
package monitor

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"spate/metric"
)

// Options says what is sampled and where it is kept.
type Options struct {
	Dir       string // folder of the history, created if missing
	Recorder  *metric.Recorder
	Site      Site          // default, for Read: the one the folder was written with
	Retention time.Duration // default 93 days
	Clock     func() time.Time
	Log       *slog.Logger
}

// Row is one metric over one minute. Of a counter Count and Total are equal, but
// for counters of bytes, whose Count is the number of messages. Min and Max are of
// the single measurements.
type Row struct {
	Minute     int64 // since 1970, UTC
	Count      int64
	Total      float64
	Min, Max   float64
	incomplete bool // of the minute that is not over
}

// merge adds the measurements of o, which has the same minute or interval.
func (r *Row) merge(o Row) {
	if o.Count == 0 {
		return
	}
	if r.Count == 0 {
		r.Min, r.Max = o.Min, o.Max
	}
	r.Min, r.Max = min(r.Min, o.Min), max(r.Max, o.Max)
	r.Count += o.Count
	r.Total += o.Total
}

// Series is the rows of one metric with one set of dimensions, in time order.
type Series struct {
	Name   string
	Labels []metric.Label
	Gauge  bool
	Rows   []Row
}

// Label is the value of a dimension, ignoring the case of its name.
func (s *Series) Label(name string) (string, bool) {
	for _, l := range s.Labels {
		if strings.EqualFold(l.Name, name) {
			return l.Value, true
		}
	}
	return "", false
}

func (s *Series) add(r Row) {
	n := len(s.Rows)
	if n > 0 && s.Rows[n-1].Minute >= r.Minute {
		// A clock that ran backwards, or two processes in one minute: the newest minute takes it.
		s.Rows[n-1].merge(r)
		return
	}
	s.Rows = append(s.Rows, r)
}

const defaultRetention = 93 * 24 * time.Hour

// memory is how long rows are kept in memory; older ones are read from disk.
const memory = 24 * time.Hour

// History is the rows of all series.
type History struct {
	o Options

	mu     sync.Mutex // guards the fields below, and the Site
	series map[string]*Series
	live   map[string]*sampled
	minute int64 // that samples go to
	last   *journal
	failed bool // the last write went wrong; the next that succeeds says so
}

// sampled is what this process has seen of one series in the current minute.
type sampled struct {
	s    *metric.Series
	id   int
	seen int64 // counter value at the end of the last minute
	row  Row   // gauge samples
}

// Open reads the last day and makes a journal for what Run will sample.
func Open(o Options) (*History, error) {
	h, err := Read(o)
	if err != nil {
		return nil, err
	}
	if err := h.o.Site.save(h.o.Dir); err != nil {
		return nil, fmt.Errorf("writing the names of the metric history: %w", err)
	}
	h.last = newJournal(h.o.Dir)
	h.minute = minuteOf(h.o.Clock())
	return h, nil
}

// Rename takes the names of a pipeline that has changed.
func (h *History) Rename(s Site) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.o.Site = s
	if err := s.save(h.o.Dir); err != nil {
		return fmt.Errorf("writing the names of the metric history: %w", err)
	}
	return nil
}

// Retain changes how long rows are kept, and says whether that is another time. Days that
// are too old now are removed at once. 0: as Options.Retention has it.
func (h *History) Retain(d time.Duration) (changed bool, err error) {
	d = cmp.Or(d, defaultRetention)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.o.Retention == d {
		return false, nil
	}
	if h.last != nil {
		if err := h.last.expire(h.o.Clock().Add(-d)); err != nil {
			return false, fmt.Errorf("removing metrics older than %v: %w", d, err)
		}
	}
	h.o.Retention = d
	return true, nil
}

func (h *History) site() Site {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.o.Site
}

// Read opens the history for queries only.
func Read(o Options) (*History, error) {
	o.Retention = cmp.Or(o.Retention, defaultRetention)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Site.Namespace == "" {
		if err := o.Site.load(o.Dir); err != nil {
			return nil, err
		}
	}
	h := &History{o: o, live: map[string]*sampled{}}
	now := o.Clock()
	series, err := readDays(o.Dir, now.Add(-memory), now)
	if err != nil {
		return nil, fmt.Errorf("reading the metric history: %w", err)
	}
	h.series = series
	return h, nil
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// Run samples every second and closes a minute when it is over, until ctx ends.
func (h *History) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		h.Sample()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Close keeps the minute that is not over and releases the files.
func (h *History) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil {
		return nil
	}
	h.meet()
	h.sample()
	err := h.roll()
	return cmp.Or(h.last.close(), err)
}

// Sample takes the recorder's values now.
func (h *History) Sample() {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := minuteOf(h.o.Clock())
	h.meet()
	if now > h.minute {
		err := h.roll()
		if err != nil && !h.failed {
			h.o.Log.Error("writing the metric history", "err", err)
		}
		h.failed = err != nil
		h.minute = now
	}
	h.sample()
}

// meet takes in the series that are new in the recorder: what they counted belongs
// to the current minute.
func (h *History) meet() {
	for _, s := range h.o.Recorder.Series() {
		if key := keyOf(s.Name, s.Labels); h.live[key] == nil {
			h.live[key] = &sampled{s: s, id: len(h.live) + 1}
		}
	}
}

// sample takes the gauges.
func (h *History) sample() {
	for _, l := range h.live {
		if l.s.Gauge != nil {
			v := l.s.Gauge.Value()
			l.row.merge(Row{Count: 1, Total: v, Min: v, Max: v})
		}
	}
}

func keyOf(name string, labels []metric.Label) string {
	var b strings.Builder
	b.WriteString(name)
	for _, l := range labels {
		b.WriteString("\x00" + l.Name + "\x00" + l.Value)
	}
	return b.String()
}

// counted names the counter of messages whose measurements a counter of bytes sums.
func counted(name string) string {
	return map[string]string{"IncomingBytes": "IncomingMessages", "OutgoingBytes": "OutgoingMessages",
		"InputEventBytes": "InputEvents", "CapturedBytes": "CapturedMessages"}[name]
}

// current is the row of l for the minute that is under way.
func (h *History) current(l *sampled) Row {
	if l.s.Gauge != nil {
		r := l.row
		r.Minute = h.minute
		return r
	}
	delta := l.s.Counter.Value() - l.seen
	r := Row{Minute: h.minute, Count: delta, Total: float64(delta)}
	if delta != 0 {
		r.Min, r.Max = 1, 1
	}
	if other := counted(l.s.Name); other != "" && delta != 0 {
		r.Count = 1
		if m := h.live[keyOf(other, l.s.Labels)]; m != nil && m.s.Counter != nil {
			r.Count = max(1, m.s.Counter.Value()-m.seen)
		}
		r.Min, r.Max = r.Total/float64(r.Count), r.Total/float64(r.Count)
	}
	return r
}

// roll ends the current minute: its rows go to memory and to disk.
func (h *History) roll() error {
	keys := slices.Sorted(maps.Keys(h.live))
	rows := make(map[string]Row, len(keys))
	for _, k := range keys {
		rows[k] = h.current(h.live[k])
	}
	var out []entry
	for _, k := range keys {
		l, r := h.live[k], rows[k]
		if l.s.Gauge != nil {
			l.row = Row{}
		} else {
			l.seen += int64(r.Total)
		}
		if l.s.Gauge != nil && r.Count == 0 {
			continue
		}
		s := h.series[k]
		if s == nil {
			s = &Series{Name: l.s.Name, Labels: l.s.Labels, Gauge: l.s.Gauge != nil}
			h.series[k] = s
		}
		s.add(r)
		if first := h.minute - int64(memory/time.Minute); len(s.Rows) > 0 && s.Rows[0].Minute < first-60 {
			s.Rows = slices.DeleteFunc(s.Rows, func(r Row) bool { return r.Minute < first })
		}
		out = append(out, entry{id: l.id, series: s, row: r})
	}
	if len(out) == 0 {
		return nil
	}
	return h.last.append(h.minute, out, h.o.Clock().Add(-h.o.Retention))
}

// Select returns the series of the named metrics with their rows in [from, to),
// the minute under way included. Metric names are compared ignoring case.
func (h *History) Select(names []string, from, to time.Time) ([]*Series, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	series := h.series
	if now := h.o.Clock(); from.Before(now.Add(-memory)) {
		old, err := readDays(h.o.Dir, from, now.Add(-memory))
		if err != nil {
			return nil, fmt.Errorf("reading the metric history: %w", err)
		}
		series = joined(old, h.series, minuteOf(now.Add(-memory)))
	}
	wanted := func(name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	low, high := minuteOf(from), minuteOf(to.Add(time.Minute-1))
	out := map[string]*Series{}
	for k, s := range series {
		if wanted(s.Name) {
			c := &Series{Name: s.Name, Labels: s.Labels, Gauge: s.Gauge}
			for _, r := range s.Rows {
				if r.Minute >= low && r.Minute < high {
					c.Rows = append(c.Rows, r)
				}
			}
			out[k] = c
		}
	}
	for k, l := range h.live {
		if !wanted(l.s.Name) || h.minute < low || h.minute >= high {
			continue
		}
		c := out[k]
		if c == nil {
			c = &Series{Name: l.s.Name, Labels: l.s.Labels, Gauge: l.s.Gauge != nil}
			out[k] = c
		}
		if r := h.current(l); r.Count > 0 || !c.Gauge {
			r.incomplete = true
			c.add(r)
		}
	}
	list := make([]*Series, 0, len(out))
	for _, k := range slices.Sorted(maps.Keys(out)) {
		list = append(list, out[k])
	}
	return list, nil
}

// Names returns the metrics that were ever recorded, in order.
func (h *History) Names() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[string]bool{}
	for _, s := range h.series {
		seen[s.Name] = true
	}
	for _, l := range h.live {
		seen[l.s.Name] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// Values returns the values that a dimension has in any series of a metric that
// carries it: the jobs, say.
func (h *History) Values(label string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[string]bool{}
	for _, s := range h.series {
		if v, ok := s.Label(label); ok {
			seen[v] = true
		}
	}
	for _, l := range h.live {
		s := Series{Labels: l.s.Labels}
		if v, ok := s.Label(label); ok {
			seen[v] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// joined is the rows of old before minute and all of newer.
func joined(old, newer map[string]*Series, minute int64) map[string]*Series {
	out := make(map[string]*Series, len(newer))
	for k, s := range old {
		c := *s
		c.Rows = slices.DeleteFunc(slices.Clone(s.Rows), func(r Row) bool { return r.Minute >= minute })
		out[k] = &c
	}
	for k, s := range newer {
		c := *s
		if o := out[k]; o != nil {
			c.Rows = slices.Clone(o.Rows)
			for _, r := range s.Rows {
				if r.Minute >= minute {
					c.Rows = append(c.Rows, r)
				}
			}
		}
		out[k] = &c
	}
	return out
}
