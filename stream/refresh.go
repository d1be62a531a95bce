package stream

import (
	"context"
	"slices"
	"time"

	"spate/column"
	"spate/connector"
	"spate/stream/checkpoint"
)

// Reference data may change while a job runs. What is found is read at once and comes into
// effect with the next epoch: while that is cut, the partitions stand still, so it is known
// what the newest time of any row is. A snapshot that is dated later is in effect from its
// time on. One that is not, or comes too late, or replaces another is in effect from now on:
// events that came before, and are read again after a crash, join what they joined. The
// partitions read on when the manifest that says so is saved.

// watch looks for new snapshots until the context ends.
func (f *reference) watch(ctx context.Context, j *Job) {
	tick := time.NewTicker(f.Refresh)
	defer tick.Stop()
	failing := ""
	for {
		if err := j.lookups.refs.look(ctx, f); err == nil {
			failing = ""
		} else if ctx.Err() == nil && err.Error() != failing {
			failing = err.Error()
			j.opts.Log.Warn("reference data cannot be looked at again: rows join what was read before", "job", j.opts.Name, "input", f.name, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look reads what has come since the last look.
func (r *references) look(ctx context.Context, f *reference) error {
	all, err := f.Source.List(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		r.mu.Lock()
		known := f.seen[s.Name] == s.Stamp || f.forgotten(s)
		r.mu.Unlock()
		if known {
			continue
		}
		data, err := f.read(ctx, s)
		if err != nil {
			return err
		}
		id := idOf(data)
		r.mu.Lock()
		f.seen[s.Name] = s.Stamp
		f.found = slices.DeleteFunc(f.found, func(o foundSnapshot) bool { return o.Name == s.Name })
		if !f.has(s, id) {
			f.found = append(f.found, foundSnapshot{s, id})
			f.contents[id] = data
		}
		r.mu.Unlock()
	}
	return nil
}

// forgotten reports whether a snapshot is one of those before the first.
func (f *reference) forgotten(s connector.Snapshot) bool {
	return s.Dated && len(f.versions) > 0 && f.versions[0].Before && s.From <= f.versions[0].At && s.Name != f.versions[0].Name
}

// has reports whether the newest version of that name has a content.
func (f *reference) has(s connector.Snapshot, id string) bool {
	for _, v := range slices.Backward(f.versions) {
		if v.Name == s.Name {
			return v.ID == id
		}
	}
	return false
}

// admit says what the versions are once an epoch is saved at which the newest time is
// newest, and the least that may come least, and reports whether that is anything new. shown
// says that rows are shown before an epoch holds them.
func (r *references) admit(newest, least, now column.Ticks, shown bool) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.list {
		next := slices.Clone(f.versions)
		for _, s := range f.found {
			from := s.From
			if known := slices.ContainsFunc(next, func(v checkpoint.Snapshot) bool { return v.Name == s.Name }); !s.Dated || known && from <= now || from <= newest {
				from = max(from, newest+1, now)
			} else if shown {
				from = max(from, now) // rows of before have been shown, and may come again
			}
			next = withSnapshot(next, s, from)
		}
		changed = changed || len(f.found) > 0
		f.found = nil
		for len(next) > 1 && next[1].From <= least {
			next = next[1:]
			next[0].Before = true
		}
		f.ready = next
	}
	return changed
}

// withSnapshot puts a snapshot that is in effect from a time on among versions.
func withSnapshot(versions []checkpoint.Snapshot, s foundSnapshot, from column.Ticks) []checkpoint.Snapshot {
	v := checkpoint.Snapshot{Name: s.Name, Stamp: s.Stamp, ID: s.id, From: from, At: s.From}
	for _, w := range versions {
		if w.From <= v.From && w.At > v.At {
			return versions // a later one is in effect by then
		}
	}
	versions = slices.DeleteFunc(versions, func(w checkpoint.Snapshot) bool { return w.From >= v.From && w.At == v.At })
	i := 0
	for i < len(versions) && versions[i].From <= v.From {
		i++
	}
	return slices.Insert(versions, i, v)
}

// settled puts into effect what admit has said.
func (r *references) settled(log func(input string, v checkpoint.Snapshot)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.list {
		if f.ready == nil {
			continue
		}
		for _, v := range f.ready {
			if !slices.ContainsFunc(f.versions, func(w checkpoint.Snapshot) bool { return w.From == v.From && w.ID == v.ID }) {
				log(f.name, v)
			}
		}
		f.versions, f.ready = f.ready, nil
		for id := range f.contents { // of what was found and never came into effect
			if !slices.ContainsFunc(f.found, func(s foundSnapshot) bool { return s.id == id }) {
				delete(f.contents, id)
			}
		}
	}
}

// times are the newest time that any row of the job may have, and the least that one to come
// may have. The partitions stand still.
func (j *Job) times() (newest, least column.Ticks) {
	least = column.EndOfTime
	for _, p := range j.parts {
		for _, br := range p.branches {
			newest = max(newest, br.stage.Newest())
			least = min(least, br.stage.Watermark())
		}
	}
	if least == column.EndOfTime {
		return newest, 0
	}
	return newest, least - j.opts.Plan.Span - earlyMargin
}
