package spate

import (
	"errors"
	"fmt"

	"spate/console"
	"spate/datafolder"
	"spate/hub"
)

// Gather puts what the pipeline has at one moment into a stage of its data folder, of which
// datafolder.Backup makes a backup. It goes on meanwhile; checkpoints, and changes of its
// options, wait. docs/format/backup.md says why the files go together.
func (p *Pipeline) Gather(stage string) (err error) {
	p.reloading.Lock()
	defer p.reloading.Unlock()
	defer func() {
		if err == nil {
			return
		}
		err = fmt.Errorf("gathering the files for a backup: %w", err)
		if errors.Is(err, hub.ErrOffline) || datafolder.NoLinks(err) {
			err = fmt.Errorf("%w; stop the pipeline, and make the backup then", err)
		}
	}()
	g, err := datafolder.Gather(p.opts.Dir, stage)
	if err != nil {
		return err
	}
	// What an outbox has taken of a hub is in the hub, and what it has delivered to a file
	// of the folder in the file.
	if err := g.Link("notify"); err != nil {
		return err
	}
	if err := g.Others("notify", "log", "jobs", "lake"); err != nil {
		return err
	}
	release := p.store.Hold()
	defer release()
	if err := p.hubs.namespace.Snapshot(g.Path("log"), g.Note); err != nil {
		return err
	}
	if err := g.Link("jobs", "lake"); err != nil {
		return err
	}
	return g.Done()
}

// Hubs are the hubs of the pipeline, those too that have left it.
func (p *Pipeline) Hubs() (list []console.Hub, err error) {
	o := p.options()
	for _, h := range p.hubs.namespace.Hubs() {
		i, err := h.Info(o.Clock())
		if err != nil {
			return nil, err
		}
		list = append(list, console.HubOf(i, o.UseOf(i.Name) != "", true))
	}
	return list, nil
}

// DeleteHub deletes a hub with its events. The pipeline must have no use for it.
func (p *Pipeline) DeleteHub(name string) error {
	p.reloading.Lock()
	defer p.reloading.Unlock()
	return p.hubs.delete(name, p.options())
}
