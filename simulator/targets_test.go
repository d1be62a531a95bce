package simulator_test

import (
	"context"
	"net"
	"strings"
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
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
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
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	text := strings.Replace(connection, "127.0.0.1", l.Addr().String(), 1)
	target, err := simulator.NewAMQP(ctx, simulator.Connection{String: text, Hub: hubName})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
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
