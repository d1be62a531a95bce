// Command release makes the archives of a release: for each platform the command, its
// licences and its pages, and SHA256SUMS over all of them.
//
//	go -C tools run ./release                        every platform, into dist/
//	go -C tools run ./release -only linux/amd64 -o /tmp/dist
//
// The same revision and the same Go give the same bytes on every machine, but for the
// platform that it runs on, which takes DuckDB and with it what the C compiler adds. A build
// for another platform has no DuckDB, and its name says so.
package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

func main() {
	root := flag.String("root", "..", "the repository")
	out := flag.String("o", "", "folder of the archives; dist in the repository if not given")
	only := flag.String("only", "", "OS/ARCH,...: these platforms alone")
	plain := flag.Bool("noduckdb", false, "leave DuckDB out of the archive of this platform too")
	flag.Parse()
	if err := run(*root, cmp.Or(*out, filepath.Join(*root, "dist")), *only, *plain); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(root, out, only string, plain bool) error {
	wanted := platforms
	if only != "" {
		wanted = strings.Split(only, ",")
		for _, p := range wanted {
			if !slices.Contains(platforms, p) {
				return fmt.Errorf("-only %s: want some of %s", p, strings.Join(platforms, ", "))
			}
		}
	}
	r, err := revisionOf(root)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var sums strings.Builder
	for _, p := range slices.Sorted(slices.Values(wanted)) {
		name, data, err := r.archive(p, plain)
		if err != nil {
			return fmt.Errorf("the archive for %s: %w", p, err)
		}
		if err := os.WriteFile(filepath.Join(out, name), data, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(data), name)
		fmt.Printf("%s  %d bytes\n", name, len(data))
	}
	return os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// revision is the commit that archives are made of.
type revision struct {
	root    string
	version string
	commit  string
	time    time.Time // of the commit: that of all files
	pages   []string  // files beside the command, as git has them
}

func revisionOf(root string) (*revision, error) {
	if info, err := os.Stat(filepath.Join(root, ".git")); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s is no clone: Go puts the revision into builds where .git is a folder, which it is not in a worktree", root)
	}
	changed, err := output(root, "git", "status", "--porcelain")
	if err != nil {
		return nil, err
	}
	if changed != "" {
		return nil, fmt.Errorf("the repository has changes that are not committed, and no revision would name the build:\n%s", changed)
	}
	source, err := os.ReadFile(filepath.Join(root, "cmd", "spate", "version.go"))
	if err != nil {
		return nil, err
	}
	m := regexp.MustCompile(`(?m)^const release = "([^"]+)"$`).FindSubmatch(source)
	if m == nil {
		return nil, errors.New("cmd/spate/version.go names no release")
	}
	log, err := output(root, "git", "log", "-1", "--format=%H %ct")
	if err != nil {
		return nil, err
	}
	commit, stamp, _ := strings.Cut(log, " ")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("the time of the commit: %w", err)
	}
	pages, err := output(root, "git", "ls-files", "LICENSE", "README.md", "CHANGELOG.md", "docs", "examples")
	if err != nil {
		return nil, err
	}
	return &revision{root, string(m[1]), commit, time.Unix(seconds, 0).UTC(), strings.Split(pages, "\n")}, nil
}

// archive builds for a platform and packs what a person gets.
func (r *revision) archive(platform string, plain bool) (name string, data []byte, err error) {
	goos, arch, _ := strings.Cut(platform, "/")
	withDuckDB := !plain && goos == runtime.GOOS && arch == runtime.GOARCH
	folder := r.folder(goos, arch, withDuckDB)
	command, err := r.build(goos, arch, withDuckDB)
	if err != nil {
		return "", nil, err
	}
	binary := "spate"
	if goos == "windows" {
		binary += ".exe"
	}
	notices, err := r.notices(goos, arch, withDuckDB)
	if err != nil {
		return "", nil, err
	}
	files := []file{{binary, command, true}, {"THIRD-PARTY.txt", notices, false}}
	for _, p := range r.pages {
		data, err := os.ReadFile(filepath.Join(r.root, filepath.FromSlash(p)))
		if err != nil {
			return "", nil, err
		}
		files = append(files, file{p, data, false})
	}
	if goos == "windows" {
		data, err = packZip(folder, files, r.time)
		return folder + ".zip", data, err
	}
	data, err = packTar(folder, files, r.time)
	return folder + ".tar.gz", data, err
}

