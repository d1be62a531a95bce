package delta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"spate/blob"
	"spate/internal/panics"
)

// compactEvery is how many commits one compacted file stands for.
const compactEvery = 60

// chores is what follows a commit and no committer waits for: checksums, compacted
// files, checkpoints and the cleanup of the log. One runs at a time, and what is lost
// does no harm.
type chores struct {
	mu      sync.Mutex
	waiting []*Snapshot // commits of ours, oldest first
	running bool
}

// mostWaiting bounds the snapshots that wait: of older ones no checksum is written.
const mostWaiting = 2 * compactEvery

// after starts the chores of a commit.
func (t *Table) after(ctx context.Context, s *Snapshot) {
	t.chores.mu.Lock()
	t.chores.waiting = append(t.chores.waiting, s)
	if n := len(t.chores.waiting); n > mostWaiting {
		// A version at which more than a checksum is due stays.
		for i, w := range t.chores.waiting {
			if !t.due(w) || i == n-mostWaiting {
				t.chores.waiting = append(t.chores.waiting[:i], t.chores.waiting[i+1:]...)
				break
			}
		}
	}
	start := !t.chores.running
	t.chores.running = true
	t.chores.mu.Unlock()
	switch {
	case !start:
	case t.opts.Beside != nil:
		t.opts.Beside(t.catchUp)
	default:
		t.catchUp(ctx)
	}
}

// catchUp does the chores that wait.
func (t *Table) catchUp(ctx context.Context) {
	for {
		t.chores.mu.Lock()
		if len(t.chores.waiting) == 0 || ctx.Err() != nil {
			t.chores.running, t.chores.waiting = false, nil
			t.chores.mu.Unlock()
			return
		}
		s := t.chores.waiting[0]
		t.chores.waiting = t.chores.waiting[1:]
		last := len(t.chores.waiting) == 0
		t.chores.mu.Unlock()
		if err := panics.Caught(func() error { return t.chore(ctx, s, last) }); err != nil && ctx.Err() == nil { // the commit stands without them
			t.opts.Log.Warn("work behind a commit was not done", "table", t.prefix, "version", s.Version, "err", err)
		}
	}
}

func (s *Snapshot) checkpointDue() bool {
	every := int64(s.intProperty("delta.checkpointInterval", defaultCheckpointInterval))
	return s.Version > 0 && every > 0 && s.Version%every == 0
}

func (t *Table) due(s *Snapshot) bool {
	return s.Version > 0 && s.Version%compactEvery == 0 || s.checkpointDue()
}

func (t *Table) chore(ctx context.Context, s *Snapshot, last bool) error {
	var errs []error
	if last || t.due(s) { // who is behind leaves some out
		errs = append(errs, t.writeChecksum(ctx, s))
	}
	if s.Version > 0 && s.Version%compactEvery == 0 {
		errs = append(errs, t.compactLog(ctx, s.Version-compactEvery+1, s.Version))
	}
	if s.checkpointDue() {
		if t.opts.CheckpointDue != nil {
			t.opts.CheckpointDue(t, s)
			return errors.Join(errs...)
		}
		err := t.Checkpoint(ctx, s)
		if err == nil {
			_, err = t.CleanUp(ctx)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// compactLog writes the file that stands for the commits of a range.
func (t *Table) compactLog(ctx context.Context, from, to int64) error {
	key := t.logKey(fmt.Sprintf("%020d.%020d.compacted.json", from, to))
	if _, err := t.store.Stat(ctx, key); err == nil {
		return nil
	}
	all := &commit{version: to, compacted: true}
	files := map[string]int{} // place of the newest action of each file
	type action struct {
		add    *Add
		remove *Remove
	}
	var actions []action
	txns, domains := map[string]int{}, map[string]int{}
	for v := from; v <= to; v++ {
		c, err := t.readCommit(ctx, v)
		if err != nil {
			return fmt.Errorf("compact versions %d to %d: %w", from, to, err)
		}
		if err := c.checkPaths(t.root); err != nil {
			return fmt.Errorf("compact versions %d to %d: %w", from, to, err)
		}
		if c.protocol != nil {
			all.protocol = c.protocol
		}
		if c.metadata != nil {
			all.metadata = c.metadata
		}
		for _, x := range c.txns {
			if i, ok := txns[x.AppID]; ok {
				all.txns[i] = x
				continue
			}
			txns[x.AppID] = len(all.txns)
			all.txns = append(all.txns, x)
		}
		for _, d := range c.domains {
			if i, ok := domains[d.Domain]; ok {
				all.domains[i] = d
				continue
			}
			domains[d.Domain] = len(all.domains)
			all.domains = append(all.domains, d)
		}
		put := func(key string, a action) {
			if i, ok := files[key]; ok {
				actions[i] = action{}
			}
			files[key] = len(actions)
			actions = append(actions, a)
		}
		for _, r := range c.removes {
			x := *r
			x.DataChange = false
			put(fileKey(t.root, r.Path, r.DeletionVector), action{remove: &x})
		}
		for _, a := range c.adds {
			x := *a
			x.DataChange = false
			put(fileKey(t.root, a.Path, a.DeletionVector), action{add: &x})
		}
	}
	for _, a := range actions {
		switch {
		case a.add != nil:
			all.adds = append(all.adds, a.add)
		case a.remove != nil:
			all.removes = append(all.removes, a.remove)
		}
	}
	_, err := t.store.Create(ctx, key, bytes.NewReader(all.encode(nil)))
	if err != nil && !errors.Is(err, blob.ErrExists) {
		return fmt.Errorf("compact versions %d to %d: %w", from, to, err)
	}
	return nil
}

// readCompacted reads the file that stands for the commits of a range.
func (t *Table) readCompacted(ctx context.Context, from, to int64) (*commit, error) {
	data, err := t.read(ctx, t.logKey(fmt.Sprintf("%020d.%020d.compacted.json", from, to)))
	if err != nil {
		return nil, err
	}
	c, err := parseCommit(to, data)
	if err == nil && len(data) == 0 {
		err = fmt.Errorf("%w: it is empty", ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("compacted versions %d to %d: %w", from, to, err)
	}
	c.compacted = true
	return c, nil
}
