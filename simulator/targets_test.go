package simulator_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"spate/access"
	"spate/hub"
	"spate/listen/amqp"
	"spate/listen/kafka"
	"spate/simulator"
)

const (
	hubName    = "device-telemetry"
	key        = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I="
	connection = "Endpoint=sb://127.0.0.1;SharedAccessKeyName=root;SharedAccessKey=" + key + ";UseDevelopmentEmulator=true"
)

func namespace(t *testing.T) (*hub.Namespace, *access.Rules) {
	t.Helper()
	ns, err := hub.Open(t.Context(), hub.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	if _, err := ns.Create(t.Context(), hub.Spec{Name: hubName, Partitions: 4}); err != nil {
		t.Fatal(err)
	}
	rules, err := access.NewRules(access.Rule{Name: "root", Primary: key, Rights: access.Manage})
	if err != nil {
		t.Fatal(err)
	}
	return ns, rules
}

// stored counts the records of all partitions.
func stored(t *testing.T, ns *hub.Namespace) (n int64) {
	t.Helper()
	h, _ := ns.Hub(hubName)
	for i := range h.Partitions() {
		n += h.Partition(i).Bounds().Next
	}
	return n
}

func TestFleetSendsOverKafka(t *testing.T) {
	ns, rules := namespace(t)
	s, err := kafka.New(kafka.Options{Namespace: ns, Rules: rules, RequireAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	defer s.Shutdown(context.Background())
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	target, err := simulator.NewKafka(ctx, simulator.Connection{String: connection, Hub: hubName, Brokers: []string{l.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	f, err := simulator.New(simulator.Options{Devices: 200, Interval: time.Millisecond, Duration: 50 * time.Millisecond, Scenario: simulator.Mixed})
	if err != nil {
		t.Fatal(err)
	}
	beats := 0
	stats, err := f.Run(ctx, target, func(p simulator.Progress) {
		beats++
		if p.Err != nil {
			t.Error(p.Err)
		}
	})
	if err != nil || stats.Failed != 0 || stats.Batches != 50 || beats != 50 {
		t.Errorf("stats %+v after %d calls, %v", stats, beats, err)
	}
	if got := stored(t, ns); got != stats.Sent || got < 5000 {
		t.Errorf("%d events stored, %d sent", got, stats.Sent)
	}
	h, _ := ns.Hub(hubName) // small batches, and every partition has some
	for i := range h.Partitions() {
		if h.Partition(i).Bounds().Next == 0 {
			t.Errorf("%d batches, and none in partition %d of %d", stats.Batches, i, h.Partitions())
		}
	}
	lost, err := simulator.NewKafka(ctx, simulator.Connection{String: connection, Hub: "nope", Brokers: []string{l.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	defer lost.Close()
	if _, err := lost.Send(ctx, []simulator.Event{{Body: []byte("{}")}}); !errors.Is(err, simulator.ErrNoHub) {
		t.Errorf("a hub that does not exist: %v", err)
	}
	bad := strings.Replace(connection, key, "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3I=", 1)
	if _, err := simulator.NewKafka(ctx, simulator.Connection{String: bad, Hub: hubName, Brokers: []string{l.Addr().String()}}); !errors.Is(err, simulator.ErrUnauthorized) {
		t.Errorf("a wrong key: %v", err)
	}
	if _, err := simulator.NewKafka(ctx, simulator.Connection{String: connection + ";EntityPath=x", Brokers: []string{"127.0.0.1:1"}}); err == nil {
		t.Error("connected to a closed port")
	}
}

func TestFleetSendsOverAMQP(t *testing.T) {
	ns, rules := namespace(t)
	s, err := amqp.New(amqp.Options{Namespace: ns, Rules: rules, RequireAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	defer s.Shutdown(context.Background())
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	text := strings.Replace(connection, "127.0.0.1", l.Addr().String(), 1)
	target, err := simulator.NewAMQP(ctx, simulator.Connection{String: text, Hub: hubName})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	bad := strings.Replace(text, key, "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3I=", 1)
	if _, err := simulator.NewAMQP(ctx, simulator.Connection{String: bad, Hub: hubName}); !errors.Is(err, simulator.ErrUnauthorized) {
		t.Errorf("a wrong key: %v", err)
	}
	if _, err := simulator.NewAMQP(ctx, simulator.Connection{String: text, Hub: "nope"}); !errors.Is(err, simulator.ErrNoHub) {
		t.Errorf("a hub that does not exist: %v", err)
	}
	// 6000 events a beat do not fit into one batch.
	f, err := simulator.New(simulator.Options{Devices: 6000, Interval: time.Millisecond, Duration: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	stats, err := f.Run(ctx, target, func(p simulator.Progress) {
		if p.Err != nil {
			t.Error(p.Err)
		}
	})
	if err != nil || stats.Sent != 12_000 || stats.Failed != 0 {
		t.Errorf("stats %+v, %v", stats, err)
	}
	if got := stored(t, ns); got != 12_000 {
		t.Errorf("%d events stored, want 12000", got)
	}
}

// mute is a listener in front of addr whose answers stop when it is told so.
func mute(t *testing.T, addr string) (net.Listener, *atomic.Bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	silent := new(atomic.Bool)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", addr)
			if err != nil {
				in.Close()
				return
			}
			t.Cleanup(func() { in.Close(); out.Close() })
			go io.Copy(out, in)
			go func() {
				buf := make([]byte, 4096)
				for {
					n, err := out.Read(buf)
					if err != nil || silent.Load() {
						return
					}
					in.Write(buf[:n])
				}
			}()
		}
	}()
	return l, silent
}

func TestKafkaSendEndsWithItsContext(t *testing.T) {
	ns, rules := namespace(t)
	back, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front, silent := mute(t, back.Addr().String())
	s, err := kafka.New(kafka.Options{Namespace: ns, Rules: rules, RequireAuth: true, Advertise: front.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(back)
	defer s.Shutdown(context.Background())
	target, err := simulator.NewKafka(t.Context(), simulator.Connection{String: connection, Hub: hubName, Brokers: []string{front.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	event := []simulator.Event{{Body: []byte(`{}`), Time: time.Now()}}
	if n, err := target.Send(t.Context(), event); n != 1 || err != nil {
		t.Fatalf("%d sent, %v", n, err)
	}
	silent.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := target.Send(ctx, event)
		ended <- err
	}()
	for end := time.Now().Add(10 * time.Second); stored(t, ns) < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the second event did not arrive")
		}
	}
	cancel() // the event is on its way, its answer never comes
	select {
	case err := <-ended:
		if err == nil {
			t.Error("an event without an answer counts as sent")
		}
		target.Close()
	case <-time.After(60 * time.Second):
		t.Fatal("Send waits for an answer after its context ended")
	}
}

func TestAMQPOverTLSOnAPortOfItsOwn(t *testing.T) {
	ns, rules := namespace(t)
	dir := t.TempDir()
	certs, err := access.InitCerts(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	secure, err := access.LoadTLS(dir)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(certs.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	s, err := amqp.New(amqp.Options{Namespace: ns, Rules: rules, RequireAuth: true, TLS: secure})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.ServeTLS(l)
	defer s.Shutdown(context.Background())
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	text := "Endpoint=sb://localhost:" + port + ";SharedAccessKeyName=root;SharedAccessKey=" + key
	target, err := simulator.NewAMQP(t.Context(), simulator.Connection{String: text, Hub: hubName, TLS: &tls.Config{RootCAs: roots}})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	if n, err := target.Send(t.Context(), []simulator.Event{{Body: []byte("{}")}}); n != 1 || err != nil {
		t.Errorf("%d sent, %v", n, err)
	}
}