// folder is the name of an archive and of the folder in it.
func (r *revision) folder(goos, arch string, withDuckDB bool) string {
	name := fmt.Sprintf("spate-%s-%s-%s", r.version, goos, arch)
	if !withDuckDB {
		name += "-noduckdb"
	}
	return name
}

// environment is what Go is run with: nothing of the caller's settings gets into a build.
func environment(goos, arch string, withDuckDB bool) []string {
	env := slices.DeleteFunc(os.Environ(), func(s string) bool {
		name, _, _ := strings.Cut(s, "=")
		return slices.Contains([]string{"GOFLAGS", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT", "GODEBUG", "CGO_CFLAGS", "CGO_CXXFLAGS", "CGO_LDFLAGS"}, name)
	})
	cgo := "0"
	if withDuckDB {
		cgo = "1"
	}
	return append(env, "GOFLAGS=-mod=readonly", "GOWORK=off", "GOENV=off", "GOOS="+goos, "GOARCH="+arch, "CGO_ENABLED="+cgo)
}

func tags(withDuckDB bool) string {
	if withDuckDB {
		return ""
	}
	return "noduckdb"
}

// build is the command, as bytes.
func (r *revision) build(goos, arch string, withDuckDB bool) ([]byte, error) {
	dir, err := os.MkdirTemp("", "spate-release-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "spate")
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=true", "-tags="+tags(withDuckDB), "-ldflags=-s -w", "-o", path, "./cmd/spate")
	c.Dir, c.Env = r.root, environment(goos, arch, withDuckDB)
	if said, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, said)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, err
	}
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if settings["vcs.revision"] != r.commit || settings["vcs.modified"] != "false" {
		return nil, fmt.Errorf("the build says revision %q, modified %q; want %s, unmodified", settings["vcs.revision"], settings["vcs.modified"], r.commit)
	}
	return os.ReadFile(path)
}

// notices are the licences of all modules that are linked, and of Go.
func (r *revision) notices(goos, arch string, withDuckDB bool) ([]byte, error) {
	c := exec.Command("go", "list", "-deps", "-tags="+tags(withDuckDB), "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/spate")
	c.Dir, c.Env = r.root, environment(goos, arch, withDuckDB)
	said, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	goroot, err := output(r.root, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	modules := strings.Split(strings.TrimSpace(string(said)), "\n")
	slices.Sort(modules)
	modules = append([]string{"Go\t\t" + goroot}, slices.Compact(modules)...)
	var out bytes.Buffer
	out.WriteString("The command is built with these modules.\n")
	for _, m := range modules {
		part := strings.Split(m, "\t")
		fmt.Fprintf(&out, "\n%s\n%s\n\n", strings.Repeat("=", 72), strings.TrimSpace(part[0]+" "+part[1]))
		entries, err := os.ReadDir(part[2])
		if err != nil {
			return nil, err
		}
		found := false
		for _, e := range entries {
			name := strings.ToUpper(e.Name())
			if e.IsDir() || !(strings.HasPrefix(name, "LICENSE") || strings.HasPrefix(name, "LICENCE") || strings.HasPrefix(name, "COPYING") || strings.HasPrefix(name, "NOTICE")) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(part[2], e.Name()))
			if err != nil {
				return nil, err
			}
			out.Write(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
			found = true
		}
		if !found && part[0] != "Go" {
			fmt.Fprintf(&out, "(the module has no licence file of its own)\n")
		}
	}
	return out.Bytes(), nil
}

// output runs a program and returns what it says, without the last line end.
func output(dir, name string, args ...string) (string, error) {
	c := exec.Command(name, args...)
	c.Dir = dir
	var errs bytes.Buffer
	c.Stderr = &errs
	said, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, errs.Bytes())
	}
	return strings.TrimRight(string(said), "\n"), nil
}
