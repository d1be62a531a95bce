package datafolder

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"testing"

	"spate/hub"
)

func TestHubsAreOpenedByOneProcess(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	if _, err := OpenHubs(t.Context(), dir, log); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder without hubs: %v", err)
	}
	n, err := hub.Open(t.Context(), hub.Options{Dir: HubsDir(dir), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Create(t.Context(), hub.Spec{Name: "in", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := OpenHubs(t.Context(), dir, log)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := h.Hub("IN"); !ok {
		t.Error("the hub is not there")
	}
	// The kernel's lock belongs to an open file, so this process is refused as another is.
	if _, err := Take(dir); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("by process %d", os.Getpid())) {
		t.Errorf("a second lock: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := Take(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
