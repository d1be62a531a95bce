package hub

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"spate/hub/eventlog"
)

const deletedSuffix = ".deleted"

// Open opens the hubs of a data folder, repairing what a crash left behind. A
// partition with damaged data opens read-only up to the damage and says so
// through Err; the others work.
func Open(ctx context.Context, o Options) (*Namespace, error) {
	if o.Dir == "" {
		return nil, errors.New("open namespace: no folder given")
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Files == nil {
		o.Files = eventlog.NewFiles(0, 0)
	}
	if err := os.MkdirAll(filepath.Join(o.Dir, "hubs"), 0o755); err != nil {
		return nil, fmt.Errorf("open namespace: %w", err)
	}
	n := &Namespace{o: o, syncer: eventlog.NewSyncer(), byName: make(map[string]*Hub), done: make(chan struct{})}
	list, err := n.load()
	if err == nil {
		list, err = n.checkFolders(list)
	}
	for _, d := range list {
		if err != nil {
			break
		}
		if err = ctx.Err(); err == nil {
			var h *Hub
			if h, err = n.openHub(d, nil, 0); err == nil {
				n.add(h)
			}
		}
	}
	if err != nil {
		for _, h := range n.hubs {
			err = errors.Join(err, h.log.Close())
		}
		return nil, fmt.Errorf("open namespace %s: %w", o.Dir, err)
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stop = stop
	if o.Keep {
		close(n.done)
	} else {
		go n.retain(run)
	}
	return n, nil
}

// Close ends appends, waits for those under way, marks the logs as closed in
// order and releases the files.
func (n *Namespace) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	hubs := slices.Clone(n.hubs)
	n.mu.Unlock()
	n.stop()
	<-n.done
	var errs []error
	for _, h := range hubs {
		errs = append(errs, h.log.Close())
	}
	return errors.Join(errs...)
}

// Names follow the pattern of the emulator's schema.
// Source: event-hubs.md 2.
var hubName = regexp.MustCompile(`^[A-Za-z0-9]([\w\-./]*[A-Za-z0-9])?$`)

func checkSpec(s *Spec) error {
	switch {
	case len(s.Name) > 256 || !hubName.MatchString(s.Name):
		return fmt.Errorf("hub name %q: want letters, digits, '-', '_', '.' and '/' inside, at most 256", s.Name)
	case s.Partitions < 0 || s.Partitions > 1024:
		return fmt.Errorf("%d partitions: want 1 to 1024", s.Partitions)
	case s.Retention < 0 || s.RetentionBytes < 0:
		return errors.New("retention is negative")
	}
	for _, g := range s.ConsumerGroups {
		if g == "" || len(g) > 50 {
			return fmt.Errorf("consumer group %q: want 1 to 50 characters", g)
		}
	}
	return nil
}

// Create makes a hub. If it is there already, its settings and consumer groups
// become those of s (a partition count of 0 leaves the count) and it is
// returned; partitions may be added but not taken away.
func (n *Namespace) Create(ctx context.Context, s Spec) (*Hub, error) {
	if err := checkSpec(&s); err != nil {
		return nil, fmt.Errorf("create hub: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, fmt.Errorf("create hub %s: %w", s.Name, ErrClosed)
	}
	settings := &eventlog.Settings{SegmentBytes: s.SegmentBytes, Retention: s.Retention,
		RetentionBytes: s.RetentionBytes, Policy: s.Policy, MaxBatchBytes: s.MaxBatchBytes}
	var groups []string
	for _, g := range s.ConsumerGroups {
		known := func(x string) bool { return strings.EqualFold(x, g) }
		if !strings.EqualFold(g, DefaultGroup) && !slices.ContainsFunc(groups, known) {
			groups = append(groups, g)
		}
	}
	if h, ok := n.byName[strings.ToLower(s.Name)]; ok {
		return h, n.change(h, s.Partitions, settings, groups)
	}
	var id [16]byte
	rand.Read(id[:])
	d := described{Name: s.Name, ID: hex.EncodeToString(id[:]), Created: n.o.Clock().UTC().Truncate(time.Millisecond), Groups: groups}
	h, err := n.openHub(d, settings, cmp.Or(s.Partitions, 4))
	if err != nil {
		return nil, fmt.Errorf("create hub %s: %w", s.Name, err)
	}
	n.add(h)
	if err := n.save(); err != nil {
		n.drop(h)
		return nil, fmt.Errorf("create hub %s: %w", s.Name, errors.Join(err, h.log.Close(), os.RemoveAll(n.hubDir(d.ID))))
	}
	return h, nil
}

func (n *Namespace) change(h *Hub, partitions int, s *eventlog.Settings, groups []string) error {
	if partitions != 0 && partitions < h.Partitions() {
		return fmt.Errorf("create hub %s: it has %d partitions and cannot shrink to %d", h.name, h.Partitions(), partitions)
	}
	if err := h.log.SetSettings(*s); err != nil {
		return fmt.Errorf("change hub %s: %w", h.name, err)
	}
	if partitions > h.Partitions() {
		if err := h.log.Grow(partitions); err != nil {
			return fmt.Errorf("add partitions to hub %s: %w", h.name, err)
		}
		h.adopt()
	}
	h.mu.Lock()
	old := h.groups
	h.groups = groups
	h.mu.Unlock()
	if slices.Equal(old, groups) {
		return nil
	}
	return n.save()
}

// Delete removes a hub and its records. Its readers and senders get ErrDeleted.
// The folder's new name decides: a deletion that a crash interrupts after it is
// finished by the next Open.
func (n *Namespace) Delete(name string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	h, ok := n.byName[strings.ToLower(name)]
	if !ok {
		return fmt.Errorf("delete hub %s: %w", name, ErrNotFound)
	}
	h.log.Delete()
	n.drop(h)
	dir := n.hubDir(hex.EncodeToString(h.id[:]))
	err := os.Rename(dir, dir+deletedSuffix)
	if err == nil {
		err = n.save() // syncs the names too
	}
	if err == nil {
		err = os.RemoveAll(dir + deletedSuffix)
	}
	if err != nil {
		return fmt.Errorf("delete hub %s: %w", name, err)
	}
	return nil
}

func (n *Namespace) add(h *Hub) {
	n.hubs = append(n.hubs, h)
	n.byName[strings.ToLower(h.name)] = h
}

func (n *Namespace) drop(h *Hub) {
	n.hubs = slices.DeleteFunc(slices.Clone(n.hubs), func(x *Hub) bool { return x == h })
	delete(n.byName, strings.ToLower(h.name))
}

func (n *Namespace) hubDir(id string) string { return filepath.Join(n.o.Dir, "hubs", id) }

// openHub opens a hub's log; with settings it makes a new one.
func (n *Namespace) openHub(d described, s *eventlog.Settings, partitions int) (*Hub, error) {
	h := &Hub{name: d.Name, created: d.Created, groups: d.Groups,
		outMessages: n.o.Metrics.Counter("OutgoingMessages", "EntityName", d.Name),
		outBytes:    n.o.Metrics.Counter("OutgoingBytes", "EntityName", d.Name),
		skipped:     n.o.Metrics.Counter("SkippedEvents", "EntityName", d.Name),
		size:        n.o.Metrics.Gauge("Size", "EntityName", d.Name)}
	if b, err := hex.DecodeString(d.ID); err != nil || copy(h.id[:], b) != 16 {
		return nil, fmt.Errorf("hub %s: id %q is not 32 hex digits", d.Name, d.ID)
	}
	o := eventlog.Options{
		Dir: n.hubDir(d.ID), Hub: d.Name, ID: h.id, Created: d.Created, Syncer: n.syncer, Clock: n.o.Clock,
		Log: n.o.Log.With("hub", d.Name), Files: n.o.Files, AcceptLoss: n.o.AcceptLoss,
		Messages: n.o.Metrics.Counter("IncomingMessages", "EntityName", d.Name),
		Bytes:    n.o.Metrics.Counter("IncomingBytes", "EntityName", d.Name),
	}
	var err error
	if s != nil {
		h.log, err = eventlog.Create(o, *s, partitions)
	} else {
		h.log, err = eventlog.Open(o)
	}
	if err != nil {
		return nil, err
	}
	h.adopt()
	return h, nil
}

// adopt takes over the log's partitions.
func (h *Hub) adopt() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.parts); i < h.log.Partitions(); i++ {
		h.parts = append(h.parts, &Partition{hub: h, log: h.log.Partition(i), id: i})
	}
}
