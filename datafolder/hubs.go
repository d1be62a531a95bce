package datafolder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"spate/hub"
)

// Hubs are the hubs of an instance that does not run, to be read.
type Hubs struct {
	*hub.Namespace
	lock *Lock
}

// HubsDir is where the hubs of a data folder lie.
func HubsDir(dir string) string { return filepath.Join(dir, "log") }

// OpenHubs opens the hubs of a data folder and holds its lock until Close: while an
// instance runs there it fails with ErrLocked. What a crash left behind is repaired as
// at a start; nothing else changes.
func OpenHubs(ctx context.Context, dir string, log *slog.Logger) (*Hubs, error) {
	path := HubsDir(dir)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening the hubs: the data folder %s holds none: %w", dir, fs.ErrNotExist)
	}
	lock, err := Take(dir)
	if err != nil {
		return nil, err
	}
	n, err := hub.Open(ctx, hub.Options{Dir: path, Log: log, Keep: true})
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &Hubs{n, lock}, nil
}

// Close releases the hubs and the lock.
func (h *Hubs) Close() error { return errors.Join(h.Namespace.Close(), h.lock.Close()) }
