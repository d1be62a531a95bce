// Package workload is what `spate bench` runs: generators, the stages of the
// pipeline one by one and together, and the checksums that say whether what they
// computed is right.
package workload

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"spate/internal/cputime"
)

// Report is the outcome of a workload with its conditions.
type Report struct {
	Workload   string           `json:"workload"`
	Conditions Conditions       `json:"conditions"`
	Figures    []Figure         `json:"figures"`
	Counters   map[string]int64 `json:"counters"`
	Checksum   string           `json:"checksum"`
}

// Conditions are what a figure depends on.
type Conditions struct {
	Version    string  `json:"version"`
	Go         string  `json:"go"`
	Flags      string  `json:"flags"`
	CPU        string  `json:"cpu"`
	Cores      int     `json:"cores"`
	GOMAXPROCS int     `json:"gomaxprocs"`
	LoadBefore float64 `json:"loadBefore"`
	LoadAfter  float64 `json:"loadAfter"`
	FileSystem string  `json:"fileSystem"`
	Sync       string  `json:"sync"`
	Events     int     `json:"events"`
	Bytes      int64   `json:"bytes"`
	Devices    int     `json:"devices"`
}

// Figure is one measurement.
type Figure struct {
	Name           string  `json:"name"`
	Unit           string  `json:"unit"`
	Value          float64 `json:"value"`
	AllocsPerEvent float64 `json:"allocsPerEvent"`
	Budget         float64 `json:"budget"`
}

func conditions(dir string) Conditions {
	c := Conditions{Go: runtime.Version(), Cores: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0), LoadBefore: load(), Sync: "sync"}
	if info, ok := debug.ReadBuildInfo(); ok {
		c.Version = info.Main.Version
		var flags []string
		for _, s := range info.Settings {
			switch s.Key {
			case "GOAMD64", "-pgo", "GOEXPERIMENT", "vcs.revision":
				flags = append(flags, s.Key+"="+s.Value)
			}
		}
		c.Flags = strings.Join(flags, " ")
	}
	if raw, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(raw)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				c.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	c.FileSystem = fileSystem(dir)
	return c
}

func load() float64 {
	var one float64
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	if _, err := fmt.Sscan(string(raw), &one); err != nil {
		return 0
	}
	return one
}

// usage is what a stretch of work has used.
type usage struct {
	cpu    int64 // ns, user and system, of the whole process
	allocs uint64
}

func used() usage {
	cpu, err := cputime.Used()
	if err != nil {
		return usage{}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{int64(cpu), m.Mallocs}
}

func (u usage) since(old usage) usage { return usage{u.cpu - old.cpu, u.allocs - old.allocs} }
