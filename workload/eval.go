package workload

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"spate/simulator"
)

// EvalOptions say how the workload eval is run.
type EvalOptions struct {
	Program  string        // the spate that is measured
	Against  string        // another one, measured in turn with it; empty: none
	Events   int           // default 1,000,000
	Devices  int           // default 1000
	Duration time.Duration // of each stage, about; one run at least. From longStage on memory is measured over ten times the events, too
	Dir      string        // for the events; default a temporary folder
	Log      io.Writer     // progress, one line per stage; may be nil
}

func (o EvalOptions) withDefaults() EvalOptions {
	o.Events = cmp.Or(o.Events, evalEvents)
	o.Devices = cmp.Or(o.Devices, 1000)
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o
}

const (
	evalEvents = 1_000_000
	longStage  = 20 * time.Second
	mostRuns   = 9
)

// evalStage is one script over the events.
type evalStage struct {
	name   string
	script string
	budget float64                                     // s of CPU for evalEvents
	check  func(counts map[string]int64, n int) string // what is wrong with the rows; empty: nothing
}

func evalStages() []evalStage {
	return []evalStage{
		{"one window", `SELECT DeviceId, COUNT(*) AS EventCount, AVG(Temperature) AS AvgTemperature
			INTO [metrics] FROM [device-telemetry] TIMESTAMP BY Timestamp GROUP BY DeviceId, TumblingWindow(minute, 5)`, 1, checkMetrics},
		{"three statements", longWindows(seed3Script), 1.5, func(counts map[string]int64, n int) string {
			if counts["rows.alerts"] == 0 {
				return "there are no alerts"
			}
			return checkMetrics(counts, n)
		}},
	}
}

// checkMetrics wants each event in one window.
func checkMetrics(counts map[string]int64, n int) string {
	if counts["events"] != int64(n) {
		return fmt.Sprintf("the windows hold %d events of %d", counts["events"], n)
	}
	return ""
}

// Eval measures `spate eval` as a user runs it: a process of its own over a file of
// telemetry. The time is what the process used, user and system, the least of its runs;
// the memory is the most that any of them held.
func Eval(ctx context.Context, o EvalOptions) (*Report, error) {
	o = o.withDefaults()
	if o.Program == "" {
		return nil, errors.New("eval: Program is required")
	}
	dir, err := os.MkdirTemp(o.Dir, "spate-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the benchmark: %w", err)
	}
	defer os.RemoveAll(dir)
	r := &Report{Workload: "eval", Conditions: conditions(dir), Counters: make(map[string]int64)}
	r.Conditions.Devices, r.Conditions.Events = o.Devices, o.Events
	fmt.Fprintln(o.Log, "events")
	file := filepath.Join(dir, "telemetry.jsonl")
	if r.Conditions.Bytes, err = writeEvents(file, o.Devices, o.Events); err != nil {
		return nil, err
	}
	var sums []string
	for _, s := range evalStages() {
		fmt.Fprintln(o.Log, s.name)
		sum, err := measureEval(ctx, r, o, s, file)
		if err != nil {
			return nil, fmt.Errorf("eval, %s: %w", s.name, err)
		}
		sums = append(sums, sum)
	}
	r.Checksum = strings.Join(sums, "-")
	r.Conditions.LoadAfter = load()
	return r, nil
}

// measureEval runs one stage and returns the checksum of its rows.
func measureEval(ctx context.Context, r *Report, o EvalOptions, s evalStage, file string) (string, error) {
	ours, theirs := best{cpu: math.Inf(1)}, best{cpu: math.Inf(1)}
	for begin, runs := time.Now(), 0; runs == 0 || runs < mostRuns && time.Since(begin) < o.Duration; runs++ {
		if err := ours.run(ctx, o.Program, s, o.Events, file, nil); err != nil {
			return "", err
		}
		if o.Against == "" {
			continue
		}
		if err := theirs.run(ctx, o.Against, s, o.Events, file, nil); err != nil {
			return "", fmt.Errorf("%s: %w", o.Against, err)
		}
	}
	budget := 0.0
	if o.Events == evalEvents {
		budget = s.budget
	}
	name := "eval, " + millions(o.Events) + " events, " + s.name
	r.Figures = append(r.Figures,
		Figure{Name: name, Unit: "s", Value: ours.cpu, Budget: budget},
		Figure{Name: name + ", RSS", Unit: "MiB", Value: ours.rss, Budget: 150})
	for output, n := range ours.counts {
		r.Counters[s.name+"."+output] = n
	}
	if o.Against != "" {
		r.Figures = append(r.Figures,
			Figure{Name: name + ", time of the other build over ours", Unit: "", Value: theirs.cpu / ours.cpu},
			Figure{Name: name + ", RSS of the other build over ours", Unit: "", Value: theirs.rss / ours.rss})
		r.Counters[s.name+".sameRows"] = 0
		if ours.sum == theirs.sum {
			r.Counters[s.name+".sameRows"] = 1
		}
	}
	if o.Duration >= longStage {
		var long best
		n := 10 * o.Events
		if err := long.run(ctx, o.Program, s, n, "-", func(w io.Writer) error { return generateTo(w, o.Devices, n) }); err != nil {
			return "", fmt.Errorf("%d events: %w", n, err)
		}
		r.Figures = append(r.Figures, Figure{Name: "eval, " + millions(n) + " events, " + s.name + ", RSS", Unit: "MiB", Value: long.rss, Budget: 150})
	}
	return fmt.Sprintf("%08x", ours.sum), nil
}

