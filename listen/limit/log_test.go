package limit

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// buffer is written and read by several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// take empties it.
func (b *buffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.b.Reset()
	return b.b.String()
}

func (l *Log) remembered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.clients)
}

func TestLogOfOneClientIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		l := NewLog(slog.New(slog.NewTextHandler(&out, nil)))
		for i := range 1000 { // over many connections
			l.For(fmt.Sprintf("10.0.0.1:%d", 1000+i)).With("conn", i).Info("refused link", "name", strings.Repeat("x", 100))
		}
		l.For("10.0.0.2:1").Info("another client")
		log := out.take()
		if n := len(log); n < logBytes/2 || n > logBytes+1000 {
			t.Errorf("%d bytes of log", n)
		}
		shown := strings.Count(log, "refused link")
		for _, want := range []string{`msg="this client has used up its minute of log" client=10.0.0.1`, `msg="another client" client=10.0.0.2:1`} {
			if strings.Count(log, want) != 1 {
				t.Errorf("%q is not there once", want)
			}
		}
		time.Sleep(2 * logPeriod)
		synctest.Wait()
		log = out.take()
		if want := fmt.Sprintf("client=10.0.0.1 lines=%d\n", 1000-shown); strings.Count(log, "\n") != 1 || !strings.HasSuffix(log, want) {
			t.Errorf("at the end of the minute: %q, want %q", log, want)
		}
		l.For("10.0.0.1:1").Info("again")
		if !strings.Contains(out.take(), "again") {
			t.Error("nothing is logged in the next minute")
		}
		time.Sleep(2 * logPeriod)
		synctest.Wait()
		if n := l.remembered(); n != 0 || out.take() != "" {
			t.Errorf("%d clients are remembered behind their minutes", n)
		}
	})
}

func TestLogRemembersSoManyClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		l := NewLog(slog.New(slog.NewTextHandler(&out, nil)))
		for i := range 2 * logClients {
			l.For(fmt.Sprintf("10.1.%d.%d:1", i/256, i%256)).Info("refused")
		}
		if n := l.remembered(); n != logClients+1 || !strings.Contains(out.take(), `client=others`) {
			t.Errorf("%d clients are remembered", n)
		}
		time.Sleep(2 * logPeriod)
		synctest.Wait()
	})
}

func TestClientsOfOneBudget(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.1:5672":             "10.0.0.1",
		"10.0.0.1":                  "10.0.0.1",
		"[::ffff:10.0.0.1]:1":       "10.0.0.1",
		"[2001:db8:1:2:3:4:5:6]:99": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:99":         "fe80::/64",
		"pipe":                      "pipe",
	} {
		if got := hostOf(in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

// A line that nobody wants costs nothing.
func TestLogBelowItsLevelIsFree(t *testing.T) {
	l := NewLog(slog.New(slog.NewTextHandler(io.Discard, nil)))
	l.For("10.0.0.1:1").Debug("opened")
	if l.remembered() != 0 {
		t.Error("a line of debug was counted")
	}
	var none *Log
	none.For("10.0.0.1:1").Error("nothing")
}
