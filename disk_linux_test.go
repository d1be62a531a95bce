package spate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"spate/hub"
	"spate/hub/eventlog"
	"spate/pipeline"
)

// While the disk is full, appends are refused and jobs do not save: the pages of health and
// the status say so, and stop saying it when there is space again.
func TestHealthOfAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("a small disk needs the right to mount one: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting the small disk: %v", err)
		}
	})
	o := pipeline.Options{
		Dir: filepath.Join(dir, "data"), Listen: pipeline.Listen{HTTP: "127.0.0.1:0", Health: "127.0.0.1:0"},
		Tables: []pipeline.Table{{Name: "out"}},
		Jobs: []pipeline.Job{{Name: "j", Script: "SELECT n INTO [out] FROM [in]",
			Inputs: []pipeline.Input{{Alias: "in", Hub: "in"}}, Outputs: []pipeline.Output{{Alias: "out", Table: "out"}}}},
	}
	p := run(t, o)
	e := p.Endpoints()
	until(t, "a healthy pipeline", func() bool {
		status, _ := fetch(t, e.Health+"/health")
		return status == 200
	})
	p.send("in", `{"n":1}`)
	until(t, "the row", func() bool { return len(p.rowsOf("out")) == 1 })

	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	h, _ := p.hubs.namespace.Hub("in")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := h.Partition(0).Append(eventlog.Internal, []hub.Event{{Body: []byte(`{"n":2,"pad":"` + strings.Repeat("x", 100_000) + `"}`)}}).Wait(ctx)
	if !errors.Is(err, hub.ErrDiskFull) {
		t.Errorf("append on a full disk: %v", err)
	}
	for _, page := range []string{"/healthz", "/readyz"} {
		status, body := fetch(t, e.HTTP+page)
		if status != 503 || !strings.HasPrefix(body, "the disk is full: ") || !strings.Contains(body, "\nhub in: appends are refused by 1 of 2 partitions: in partition 0: disk is full") {
			t.Errorf("%s: %d %s", page, status, body)
		}
	}
	if status, body := fetch(t, e.Health+"/health"); status != 503 || !strings.Contains(body, "unhealthy") {
		t.Errorf("/health: %d %s", status, body)
	}
	if s := p.Status(); len(s.Problems) < 2 || !strings.HasPrefix(s.Problems[0], "the disk is full") {
		t.Errorf("status: %q", s.Problems)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	until(t, "health, with nobody appending", func() bool {
		status, _ := fetch(t, e.HTTP+"/healthz")
		return status == 200
	})
	p.send("in", `{"n":3}`)
	until(t, "its row", func() bool { return len(p.rowsOf("out")) == 2 })
	p.stop()
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for n := 1 << 20; n > 0; {
		if _, err := f.Write(make([]byte, n)); err != nil {
			n /= 2
		}
	}
}
