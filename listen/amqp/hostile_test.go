package amqp_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/access"
	listen "spate/listen/amqp"
	"spate/listen/limit"
	wire "spate/wire/amqp"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

const (
	unknownBound = 4 << 20 // what a connection may cost before it has shown a key
	knownBound   = 64 << 20
)

// heap is what is alive.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// costs checks what f keeps alive, and that another client is served meanwhile.
func costs(t *testing.T, w *world, bound int64, f func()) {
	t.Helper()
	served(t, w)
	before, goroutines := heap(), runtime.NumGoroutine()
	f()
	if more := heap() - before; more > bound {
		t.Errorf("the attack costs %d KiB, want at most %d", more>>10, bound>>10)
	}
	if n := runtime.NumGoroutine() - goroutines; n > 100 {
		t.Errorf("%d goroutines more", n)
	}
	served(t, w)
}

// served checks that a client with a key sends and receives.
func served(t *testing.T, w *world) {
	t.Helper()
	r := dialKnown(t, w)
	defer r.conn.Close()
	r.conn.SetDeadline(time.Now().Add(10 * time.Second))
	r.sender(hubName + "/Partitions/3")
	r.send(0, 0, []byte("\x00\x53\x75\xa0\x01x"), 100)
	if _, _, cond := r.settled(); cond != "" {
		t.Errorf("another client's event: %s", cond)
	}
	a := receiverAt("3")
	a.Handle = 1
	r.attach(a)
	r.want(wire.CodeAttach)
	r.credit(1, 0, 1, false)
	r.want(wire.CodeTransfer)
}

// dialKnown opens a connection with the root key.
func dialKnown(t testing.TB, w *world) *raw {
	t.Helper()
	r := dialRaw(t, w)
	b := []byte(wire.HeaderSASL)
	b, at := wire.OpenFrame(b, wire.FrameSASL, 0)
	b, list := wire.OpenList(wire.AppendDescriptor(b, wire.CodeInit), 2)
	b = wire.AppendBinary(wire.AppendSymbol(b, "PLAIN"), "\x00"+access.RootRule+"\x00"+rootKey)
	b = wire.CloseFrame(wire.CloseCompound(b, list), at)
	b = append(b, wire.HeaderAMQP...)
	b = append(b, performative(0, wire.AppendOpen(nil, &wire.Open{ContainerID: "known", MaxFrameSize: 65536}))...)
	r.write(append(b, performative(0, wire.AppendBegin(nil, &wire.Begin{IncomingWindow: 5000, OutgoingWindow: 5000, HandleMax: 255}))...))
	r.read(8)
	r.want(wire.CodeMechanisms)
	r.want(wire.CodeOutcome)
	r.read(8)
	r.want(wire.CodeOpen)
	r.want(wire.CodeBegin)
	return r
}

// flood writes while the server reads, and returns when it does so no more or all is
// written and read.
func (r *raw) flood(frames func(write func(b []byte))) {
	r.t.Helper()
	done := make(chan struct{})
	go func() { // answers are read, or the server would stop reading
		defer close(done)
		b := make([]byte, 64<<10)
		for {
			if _, err := r.conn.Read(b); err != nil {
				return
			}
		}
	}()
	var buf []byte
	failed := false
	flush := func() {
		if _, err := r.conn.Write(buf); err != nil {
			failed = true
		}
		buf = buf[:0]
	}
	frames(func(b []byte) {
		if buf = append(buf, b...); len(buf) > 256<<10 && !failed {
			flush()
		}
	})
	flush()
	r.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	<-done
}

// lines collects a log.
type lines struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func logged(o *listen.Options) *lines {
	l := new(lines)
	o.Log = slog.New(slog.NewTextHandler(l, nil))
	return l
}

// Few bytes that would decode to very many values: in properties of open, before any key,
// and in requests to nodes.
func TestArraysThatBlowUp(t *testing.T) {
	w := newWorld(t, nil)
	array := append(binary.BigEndian.AppendUint32([]byte{0xf0, 0, 0, 0, 5}, 65536), 0x40)
	bomb, list := wire.OpenMap(nil, 2*1200)
	for range 1200 {
		bomb = append(append(bomb, 0xa1, 0), array...)
	}
	bomb = wire.CloseCompound(bomb, list)
	var r *raw
	var before, after runtime.MemStats
	costs(t, w, unknownBound, func() {
		runtime.ReadMemStats(&before)
		r = dialRaw(t, w)
		r.openAs(wire.Open{ContainerID: "bomb", MaxFrameSize: 65536, Properties: bomb})
		r.node("$cbs", 0)
		msg := append(wire.AppendDescriptor(nil, wire.SectionAppProperties), bomb...)
		for id := range uint32(20) {
			r.perform(0, wire.AppendTransfer(nil, &wire.Transfer{HasID: true, ID: id, Settled: true}), msg...)
		}
		r.silent()
		runtime.ReadMemStats(&after)
	})
	if made := after.TotalAlloc - before.TotalAlloc; made > 16<<20 {
		t.Errorf("%d MiB were made on the way", made>>20)
	}
}

