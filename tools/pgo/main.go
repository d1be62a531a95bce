// Command pgo makes the profile by which the compiler lays out the command: cmd/spate/default.pgo,
// which go build takes by itself.
//
//	go -C tools run ./pgo
//
// It builds the command without a profile, runs benchmarks with it and merges what they
// tell. Names of functions and lines are kept, places of this machine are not.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/google/pprof/profile"
)

// workloads are what is profiled: the way of an event at few and at many devices, and
// statements of other kinds.
var workloads = [][]string{
	{"seed3", "--devices", "1000"},
	{"seed3", "--devices", "10000"},
	{"nexmark"},
	{"tsbs"},
}

func main() {
	root := flag.String("root", "..", "the repository")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "pgo:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	dir, err := os.MkdirTemp("", "spate-pgo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "spate")
	if err := command(root, "go", "build", "-trimpath", "-pgo=off", "-o", program, "./cmd/spate"); err != nil {
		return err
	}
	var all []*profile.Profile
	for i, w := range workloads {
		file := filepath.Join(dir, fmt.Sprintf("%d.prof", i))
		if err := command(dir, program, append([]string{"bench", "--cpu-profile", file}, w...)...); err != nil {
			return err
		}
		p, err := read(file)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	merged, err := profile.Merge(all)
	if err != nil {
		return err
	}
	for _, m := range merged.Mapping {
		m.File, m.BuildID = "", ""
	}
	merged.Comments = nil
	out, err := os.Create(filepath.Join(root, "cmd", "spate", "default.pgo"))
	if err != nil {
		return err
	}
	if err := merged.Compact().Write(out); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

func read(file string) (*profile.Profile, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return profile.Parse(f)
}

func command(dir, name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Dir, c.Stderr = dir, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s %v: %w", filepath.Base(name), args, err)
	}
	return nil
}
