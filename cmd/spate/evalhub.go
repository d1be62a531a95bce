package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"spate"
	"spate/config"
	"spate/connector/eventhub"
)

// hubInputs holds the hubs that an eval run reads; nil Hubs: none.
type hubInputs struct{ *spate.Hubs }

// Close releases the data folder.
func (h hubInputs) Close() error {
	if h.Hubs == nil {
		return nil
	}
	return h.Hubs.Close()
}

// openHubInputs binds the inputs that are written hub:HUB[@FROM..TO] to the log of the
// data folder, whose instance must not be running.
func (a *app) openHubInputs(ctx context.Context, o *evalRun) (h hubInputs, err error) {
	for i := range o.Inputs {
		in := &o.Inputs[i]
		rest, ok := strings.CutPrefix(in.Path, "hub:")
		if !ok {
			continue
		}
		name, part, _ := strings.Cut(rest, "@")
		r, err := hubRange(part)
		if err != nil {
			return h, withCode(usage, errors.Join(fmt.Errorf("--input %s: %w", in.Name, err), h.Close()))
		}
		if h.Hubs == nil {
			if h, err = a.openHubs(ctx); err != nil {
				return h, fmt.Errorf("--input %s: %w", in.Name, err)
			}
		}
		hub, ok := h.Hub(name)
		if !ok {
			return h, withCode(notFound, errors.Join(fmt.Errorf("--input %s: there is no hub %q", in.Name, name), h.Close()))
		}
		in.Source = eventhub.NewPart(hub, r, eventhub.SourceOptions{Job: "eval"})
	}
	return h, nil
}

func (a *app) openHubs(ctx context.Context) (h hubInputs, err error) {
	dir := a.data
	if dir == "" {
		p, err := a.load("", config.Source{NoScripts: true})
		if err != nil {
			return h, err
		}
		dir = p.Options.Dir
	}
	h.Hubs, err = spate.OpenHubs(ctx, dir, slog.New(slog.DiscardHandler))
	if errors.Is(err, spate.ErrLocked) {
		return h, withCode(usage, fmt.Errorf("%w: reading the hub of a running instance is not supported yet: stop it first", err))
	}
	return h, err
}

// hubRange reads FROM..TO: offsets, or times.
func hubRange(s string) (r eventhub.Range, err error) {
	if s == "" {
		return r, nil
	}
	from, to, ok := strings.Cut(s, "..")
	if !ok {
		return r, fmt.Errorf("@%s: want FROM..TO", s)
	}
	if from != "" || to != "" {
		r.ByOffset, r.Open = isOffset(from) && isOffset(to), to == ""
	}
	if r.ByOffset {
		if from != "" {
			if r.First, err = strconv.ParseInt(from, 10, 64); err != nil {
				return r, fmt.Errorf("@%s: %q is no offset", s, from)
			}
		}
		if to != "" {
			if r.Last, err = strconv.ParseInt(to, 10, 64); err != nil {
				return r, fmt.Errorf("@%s: %q is no offset", s, to)
			}
		}
		return r, nil
	}
	if from != "" {
		if r.From, err = config.ParseTime(from); err != nil {
			return r, fmt.Errorf("@%s: %w", s, err)
		}
	}
	if to != "" {
		if r.To, err = config.ParseTime(to); err != nil {
			return r, fmt.Errorf("@%s: %w", s, err)
		}
	}
	return r, nil
}

// isOffset reports whether one end of a range is a number, or open.
func isOffset(s string) bool { return strings.Trim(s, "0123456789") == "" }