// Deliveries that never end: without a key on $cbs, with one on a hub.
func TestUnfinishedDeliveries(t *testing.T) {
	w := newWorld(t, nil)
	part := bytes.Repeat([]byte("x"), 50_000)
	flood := func(r *raw, address string, links, parts int) {
		r.flood(func(write func([]byte)) {
			for i := range uint32(links) {
				write(performative(0, wire.AppendAttach(nil, &wire.Attach{Name: fmt.Sprint(i), Handle: i, SndSettle: 2, Source: at("me"), Target: at(address)})))
				for n := range parts {
					write(performative(0, wire.AppendTransfer(nil, &wire.Transfer{Handle: i, HasID: n == 0, ID: i, More: true}), part...))
				}
			}
		})
	}
	var r *raw
	costs(t, w, unknownBound, func() {
		r = dialRaw(t, w)
		r.open()
		flood(r, "$cbs", 64, 1)
	})
	r.conn.Close()
	costs(t, w, knownBound, func() {
		r = dialKnown(t, w)
		flood(r, hubName, 100, 20)
	})
}

// Requests whose answers wait for credit that never comes, and repeat a long id.
func TestAnswersWithoutCredit(t *testing.T) {
	w := newWorld(t, nil)
	costs(t, w, unknownBound, func() {
		r := dialRaw(t, w)
		r.open()
		r.node("$cbs", 0)
		msg, list := wire.OpenList(wire.AppendDescriptor(nil, wire.SectionProperties), 1)
		msg = wire.CloseCompound(wire.AppendString(msg, strings.Repeat("i", 60_000)), list)
		msg, _ = wire.AppendValue(wire.AppendDescriptor(msg, wire.SectionAppProperties), wire.Map{{Key: "operation", Value: "put-token"}})
		r.flood(func(write func([]byte)) {
			for id := range uint32(900) {
				write(performative(0, wire.AppendTransfer(nil, &wire.Transfer{HasID: true, ID: id, Settled: true}), msg...))
			}
		})
	})
}

// Refused links with long names, tokens of rules with long names, commands that are texts:
// none fills the log.
func TestLogOfOneClientIsBounded(t *testing.T) {
	var log *lines
	w := newWorld(t, func(o *listen.Options) { log = logged(o) })
	long := strings.Repeat("n", 25_000)
	r := dialRaw(t, w)
	r.open()
	r.flood(func(write func([]byte)) {
		for range 300 {
			write(performative(0, wire.AppendAttach(nil, &wire.Attach{Name: long, SndSettle: 2, Source: at("me"), Target: at(long)})))
			write(performative(0, wire.AppendDetach(nil, &wire.Detach{Closed: true})))
		}
		msg, _ := wire.AppendValue(wire.AppendDescriptor(nil, wire.SectionAppProperties), wire.Map{{Key: "operation", Value: "put-token"}, {Key: "name", Value: "n"}})
		msg, _ = wire.AppendValue(wire.AppendDescriptor(msg, wire.SectionValue), "SharedAccessSignature sr=x&sig=y&se=1&skn="+long)
		write(performative(0, wire.AppendAttach(nil, &wire.Attach{Name: "c", SndSettle: 2, Source: at("$cbs"), Target: at("$cbs")})))
		for id := range uint32(100) {
			write(performative(0, wire.AppendTransfer(nil, &wire.Transfer{HasID: true, ID: id}), msg...))
		}
	})
	s := log.String()
	if len(s) > 24<<10 || strings.Count(s, "refused link") < 10 {
		t.Errorf("%d bytes of log, %d refused links in it", len(s), strings.Count(s, "refused link"))
	}
	if strings.Contains(s, long[:200]) {
		t.Error("a name stands in the log uncut")
	}
	served(t, w)
}

// A client without a key has few sessions and links.
func TestSessionsAndLinksWithoutAKey(t *testing.T) {
	w := newWorld(t, nil)
	begin := wire.AppendBegin(nil, &wire.Begin{IncomingWindow: 10, OutgoingWindow: 10})
	r := dialRaw(t, w)
	r.open()
	for channel := range uint16(31) {
		r.perform(channel+1, begin)
		r.want(wire.CodeBegin)
	}
	r.perform(40, begin)
	if got := conditionOf(t, r.want(wire.CodeClose)); got != "amqp:resource-limit-exceeded" {
		t.Errorf("the 33rd session: %s", got)
	}
	r = dialRaw(t, w)
	r.open()
	for handle := range uint32(64) {
		r.attach(wire.Attach{Name: fmt.Sprint(handle), Handle: handle, Receiver: true, Source: at("$cbs"), Target: at("me")})
		r.want(wire.CodeAttach)
	}
	r.attach(wire.Attach{Name: "more", Handle: 64, Receiver: true, Source: at("$cbs"), Target: at("me")})
	if got := conditionOf(t, r.want(wire.CodeClose)); got != "amqp:resource-limit-exceeded" {
		t.Errorf("the 65th link: %s", got)
	}
}

