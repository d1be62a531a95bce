// Package process runs another program beside this one: it waits until the program is
// ready, ends it in order, and reads what it has used.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a running program.
type Process struct {
	cmd   *exec.Cmd
	log   tail
	ended chan struct{} // closed when the process has ended
	cause error         // why; set before ended is closed
}

// Start runs cmd, whose standard error is kept for the errors of this package.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &p.log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.cause = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log is the end of what the process has written to standard error.
func (p *Process) Log() string { return p.log.String() }

// Poll asks until done says so, the process has ended, or limit is over.
func (p *Process) Poll(ctx context.Context, limit time.Duration, done func() (bool, error)) error {
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
		case <-p.ended:
			return fmt.Errorf("the server has ended: %v\n%s", p.cause, p.Log())
		case <-late.C:
			return fmt.Errorf("not done after %s\n%s", limit, p.Log())
		case <-tick.C:
		}
	}
}

// Stop ends the process in order. One that has ended by itself is no error here: whoever
// needed it has found out.
func (p *Process) Stop() error {
	select {
	case <-p.ended:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping the server: %w", err)
	}
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		err := p.cmd.Process.Kill()
		<-p.ended
		return errors.Join(errors.New("the server did not stop within a minute"), err)
	}
	var exit *exec.ExitError
	if errors.As(p.cause, &exit) && exit.ExitCode() == 128+int(syscall.SIGTERM) { // as Java ends
		return nil
	}
	if p.cause != nil {
		return fmt.Errorf("stopping the server: %w\n%s", p.cause, p.Log())
	}
	return nil
}

// tick is the unit of CPU times in /proc. Source: proc(5); USER_HZ is 100 on every
// architecture that Go runs on.
const tick = 10 * time.Millisecond

// CPU is the user and system time of the process so far.
func (p *Process) CPU() (time.Duration, error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID()) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("reading the CPU time of process %d: %w", p.PID(), err)
	}
	// The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
	f := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	var ticks int64
	for _, at := range []int{11, 12} {
		if at >= len(f) {
			return 0, fmt.Errorf("reading the CPU time of process %d: %q", p.PID(), raw)
		}
		n, err := strconv.ParseInt(f[at], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the CPU time of process %d: %w", p.PID(), err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// Peak is the most resident memory that the process has had, in MiB.
func (p *Process) Peak() (float64, error) { return Memory(strconv.Itoa(p.PID()), "VmHWM") }

// Memory is one of the sizes in /proc/PID/status, in MiB; pid may be self.
func Memory(pid, name string) (float64, error) {
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

// tail keeps the last bytes that were written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte // guarded by mu
}

const tailBytes = 16 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - tailBytes; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
