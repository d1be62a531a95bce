package blob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestOldFilesOfInterruptedWritesAreRemovedAndNoOthers(t *testing.T) {
	dir := t.TempDir()
	l := NewLocal(dir)
	if n, err := NewLocal(filepath.Join(dir, "not made yet")).RemoveUnfinished(t.Context(), time.Now()); n != 0 || err != nil {
		t.Errorf("a folder that is not there: %d, %v", n, err)
	}
	if _, err := l.Create(t.Context(), "t/a", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-48 * time.Hour)
	for name, at := range map[string]time.Time{"t/.tmp-0123": old, "t/d=1/.tmp-4567": old, "t/.tmp-new": time.Now(), "t/.hidden": old, "t/a": old} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	n, err := l.RemoveUnfinished(t.Context(), time.Now().Add(-24*time.Hour))
	if n != 2 || err != nil {
		t.Errorf("removed %d, %v, want 2", n, err)
	}
	for name, want := range map[string]bool{"t/.tmp-0123": false, "t/d=1/.tmp-4567": false, "t/.tmp-new": true, "t/.hidden": true, "t/a": true} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", name, err, want)
		}
	}
}

// Both ways that serve file systems without hard links: of many writers one wins, and the
// name never goes again.
func TestWithoutHardLinksOneWriterWins(t *testing.T) {
	for name, place := range map[string]func(l *Local, from, to string) error{"rename": (*Local).renameNew, "copy": (*Local).copyExclusive} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := NewLocal(dir)
			var mu sync.Mutex
			won := ""
			var all sync.WaitGroup
			for i := range 16 {
				all.Go(func() {
					text := fmt.Sprint("writer ", i)
					from := filepath.Join(dir, fmt.Sprint(".tmp-", i))
					if err := os.WriteFile(from, []byte(text), 0o600); err != nil {
						t.Error(err)
						return
					}
					err := place(l, from, filepath.Join(dir, "name"))
					mu.Lock()
					defer mu.Unlock()
					switch {
					case errors.Is(err, errors.ErrUnsupported):
						won = "nobody"
					case err == nil && won != "" && won != "nobody":
						t.Errorf("%s and %s won", won, text)
					case err == nil:
						won = text
					case !errors.Is(err, fs.ErrExist):
						t.Error(err)
					}
				})
			}
			all.Wait()
			if won == "nobody" {
				// Neither macOS nor every file system has the call. Then Create copies, which
				// the other half of this test looks at; the systems of CI must have it.
				if os.Getenv("CI") != "" {
					t.Fatal("this system cannot rename without replacing")
				}
				t.Skip("this system cannot rename without replacing")
			}
			if got, err := os.ReadFile(filepath.Join(dir, "name")); err != nil || string(got) != won {
				t.Errorf("%q, %v, want %q", got, err, won)
			}
		})
	}
}
