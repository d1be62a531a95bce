package spate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"spate/pipeline"
)

// One client too many is refused; who watches gets in, and there is room again when one
// leaves.
func TestConnectionsOfAPipelineAreCapped(t *testing.T) {
	p := run(t, pipeline.Options{Listen: pipeline.Listen{AMQP: "127.0.0.1:0", Kafka: "127.0.0.1:0", HTTP: "127.0.0.1:0", Health: "127.0.0.1:0", MaxConnections: 3}})
	e := p.Endpoints()
	var held []net.Conn
	for i := range 3 {
		nc, err := net.Dial("tcp", []string{e.AMQP, e.Kafka}[i%2])
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		held = append(held, nc)
	}
	until(t, "three clients", func() bool { return p.limits.connections.Open() == 3 })
	for _, at := range []string{e.AMQP, e.Kafka} {
		nc, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if _, err := nc.Read(make([]byte, 1)); err == nil {
			t.Errorf("a fourth client is served on %s", at)
		}
	}
	if n := p.counter("ConnectionsRefused"); n != 2 {
		t.Errorf("%d were refused", n)
	}
	for _, page := range []string{e.HTTP + "/healthz", e.HTTP + "/readyz", e.Health + "/health"} {
		if status, body := fetch(t, page); status != 200 {
			t.Errorf("%s: %d %s", page, status, body)
		}
	}
	held[0].Close()
	until(t, "a client to leave", func() bool { return p.limits.connections.Open() == 2 })
}

// A port of health that is taken stays closed where that is asked for.
func TestHealthPortIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	p := run(t, pipeline.Options{Listen: pipeline.Listen{HTTP: "127.0.0.1:0", Health: taken.Addr().String(), HealthIfFree: true}})
	if e := p.Endpoints(); e.Health != "" || e.HTTP == "" {
		t.Errorf("bound %+v", e)
	}
	o := pipeline.Options{Dir: t.TempDir(), Listen: pipeline.Listen{Health: taken.Addr().String()}}
	if p, err := Open(t.Context(), o); err == nil {
		p.Close()
		t.Error("the port was named, is taken, and nobody is told")
	}
}

func fetch(t *testing.T, page string) (int, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + page)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(body))
}

func TestSharesOfDescriptors(t *testing.T) {
	for _, c := range []struct {
		descriptors, connections int
		want                     string
	}{
		{1 << 31, 10_000, "1024 segments, 10000 connections: server.maxConnections"},
		{1 << 20, 1_000_000, "1024 segments, 1000000 connections: server.maxConnections"},
		{65_536, 10_000, "1024 segments, 10000 connections: server.maxConnections"},
		{1024, 10_000, "128 segments, 768 connections: file descriptors (ulimit -n)"},
		{256, 100, "32 segments, 100 connections: server.maxConnections"},
		{256, 10_000, "32 segments, 128 connections: file descriptors (ulimit -n)"},
		{64, 10_000, "16 segments, 8 connections: file descriptors (ulimit -n)"},
	} {
		s := share(c.descriptors, c.connections)
		if got := fmt.Sprintf("%d segments, %d connections: %s", s.segments, s.connections, s.setting); got != c.want {
			t.Errorf("%d descriptors: %s, want %s", c.descriptors, got, c.want)
		}
	}
}

// What strangers cause is logged within the budget of their host, over both protocols.
func TestLogOfStrangersIsBounded(t *testing.T) {
	var log lockedBuffer
	p := run(t, pipeline.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Listen: pipeline.Listen{AMQP: "127.0.0.1:0", Kafka: "127.0.0.1:0"}})
	e := p.Endpoints()
	for range 400 {
		for _, at := range []string{e.AMQP, e.Kafka} {
			nc, err := net.Dial("tcp", at)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(nc, "what is this? ", strings.Repeat("x", 100))
			if _, err := io.Copy(io.Discard, nc); err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Error(err)
			}
			nc.Close()
		}
	}
	until(t, "the end of the budget", func() bool { return strings.Contains(log.String(), "used up its minute of log") })
	if n := len(log.String()); n > 24<<10 {
		t.Errorf("%d bytes of log", n)
	}
}

// lockedBuffer is a log that a test reads while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
