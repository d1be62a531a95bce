package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"spate"
	"spate/config"
	"spate/pipeline"
)

// watchEvery is how often files are looked at.
const watchEvery = 300 * time.Millisecond

// watcher has a running pipeline take over what changes in its files.
type watcher struct {
	files  []string
	seen   string          // how they were when wait was asked last
	warned map[string]bool // warnings that were printed
	load   func() (*config.Pipeline, error)
	reload func(ctx context.Context, o pipeline.Options) ([]string, error)
	say    func(text string) // what was done
	warn   func(text string) // what was not, and what is doubtful
}

// run looks at the files until ctx ends. A change is taken when it has stood still from
// one look to the next: an editor may write a file in several steps.
func (w *watcher) run(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	taken := w.settle(ctx) // a file may have changed since it was read at the start
	last := taken
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := w.look()
		if now != taken && now == last {
			taken = w.settle(ctx)
			now = taken
		}
		last = now
	}
}

// wait returns when the files are no longer as they were seen, and have stood still from one
// look to the next. That is how they are seen then.
func (w *watcher) wait(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	last := w.look()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now := w.look()
		if now != w.seen && now == last {
			w.seen = now
			return nil
		}
		last = now
	}
}

// look is how the files are now, as a text; of a pattern, which there are.
func (w *watcher) look() string {
	var sb strings.Builder
	for _, f := range w.files {
		if found, err := filepath.Glob(f); err == nil && strings.Contains(f, "*") {
			fmt.Fprintln(&sb, f, found)
			continue
		}
		info, err := os.Stat(f)
		if err != nil {
			fmt.Fprintf(&sb, "%s: %v\n", f, err)
			continue
		}
		fmt.Fprintf(&sb, "%s %d %d\n", f, info.ModTime().UnixNano(), info.Size())
	}
	return sb.String()
}

// settle takes what the files say and returns how they were before they were read: what
// changes meanwhile is another change. Empty: the pipeline does not run yet. Files that are named for the first time are only
// known when they have been read, so they are read once more.
func (w *watcher) settle(ctx context.Context) string {
	for {
		files, before := w.files, w.look()
		if !w.take(ctx) {
			return ""
		}
		if ctx.Err() != nil || slices.Equal(w.files, files) {
			return before
		}
	}
}

// take reads the files and has the pipeline take them over; false: it does not run yet.
func (w *watcher) take(ctx context.Context) bool {
	p, err := w.load()
	if err != nil {
		w.warn(strings.TrimSpace(err.Error()) + "\nthe pipeline goes on as it was")
		return true
	}
	w.files = p.Files
	for _, warning := range p.Warnings {
		if text := strings.TrimSpace(warning.String()); !w.warned[text] {
			w.warned[text] = true
			w.warn(text)
		}
	}
	did, err := w.reload(ctx, p.Options)
	if len(did) > 0 {
		w.say("taken over: " + strings.Join(did, ", "))
	}
	switch {
	case errors.Is(err, spate.ErrNotRunning):
		return false
	case err != nil && !errors.Is(err, context.Canceled):
		w.warn("spate: " + err.Error())
	}
	return true
}
