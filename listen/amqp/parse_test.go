package amqp

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"spate/hub"
	"spate/metric"
	wire "spate/wire/amqp"
)

// P06, P08, N04.
func TestAddresses(t *testing.T) {
	for in, want := range map[string]address{
		"hub":                               {hub: "hub"},
		"/a/b":                              {hub: "a/b"},
		"amqps://h:5671/a/b/Partitions/3":   {hub: "a/b", partition: "3"},
		"hub/publishers/device/":            {hub: "hub", publisher: "device"},
		"hub/consumergroups/G/partitions/0": {hub: "hub", group: "G", partition: "0"},
		"hub/ConsumerGroups/$Default":       {hub: "hub", group: "$Default"},
		"Partitions/0":                      {hub: "Partitions/0"},
		"hub/Partitions/":                   {hub: "hub/Partitions"},
		"$cbs":                              {node: nodeCBS},
		"a/b/$management":                   {node: nodeManagement, hub: "a/b"},
		"amqp://h/$management":              {node: nodeManagement},
		"":                                  {},
	} {
		got := parseAddress(in)
		if got.path = ""; got != want {
			t.Errorf("%s: got %+v, want %+v", in, got, want)
		}
	}
}

func TestSelectors(t *testing.T) {
	for in, want := range map[string]start{
		"amqp.annotation.x-opt-offset > '-1'":               {by: byOldest},
		"amqp.annotation.x-opt-offset >= '@latest'":         {by: byLatest, inclusive: false},
		"amqp.annotation.x-opt-offset>'12'":                 {by: byOffset, value: 12},
		"amqp.annotation.x-opt-offset >= '12'":              {by: byOffset, value: 12, inclusive: true},
		"amqp.annotation.x-opt-sequence-number >= '0'":      {by: bySequence, inclusive: true},
		" amqp.annotation.x-opt-enqueued-time > '1795348' ": {by: byTime, value: 1795348},
	} {
		if got, bad := parseSelector(in); bad != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", in, got, bad, want)
		}
	}
	for _, in := range []string{"", "x-opt-offset > '1'", "amqp.annotation.x-opt-offset > 1", "amqp.annotation.x-opt-offset = '1'", "amqp.annotation.x-opt-offset > '", "amqp.annotation.x-opt-offset > '1' AND x"} {
		if got, bad := parseSelector(in); bad == nil {
			t.Errorf("%s: accepted as %+v", in, got)
		}
	}
}

// R01 to R04: where a receiver begins in a log that ends at 10 and holds
// nothing later than 5000 ms.
func TestStartsResolve(t *testing.T) {
	at := func(ms int64) (int64, error) { return min(ms/500, 10), nil }
	for _, f := range []struct {
		st              start
		offset, minTime int64
		refused         wire.Symbol
	}{
		{start{by: byOldest}, 0, 0, ""},
		{start{by: byLatest}, 10, 0, ""},
		{start{by: byOffset, value: 9}, 10, 0, ""},
		{start{by: byOffset, value: 10}, 0, 0, condArgument},
		{start{by: byOffset, value: 10, inclusive: true}, 10, 0, ""},
		{start{by: bySequence, value: 11, inclusive: true}, 0, 0, condArgument},
		{start{by: bySequence, value: -1}, 0, 0, ""},
		{start{by: byTime, value: 1000, inclusive: true}, 2, 1000, ""},
		{start{by: byTime, value: 1499}, 3, 1500, ""},
		{start{by: byTime, value: 99999}, 10, 100000, ""},
	} {
		offset, minTime, bad := f.st.resolve(10, at)
		got := wire.Symbol("")
		if bad != nil {
			got = bad.Condition
		}
		if offset != f.offset || minTime != f.minTime || got != f.refused {
			t.Errorf("%+v: got %d, %d, %q, want %+v", f.st, offset, minTime, got, f)
		}
	}
}

func FuzzAddress(f *testing.F) {
	f.Add("amqps://h/a/ConsumerGroups/g/Partitions/0")
	f.Add("//Partitions//")
	f.Fuzz(func(t *testing.T, s string) {
		a := parseAddress(s)
		// A hub's name that looks like the beginning of a URL is not read back.
		if a.group != "" && a.partition != "" && !strings.ContainsAny(a.hub, ":/") {
			if again := parseAddress(fmt.Sprintf("%s/ConsumerGroups/%s/Partitions/%s", a.hub, a.group, a.partition)); again.group != a.group || again.partition != a.partition {
				t.Errorf("%q: %+v, again %+v", s, a, again)
			}
		}
	})
}

