package limit

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"spate/metric"
)

func TestConnectionsAreCapped(t *testing.T) {
	var out buffer
	rec := new(metric.Recorder)
	c := NewConnections(ConnectionOptions{Max: 2, Setting: "server.maxConnections", Log: NewLog(slog.New(slog.NewTextHandler(&out, nil))), Metrics: rec})
	var lns []net.Listener
	for range 2 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ln = c.Listen(ln)
		defer ln.Close()
		lns = append(lns, ln)
	}
	served := make(chan net.Conn)
	for _, ln := range lns {
		go func() {
			for {
				nc, err := ln.Accept()
				if err != nil {
					return
				}
				served <- nc
			}
		}()
	}
	dial := func(k int) net.Conn {
		nc, err := net.Dial("tcp", lns[k].Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		return nc
	}
	dial(0)
	first := <-served
	dial(1)
	<-served
	extra := dial(0)
	if _, err := extra.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the third is served: %v", err)
	}
	if c.Open() != 2 {
		t.Errorf("%d are open", c.Open())
	}
	first.Close()
	first.Close()
	if c.Open() != 1 {
		t.Errorf("%d are open", c.Open())
	}
	dial(0)
	<-served
	for _, ln := range lns {
		ln.Close()
	}
	if n := rec.Counter("ConnectionsRefused").Value(); n != 1 {
		t.Errorf("%d were refused", n)
	}
	log := out.take()
	if want := `msg="refused: too many connections are open" client=` + extra.LocalAddr().String() + " open=2 limit=server.maxConnections"; !strings.Contains(log, want) {
		t.Errorf("log %q, want %q", log, want)
	}
}

// failing fails so often, then accepts one, then waits for Close.
type failing struct {
	err   error
	times int
	gone  chan struct{}
}

func (f *failing) Accept() (net.Conn, error) {
	if f.times--; f.times >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", f.err)}
	}
	if f.times == -1 {
		a, _ := net.Pipe()
		return a, nil
	}
	<-f.gone
	return nil, net.ErrClosed
}

func (f *failing) Close() error   { close(f.gone); return nil }
func (f *failing) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5672} }

func TestAcceptIsTriedAgain(t *testing.T) {
	for err, want := range map[error]string{
		syscall.EMFILE:  "out of file descriptors: connections wait",
		syscall.ENFILE:  "out of file descriptors: connections wait",
		syscall.ENOBUFS: "accepting connections on 127.0.0.1:5672: accept: accept4: " + syscall.ENOBUFS.Error(),
	} {
		synctest.Test(t, func(t *testing.T) {
			var out buffer
			c := NewConnections(ConnectionOptions{Max: 2, Log: NewLog(slog.New(slog.NewTextHandler(&out, nil)))})
			ln := c.Listen(&failing{err: err, times: 12, gone: make(chan struct{})})
			var nc net.Conn
			go func() {
				var err error
				if nc, err = ln.Accept(); err != nil {
					t.Error(err)
				}
				if _, err = ln.Accept(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("behind the end: %v", err)
				}
			}()
			time.Sleep(time.Second)
			synctest.Wait()
			if p := c.Problem(); p == nil || p.Error() != want || nc != nil {
				t.Errorf("problem %v, want %s", p, want)
			}
			log := out.take()
			if n := strings.Count(log, `msg="connections wait"`); n < 5 || n > 10 {
				t.Errorf("%d lines of log in a second", n)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if p := c.Problem(); p != nil || nc == nil {
				t.Errorf("problem %v behind the trouble", p)
			}
			ln.Close()
			time.Sleep(2 * logPeriod)
		})
	}
}

// A listener that is closed while it rests returns.
func TestAcceptEndsInItsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewConnections(ConnectionOptions{Max: 2, Log: NewLog(slog.New(slog.NewTextHandler(io.Discard, nil)))})
		ln := c.Listen(&failing{err: syscall.EMFILE, times: 1 << 30, gone: make(chan struct{})})
		ended := make(chan error, 1)
		go func() {
			_, err := ln.Accept()
			ended <- err
		}()
		time.Sleep(time.Second)
		ln.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		time.Sleep(2 * logPeriod)
	})
}