// millions writes a number of events.
func millions(n int) string {
	if n%1_000_000 == 0 {
		return strconv.Itoa(n/1_000_000) + " M"
	}
	return strconv.Itoa(n)
}

// best is what the runs of one program over one stage came to.
type best struct {
	cpu, rss float64 // s, least; MiB, most
	sum      uint32  // of what was printed, the same each time
	counts   map[string]int64
}

// run runs the program once over input, or over what feed writes to its standard input.
func (b *best) run(ctx context.Context, program string, s evalStage, events int, input string, feed func(w io.Writer) error) error {
	cmd := exec.CommandContext(ctx, program, "eval", "-q", "-e", s.script, "--input", "device-telemetry="+input, "--arrival", "Timestamp")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	var fed chan error
	if feed != nil {
		in, err := cmd.StdinPipe()
		if err != nil {
			return fmt.Errorf("running eval: %w", err)
		}
		fed = make(chan error, 1)
		go func() { fed <- errors.Join(feed(in), in.Close()) }()
	}
	out := newRowCounter()
	cmd.Stdout = out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running eval: %w: %s", err, strings.TrimSpace(complaint.String()))
	}
	if fed != nil {
		if err := <-fed; err != nil {
			return fmt.Errorf("writing events to eval: %w", err)
		}
	}
	if wrong := s.check(out.counts, events); wrong != "" {
		return errors.New(wrong)
	}
	if b.counts != nil && b.sum != out.sum {
		return errors.New("two runs gave different rows")
	}
	b.sum, b.counts = out.sum, out.counts
	b.cpu = min(b.cpu, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	b.rss = max(b.rss, float64(peakMemory(cmd.ProcessState))/(1<<20))
	return nil
}

// rowCounter counts the rows that eval prints, by output, and the events that windows say
// they hold, and sums the bytes up.
type rowCounter struct {
	counts map[string]int64
	sum    uint32
	line   []byte // the part of one that has come
}

func newRowCounter() *rowCounter { return &rowCounter{counts: make(map[string]int64)} }

// Write implements io.Writer.
func (c *rowCounter) Write(b []byte) (int, error) {
	c.sum = crc32.Update(c.sum, castagnoli, b)
	for rest := b; ; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		c.line = append(c.line, line...)
		if !whole {
			return len(b), nil
		}
		c.row(c.line)
		c.line, rest = c.line[:0], after
	}
}

func (c *rowCounter) row(line []byte) {
	output, row, _ := bytes.Cut(bytes.TrimPrefix(line, []byte(`{"output":"`)), []byte(`","row":`))
	c.counts["rows."+string(output)]++
	if _, n, ok := bytes.Cut(row, []byte(`"EventCount":`)); ok {
		digits := n[:len(n)-len(bytes.TrimLeft(n, "0123456789"))]
		if x, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
			c.counts["events"] += x
		}
	}
}

// writeEvents makes a file of telemetry and returns its size.
func writeEvents(name string, devices, events int) (int64, error) {
	f, err := os.Create(name)
	if err != nil {
		return 0, fmt.Errorf("making the events: %w", err)
	}
	if err := errors.Join(generateTo(f, devices, events), f.Close()); err != nil {
		return 0, fmt.Errorf("making the events: %w", err)
	}
	st, err := os.Stat(name)
	if err != nil {
		return 0, fmt.Errorf("making the events: %w", err)
	}
	return st.Size(), nil
}

// generateTo writes events one a line. It holds none of them: what this process has
// held counts as memory of the children that it starts.
func generateTo(to io.Writer, devices, events int) error {
	f, err := simulator.New(simulator.Options{Devices: devices, Seed: 1, Interval: time.Second, Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(to, 256<<10)
	for range events {
		if _, err := w.Write(append(f.Next().Body, '\n')); err != nil {
			return err
		}
	}
	return w.Flush()
}
