package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"spate/hub"
	"spate/internal/panics"
	"spate/metric"
	"spate/pipeline"
)

// SetOptions is what the notifiers of a pipeline share.
type SetOptions struct {
	Dir     string // a folder for each notifier lies here
	Hubs    *hub.Namespace
	Clock   func() time.Time
	Metrics *metric.Recorder
	Log     *slog.Logger
}

// Set is the notifiers of a pipeline, which come, go and change while it runs. Open
// makes them, Run delivers until its context ends, Close releases the files; it comes
// after Run and Reload have returned.
type Set struct {
	o SetOptions

	mu      sync.Mutex // guards the fields below, and what says so in members
	members []*member
	failed  map[string]error // by name: why one that is wanted is not there
	launch  func(*member)    // runs one; nil: the set does not run
}

// member is a notifier of the set.
type member struct {
	wanted
	n    *Notifier
	stop context.CancelFunc // nil: it was never launched
	over chan struct{}      // closed when it has ended
	err  error              // why it ended by itself; guarded by Set.mu
}

// wanted is all that a pipeline says of a notifier. Two that are deeply equal are one.
type wanted struct {
	name, hub  string
	partitions int // of the hub
	receivers  []Receiver
}

// OpenSet opens the notifiers of a pipeline whose hubs are there.
func OpenSet(ctx context.Context, o SetOptions, p pipeline.Options) (*Set, error) {
	s := &Set{o: o, failed: make(map[string]error)}
	if err := s.Check(p); err != nil {
		return nil, err
	}
	if _, err := s.Reload(ctx, p); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Check finds the mistakes that can be seen without changing anything.
func (s *Set) Check(p pipeline.Options) error {
	seen := make(map[string]bool)
	for _, n := range p.Notify {
		if seen[n.Name] {
			return fmt.Errorf("opening notify %s: there are two of that name", n.Name)
		}
		seen[n.Name] = true
		if _, ok := s.o.Hubs.Hub(n.Hub); !ok && !p.HasHub(n.Hub) {
			return fmt.Errorf("opening notify %s: hub %s does not exist", n.Name, n.Hub)
		}
		for _, name := range n.ActionGroups {
			if groupOf(p, name) == nil {
				return fmt.Errorf("opening notify %s: action group %s does not exist", n.Name, name)
			}
		}
	}
	return nil
}

func groupOf(p pipeline.Options, name string) *pipeline.ActionGroup {
	i := slices.IndexFunc(p.ActionGroups, func(g pipeline.ActionGroup) bool { return strings.EqualFold(g.Name, name) })
	if i < 0 {
		return nil
	}
	return &p.ActionGroups[i]
}

// wants are the notifiers of a pipeline that deliver somewhere.
func (s *Set) wants(p pipeline.Options) []wanted {
	var out []wanted
	for _, n := range p.Notify {
		w := wanted{name: n.Name, hub: strings.ToLower(n.Hub)}
		if h, ok := s.o.Hubs.Hub(n.Hub); ok {
			w.partitions = h.Partitions()
		}
		for _, name := range n.ActionGroups {
			g := groupOf(p, name)
			if g == nil || g.Disabled {
				continue
			}
			for _, r := range g.Receivers {
				w.receivers = append(w.receivers, Receiver{Name: g.Name + "/" + r.Name, URL: r.Webhook, File: r.File, Headers: r.Headers, Secret: r.Secret})
			}
		}
		if len(w.receivers) > 0 {
			out = append(out, w)
		}
	}
	return out
}

// Reload makes the notifiers those of p, and says what it did. One that changes finishes
// the calls that are under way and goes on from its outbox: no event is lost, and none
// sent again. One that cannot be taken goes on as it was, and the next call tries again.
// There is one Reload at a time.
func (s *Set) Reload(_ context.Context, p pipeline.Options) (did []string, err error) {
	wants := s.wants(p)
	var errs []error
	for _, m := range s.all() {
		if slices.ContainsFunc(wants, func(w wanted) bool { return w.name == m.name }) {
			continue
		}
		errs = append(errs, s.end(m))
		did = append(did, "notify "+m.name+" stopped")
	}
	failed := make(map[string]error)
	for _, w := range wants {
		what, err := s.take(w)
		if err != nil {
			errs = append(errs, err)
			failed[w.name] = err
		}
		if what != "" {
			did = append(did, what)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members { // one that goes on as it was is there
		delete(failed, m.name)
	}
	s.failed = failed
	return did, errors.Join(errs...)
}

// take makes a notifier what is wanted of it, and says what it did; empty: nothing.
func (s *Set) take(w wanted) (string, error) {
	old := s.find(w.name)
	if old == nil {
		if err := s.begin(w); err != nil {
			return "", err
		}
		return "notify " + w.name + " started", nil
	}
	if s.ended(old) == nil && reflect.DeepEqual(old.wanted, w) {
		return "", nil
	}
	closing := s.end(old) // its folder is to be opened again
	if err := s.begin(w); err != nil {
		if e := s.begin(old.wanted); e != nil {
			return "", errors.Join(closing, err, fmt.Errorf("starting it as it was: %w", e))
		}
		return "", errors.Join(closing, fmt.Errorf("notify %s goes on as it was: %w", w.name, err))
	}
	return "notify " + w.name + " replaced", closing
}

// begin opens a notifier, and launches it if the set runs.
func (s *Set) begin(w wanted) error {
	h, ok := s.o.Hubs.Hub(w.hub)
	if !ok {
		return fmt.Errorf("opening notify %s: hub %s does not exist", w.name, w.hub)
	}
	n, err := New(Options{Dir: filepath.Join(s.o.Dir, w.name), Name: w.name, Hub: h, Receivers: w.receivers,
		Clock: s.o.Clock, Metrics: s.o.Metrics, Log: s.o.Log})
	if err != nil {
		return fmt.Errorf("opening notify %s: %w", w.name, err)
	}
	m := &member{wanted: w, n: n, over: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members = append(s.members, m)
	if s.launch != nil {
		s.launch(m)
	}
	return nil
}

// end stops a notifier in order and forgets it. That takes no longer than one call.
func (s *Set) end(m *member) error {
	s.mu.Lock()
	stop := m.stop
	s.members = slices.DeleteFunc(s.members, func(x *member) bool { return x == m })
	s.mu.Unlock()
	if stop != nil {
		stop()
		<-m.over
	}
	if err := m.n.Close(); err != nil {
		return fmt.Errorf("closing notify %s: %w", m.name, err)
	}
	return nil
}

func (s *Set) all() []*member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.members)
}

func (s *Set) find(name string) *member {
	for _, m := range s.all() {
		if m.name == name {
			return m
		}
	}
	return nil
}

// ended is why a notifier has ended by itself; nil: it has not.
func (s *Set) ended(m *member) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return m.err
}

// Run delivers until ctx ends. Calls that are under way then are finished.
func (s *Set) Run(ctx context.Context) {
	var running sync.WaitGroup
	launch := func(m *member) {
		life, stop := context.WithCancel(ctx)
		m.stop = stop
		running.Go(func() {
			defer close(m.over)
			s.run(life, m)
		})
	}
	s.mu.Lock()
	s.launch = launch
	for _, m := range s.members {
		launch(m)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.launch = nil
	s.mu.Unlock()
	running.Wait()
}

func (s *Set) run(ctx context.Context, m *member) {
	err := m.n.Run(ctx)
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	s.o.Log.Error("notifications stopped", "notify", m.name, "err", err, "stack", panics.StackOf(err))
	s.mu.Lock()
	defer s.mu.Unlock()
	m.err = err
}

// Problems says of each notifier that does not work why.
func (s *Set) Problems() (errs []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		if m.err != nil {
			errs = append(errs, fmt.Errorf("notify %s stopped: %w", m.name, m.err))
		}
		errs = append(errs, m.n.Problems()...)
	}
	for name, err := range s.failed {
		errs = append(errs, fmt.Errorf("notify %s does not run: %w", name, err))
	}
	return errs
}

// Close releases the files. Run has returned.
func (s *Set) Close() error {
	var errs []error
	for _, m := range s.all() {
		errs = append(errs, s.end(m))
	}
	return errors.Join(errs...)
}
