package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Spate, delta-rs and Spark append to one table, delete, vacuum and, but for delta-rs, pack it, all at
// once: the table has the rows that were acknowledged, each once, and nobody starves.
// SPATE_CONCURRENT=2m says for how long; without it the test is not run, because three engines on
// two cores leave nothing to the others.
func TestThreeEnginesWriteOneTable(t *testing.T) {
	if os.Getenv("SPATE_CONCURRENT") == "" {
		t.Skip("SPATE_CONCURRENT=2m runs it")
	}
	long, err := time.ParseDuration(os.Getenv("SPATE_CONCURRENT"))
	if err != nil {
		t.Fatal(err)
	}
	sparks := tool(t, "PySpark", "spark", "bin", "python")
	jars := filepath.Dir(tool(t, "Delta's jars for Spark", "jars", "delta-storage-4.4.0.jar"))
	i := newInstance(t, variant{})
	i.spate("query", "CREATE TABLE telemetry.shared (id BIGINT, w STRING, n INT) USING DELTA LOCATION 'shared'")
	table := filepath.Join(i.data, "lake", "spate", "telemetry-data", "shared")
	seconds := strconv.Itoa(int(long.Seconds()))
	done := map[string]string{}
	var mu sync.Mutex
	var work sync.WaitGroup
	engine := func(name string, run func() string) {
		work.Go(func() {
			out := run()
			mu.Lock()
			defer mu.Unlock()
			done[name] = out
		})
	}
	engine("rs", func() string {
		return output(t, long+2*time.Minute, nil, "", python(t), script(t, "concurrent_writers.py"), "delta-rs", table, seconds)
	})
	engine("spark", func() string {
		return output(t, long+3*time.Minute, nil, "", sparks, script(t, "concurrent_writers.py"), "spark", table, seconds, jars)
	})
	engine("spate", func() string {
		var said strings.Builder
		first, cut := 0, 0
		for step, until := 1, time.Now().Add(long); time.Now().Before(until); step++ {
			switch {
			case step%9 == 8:
				cut += 30
				i.spate("query", fmt.Sprintf("DELETE FROM telemetry.shared WHERE w = 'spate' AND id < %d; UPDATE telemetry.shared SET n = 2 WHERE w = 'spate' AND id %% 10 = 3", cut), "-o", "jsonl")
				fmt.Fprintln(&said, "D", cut)
			case step%13 == 12:
				i.spate("query", "OPTIMIZE telemetry.shared", "-o", "jsonl")
				fmt.Fprintln(&said, "O")
			case step%29 == 28:
				i.spate("query", "VACUUM telemetry.shared", "-o", "jsonl")
			default:
				i.spate("query", fmt.Sprintf("INSERT INTO telemetry.shared SELECT g.value, 'spate', 1 FROM GENERATE_SERIES(%d, %d) AS g", first, first+9), "-o", "jsonl")
				fmt.Fprintln(&said, "A", first, 10)
				first += 10
			}
		}
		i.spate("query", "UPDATE telemetry.shared SET n = 2 WHERE w = 'spate' AND id % 10 = 3", "-o", "jsonl")
		return said.String()
	})
	work.Wait()
	if t.Failed() {
		return
	}
	var want []string
	for name, out := range done {
		rows, counts := map[int]bool{}, map[string]int{}
		for line := range strings.Lines(out) {
			f := strings.Fields(line)
			if len(f) == 0 {
				continue
			}
			counts[f[0]]++
			switch f[0] {
			case "A":
				first, n := number(t, f[1]), number(t, f[2])
				for id := first; id < first+n; id++ {
					rows[id] = true
				}
			case "D":
				below := number(t, f[1])
				for id := range rows {
					if id < below {
						delete(rows, id)
					}
				}
			}
		}
		t.Logf("%s: %v", name, counts)
		if counts["A"] == 0 || counts["D"] == 0 && name != "spark" { // Spark has a fraction of two busy cores
			t.Errorf("%s has starved: %v", name, counts)
		}
		for id := range rows {
			n := 1
			if name == "spate" && id%10 == 3 {
				n = 2
			}
			want = append(want, fmt.Sprintf("%s %d %d", name, id, n))
		}
	}
	read := func(who string, rows []row) {
		var got []string
		for _, r := range rows {
			got = append(got, fmt.Sprintf("%v %v %v", r["w"], r["id"], r["n"]))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s reads %d rows, want %d", who, len(got), len(want))
			for _, x := range got {
				if _, ok := slices.BinarySearch(want, x); !ok {
					t.Errorf("%s is too much", x)
					break
				}
			}
			for _, x := range want {
				if _, ok := slices.BinarySearch(got, x); !ok {
					t.Errorf("%s is missing", x)
					break
				}
			}
		}
	}
	for _, fault := range faultsOf(t, filepath.Join(table, "_delta_log")) {
		t.Error(fault)
	}
	read("Spate", i.query("SELECT w, id, n FROM telemetry.shared"))
	for _, r := range []deltaReader{deltaRS{}, spark{}} {
		read(r.name(), r.read(t, table)[0])
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// faultsOf looks in a log for versions that remove what is not there: rows of such a file have been
// copied, or deleted, twice.
func faultsOf(t *testing.T, log string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(log, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	var faults []string
	live := map[string]string{}
	for _, f := range files {
		if strings.Contains(f, "compacted") {
			continue
		}
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		version, by := strings.TrimSuffix(filepath.Base(f), ".json"), ""
		var adds []string
		for line := range strings.Lines(string(data)) {
			var r row
			decode(t, []byte(line), &r)
			for kind, action := range r {
				a, ok := action.(map[string]any)
				if !ok {
					continue
				}
				path, _ := a["path"].(string)
				switch kind {
				case "commitInfo":
					by = fmt.Sprintf("%v by %v, which had read version %v", a["operation"], a["engineInfo"], a["readVersion"])
				case "remove":
					if _, ok := live[path]; !ok {
						faults = append(faults, fmt.Sprintf("version %s, %s, removes %s, which is not there", version, by, path))
					}
					delete(live, path)
				case "add":
					adds = append(adds, path)
				}
			}
		}
		for _, path := range adds {
			live[path] = version
		}
	}
	return faults
}
