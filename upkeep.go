package spate

import (
	"context"
	"slices"

	"spate/jobs"
	"spate/lake/delta"
	"spate/lake/maintain"
	"spate/pipeline"
)

// upkeep is the room of the tables that jobs write.
type upkeep struct {
	*maintain.Room
	jobs    *jobs.Room
	storage pipeline.Storage
	now     []maintain.Table // guarded by who opens and reloads, one at a time
}

// openUpkeep comes before the jobs, whose commits it takes checkpoints off.
func (p *Pipeline) openUpkeep() {
	p.upkeep = &upkeep{storage: p.opts.Storage, Room: maintain.New(maintain.Options{
		Store: p.store, Clock: p.opts.Clock, Log: p.log, Metrics: p.metrics,
		Open:   func(ctx context.Context, prefix string) (*delta.Table, error) { return p.tables.Open(ctx, prefix) },
		Held:   func(prefix string) func(string) bool { return p.tables.Pinned(prefix) },
		Pinned: func(ctx context.Context) (func(string) bool, error) { return jobs.Prepared(ctx, p.store) },
	})}
}

// tables are those that are kept up.
func (u *upkeep) tables(o pipeline.Options) []maintain.Table {
	var out []maintain.Table
	for _, t := range u.jobs.Written(o) {
		out = append(out, maintain.Table{
			Name: t.FullName(u.storage), Prefix: t.Location(u.storage),
			Optimize: maintain.Optimize{Off: t.Optimize.Off, TargetBytes: t.Optimize.TargetFileSize, Interval: t.Optimize.Interval,
				Age: t.Optimize.Age, ZOrderBy: t.Optimize.ZOrderBy},
			Vacuum: maintain.Vacuum{Retain: t.Vacuum.Retain, Interval: t.Vacuum.Interval, Force: t.Vacuum.Force},
		})
	}
	return out
}

// Check implements room.
func (u *upkeep) Check(pipeline.Options) error { return nil }

// Reload implements room.
func (u *upkeep) Reload(_ context.Context, o pipeline.Options) (did []string, err error) {
	next := u.tables(o)
	for _, t := range next {
		i := slices.IndexFunc(u.now, func(x maintain.Table) bool { return x.Prefix == t.Prefix })
		if i >= 0 && !u.now[i].Same(t) {
			did = append(did, "upkeep of table "+t.Name)
		}
	}
	u.now = next
	u.Set(next)
	return did, nil
}
