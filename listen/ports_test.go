package listen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"spate/pipeline"
)

// echo is a protocol: it answers each connection with its name and closes it.
type echo struct {
	name string
	mu   sync.Mutex // guards the fields below
	open []net.Listener
	over bool
}

var errStopped = errors.New("stopped")

func (e *echo) Serve(ln net.Listener) error {
	e.mu.Lock()
	e.open = append(e.open, ln)
	over := e.over
	e.mu.Unlock()
	defer ln.Close()
	for !over {
		c, err := ln.Accept()
		if err != nil {
			break
		}
		if _, err := io.WriteString(c, e.name); err != nil {
			return err
		}
		c.Close()
	}
	return errStopped
}

func (e *echo) Shutdown(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	for _, ln := range e.open {
		ln.Close()
	}
	return nil
}

func answer(t *testing.T, c net.Conn, err error) string {
	t.Helper()
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	text, err := io.ReadAll(c)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// Two protocols are served, one over TLS too; the late one is there until the end.
func TestPortsOpenAndStopInOrder(t *testing.T) {
	dir := t.TempDir()
	var bound Addresses
	service := func(name string, late bool, ports ...Port) Service {
		return Service{Name: name, Ports: ports, Late: late, New: func(b Addresses) (Server, error) {
			bound = b
			return &echo{name: name}, nil
		}}
	}
	p, err := Open(Options{CertsDir: dir, Log: slog.New(slog.DiscardHandler)}, []Service{
		service("one", false, Port{Key: "one", Name: "ONE", At: "127.0.0.1:0"}, Port{Key: "ones", Name: "ONES", At: "127.0.0.1:0", TLS: true}),
		service("closed", false, Port{Key: "closed", Name: "CLOSED"}),
		service("late", true, Port{Key: "late", Name: "LATE", At: "127.0.0.1:0"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(bound) != 3 || bound["closed"] != "" {
		t.Errorf("bound %v", bound)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Serve(func(err error) { t.Errorf("failed: %v", err) })
	}()
	ask := func(key string) string {
		t.Helper()
		c, err := net.Dial("tcp", p.Bound()[key])
		return answer(t, c, err)
	}
	if got := ask("one"); got != "one" {
		t.Errorf("answer %q", got)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	c, err := tls.Dial("tcp", p.Bound()["ones"], &tls.Config{RootCAs: roots, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	if got := answer(t, c, nil); got != "one" {
		t.Errorf("answer over TLS %q", got)
	}
	p.Shutdown()
	if got := ask("one"); !strings.Contains(got, "refused") {
		t.Errorf("behind the stop: %q", got)
	}
	if got := ask("late"); got != "late" {
		t.Errorf("the late one: %q", got)
	}
	p.Close()
	p.Close()
	<-ended
	if got := ask("late"); !strings.Contains(got, "refused") {
		t.Errorf("behind the end: %q", got)
	}
}

func TestAPortThatFailsIsTold(t *testing.T) {
	p, err := Open(Options{Log: slog.New(slog.DiscardHandler)}, []Service{{Name: "one", Ports: []Port{{Key: "one", Name: "ONE", At: "127.0.0.1:0"}},
		New: func(Addresses) (Server, error) { return &echo{over: true}, nil }}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var failed error
	p.Serve(func(err error) { failed = err })
	if !errors.Is(failed, errStopped) || !strings.Contains(failed.Error(), "serving ONE on "+p.Bound()["one"]) {
		t.Errorf("failed %v", failed)
	}
}

func TestPortsThatCannotBeOpened(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := func(at string, next bool) (*Ports, error) {
		return Open(Options{Listen: pipeline.Listen{NextFree: next}, Log: slog.New(slog.DiscardHandler)}, []Service{{Name: "one",
			Ports: []Port{{Key: "first", Name: "FIRST", At: "127.0.0.1:0"}, {Key: "one", Name: "ONE", At: at}}, New: func(Addresses) (Server, error) { return new(echo), nil }}})
	}
	for at, want := range map[string]string{
		taken.Addr().String(): "opening the ONE listener",
		"0.0.0.0:0":           "only loopback is served without TLS",
		"nonsense":            "opening the ONE listener",
	} {
		if _, err := port(at, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", at, err)
		}
	}
	p, err := port(taken.Addr().String(), true)
	if err != nil || p.Bound()["one"] == "" || p.Bound()["one"] == taken.Addr().String() {
		t.Fatalf("the next free port: %v", err)
	}
	p.Close()
	if _, err := Open(Options{Log: slog.New(slog.DiscardHandler)}, []Service{{Name: "one", Ports: []Port{{Key: "one", Name: "ONE", At: "127.0.0.1:0"}},
		New: func(Addresses) (Server, error) { return nil, errors.New("no") }}}); err == nil || err.Error() != "starting the one listener: no" {
		t.Errorf("a server that cannot be made: %v", err)
	}
}
