package stream

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"spate/column"
	"spate/connector"
	"spate/sql/plan"
	"spate/stream/checkpoint"
)

// Reference is what an input of reference data is read from.
type Reference struct {
	Source  connector.Snapshots
	Format  Format
	Refresh time.Duration // how often other snapshots are looked for; 0: never. It needs a Store
}

// References are the snapshots that rows of a job may join. What a row joins is decided by
// its time and by what is listed here, and the manifests list the same: a snapshot is in
// effect only behind the manifest that names it, and its content is kept beside that. So a
// job that comes back joins what it joined, whatever became of the files since.
type references struct {
	log  *checkpoint.Log // nil: contents are read from their source
	list []*reference

	mu sync.Mutex // guards the versions of all, and what has been told
}

// reference is one input of reference data.
type reference struct {
	name string
	Reference
	versions []checkpoint.Snapshot // by From
	seen     map[string]string     // by name of a snapshot: its stamp when it was last looked at
	found    []foundSnapshot       // that the next epoch takes
	ready    []checkpoint.Snapshot // what versions will be when the epoch under way is saved; nil: what they are
	contents map[string][]byte     // by id: of what no manifest names yet
	told     map[string]bool       // what has been said once
}

// foundSnapshot is a snapshot that is not in effect yet.
type foundSnapshot struct {
	connector.Snapshot
	id string
}

// newReferences makes the references of a plan, without versions.
func newReferences(o *Options) (*references, error) {
	r := &references{}
	for _, in := range o.Plan.Refs {
		if r.named(in.Name) != nil {
			continue
		}
		for name, ref := range o.References {
			if column.EqualNames(name, in.Name) {
				r.list = append(r.list, &reference{name: in.Name, Reference: ref, seen: make(map[string]string), contents: make(map[string][]byte), told: make(map[string]bool)})
			}
		}
		if r.named(in.Name) == nil {
			return nil, fmt.Errorf("input %s is reference data and bound to no source", in.Name)
		}
	}
	return r, nil
}

func (r *references) named(name string) *reference {
	for _, f := range r.list {
		if column.EqualNames(f.name, name) {
			return f
		}
	}
	return nil
}

// restore takes the versions of a manifest. Inputs that it does not have come with a
// changed script.
func (r *references) restore(m *checkpoint.Manifest) {
	for name, versions := range m.References {
		if f := r.named(name); f != nil {
			f.versions = slices.Clone(versions)
			for _, v := range versions {
				f.seen[v.Name] = v.Stamp
			}
		}
	}
}

// begin reads the versions of references that have none, for a job that starts at start. No
// row is before from. 0: there may be rows of any time.
func (r *references) begin(ctx context.Context, start, from column.Ticks) error {
	for _, f := range r.list {
		if len(f.versions) > 0 {
			continue
		}
		if err := f.begin(ctx, start, from, r.log != nil); err != nil {
			return fmt.Errorf("reading the reference data of input %s: %w", f.name, err)
		}
	}
	return nil
}

func (f *reference) begin(ctx context.Context, start, from column.Ticks, kept bool) error {
	all, err := f.Source.List(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return errors.New("there is no snapshot of it")
	}
	slices.SortStableFunc(all, func(a, b connector.Snapshot) int { return cmp.Compare(a.From, b.From) })
	if kept && start > 0 && all[0].From > start {
		return fmt.Errorf("the job starts at %s, and the first snapshot, %s, is in effect from %s on: add one from before", start, all[0].Name, all[0].From)
	}
	for i, s := range all {
		f.seen[s.Name] = s.Stamp
		if i+1 < len(all) && all[i+1].From <= from {
			continue // no row comes as early
		}
		v := checkpoint.Snapshot{Name: s.Name, Stamp: s.Stamp, From: s.From, At: s.From, Before: i > 0 && len(f.versions) == 0}
		if kept {
			data, err := f.read(ctx, s)
			if err != nil {
				return err
			}
			v.ID = idOf(data)
			f.contents[v.ID] = data
		}
		f.versions = append(f.versions, v)
	}
	return nil
}

// read reads the content of a snapshot, and looks whether it is what it should be.
func (f *reference) read(ctx context.Context, s connector.Snapshot) ([]byte, error) {
	data, err := f.Source.Read(ctx, s)
	if err != nil {
		return nil, err
	}
	_, err = f.Source.Cut(data)
	return data, err
}

func idOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// listed are the versions as a manifest has them.
func (r *references) listed() checkpoint.References {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) == 0 {
		return nil
	}
	out := make(checkpoint.References)
	for _, f := range r.list {
		out[f.name] = slices.Clone(f.versions)
		if f.ready != nil {
			out[f.name] = slices.Clone(f.ready)
		}
	}
	return out
}

// keep writes the contents that a manifest is going to name beside it.
func (r *references) keep(ctx context.Context, m *checkpoint.Manifest) error {
	for _, f := range r.list {
		for _, v := range m.References[f.name] {
			r.mu.Lock()
			data, ok := f.contents[v.ID]
			r.mu.Unlock()
			if !ok {
				continue
			}
			if err := r.log.KeepContent(ctx, v.ID, data); err != nil {
				return fmt.Errorf("keeping %s of input %s: %w", v.Name, f.name, err)
			}
			r.mu.Lock()
			delete(f.contents, v.ID)
			r.mu.Unlock()
		}
	}
	return nil
}

// inEffect is the version of a reference that rows of a time join, and the times at which it
// is that; nil: none is yet.
func (r *references) inEffect(f *reference, t column.Ticks) (v *checkpoint.Snapshot, from, until column.Ticks) {
	r.mu.Lock()
	defer r.mu.Unlock()
	until = column.EndOfTime
	for i := range f.versions {
		w := f.versions[i]
		first := w.From
		if i == 0 && w.Before {
			first = 0 // those before have been forgotten: what asks for them is no row of the job
		}
		if first > t {
			return v, from, first
		}
		v, from = &w, first
	}
	return v, from, until
}

// content reads a version.
func (r *references) content(ctx context.Context, f *reference, v *checkpoint.Snapshot) ([]byte, error) {
	r.mu.Lock()
	data, ok := f.contents[v.ID]
	r.mu.Unlock()
	switch {
	case ok: // no manifest names it yet
		return data, nil
	case r.log != nil:
		return r.log.Content(ctx, v.ID)
	}
	return f.Source.Read(ctx, connector.Snapshot{Name: v.Name, From: v.At, Stamp: v.Stamp})
}

// once reports whether something is said for the first time.
func (r *references) once(f *reference, what string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := f.told[what]
	f.told[what] = true
	return !before
}

// lookups are the tables of the Lookups of a job.
type lookups struct {
	job  *Job
	refs *references

	mu sync.Mutex // guards of
	of map[*plan.Lookup]*lookup
}

func (l *lookups) tables(n *plan.Lookup) *lookup {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of[n] == nil {
		l.of[n] = &lookup{all: l, node: n, inputs: n.ReferenceInputs()}
	}
	return l.of[n]
}

// respellReferences gives inputs of a manifest the names that the script has.
func (r *references) respell(m *checkpoint.Manifest) {
	for _, f := range r.list {
		respell(m.References, "", f.name)
	}
}

// versionKey tells the versions of several references apart.
func versionKey(of []*checkpoint.Snapshot) string {
	var b strings.Builder
	for _, v := range of {
		if v != nil {
			fmt.Fprintf(&b, "%s\x00%s\x00%s", v.Name, v.ID, v.Stamp)
		}
		b.WriteByte(1)
	}
	return b.String()
}