func FuzzSelector(f *testing.F) {
	f.Add("amqp.annotation.x-opt-offset >= '12'")
	f.Fuzz(func(t *testing.T, s string) {
		if st, bad := parseSelector(s); bad == nil && st.by > byTime {
			t.Errorf("%q: %+v", s, st)
		}
	})
}

// FuzzConnection sends bytes behind an orderly opening. Whatever they are, the
// connection ends when the client goes, and nothing panics.
func FuzzConnection(f *testing.F) {
	ns, err := hub.Open(f.Context(), hub.Options{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	defer ns.Close()
	if _, err := ns.Create(f.Context(), hub.Spec{Name: "h", Partitions: 1}); err != nil {
		f.Fatal(err)
	}
	panics := new(panicLog)
	s, err := New(Options{Namespace: ns, Log: slog.New(panics)})
	if err != nil {
		f.Fatal(err)
	}
	frame := func(b, p []byte) []byte {
		b, at := wire.OpenFrame(b, wire.FrameAMQP, 0)
		return wire.CloseFrame(append(b, p...), at)
	}
	prefix := frame([]byte(wire.HeaderAMQP), wire.AppendOpen(nil, &wire.Open{ContainerID: "f", MaxFrameSize: 65536}))
	prefix = frame(prefix, wire.AppendBegin(nil, &wire.Begin{IncomingWindow: 100, OutgoingWindow: 100}))
	for _, addr := range []string{"h", "$cbs", "h/ConsumerGroups/$Default/Partitions/0"} {
		for _, receiver := range []bool{false, true} {
			end := &wire.Terminus{HasAddress: true, Address: addr}
			seed := frame(nil, wire.AppendAttach(nil, &wire.Attach{Name: "l", Receiver: receiver, Source: end, Target: end}))
			seed = frame(seed, append(wire.AppendTransfer(nil, &wire.Transfer{HasID: true}), "\x00\x53\x75\xa0\x01x"...))
			seed = frame(seed, wire.AppendFlow(nil, &wire.Flow{Link: true, HasCredit: true, Credit: 5, Drain: true, Echo: true}))
			seed = frame(seed, wire.AppendDetach(nil, &wire.Detach{Closed: true}))
			f.Add(frame(seed, wire.AppendEnd(nil, nil)))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		client, server := net.Pipe()
		done := make(chan struct{})
		go func() { s.ServeConn(server); close(done) }()
		go io.Copy(io.Discard, client)
		client.SetWriteDeadline(time.Now().Add(5 * time.Second))
		client.Write(append(prefix[:len(prefix):len(prefix)], b...))
		client.Close()
		select {
		case <-done:
		case <-time.After(60 * time.Second):
			t.Fatal("the connection did not end")
		}
		if text := panics.text.Load(); text != nil {
			t.Fatal(*text)
		}
	})
}

// panicLog keeps what is logged of panics, which end nothing but their connection.
type panicLog struct{ text atomic.Pointer[string] }

func (p *panicLog) Enabled(context.Context, slog.Level) bool { return true }
func (p *panicLog) WithAttrs([]slog.Attr) slog.Handler       { return p }
func (p *panicLog) WithGroup(string) slog.Handler            { return p }
func (p *panicLog) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "panic") {
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += "\n" + a.String(); return true })
		p.text.Store(&text)
	}
	return nil
}

// P15, P16: which condition an error of the hub becomes, and how it is counted.
func TestConditionsOfHubErrors(t *testing.T) {
	rec := new(metric.Recorder)
	var all counters
	all.open(rec)
	c := all.of("h")
	for _, f := range []struct {
		err    error
		cond   wire.Symbol
		metric string
		result string
	}{
		{hub.ErrDiskFull, condLimit, "QuotaExceededErrors", "QuotaExceeded"},
		{hub.ErrTooLarge, condTooLarge, "UserErrors", "ClientError"},
		{hub.ErrDeleted, condDetachForced, "ServerErrors", "InternalServerError"},
		{hub.ErrOffline, condInternal, "ServerErrors", "InternalServerError"},
		{io.ErrUnexpectedEOF, condInternal, "ServerErrors", "InternalServerError"},
	} {
		e := ofHub(fmt.Errorf("append: %w", f.err))
		counter := rec.Counter(f.metric, "EntityName", "h", "OperationResult", f.result)
		before := counter.Value()
		c.count(e)
		if e.Condition != f.cond || counter.Value() != before+1 {
			t.Errorf("%v: %s, counted %d as %s", f.err, e.Condition, counter.Value()-before, f.metric)
		}
	}
}
