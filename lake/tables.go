package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"spate/blob"
	"spate/lake/delta"
)

// TablesOptions describe the open tables of a process.
type TablesOptions struct {
	Store      blob.Store       // required
	Clock      func() time.Time // default time.Now
	EngineInfo string           // in the history of tables, default "Spate"
	Log        *slog.Logger     // default: nothing is logged
	// CheckpointDue takes the checkpoints of tables; see delta.Options.
	CheckpointDue func(*delta.Table, *delta.Snapshot)
}

// Tables owns the open tables of a process: whoever writes, reads or maintains a table gets
// it here, so that its log is loaded once and advanced by every commit. Its methods may be
// called concurrently.
type Tables struct {
	o       TablesOptions
	ctx     context.Context // of the work beside commits
	cancel  context.CancelFunc
	working sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	open   map[string]*opening
	pins   map[string]map[*pin]bool // by prefix
	closed bool
}

// opening is a table that is open, or is being opened.
type opening struct {
	mu    sync.Mutex // held while it is being opened
	table *delta.Table
}

type pin struct{ snap *delta.Snapshot }

// NewTables returns the tables of a store. It reads nothing yet.
func NewTables(o TablesOptions) (*Tables, error) {
	if o.Store == nil {
		return nil, errors.New("tables: Store is required")
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	return &Tables{o: o, ctx: ctx, cancel: cancel, open: map[string]*opening{}, pins: map[string]map[*pin]bool{}}, nil
}

// Close ends the work beside commits and waits for it. Tables that are open can be used on;
// what would follow their commits is left out.
func (t *Tables) Close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.cancel()
	t.working.Wait()
}

// Store is where the tables lie.
func (t *Tables) Store() blob.Store { return t.o.Store }

func (t *Tables) options() delta.Options {
	return delta.Options{Clock: t.o.Clock, EngineInfo: t.o.EngineInfo, Log: t.o.Log, Beside: t.beside, CheckpointDue: t.o.CheckpointDue}
}

func (t *Tables) beside(work func(context.Context)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.working.Go(func() { work(t.ctx) })
}

func prefixOf(prefix string) string { return strings.Trim(prefix, "/") }

// Open returns the table below a prefix of the store.
func (t *Tables) Open(ctx context.Context, prefix string) (*delta.Table, error) {
	return t.get(ctx, prefix, func(o delta.Options) (*delta.Table, error) { return o.Open(ctx, t.o.Store, prefix) })
}

// Create makes a table; delta.ErrTableExists if there is one.
func (t *Tables) Create(ctx context.Context, prefix string, d delta.Definition) (*delta.Table, error) {
	made := false
	table, err := t.get(ctx, prefix, func(o delta.Options) (*delta.Table, error) {
		made = true
		return o.Create(ctx, t.o.Store, prefix, d)
	})
	if err == nil && !made {
		return nil, fmt.Errorf("create table %s: %w", prefix, delta.ErrTableExists)
	}
	return table, err
}

// Fill makes a table with the rows of fill, or makes the one that is there another one.
func (t *Tables) Fill(ctx context.Context, prefix string, d delta.Definition, replace bool, fill func(*delta.Snapshot) ([]*delta.Add, error)) error {
	made := false
	table, err := t.get(ctx, prefix, func(o delta.Options) (*delta.Table, error) {
		if replace {
			return o.Open(ctx, t.o.Store, prefix)
		}
		made = true
		return o.CreateAs(ctx, t.o.Store, prefix, d, fill)
	})
	switch {
	case err != nil || made:
		return err
	case !replace:
		return fmt.Errorf("create table %s: %w", prefix, delta.ErrTableExists)
	}
	return table.Replace(ctx, d, fill)
}

// OpenOrCreate opens the table, which must then agree with d, or creates it.
func (t *Tables) OpenOrCreate(ctx context.Context, prefix string, d delta.Definition) (*delta.Table, error) {
	table, err := t.get(ctx, prefix, func(o delta.Options) (*delta.Table, error) { return o.OpenOrCreate(ctx, t.o.Store, prefix, d) })
	if err != nil {
		return nil, err
	}
	return table, table.Known().Agrees(d)
}

// get returns the table of a prefix and opens it if need be, once.
func (t *Tables) get(ctx context.Context, prefix string, open func(delta.Options) (*delta.Table, error)) (*delta.Table, error) {
	prefix = prefixOf(prefix)
	t.mu.Lock()
	e := t.open[prefix]
	if e == nil {
		e = &opening{}
		t.open[prefix] = e
	}
	t.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.table != nil {
		gone, err := e.table.Gone(ctx)
		if err != nil {
			return nil, err
		}
		if !gone {
			return e.table, nil
		}
		e.table = nil // somebody deleted it
	}
	table, err := open(t.options())
	if err != nil {
		return nil, err
	}
	e.table = table
	return table, nil
}

// Pin keeps the files of a snapshot from a VACUUM of this process until release is called.
func (t *Tables) Pin(prefix string, s *delta.Snapshot) (release func()) {
	prefix = prefixOf(prefix)
	p := &pin{s}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pins[prefix] == nil {
		t.pins[prefix] = map[*pin]bool{}
	}
	t.pins[prefix][p] = true
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if delete(t.pins[prefix], p); len(t.pins[prefix]) == 0 {
			delete(t.pins, prefix)
		}
	}
}

// Pinned returns what tells whether a reader of this process holds a file of a table,
// relative to the table (see delta.VacuumOptions). It asks the readers of the moment of
// each call.
func (t *Tables) Pinned(prefix string) func(file string) bool {
	prefix = prefixOf(prefix)
	return func(file string) bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		for p := range t.pins[prefix] {
			if p.snap.Uses(file) {
				return true
			}
		}
		return false
	}
}
