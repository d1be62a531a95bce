package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

var someFiles = []file{{"spate", []byte("program"), true}, {"docs/b.md", []byte("b"), false}, {"LICENSE", []byte("l"), false}}

func TestArchivesFollowFromTheFilesAlone(t *testing.T) {
	at := time.Unix(1_790_000_000, 0)
	other := []file{someFiles[2], someFiles[0], someFiles[1]}
	elsewhere := at.In(time.FixedZone("there", 7*3600))
	for name, pack := range map[string]func(string, []file, time.Time) ([]byte, error){"tar": packTar, "zip": packZip} {
		a, err := pack("spate-1", someFiles, at)
		if err != nil {
			t.Fatal(err)
		}
		b, err := pack("spate-1", other, elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s: the order of files and the time zone change the bytes", name)
		}
	}
}

func TestArchivesCanBeUnpacked(t *testing.T) {
	at := time.Unix(1_790_000_000, 0).UTC()
	packed, err := packTar("spate-1", someFiles, at)
	if err != nil {
		t.Fatal(err)
	}
	want := "spate-1/LICENSE 644 l\nspate-1/docs/b.md 644 b\nspate-1/spate 755 program\n"
	if got := listTar(t, packed, at); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	packed, err = packZip("spate-1", someFiles, at)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range z.File {
		if !f.Modified.Equal(at) {
			t.Errorf("%s: time %v, want %v", f.Name, f.Modified, at)
		}
		got = append(got, f.Name)
	}
	if want := "spate-1/LICENSE spate-1/docs/b.md spate-1/spate"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func listTar(t *testing.T, packed []byte, at time.Time) string {
	t.Helper()
	var out strings.Builder
	for name, f := range untar(t, packed) {
		if !f.at.Equal(at) {
			t.Errorf("%s: time %v, want %v", name, f.at, at)
		}
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if !z.ModTime.IsZero() || z.Name != "" {
		t.Errorf("the head of gzip says %v %q", z.ModTime, z.Name)
	}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s %o %s\n", h.Name, h.Mode, data)
	}
}

type unpacked struct {
	data []byte
	at   time.Time
}

func untar(t *testing.T, packed []byte) map[string]unpacked {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]unpacked)
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[h.Name] = unpacked{data, h.ModTime}
	}
}

// clone is a copy of the committed repository in a folder of its own.
func clone(t *testing.T, name string) string {
	t.Helper()
	if _, err := output("../..", "git", "rev-parse", "HEAD"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("not a checkout of git: ", err)
	}
	dir := filepath.Join(t.TempDir(), name)
	if said, err := exec.Command("git", "clone", "--quiet", "--shared", "../..", dir).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, said)
	}
	return dir
}

// The archive of this platform, which has what a C compiler makes: built in two folders it
// is the same bytes, and the command inside says version and revision.
func TestTwoBuildsGiveTheSameArchives(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the command")
	}
	here := runtime.GOOS + "/" + runtime.GOARCH
	dirs := []string{clone(t, "a"), clone(t, "a longer name")}
	var sums []string
	for _, dir := range dirs {
		out := filepath.Join(dir, "..", "dist")
		if err := run(dir, out, here, false); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, string(text))
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds differ:\n%s%s", sums[0], sums[1])
	}
	r, err := revisionOf(dirs[0])
	if err != nil {
		t.Fatal(err)
	}
	folder := fmt.Sprintf("spate-%s-%s-%s", r.version, runtime.GOOS, runtime.GOARCH)
	packed, err := os.ReadFile(filepath.Join(dirs[0], "..", "dist", folder+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	files := untar(t, packed)
	for _, name := range []string{"LICENSE", "README.md", "THIRD-PARTY.txt", "docs/limits.md"} {
		if len(files[folder+"/"+name].data) == 0 {
			t.Errorf("the archive has no %s", name)
		}
	}
	if n := string(files[folder+"/THIRD-PARTY.txt"].data); strings.Count(n, "no licence file") > 0 || !strings.Contains(n, "github.com/duckdb/duckdb-go/v2") {
		t.Error("THIRD-PARTY.txt misses licences")
	}
	path := filepath.Join(t.TempDir(), "spate")
	if err := os.WriteFile(path, files[folder+"/spate"].data, 0o755); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(path, "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"spate " + r.version, r.commit[:12], "DuckDB"} {
		if !strings.Contains(string(said), want) {
			t.Errorf("spate version says %q, want %q in it", said, want)
		}
	}
}

// Whoever unpacks an archive without DuckDB has read so.
func TestNamesSayWhatIsMissing(t *testing.T) {
	r := &revision{version: "1.2.3"}
	for _, c := range []struct {
		goos, arch string
		withDuckDB bool
		want       string
	}{
		{"linux", "amd64", true, "spate-1.2.3-linux-amd64"},
		{"windows", "arm64", false, "spate-1.2.3-windows-arm64-noduckdb"},
	} {
		if got := r.folder(c.goos, c.arch, c.withDuckDB); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestAWorktreeIsRefused(t *testing.T) {
	dir := clone(t, "main")
	tree := filepath.Join(t.TempDir(), "tree")
	if said, err := exec.Command("git", "-C", dir, "worktree", "add", "--quiet", "--detach", tree).CombinedOutput(); err != nil {
		t.Fatalf("git worktree: %v\n%s", err, said)
	}
	if err := run(tree, t.TempDir(), "linux/amd64", true); err == nil || !strings.Contains(err.Error(), "is no clone") {
		t.Errorf("got %v, want a refusal of a worktree", err)
	}
}

func TestChangesThatAreNotCommittedAreRefused(t *testing.T) {
	dir := clone(t, "changed")
	if err := os.WriteFile(filepath.Join(dir, "new.go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	err := run(dir, t.TempDir(), "linux/amd64", true)
	if err == nil || !strings.Contains(err.Error(), "new.go") {
		t.Errorf("got %v, want a refusal that names the file", err)
	}
}
