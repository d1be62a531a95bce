package spate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"spate/console"
	"spate/hub"
	"spate/hub/eventlog"
	"spate/pipeline"
)

// hubs are the hubs of a pipeline, as its options have them.
type hubs struct {
	namespace *hub.Namespace
	log       *slog.Logger
	made      map[string]pipeline.Hub // by name in lower case
	told      map[string]bool         // by name: the log has it that the hub has left the pipeline
}

// Check implements room.
func (h *hubs) Check(o pipeline.Options) error {
	for _, w := range o.Hubs {
		if was, ok := h.namespace.Hub(w.Name); ok && w.Partitions != 0 && w.Partitions < was.Partitions() {
			return fmt.Errorf("hub %s has %d partitions and cannot shrink to %d: it goes on as it was", w.Name, was.Partitions(), w.Partitions)
		}
	}
	return nil
}

// growing are the hubs that get more partitions.
func (h *hubs) growing(o pipeline.Options) (names []string) {
	for _, w := range o.Hubs {
		if was, ok := h.namespace.Hub(w.Name); ok && specOf(w).Partitions > was.Partitions() {
			names = append(names, w.Name)
		}
	}
	return names
}

// Reload implements room. A hub that the options no longer have stays, with its events.
func (h *hubs) Reload(ctx context.Context, o pipeline.Options) (did []string, err error) {
	var errs []error
	for _, w := range o.Hubs {
		key := strings.ToLower(w.Name)
		if was, ok := h.made[key]; ok && reflect.DeepEqual(was, w) {
			continue
		}
		if _, err := h.namespace.Create(ctx, specOf(w)); err != nil {
			errs = append(errs, fmt.Errorf("creating hub %s: %w", w.Name, err))
			continue
		}
		h.made[key] = w
		did = append(did, "hub "+key)
	}
	gone := h.gone(o)
	for _, name := range gone {
		delete(h.made, strings.ToLower(name))
		if !h.told[name] {
			h.log.Warn("a hub is not in the pipeline any more; it stays, with its events, until it is deleted", "hub", name, "delete", "spate hub delete "+name)
		}
	}
	clear(h.told)
	for _, name := range gone {
		h.told[name] = true
	}
	return did, errors.Join(errs...)
}

// gone are the hubs that are there and that the options do not have.
func (h *hubs) gone(o pipeline.Options) (names []string) {
	for _, x := range h.namespace.Hubs() {
		if o.UseOf(x.Name()) == "" {
			names = append(names, x.Name())
		}
	}
	return names
}

// delete deletes a hub that the options have no use for.
func (h *hubs) delete(name string, o pipeline.Options) error {
	x, ok := h.namespace.Hub(name)
	if !ok {
		return fmt.Errorf("deleting hub %s: %w", name, hub.ErrNotFound)
	}
	if use := o.UseOf(x.Name()); use != "" {
		return fmt.Errorf("deleting hub %s: %s: %w", x.Name(), use, console.ErrHubUsed)
	}
	if err := h.namespace.Delete(x.Name()); err != nil {
		return err
	}
	h.log.Info("a hub was deleted", "hub", x.Name())
	return nil
}

// specOf fills in the defaults of a hub.
func specOf(h pipeline.Hub) hub.Spec {
	s := hub.Spec{Name: h.Name, Partitions: h.Partitions, Retention: h.Retention, ConsumerGroups: h.ConsumerGroups, Policy: eventlog.Sync}
	if h.Acknowledge == pipeline.AckOS {
		s.Policy = eventlog.OS
	}
	if s.Partitions == 0 {
		s.Partitions = 4
	}
	switch h.Retention {
	case 0:
		s.Retention = 24 * time.Hour
	case pipeline.Forever:
		s.Retention = 0 // a hub's word for it
	}
	return s
}

// problems are the partitions that take no events: those that are offline one by one, those
// that refuse for now together.
func (h *hubs) problems() (errs []error) {
	for _, x := range h.namespace.Hubs() {
		var refusal error
		refuse := 0
		for i := range x.Partitions() {
			p := x.Partition(i)
			if err := p.Err(); err != nil {
				errs = append(errs, fmt.Errorf("hub %s partition %d: %w", x.Name(), i, err))
			} else if err := p.Refusal(); err != nil {
				refusal, refuse = err, refuse+1
			}
		}
		if refuse > 0 {
			errs = append(errs, fmt.Errorf("hub %s: appends are refused by %d of %d partitions: %w", x.Name(), refuse, x.Partitions(), refusal))
		}
	}
	return errs
}
