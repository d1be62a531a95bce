package blob

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func stores(t *testing.T) map[string]Store {
	return map[string]Store{"local": NewLocal(filepath.Join(t.TempDir(), "a", "b")), "memory": NewMemory()}
}

func read(t *testing.T, s Store, key string, off, n int64) string {
	t.Helper()
	r, err := s.Open(t.Context(), key, off, n)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func list(t *testing.T, s Store, prefix, after string) []string {
	t.Helper()
	var out []string
	for i, err := range s.List(t.Context(), prefix, after) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, i.Key)
	}
	return out
}

func TestStoreKeepsWhatWasCreated(t *testing.T) {
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			info, err := s.Create(ctx, "t/_delta_log/0.json", strings.NewReader("hello"))
			if err != nil {
				t.Fatal(err)
			}
			if info.Key != "t/_delta_log/0.json" || info.Size != 5 || info.Modified.IsZero() {
				t.Errorf("info %+v", info)
			}
			if _, err := s.Create(ctx, "t/_delta_log/0.json", strings.NewReader("other")); !errors.Is(err, ErrExists) {
				t.Errorf("second Create: %v, want ErrExists", err)
			}
			if got := read(t, s, "t/_delta_log/0.json", 0, -1); got != "hello" {
				t.Errorf("read %q", got)
			}
			if got := read(t, s, "t/_delta_log/0.json", 1, 3); got != "ell" {
				t.Errorf("read range %q", got)
			}
			if _, err := s.Replace(ctx, "t/_delta_log/0.json", strings.NewReader("new")); err != nil {
				t.Fatal(err)
			}
			if got := read(t, s, "t/_delta_log/0.json", 0, -1); got != "new" {
				t.Errorf("read after Replace %q", got)
			}
			if _, err := s.Open(ctx, "t/none", 0, -1); !errors.Is(err, ErrNotFound) {
				t.Errorf("Open of nothing: %v", err)
			}
			if _, err := s.Stat(ctx, "t"); !errors.Is(err, ErrNotFound) {
				t.Errorf("Stat of a folder: %v", err)
			}
			if err := s.Delete(ctx, "t/_delta_log/0.json", "t/none/x"); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Stat(ctx, "t/_delta_log/0.json"); !errors.Is(err, ErrNotFound) {
				t.Errorf("Stat after Delete: %v", err)
			}
		})
	}
}

func TestListIsInKeyOrder(t *testing.T) {
	keys := []string{"a/b", "a.txt", "a/b/c2", "a0", "ab/x", "b/1", "b/2", "p=x y/ü"}
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) {
			for _, k := range keys {
				if k == "a/b" { // a folder in the local store
					continue
				}
				if _, err := s.Create(t.Context(), k, strings.NewReader(k)); err != nil {
					t.Fatal(err)
				}
			}
			f := func(prefix, after string, want ...string) {
				t.Helper()
				if got := list(t, s, prefix, after); !slices.Equal(got, want) {
					t.Errorf("List(%q, %q) = %q, want %q", prefix, after, got, want)
				}
			}
			f("", "", "a.txt", "a/b/c2", "a0", "ab/x", "b/1", "b/2", "p=x y/ü")
			f("a", "", "a.txt", "a/b/c2", "a0", "ab/x")
			f("a/", "", "a/b/c2")
			f("b/", "b/1", "b/2")
			f("", "a/b/c2", "a0", "ab/x", "b/1", "b/2", "p=x y/ü")
			f("", "a/b", "a/b/c2", "a0", "ab/x", "b/1", "b/2", "p=x y/ü")
			f("none/", "")
		})
	}
}

func TestConcurrentCreateHasOneWinner(t *testing.T) {
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) {
			for round := range 20 {
				key := fmt.Sprintf("log/%02d", round)
				var wg sync.WaitGroup
				won := make(chan int, 8)
				for i := range 8 {
					wg.Go(func() {
						_, err := s.Create(t.Context(), key, strings.NewReader(fmt.Sprint(i)))
						if err == nil {
							won <- i
						} else if !errors.Is(err, ErrExists) {
							t.Errorf("writer %d: %v", i, err)
						}
					})
				}
				wg.Wait()
				if len(won) != 1 {
					t.Fatalf("round %d: %d winners, want 1", round, len(won))
				}
				if got, want := read(t, s, key, 0, -1), fmt.Sprint(<-won); got != want {
					t.Errorf("round %d: body of %s, want of winner %s", round, got, want)
				}
			}
		})
	}
}

// TestLocalCreateBetweenProcesses runs itself as several writers that race for
// the same keys.
func TestLocalCreateBetweenProcesses(t *testing.T) {
	const rounds = 25
	if dir := os.Getenv("BLOB_RACE_DIR"); dir != "" {
		s := NewLocal(dir)
		for round := range rounds {
			_, err := s.Create(t.Context(), fmt.Sprintf("k/%02d", round), strings.NewReader(fmt.Sprint(os.Getpid())))
			if err == nil {
				fmt.Printf("won %d\n", round)
			} else if !errors.Is(err, ErrExists) {
				t.Fatal(err)
			}
		}
		return
	}
	dir := t.TempDir()
	outs := make([]strings.Builder, 4)
	var wg sync.WaitGroup
	for i := range outs {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestLocalCreateBetweenProcesses$")
			cmd.Env = append(os.Environ(), "BLOB_RACE_DIR="+dir)
			cmd.Stdout, cmd.Stderr = &outs[i], os.Stderr
			if err := cmd.Run(); err != nil {
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	wins := 0
	for i := range outs {
		wins += strings.Count(outs[i].String(), "won ")
	}
	if wins != rounds {
		t.Errorf("%d wins, want %d", wins, rounds)
	}
	if entries, _ := os.ReadDir(filepath.Join(dir, "k")); len(entries) != rounds {
		t.Errorf("%d files in the folder, want %d", len(entries), rounds)
	}
}

func TestLocalRefusesKeysOutside(t *testing.T) {
	s := NewLocal(t.TempDir())
	for _, key := range []string{"", "/etc/x", "../x", "a/../../x", "a//b", "a/", "a/.tmp-1", "a\x00b"} {
		if _, err := s.Create(t.Context(), key, strings.NewReader("x")); err == nil {
			t.Errorf("Create(%q) succeeded", key)
		}
	}
}

func TestLocalHidesUnfinishedFiles(t *testing.T) {
	dir := t.TempDir()
	s := NewLocal(dir)
	if err := os.WriteFile(filepath.Join(dir, ".tmp-00"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := list(t, s, "", ""); len(got) != 0 {
		t.Errorf("List shows %q", got)
	}
	if _, err := s.Create(t.Context(), "k", io.MultiReader(strings.NewReader("half"), failing{})); err == nil {
		t.Error("Create from a failing reader succeeded")
	}
	if got := list(t, s, "", ""); len(got) != 0 {
		t.Errorf("List shows %q after a failed Create", got)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("torn") }
