package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"spate/config"
	"spate/connector"
	"spate/connector/eventhub"
	"spate/connector/remotehub"
	"spate/console"
	"spate/datafolder"
	"spate/internal/near"
)

// hubInputs holds what an eval run reads of hubs.
type hubInputs struct {
	stopped *datafolder.Hubs  // of the data folder whose instance does not run
	running *console.Instance // the instance that runs there instead
	open    []io.Closer
}

// Close releases the data folder and ends the connections.
func (h *hubInputs) Close() error {
	var errs []error
	for _, c := range h.open {
		errs = append(errs, c.Close())
	}
	h.open = nil
	return errors.Join(errs...)
}

// openHubInputs binds the inputs that are written hub:HUB[@FROM..TO] to the log of the
// data folder, or to the instance that runs on it.
func (a *app) openHubInputs(ctx context.Context, o *evalRun) (_ *hubInputs, err error) {
	h := &hubInputs{}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	for i := range o.Inputs {
		in := &o.Inputs[i]
		rest, ok := strings.CutPrefix(in.Path, "hub:")
		if !ok {
			continue
		}
		name, part, _ := strings.Cut(rest, "@")
		r, err := hubRange(part)
		if err != nil {
			return nil, withCode(usage, fmt.Errorf("--input %s: %w", in.Name, err))
		}
		if h.stopped == nil && h.running == nil {
			if err = a.openHubs(ctx, h); err != nil {
				return nil, fmt.Errorf("--input %s: %w", in.Name, err)
			}
		}
		if in.Source, err = a.hubSource(ctx, h, name, o.groups[in.Name], r); err != nil {
			return nil, fmt.Errorf("--input %s: %w", in.Name, err)
		}
	}
	return h, nil
}

// openHubs opens the hubs of the data folder, or finds the instance that runs there.
func (a *app) openHubs(ctx context.Context, h *hubInputs) error {
	dir := a.data
	if dir == "" {
		p, err := a.load("", config.Source{NoScripts: true})
		if err != nil {
			return err
		}
		dir = p.Options.Dir
	}
	hubs, err := datafolder.OpenHubs(ctx, dir, slog.New(slog.DiscardHandler))
	if err == nil {
		h.stopped, h.open = hubs, append(h.open, hubs)
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return withCode(notFound, err)
	}
	if !errors.Is(err, datafolder.ErrLocked) {
		return err
	}
	h.running, err = runningInstance(dir, err)
	return err
}

// runningInstance finds the instance that holds the lock of a data folder.
func runningInstance(dir string, locked error) (*console.Instance, error) {
	i, err := console.ReadInstance(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, withCode(usage, fmt.Errorf("%w, which is no instance, or not ready yet", locked))
	}
	if err != nil {
		return nil, err
	}
	if i.ConnectionStrings["emulator"] == "" {
		return nil, withCode(noConnection, fmt.Errorf("the instance on %s (process %d) has no plain port: reading its hubs over TLS is not supported yet", shortPath(dir), i.PID))
	}
	// One that was killed leaves its file, and another command may hold the lock.
	probe, err := net.DialTimeout("tcp", i.Addresses["amqp"], time.Second)
	if err != nil {
		return nil, withCode(noConnection, fmt.Errorf("%w, and the instance of the folder (process %d) does not answer: %w", locked, i.PID, err))
	}
	return i, probe.Close()
}

// hubSource is a part of a hub.
func (a *app) hubSource(ctx context.Context, h *hubInputs, name, group string, r eventhub.Range) (connector.Source, error) {
	if h.stopped != nil {
		hub, ok := h.stopped.Hub(name)
		if !ok {
			var names []string
			for _, other := range h.stopped.Hubs() {
				names = append(names, other.Name())
			}
			return nil, noHub(name, names)
		}
		return eventhub.NewPart(hub, r, eventhub.SourceOptions{Job: "eval"}), nil
	}
	s, err := remotehub.Open(ctx, remotehub.Options{ConnectionString: h.running.ConnectionStrings["emulator"], Hub: name, Group: group, Range: r})
	switch {
	case err == nil:
		h.open = append(h.open, s)
		return s, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, remotehub.ErrNoHub):
		return nil, noHub(name, a.hubNames())
	case errors.Is(err, remotehub.ErrUnauthorized):
		return nil, withCode(unauthorized, err)
	}
	return nil, withCode(noConnection, err)
}

func noHub(name string, names []string) error {
	hint := ""
	if meant := near.Word(name, names); meant != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", meant)
	}
	return withCode(notFound, fmt.Errorf("there is no hub %q%s", name, hint))
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
