package workload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"spate"
	"spate/blob"
	"spate/console"
	"spate/lake/delta"
)

// server is a running `spate up`.
type server struct {
	cmd     *exec.Cmd
	dir     string // of the pipeline
	url     string // of the console
	log     bytes.Buffer
	ended   chan struct{} // closed when the process has ended
	cause   error         // why; set before ended is closed
	tables  map[string]*delta.Table
	counted lineCount
	began   time.Time     // of the load
	idle    time.Duration // CPU time before it
}

// startTime is how long a server may take to open its ports.
const startTime = 30 * time.Second

func startServer(ctx context.Context, exe, dir string) (*server, error) {
	s := &server{dir: dir, ended: make(chan struct{}), cmd: exec.Command(exe, "up", dir, "--ports", "auto", "--quiet"),
		tables: make(map[string]*delta.Table), counted: lineCount{path: filepath.Join(dir, "alerts.jsonl")}}
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	go func() {
		s.cause = s.cmd.Wait()
		close(s.ended)
	}()
	err := s.poll(ctx, startTime, func() (bool, error) {
		i, err := console.ReadInstance(filepath.Join(dir, "data"))
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		s.url = "http://" + i.Addresses["console"]
		return true, nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the server: %w", err), s.stop())
	}
	return s, nil
}

// poll asks until done says so, the server has ended, or limit is over.
func (s *server) poll(ctx context.Context, limit time.Duration, done func() (bool, error)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(limit)
	defer late.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ended:
			return fmt.Errorf("the server has ended: %v\n%s", s.cause, s.log.Bytes())
		case <-late.C:
			return fmt.Errorf("not done after %s", limit)
		case <-tick.C:
		}
	}
}

// stop ends the server in order.
func (s *server) stop() error {
	select {
	case <-s.ended:
		return nil
	default:
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping the server: %w", err)
	}
	select {
	case <-s.ended:
	case <-time.After(time.Minute):
		err := s.cmd.Process.Kill()
		<-s.ended
		return errors.Join(errors.New("the server did not stop within a minute"), err)
	}
	if s.cause != nil {
		return fmt.Errorf("stopping the server: %w\n%s", s.cause, s.log.Bytes())
	}
	return nil
}

func (s *server) status(ctx context.Context, into *spate.Status) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/status", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking the server for its status: %w", err)
	}
	defer resp.Body.Close()
	*into = spate.Status{}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("asking the server for its status: %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("reading the server's status: %w", err)
	}
	return nil
}

// rows is how many rows the newest version of a table has, by its log.
func (s *server) rows(ctx context.Context, name string) (int64, error) {
	t := s.tables[name]
	if t == nil {
		found, err := filepath.Glob(filepath.Join(s.dir, "data", "lake", "*", "*", "delta", name))
		if err != nil || len(found) != 1 {
			return 0, fmt.Errorf("looking for table %s: %d folders, %w", name, len(found), err)
		}
		if t, err = delta.Open(ctx, blob.NewLocal(filepath.Dir(found[0])), name); err != nil {
			return 0, err
		}
		s.tables[name] = t
	}
	snap, err := t.Snapshot(ctx)
	if err != nil {
		return 0, fmt.Errorf("counting the rows of %s: %w", name, err)
	}
	var n int64
	for _, a := range snap.Files() {
		var st struct{ NumRecords int64 }
		if err := json.Unmarshal([]byte(a.Stats), &st); err != nil {
			return 0, fmt.Errorf("counting the rows of %s: %w", name, err)
		}
		n += st.NumRecords
	}
	return n, nil
}

// lineCount counts the lines of a growing file, each once.
type lineCount struct {
	path  string
	at, n int64
}

func (l *lineCount) count() (int64, error) {
	f, err := os.Open(l.path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Seek(l.at, io.SeekStart); err != nil {
		return 0, err
	}
	buf := make([]byte, 1<<16)
	for {
		k, err := f.Read(buf)
		l.at, l.n = l.at+int64(k), l.n+int64(bytes.Count(buf[:k], []byte{'\n'}))
		if err == io.EOF {
			return l.n, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// cpuTick is the unit of CPU times in /proc. Source: proc(5); USER_HZ is 100 on every
// architecture that Go runs on.
const cpuTick = 10 * time.Millisecond

// processCPU is the user and system time of a process so far.
func processCPU(pid int) (time.Duration, error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("reading the CPU time of process %d: %w", pid, err)
	}
	// The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
	f := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	var ticks int64
	for _, at := range []int{11, 12} {
		if at >= len(f) {
			return 0, fmt.Errorf("reading the CPU time of process %d: %q", pid, raw)
		}
		n, err := strconv.ParseInt(f[at], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the CPU time of process %d: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * cpuTick, nil
}

// processMemory is one of the sizes in /proc/PID/status, in MiB.
func processMemory(pid, name string) (float64, error) {
	raw, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0, fmt.Errorf("reading the memory of process %s: %w", pid, err)
	}
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name+":" {
			kb, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				return 0, fmt.Errorf("reading the memory of process %s: %w", pid, err)
			}
			return kb / 1024, nil
		}
	}
	return 0, fmt.Errorf("process %s says no %s", pid, name)
}