// A client with a key has what the service gives, and no more than fits.
func TestSessionsAndLinksWithAKey(t *testing.T) {
	w := newWorld(t, nil)
	costs(t, w, knownBound, func() {
		r := dialKnown(t, w)
		r.flood(func(write func([]byte)) {
			for channel := range uint16(4999) {
				write(performative(channel+1, wire.AppendBegin(nil, &wire.Begin{IncomingWindow: 10, OutgoingWindow: 10})))
				for handle := range uint32(10) {
					write(performative(channel+1, wire.AppendAttach(nil, &wire.Attach{Name: "l", Handle: handle, Source: at("me"), Target: at(hubName)})))
				}
			}
		})
	})
}

// Tokens are counted.
func TestTokensOfAConnection(t *testing.T) {
	w := newWorld(t, nil)
	r := dialRaw(t, w)
	r.open()
	r.node("$cbs", 0)
	token := access.Sign("sb://h/", access.RootRule, rootKey, time.Now().Add(time.Hour))
	var last wire.Map
	for id := range uint32(1001) {
		r.request(0, id, true, "id", wire.Map{{Key: "operation", Value: "put-token"}, {Key: "name", Value: fmt.Sprint("sb://h/", id)}}, token)
		for last = nil; last == nil; {
			f := r.next()
			if f.code == wire.CodeFlow {
				continue
			}
			_, after, _ := wire.NextSection(f.payload)
			s, _, _ := wire.NextSection(after)
			v, _, err := wire.Decode(s.Value)
			if err != nil {
				t.Fatal(err)
			}
			last = v.(wire.Map)
		}
		if want := int32(202); id < 1000 && last.Get("status-code") != want {
			t.Fatalf("token %d: %v", id, last)
		}
	}
	if last.Get("status-code") != int32(403) || w.server.Grants() != 1000 {
		t.Errorf("the token too many: %v, %d are held", last, w.server.Grants())
	}
}

// Whoever does not open, or opens and shows no key, goes; whoever has shown one stays.
func TestKeyTimeout(t *testing.T) {
	w := newWorld(t, func(o *listen.Options) { o.KeyTimeout = 250 * time.Millisecond })
	known := dialKnown(t, w)
	silent, header, opened := dialRaw(t, w), dialRaw(t, w), dialRaw(t, w)
	header.write([]byte(wire.HeaderSASL))
	opened.open()
	stop := make(chan struct{})
	go func() { // frames alone keep nobody
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				opened.conn.Write(performative(0, wire.AppendFlow(nil, &wire.Flow{IncomingWindow: 10})))
			}
		}
	}()
	defer close(stop)
	silent.over()
	header.read(8)
	header.want(wire.CodeMechanisms)
	header.over()
	if got := conditionOf(t, opened.want(wire.CodeClose)); got != "amqp:connection:forced" {
		t.Errorf("no token: %s", got)
	}
	known.silent()
	served(t, w)
}

// Receivers that ask for everything and read nothing: what waits for them is bounded over
// all connections, they are dropped, and everybody else is served meanwhile.
func TestReceiversThatDoNotRead(t *testing.T) {
	const total = 6 << 20
	answers := limit.NewMemory(total)
	w := newWorld(t, func(o *listen.Options) { o.Answers, o.WriteTimeout = answers, 900*time.Millisecond })
	w.fill(t, "0", 30, 500_000)
	var all []*raw
	costs(t, w, 24<<20, func() {
		for i := range 10 {
			r := dialKnown(t, w)
			r.conn.(*net.TCPConn).SetReadBuffer(4096)
			a := receiverAt("0")
			if i%2 == 1 {
				a.Source = at(hubName + "/ConsumerGroups/second/Partitions/0")
			}
			r.attach(a)
			r.credit(0, 0, 1<<31-1, false)
			all = append(all, r)
		}
		eventually(t, "answers wait", func() bool { return answers.Taken() > total-1<<20 })
	})
	eventually(t, "all are dropped", func() bool { return w.connections() == 0 })
	if n := answers.Taken(); n != 0 {
		t.Errorf("%d bytes were not given back", n)
	}
	runtime.KeepAlive(all)
}

