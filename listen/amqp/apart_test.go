package amqp_test

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	listen "spate/listen/amqp"
	wire "spate/wire/amqp"
)

// A panic in any goroutine of a client ends that client.
func TestPanicEndsOneClient(t *testing.T) {
	var log *lines
	var bad atomic.Pointer[string]
	w := newWorld(t, func(o *listen.Options) {
		log = logged(o)
		o.Clock = func() time.Time {
			if where := bad.Load(); where != nil && strings.Contains(stack(), *where) {
				panic("a clock without hands")
			}
			return time.Now()
		}
	})
	for name, f := range map[string]func(r *raw){
		"attach(": func(r *raw) { r.attach(wire.Attach{Name: "l", Source: at("me"), Target: at("missing")}) },
		"pump(": func(r *raw) {
			a := receiverAt("3")
			a.Desired = []wire.Symbol{"com.microsoft:enable-receiver-runtime-metric"}
			r.attach(a)
			r.want(wire.CodeAttach)
			r.credit(0, 0, 10, false)
		},
		"tend(": func(*raw) {},
	} {
		served(t, w)
		eventually(t, "it goes", func() bool { return w.connections() == 0 })
		before := strings.Count(log.String(), "panic")
		r := dialKnown(t, w)
		bad.Store(&name)
		f(r)
		for b := make([]byte, 1000); ; {
			if _, err := r.conn.Read(b); err != nil {
				break
			}
		}
		bad.Store(nil)
		eventually(t, "it is off the books", func() bool { return w.connections() == 0 })
		if s := log.String(); strings.Count(s, "panic") == before || !strings.Contains(s, "listen/amqp") {
			t.Errorf("%s: the log says %q", name, s)
		}
		served(t, w)
	}
}

func stack() string {
	b := make([]byte, 16<<10)
	return string(b[:runtime.Stack(b, false)])
}

// A partition that does not answer holds back no answers of others, on other links and on
// the same.
func TestSlowPartitionHoldsBackNoOther(t *testing.T) {
	w := newWorld(t, nil)
	r := dialKnown(t, w)
	r.sender(hubName)
	r.attach(wire.Attach{Name: "t", Handle: 1, SndSettle: 2, Source: at("me"), Target: at(hubName + "/Partitions/1")})
	r.want(wire.CodeAttach)
	r.want(wire.CodeFlow)
	end := w.server.Stall(0, 0, w.hub.Partition(0))
	event := []byte("\x00\x53\x75\xa0\x01x")
	for id := uint32(1); id <= 8; id++ { // of both links, four to each partition in turn
		r.perform(0, wire.AppendTransfer(nil, &wire.Transfer{Handle: id % 2, HasID: true, ID: id}), event...)
	}
	// The link of the hub takes the partitions in turn: one of its four events goes to the
	// one that stands.
	answered := make(map[uint32]bool)
	for len(answered) < 7 {
		first, last, cond := r.settled()
		for id := first; id <= last; id++ {
			answered[id] = true
		}
		if cond != "" {
			t.Fatal(cond)
		}
	}
	// A detach of ours waits for the answers of its link.
	r.perform(0, wire.AppendDetach(nil, &wire.Detach{Closed: true}))
	r.silent()
	end()
	for answered := uint32(0); answered < 2; {
		first, last, _ := r.settled()
		answered += last - first + 1
	}
	r.want(wire.CodeDetach)
}

// What speaks something else is named in the log.
func TestLogNamesOtherProtocols(t *testing.T) {
	var log *lines
	w := newWorld(t, func(o *listen.Options) {
		log = logged(o)
		o.Ports = map[string]string{"amqps": "127.0.0.1:15671"}
	})
	kafka := []byte{0, 0, 0, 40, 0, 18, 0, 3, 0, 0, 0, 1, 0, 3, 'a', 'b', 'c'}
	for hello, want := range map[string]string{
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03": "this is TLS; the AMQPS port is 15671",
		"GET / HTTP/1.1\r\n\r\n":                       "this is HTTP; the HTTP port is another, by default 8790",
		"AMQP\x00\x00\x09\x01":                         "this is AMQP 0.x",
		string(kafka):                                  "this is Kafka; the Kafka port is another, by default 9092",
		"\x00\x00\x00\x00\x00\x00\x00\x00":             "the first bytes are not AMQP",
	} {
		r := dialRaw(t, w)
		r.write([]byte(hello))
		eventually(t, want, func() bool { return strings.Contains(log.String(), want) })
		r.conn.Close()
	}
}

// Answers are routed while receivers are taken away.
func TestTokensWhileReceiversAreStolen(t *testing.T) {
	w := newWorld(t, nil)
	r := dialKnown(t, w)
	r.node("$cbs", 1)
	receiver := func(epoch int64) wire.Attach {
		a := receiverAt("0")
		a.Properties, _ = wire.AppendValue(nil, wire.Map{{Key: wire.Symbol("com.microsoft:epoch"), Value: epoch}})
		return a
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		thief := dialKnown(t, w)
		for i := range int64(50) {
			a := receiver(100 + i)
			a.Handle = uint32(i)
			thief.conn.Write(performative(0, wire.AppendAttach(nil, &a)))
		}
		thief.conn.Write(performative(0, wire.AppendClose(nil, nil)))
		for b := make([]byte, 64<<10); ; {
			if _, err := thief.conn.Read(b); err != nil {
				return
			}
		}
	}()
	msg, _ := wire.AppendValue(wire.AppendDescriptor(nil, wire.SectionAppProperties), wire.Map{{Key: "operation", Value: "put-token"}})
	r.flood(func(write func([]byte)) {
		for id := range uint32(90) {
			a := receiver(int64(id))
			a.Handle = 10 + id
			write(performative(0, wire.AppendAttach(nil, &a)))
			write(performative(0, wire.AppendTransfer(nil, &wire.Transfer{Handle: 1, HasID: true, ID: id, Settled: true}), msg...))
		}
	})
	<-done
	served(t, w)
}
