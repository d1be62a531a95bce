package query

import (
	"os"
	"path/filepath"
	"testing"
)

func TestChildCannotWriteFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x")
	// It waits for its input to end, and so until the limits are set.
	e, err := NewEngine(EngineOptions{Command: []string{"/bin/sh", "-c", "read line; echo text > " + file}, Env: []string{"PATH=/bin:/usr/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.start()
	if err != nil {
		t.Fatal(err)
	}
	p.in.Close()
	p.cmd.Wait()
	if data, err := os.ReadFile(file); err == nil && len(data) > 0 {
		t.Errorf("the child wrote %q", data)
	}
}