// fill appends large events to a partition.
func (w *world) fill(t testing.TB, partition string, n, size int) {
	t.Helper()
	r := dialKnown(t, w)
	defer r.conn.Close()
	r.sender(hubName + "/Partitions/" + partition)
	msg := wire.AppendBinary(wire.AppendDescriptor(nil, wire.SectionData), bytes.Repeat([]byte("x"), size))
	for id := range uint32(n) {
		r.send(id, 0, msg, 60_000)
		if _, _, cond := r.settled(); cond != "" {
			t.Fatal(cond)
		}
	}
}

func (w *world) connections() int {
	return int(w.metrics.Gauge("ActiveConnections", "EntityName", "-NamespaceOnlyMetric-", "Listener", "amqp").Value())
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// A connection that rests costs little, one that has sent much too.
func TestIdleConnectionsAreSmall(t *testing.T) {
	w := newWorld(t, func(o *listen.Options) {
		o.RequireAuth = false
		o.SetRest(50 * time.Millisecond)
	})
	const n = 300
	try := func(name string, busy bool) {
		served(t, w)
		eventually(t, "other clients go", func() bool { return w.connections() == 0 })
		before, goroutines := heap(), runtime.NumGoroutine()
		var all []*raw
		for range n {
			r := dialRaw(t, w)
			r.open()
			if busy {
				r.sender(hubName + "/Partitions/0")
				r.send(0, 0, wire.AppendBinary(wire.AppendDescriptor(nil, wire.SectionData), make([]byte, 100_000)), 60_000)
				r.settled()
			}
			all = append(all, r)
		}
		each := int64(0)
		small := func() bool {
			each = (heap() - before) / n
			return each <= 24<<10 && runtime.NumGoroutine()-goroutines < n+20
		}
		for deadline := time.Now().Add(2 * time.Second); !small() && time.Now().Before(deadline); {
			time.Sleep(50 * time.Millisecond)
		}
		if !small() {
			t.Errorf("%s: %d bytes and %.1f goroutines each, both ends counted", name, each, float64(runtime.NumGoroutine()-goroutines)/n)
		}
		t.Logf("%s: %d bytes", name, each)
		for _, r := range all {
			r.conn.Close()
		}
		eventually(t, "they go", func() bool { return w.connections() == 0 })
	}
	try("opened", false)
	try("after a large event", true)
}

// A record of very many headers is taken apart in a time that grows with their number
// alone, and the last of a name counts.
func TestManyHeadersOfOneName(t *testing.T) {
	w := newWorld(t, nil)
	for _, n := range []int{3, 100_000} {
		headers := []string{"first", "1"}
		for i := range n {
			headers = append(headers, "same", string(rune('a'+i%26)))
		}
		ticket := w.hub.Partition(0).AppendBatch(kafkaBatch(time.Now().UnixMilli(), kafkaRecord{nil, []byte("v"), headers}))
		<-ticket.Done()
		if ticket.Err() != nil {
			t.Fatal(ticket.Err())
		}
		e := receive(t, w.consumer(t, azeventhubs.DefaultConsumerGroup), "0", azeventhubs.StartPosition{Offset: ptr(fmt.Sprint(ticket.Offset())), Inclusive: true}, 1)[0]
		if want := headers[len(headers)-1]; len(e.Properties) != 2 || e.Properties["same"] != want || e.Properties["first"] != "1" {
			t.Errorf("%d headers became %v, want the last, %s", n, e.Properties, want)
		}
	}
}

// Receivers that stop amid a compressed batch keep no other from reading one.
func TestReceiversThatStopAmidCompressedBatches(t *testing.T) {
	w := newWorld(t, nil)
	var plain bytes.Buffer
	z := gzip.NewWriter(&plain)
	b := kafkaBatch(time.Now().UnixMilli(), kafkaRecord{nil, []byte("1"), nil}, kafkaRecord{nil, []byte("2"), nil}, kafkaRecord{nil, []byte("3"), nil})
	const head = 61
	z.Write(b[head:])
	z.Close()
	b = append(b[:head:head], plain.Bytes()...)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	b[22] = 1 // gzip
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	ticket := w.hub.Partition(0).AppendBatch(b)
	<-ticket.Done()
	if ticket.Err() != nil {
		t.Fatal(ticket.Err())
	}
	for range 5 {
		r := dialKnown(t, w)
		r.attach(receiverAt("0"))
		r.want(wire.CodeAttach)
		r.credit(0, 0, 1, false)
		if f := r.want(wire.CodeTransfer); !bytes.HasSuffix(f.payload, []byte("1")) {
			t.Fatalf("payload %q", f.payload)
		}
		defer func() {
			r.credit(0, 1, 2, false)
			for _, want := range []string{"2", "3"} {
				if f := r.want(wire.CodeTransfer); !bytes.HasSuffix(f.payload, []byte(want)) {
					t.Errorf("payload %q, want %s", f.payload, want)
				}
			}
		}()
	}
}
