package datafolder

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// filled is a data folder of a few files.
func filled(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	for name, text := range map[string]string{"log/namespace": "names", "log/hubs/1/0000/0.seg": "records", "jobs/j/manifest/1.json": "{}",
		"lake/a/c/t/_delta_log/0.json": "{}", "lake/a/c/t/f.parquet": "rows", "lake/a/c/t/.tmp-12": "half", "run/instance.json": "{}", "keys.json": "secret"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for path, mode := range map[string]fs.FileMode{"keys.json": 0o600, ".": 0o750, "jobs": 0o700} {
		if err := os.Chmod(filepath.Join(dir, path), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tree is the files and folders below dir with their permissions and contents.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := e.Info()
		if err != nil {
			return err
		}
		text := []byte("folder")
		if !e.IsDir() {
			if text, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		rel, err := filepath.Rel(dir, path)
		all[filepath.ToSlash(rel)] = st.Mode().Perm().String() + " " + string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func backedUp(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "backup")
	if _, err := Backup(t.Context(), dir, to, nil, "test"); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestARestoredBackupIsTheDataFolder(t *testing.T) {
	dir := filled(t)
	want := tree(t, dir)
	for _, gone := range []string{"run", "run/instance.json", "lake/a/c/t/.tmp-12"} {
		delete(want, gone)
	}
	backup := backedUp(t, dir)
	if _, err := Take(backup); !errors.Is(err, ErrBackup) || !strings.Contains(err.Error(), "spate restore "+backup) {
		t.Errorf("a backup was taken for a data folder: %v", err)
	}
	to := filepath.Join(t.TempDir(), "new", "data")
	c, err := Restore(t.Context(), backup, to)
	if err != nil {
		t.Fatal(err)
	}
	got := tree(t, to)
	for path, text := range want {
		if got[path] != text {
			t.Errorf("%s: %q, want %q", path, got[path], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d files and folders, want %d: %v", len(got), len(want), got)
	}
	files := 0
	for _, p := range c.Parts {
		files += p.Files
	}
	if files != 6 {
		t.Errorf("%+v", c)
	}
	if err := takes(t, to); err != nil {
		t.Error(err)
	}
}

func TestRestoreRefusesWhatIsNotABackup(t *testing.T) {
	dir := filled(t)
	change := func(path string, f func(text string) string) func(string) error {
		return func(backup string) error {
			path := filepath.Join(backup, path)
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, []byte(f(string(b))), 0o644)
		}
	}
	swap := func(old, new string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, old, new) }
	}
	for name, c := range map[string]struct {
		damage func(backup string) error
		says   string
	}{
		"no mark":      {func(b string) error { return os.Remove(filepath.Join(b, markName)) }, "it is no backup"},
		"half":         {func(b string) error { return mark{Of: dir}.write(b) }, "it was not finished"},
		"file gone":    {func(b string) error { return os.Remove(filepath.Join(b, "lake/a/c/t/f.parquet")) }, "lake/a/c/t/f.parquet is not there"},
		"file shorter": {change("log/hubs/1/0000/0.seg", func(s string) string { return s[1:] }), "log/hubs/1/0000/0.seg has 6 bytes, it had 7"},
		"file changed": {change("jobs/j/manifest/1.json", swap("{}", "[]")), "the checksum of jobs/j/manifest/1.json"},
		"mark changed": {change(markName, swap("keys.json", "kess.json")), "backup.json is damaged"},
		"mark cut":     {change(markName, func(s string) string { return s[:40] }), "backup.json is damaged"},
		"version":      {change(markName, swap(`"version": 1`, `"version": 2`)), "is of version 2, this program reads 1"},
	} {
		backup := backedUp(t, dir)
		if err := c.damage(backup); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(t.TempDir(), "data")
		_, err := Restore(t.Context(), backup, to)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something is left: %v", name, tree(t, to))
		}
	}
}

func TestFoldersThatNothingIsCopiedTo(t *testing.T) {
	dir := filled(t)
	backup := backedUp(t, dir)
	for name, f := range map[string]func(to string) error{
		"backup":  func(to string) error { _, err := Backup(t.Context(), dir, to, nil, "test"); return err },
		"restore": func(to string) error { _, err := Restore(t.Context(), backup, to); return err },
	} {
		from := map[string]string{"backup": dir, "restore": backup}[name]
		full := filled(t)
		before := len(tree(t, full))
		for _, to := range []string{full, from, filepath.Join(from, "x"), filepath.Join(from, "x", "y"), filepath.Dir(from)} {
			if err := f(to); !errors.Is(err, ErrTarget) {
				t.Errorf("%s to %s: %v", name, to, err)
			}
		}
		if got := len(tree(t, full)); got != before {
			t.Errorf("%s: the folder was changed", name)
		}
		empty := t.TempDir()
		if err := f(empty); err != nil {
			t.Errorf("%s to an empty folder: %v", name, err)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	to := t.TempDir()
	if _, err := Restore(stopped, backup, to); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted restore: %v", err)
	}
	if left, err := os.ReadDir(to); err != nil || len(left) > 0 {
		t.Errorf("an interrupted restore left %v, %v", left, err)
	}
}

// What a process that was killed has left is known for what it is.
func TestAHalfCopyIsNoDataFolder(t *testing.T) {
	for _, dir := range []string{filled(t), t.TempDir()} {
		if err := (mark{Of: "x"}).write(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := Take(dir); !errors.Is(err, ErrBackup) || !strings.Contains(err.Error(), "not finished") {
			t.Errorf("%v", err)
		}
		if _, err := os.Stat(filepath.Join(dir, lockName)); err == nil {
			t.Error("it was changed")
		}
	}
}

func TestALinkIsRefusedByName(t *testing.T) {
	dir := filled(t)
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, "lake", "elsewhere")); err != nil {
		t.Skip(err)
	}
	to := filepath.Join(t.TempDir(), "backup")
	if _, err := Backup(t.Context(), dir, to, nil, "test"); err == nil || !strings.Contains(err.Error(), "elsewhere is a symbolic link") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
}

func TestAStageHoldsWhatGoesMeanwhile(t *testing.T) {
	dir := filled(t)
	s, err := NewStage(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewStage(dir); !errors.Is(err, ErrBackingUp) {
		t.Errorf("a second one: %v", err)
	}
	for _, name := range []string{"", "..", "../..", "0123456789abcdef"} {
		if _, err := Gather(dir, name); err == nil {
			t.Errorf("a stage %q", name)
		}
	}
	g, err := Gather(dir, s.Name())
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Link("lake", "not there"); err != nil {
		t.Fatal(err)
	}
	if err := g.Others("lake"); err != nil {
		t.Fatal(err)
	}
	if err := g.Done(); err != nil {
		t.Fatal(err)
	}
	if _, err := Gather(dir, s.Name()); err == nil {
		t.Error("it was filled twice")
	}
	// A file grows, another is removed: neither is of the moment.
	f, err := os.OpenFile(filepath.Join(dir, "log/hubs/1/0000/0.seg"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(" and more"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := os.Remove(filepath.Join(dir, "lake/a/c/t/f.parquet")); err != nil {
		t.Fatal(err)
	}
	backup, to := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "data")
	if _, err := Backup(t.Context(), dir, backup, s, "test"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), backup, to); err != nil {
		t.Fatal(err)
	}
	got := tree(t, to)
	if got["log/hubs/1/0000/0.seg"] != "-rw-r--r-- records" || got["lake/a/c/t/f.parquet"] != "-rw-r--r-- rows" || got["keys.json"] != "-rw------- secret" || !strings.HasPrefix(got["."], "-rwxr-x---") || !strings.HasPrefix(got["jobs"], "-rwx------") {
		t.Errorf("%v", got)
	}

	// One that was killed leaves a stage, which goes with the next start.
	if s, err = NewStage(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.lock.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ClearStages(dir); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(stagesDir(dir)); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}
