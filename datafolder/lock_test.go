package datafolder

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// killed leaves a folder as a process does that is killed.
func killed(t *testing.T, dir string) {
	t.Helper()
	l, err := Take(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.f.Close(); err != nil { // the kernel's part of it
		t.Fatal(err)
	}
}

func copied(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// takes says whether the lock of a folder can be had, and gives it back.
func takes(t *testing.T, dir string) error {
	t.Helper()
	l, err := Take(dir)
	if err == nil {
		err = l.Close()
	}
	return err
}

func TestACopyOfAFolderInUseIsRefused(t *testing.T) {
	dir := t.TempDir()
	l, err := Take(dir)
	if err != nil {
		t.Fatal(err)
	}
	running := copied(t, dir)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := takes(t, copied(t, dir)); err != nil {
		t.Errorf("a copy of one at rest: %v", err)
	}
	killed(t, dir)
	ofKilled := copied(t, dir)
	for name, c := range map[string]string{"running": running, "killed": ofKilled} {
		err := takes(t, c)
		if !errors.Is(err, ErrCopied) || !strings.Contains(err.Error(), "spate backup") || !strings.Contains(err.Error(), dir) {
			t.Errorf("a copy of a %s one: %v", name, err)
		}
		if err := takes(t, c); !errors.Is(err, ErrCopied) {
			t.Errorf("a copy of a %s one, tried again: %v", name, err)
		}
	}
	if err := takes(t, dir); err != nil {
		t.Errorf("the killed one itself: %v", err)
	}

	// Once somebody has said that it is good, it is a folder as any other.
	l, err = TakeCopy(running)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := takes(t, running); err != nil {
		t.Errorf("a copy that was accepted, and killed: %v", err)
	}
}

func TestAKilledFolderMayBeMoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	killed(t, dir)
	i, err := identityOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	moved := dir + "-moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	err = takes(t, moved)
	if i.Inode == 0 { // the path is all there is
		if !errors.Is(err, ErrCopied) || !strings.Contains(err.Error(), "--accept-copy") {
			t.Errorf("moved: %v", err)
		}
		return
	}
	if err != nil {
		t.Errorf("moved: %v", err)
	}
	// A copy in the place of the folder, which may be given the number of the one before.
	killed(t, moved)
	c := copied(t, moved)
	if err := os.RemoveAll(moved); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(moved, os.DirFS(c)); err != nil {
		t.Fatal(err)
	}
	if err := takes(t, moved); !errors.Is(err, ErrCopied) {
		t.Errorf("a copy in its place: %v", err)
	}
}

func TestWhatALockSaysOfOlderVersions(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"", "4711\n", `{"version":2,"inUse":true}`, "{"} {
		if err := os.WriteFile(filepath.Join(dir, lockName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := takes(t, dir); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if got := ownerOf([]byte("4711\n")); got != "4711" {
		t.Errorf("process %s", got)
	}
	// A crash between the two halves of a write leaves the end of the longer text.
	killed(t, dir)
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`17"}}` + "\n"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := takes(t, copied(t, dir)); !errors.Is(err, ErrCopied) {
		t.Errorf("a copy with a longer text: %v", err)
	}
}

func TestSameFolder(t *testing.T) {
	a := identity{Path: "/a", Inode: 7, Born: 1}
	for _, c := range []struct {
		b    identity
		same bool
	}{
		{identity{Path: "/b", Inode: 7, Born: 1}, true},  // moved, or mounted elsewhere
		{identity{Path: "/a", Inode: 8, Born: 1}, false}, // another folder in its place
		{identity{Path: "/a", Inode: 7, Born: 2}, false}, // its number was given out again
		{identity{Path: "/a", Inode: 7}, true},           // nothing known of its birth
		{identity{Path: "/a"}, true},                     // nothing known but the path
		{identity{Path: "/b"}, false},
	} {
		if got := a.same(c.b); got != c.same {
			t.Errorf("%+v and %+v: %t", a, c.b, got)
		}
	}
}
