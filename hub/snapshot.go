package hub

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"spate/hub/eventlog"
)

// Snapshot puts what all hubs hold at one moment into a folder on the same file system,
// as eventlog.Snapshot does: a folder that Open takes for that of a killed process. noted
// is told how many bytes of a file belong to it.
func (n *Namespace) Snapshot(dir string, noted func(path string, bytes int64)) error {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.closed {
		return fmt.Errorf("snapshot of the hubs: %w", ErrClosed)
	}
	if err := os.MkdirAll(filepath.Join(dir, "hubs"), 0o755); err != nil {
		return fmt.Errorf("snapshot of the hubs: %w", err)
	}
	var logs []*eventlog.Log
	var dirs []string
	for _, h := range n.hubs {
		logs = append(logs, h.log)
		dirs = append(dirs, filepath.Join(dir, "hubs", hex.EncodeToString(h.id[:])))
	}
	if err := eventlog.Snapshot(logs, dirs, noted); err != nil {
		return err
	}
	return writeList(dir, n.described())
}
