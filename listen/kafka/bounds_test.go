package kafka_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/twmb/franz-go/pkg/kmsg"

	"spate/listen/kafka"
	"spate/listen/limit"
)

// logged is a log that several goroutines write.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// wants waits until the log has a line with all of the parts.
func (l *logged) wants(t *testing.T, parts ...string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		for line := range strings.Lines(l.String()) {
			has := 0
			for _, p := range parts {
				if strings.Contains(line, p) {
					has++
				}
			}
			if has == len(parts) {
				return
			}
		}
	}
	t.Errorf("no line of the log has %q:\n%.2000s", parts, l.String())
}

// held is what the process holds: heap and stacks.
func held() int64 {
	runtime.GC()
	runtime.GC() // what pools hold outlives one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// wantServed makes sure that another client is served, and soon.
func wantServed(t *testing.T, in *instance) {
	t.Helper()
	begin := time.Now()
	c := dial(t, in)
	resp := c.roundTrip(produceRequest(9, in, 3, batch(1, nil))).(*kmsg.ProduceResponse)
	if code := resp.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Errorf("another client's event is refused: %d", code)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("another client waited %v", took)
	}
	c.nc.Close()
}

func TestIdleConnectionsCostLittle(t *testing.T) {
	const n = 500
	in := open(t, kafka.Options{})
	ask := kmsg.NewPtrMetadataRequest()
	dial(t, in).roundTrip(ask)
	before, goroutines := held(), runtime.NumGoroutine()
	var all []net.Conn
	for range n {
		c := dial(t, in)
		c.roundTrip(ask)
		c.f = nil
		all = append(all, c.nc)
	}
	if each := (held() - before) / n; each > 24<<10 {
		t.Errorf("a connection costs %d bytes, want 24 KiB at most", each)
	} else {
		t.Logf("a connection costs %d bytes", each)
	}
	if each := float64(runtime.NumGoroutine()-goroutines) / n; each > 2.1 {
		t.Errorf("a connection costs %.1f goroutines", each)
	}
	wantServed(t, in)
	for _, nc := range all {
		nc.Close()
	}
}

// manyTimes asks for a partition so often.
func manyTimes(in *instance, n int) *kmsg.FetchRequest {
	req := fetchRequest(12, in, 0, 0)
	req.MaxWaitMillis = 60_000
	for range n - 1 {
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, req.Topics[0].Partitions[0])
	}
	return req
}

func TestAFetchOfOnePartitionManyTimes(t *testing.T) {
	in := open(t, kafka.Options{})
	c := dial(t, in)
	c.roundTrip(kmsg.NewPtrMetadataRequest())
	before, goroutines := held(), runtime.NumGoroutine()
	resp := c.roundTrip(manyTimes(in, 7000)).(*kmsg.FetchResponse)
	for i, p := range resp.Topics[0].Partitions {
		if want := int16(42); i > 0 && p.ErrorCode != want || i == 0 && p.ErrorCode != 0 {
			t.Fatalf("partition for the %d. time: code %d", i+1, p.ErrorCode)
		}
	}
	resp = nil
	if n := runtime.NumGoroutine(); n > goroutines+3 {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	if grown := held() - before; grown > 4<<20 {
		t.Errorf("%d KiB are held behind the answer", grown>>10)
	}
	for range 3 {
		c := dial(t, in)
		c.nc.Write(c.f.AppendRequest(nil, manyTimes(in, 60_000), 1))
		c.wantClosed()
	}
	wantServed(t, in)
}

// Whoever waits for many partitions is one goroutine.
func TestAWaitingFetchHoldsLittle(t *testing.T) {
	in := open(t, kafka.Options{})
	c := dial(t, in)
	c.roundTrip(produceRequest(9, in, 0, batch(1, nil)))
	before, goroutines := held(), runtime.NumGoroutine()
	const n = 50
	req := fetchRequest(12, in, 0, 0)
	req.MaxWaitMillis, req.MinBytes = 60_000, 1<<20
	for i := range int32(3) {
		p := req.Topics[0].Partitions[0]
		p.Partition, p.FetchOffset = i+1, 0
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, p)
	}
	var waiting []*rawConn
	for range n {
		c := dial(t, in)
		c.send(req, 1)
		waiting = append(waiting, c)
	}
	wantServed(t, in)
	if m := runtime.NumGoroutine() - goroutines; m > 2*n+5 {
		t.Errorf("%d goroutines for %d connections", m, n)
	}
	if each := (held() - before) / n; each > 48<<10 {
		t.Errorf("a waiting connection costs %d bytes", each)
	}
	for _, w := range waiting {
		w.nc.Close()
	}
}

// fill stores so many MiB in partition 0.
func fill(t *testing.T, in *instance, mib int) {
	t.Helper()
	c := dial(t, in)
	raw := batch(1, func(b *kmsg.RecordBatch) {
		r := kmsg.NewRecord()
		r.Value = make([]byte, 1<<20-200)
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		for range 3 { // the length of the length
			r.Length = int32(len(r.AppendTo(nil)) - len(binary.AppendVarint(nil, int64(r.Length))))
		}
		b.Records = r.AppendTo(nil)
		b.Length = int32(49 + len(b.Records))
	})
	for range mib {
		if code := c.roundTrip(produceRequest(9, in, 0, raw)).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode; code != 0 {
			t.Fatalf("code %d", code)
		}
	}
}

func TestClientsThatDoNotReadHoldABudget(t *testing.T) {
	var log logged
	answers := limit.NewMemory(32 << 20)
	in := open(t, kafka.Options{Answers: answers, WriteTimeout: 500 * time.Millisecond, Log: log.logger()})
	fill(t, in, 16)
	before := held()
	req := fetchRequest(12, in, 0, 0)
	req.MaxBytes, req.Topics[0].Partitions[0].PartitionMaxBytes = 64<<20, 64<<20
	for i := range 25 {
		c := dial(t, in)
		c.nc.(*net.TCPConn).SetReadBuffer(4 << 10)
		for range 3 {
			c.send(req, int32(i))
		}
	}
	most := int64(0)
	for range 5 {
		if n := answers.Taken(); n > 32<<20 {
			t.Errorf("%d MiB of answers", n>>20)
		}
		most = max(most, held()-before)
		wantServed(t, in)
	}
	if most > 150<<20 { // answers, buffers that are kept, and what came since the collection
		t.Errorf("%d MiB are held", most>>20)
	}
	log.wants(t, "answers are not read")
	waitFor(t, func() bool { return answers.Taken() == 0 })

	// And whoever reads gets all of it.
	c := dial(t, in)
	for at := int64(0); at < 16; {
		req.Topics[0].Partitions[0].FetchOffset = at
		p := c.roundTrip(req).(*kmsg.FetchResponse).Topics[0].Partitions[0]
		if p.ErrorCode != 0 || len(p.RecordBatches) == 0 {
			t.Fatalf("at %d: code %d, %d bytes", at, p.ErrorCode, len(p.RecordBatches))
		}
		at += int64(len(p.RecordBatches) >> 20)
		if len(p.RecordBatches)>>20 == 0 {
			at++
		}
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come")
		}
	}
}

// Answers of other kinds wait encoded, and a client that reads none is not read from.
func TestPipelinedRequestsOfAClientThatDoesNotRead(t *testing.T) {
	answers := limit.NewMemory(32 << 20)
	in := open(t, kafka.Options{Answers: answers, WriteTimeout: 300 * time.Millisecond})
	before := held()
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	for i := range 8000 {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(fmt.Sprintf("no-such-topic-%d", i))
		req.Topics = append(req.Topics, topic)
	}
	raw := kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)
	for range 10 {
		c := dial(t, in)
		c.nc.(*net.TCPConn).SetReadBuffer(4 << 10)
		go func() {
			for range 1000 {
				if _, err := c.nc.Write(raw); err != nil {
					return
				}
			}
		}()
	}
	for range 5 {
		if n := answers.Taken(); n > 32<<20 {
			t.Errorf("%d MiB of answers", n>>20)
		}
		if n := held() - before; n > 150<<20 {
			t.Errorf("%d MiB are held", n>>20)
		}
		wantServed(t, in)
	}
	waitFor(t, func() bool { return answers.Taken() == 0 })
}

func TestRequestsAboutTooMuchEndTheConnection(t *testing.T) {
	var log logged
	in := open(t, kafka.Options{Log: log.logger()})
	before := held()
	topics := kmsg.NewPtrProduceRequest()
	topics.Version, topics.Acks = 9, -1
	topics.Topics = make([]kmsg.ProduceRequestTopic, 200_000)
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Version = 9
	for range 20_000 {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr("")
		metadata.Topics = append(metadata.Topics, topic)
	}
	for _, req := range []kmsg.Request{topics, metadata} {
		c := dial(t, in)
		c.nc.Write(c.f.AppendRequest(nil, req, 1))
		c.wantClosed()
	}
	c := dial(t, in)
	c.nc.Write([]byte{0x04, 0, 0, 0, 0, 0, 0, 9}) // 64 MiB of produce
	c.wantClosed()
	log.wants(t, "request of 67108864 bytes")
	log.wants(t, "8192 topics")
	log.wants(t, "Metadata request about 20000 topics and partitions")
	topics, metadata = nil, nil
	if grown := held() - before; grown > 8<<20 {
		t.Errorf("%d MiB are held", grown>>20)
	}

	// One that is named twice is answered once.
	twice := kmsg.NewPtrMetadataRequest()
	twice.Version = 9
	for range 5000 {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(topicName)
		twice.Topics = append(twice.Topics, topic)
	}
	if resp := dial(t, in).roundTrip(twice).(*kmsg.MetadataResponse); len(resp.Topics) != 1 {
		t.Errorf("%d topics in the answer", len(resp.Topics))
	}
}

func TestDeadlines(t *testing.T) {
	var log logged
	in, connection := secured(t, kafka.Options{KeyTimeout: 50 * time.Millisecond, WriteTimeout: 50 * time.Millisecond, Log: log.logger()})
	silent := dial(t, in)
	silent.wantClosed()
	log.wants(t, "no key was shown", "client="+silent.nc.LocalAddr().String(), "after=50ms")

	// Questions that need no key do not move the deadline.
	asking := dial(t, in)
	begin := time.Now()
	for {
		asking.nc.Write(asking.f.AppendRequest(nil, kmsg.NewPtrApiVersionsRequest(), 1))
		if _, err := asking.frame(); err != nil {
			break
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatal("questions keep the connection open")
		}
	}

	// Whoever has shown a key may be idle, but may not stop in a request.
	c := dial(t, in)
	c.login(connection("root"))
	time.Sleep(100 * time.Millisecond)
	c.roundTrip(kmsg.NewPtrMetadataRequest())
	c.nc.Write([]byte{0x01, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3})
	c.wantClosed()
	log.wants(t, "request of 16777216 bytes stopped")

	var anonymous logged
	in = open(t, kafka.Options{KeyTimeout: 50 * time.Millisecond, IdleTimeout: 100 * time.Millisecond, Log: anonymous.logger()})
	dial(t, in).wantClosed()
	anonymous.wants(t, "nothing was asked")
	c = dial(t, in)
	c.roundTrip(kmsg.NewPtrMetadataRequest())
	c.wantClosed()
	anonymous.wants(t, "idle connection closed")
}

// login authenticates with a connection string.
func (c *rawConn) login(connection string) {
	c.t.Helper()
	shake := kmsg.NewPtrSASLHandshakeRequest()
	shake.Version, shake.Mechanism = 1, "PLAIN"
	c.roundTrip(shake)
	auth := kmsg.NewPtrSASLAuthenticateRequest()
	auth.Version, auth.SASLAuthBytes = 2, []byte("\x00$ConnectionString\x00"+connection)
	if resp := c.roundTrip(auth).(*kmsg.SASLAuthenticateResponse); resp.ErrorCode != 0 {
		c.t.Fatalf("%+v", resp)
	}
}

func TestTheLogNamesWhatItSaw(t *testing.T) {
	var log logged
	in := open(t, kafka.Options{Log: log.logger(), Ports: map[string]string{"amqp": "127.0.0.1:5672", "console": "127.0.0.1:8790", "amqps": "127.0.0.1:5671"}})
	for first, want := range map[string]string{
		"AMQP\x00\x01\x00\x00":          "this is AMQP, on the port of Kafka: the port of that is 127.0.0.1:5672",
		"AMQP\x03\x01\x00\x00":          "this is AMQP",
		"\x16\x03\x01\x02\x00\x01":      "this is TLS, and the port of Kafka speaks none",
		"GET /healthz HTTP/1.1\r\n\r\n": "this is HTTP, on the port of Kafka: the port of that is 127.0.0.1:8790",
	} {
		c := dial(t, in)
		c.nc.Write([]byte(first))
		c.wantClosed()
		log.wants(t, want, "client="+c.nc.LocalAddr().String())
	}
	c := dial(t, in)
	for range 3 {
		c.roundTrip(kmsg.NewPtrFindCoordinatorRequest())
		c.roundTrip(kmsg.NewPtrJoinGroupRequest())
	}
	log.wants(t, "request refused", "api=JoinGroup", "consumer groups are not supported yet")
	if n := strings.Count(log.String(), "api=FindCoordinator"); n != 1 {
		t.Errorf("%d lines for the same refusal", n)
	}
}

// Many wrong keys with names of 60 kB are a few lines of log.
func TestTheLogOfOneClientIsBounded(t *testing.T) {
	var log logged
	in, _ := secured(t, kafka.Options{Log: log.logger()})
	before := held()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 15 {
				c := dial(t, in)
				shake := kmsg.NewPtrSASLHandshakeRequest()
				shake.Version, shake.Mechanism = 1, "PLAIN"
				c.roundTrip(shake)
				auth := kmsg.NewPtrSASLAuthenticateRequest()
				auth.Version, auth.SASLAuthBytes = 2, []byte("\x00"+strings.Repeat("name", 15_000)+"\x00wrong")
				c.send(auth, 1)
				io.Copy(io.Discard, c.nc)
				c.nc.Close()
			}
		})
	}
	wg.Wait()
	if n := len(log.String()); n > 20<<10 {
		t.Errorf("%d bytes of log", n)
	}
	for line := range strings.Lines(log.String()) {
		if len(line) > 600 {
			t.Errorf("a line of %d bytes: %.100s", len(line), line)
		}
	}
	log.wants(t, "authentication refused", "namename")
	if grown := held() - before; grown > 8<<20 {
		t.Errorf("%d MiB are held", grown>>20)
	}
}

// Wrong batches get the codes of a broker, whatever they are packed with.
func TestCompressedBatchesAreCheckedWhenTheyAreProduced(t *testing.T) {
	in := open(t, kafka.Options{})
	c := dial(t, in)
	pack := func(plain []byte) []byte {
		var w bytes.Buffer
		z := gzip.NewWriter(&w)
		z.Write(plain)
		z.Close()
		return w.Bytes()
	}
	packed := func(count int, records []byte) []byte {
		return batch(count, func(b *kmsg.RecordBatch) {
			if records == nil {
				records = b.Records
			}
			b.Attributes, b.Records = 1, pack(records)
			b.Length = int32(49 + len(b.Records))
		})
	}
	var good []byte
	batch(2, func(b *kmsg.RecordBatch) { good = b.Records })
	bomb := pack(append(binary.AppendVarint(nil, 64<<20), make([]byte, 64<<20)...))
	before := held()
	for name, f := range map[string]struct {
		raw  []byte
		code int16
	}{
		"sound":         {packed(2, good), 0},
		"wrong count":   {packed(1000, good), 87},
		"garbage":       {batch(1, func(b *kmsg.RecordBatch) { b.Attributes = 4 }), 2},
		"a large event": {batch(1, func(b *kmsg.RecordBatch) { b.Attributes, b.Records, b.Length = 1, bomb, int32(49+len(bomb)) }), 10},
	} {
		resp := c.roundTrip(produceRequest(9, in, 0, f.raw)).(*kmsg.ProduceResponse)
		if p := resp.Topics[0].Partitions[0]; p.ErrorCode != f.code {
			t.Errorf("%s: code %d, want %d", name, p.ErrorCode, f.code)
		}
	}
	if n := in.partition(t, 0).Bounds().Next; n != 2 {
		t.Errorf("%d events stored, want 2", n)
	}
	if grown := held() - before; grown > 24<<20 {
		t.Errorf("%d MiB are held", grown>>20)
	}
	wantServed(t, in)
}

// Before a key is shown a client may ask for versions as often as it likes, and is not read
// from when it does not read.
func TestQuestionsBeforeAKeyCostLittle(t *testing.T) {
	answers := limit.NewMemory(32 << 20)
	in, connection := secured(t, kafka.Options{Answers: answers, WriteTimeout: 200 * time.Millisecond})
	before := held()
	raw := bytes.Repeat(kmsg.NewRequestFormatter().AppendRequest(nil, kmsg.NewPtrApiVersionsRequest(), 1), 1000)
	var wg sync.WaitGroup
	for range 2 {
		c := dial(t, in)
		c.nc.(*net.TCPConn).SetReadBuffer(4 << 10)
		wg.Go(func() {
			for range 1000 {
				if _, err := c.nc.Write(raw); err != nil {
					return
				}
			}
			t.Error("a client that does not read is read from all the time")
		})
	}
	c := dial(t, in)
	c.login(connection("root"))
	c.roundTrip(produceRequest(9, in, 3, batch(1, nil)))
	if grown := held() - before; grown > 2*4<<20 {
		t.Errorf("%d MiB are held", grown>>20)
	}
	wg.Wait()
}

// When slow readers hold all there is, a fetch is answered without records, not late.
func TestAFetchWithoutMemoryIsAnswered(t *testing.T) {
	answers := limit.NewMemory(1 << 20)
	in := open(t, kafka.Options{Answers: answers, WriteTimeout: 50 * time.Millisecond})
	c := dial(t, in)
	c.roundTrip(produceRequest(9, in, 0, batch(1, nil)))
	c.roundTrip(produceRequest(9, in, 1, batch(1, nil)))
	if !answers.TryTake(1 << 20) {
		t.Fatal("no memory at all")
	}
	req := fetchRequest(12, in, 0, 0)
	second := req.Topics[0].Partitions[0]
	second.Partition = 1
	req.Topics[0].Partitions = append(req.Topics[0].Partitions, second)
	begin := time.Now()
	for _, p := range c.roundTrip(req).(*kmsg.FetchResponse).Topics[0].Partitions {
		if p.ErrorCode != 0 || len(p.RecordBatches) > 0 {
			t.Errorf("partition %d: code %d, %d bytes", p.Partition, p.ErrorCode, len(p.RecordBatches))
		}
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("answered after %v", took)
	}
	wantServed(t, in)
	answers.Give(1 << 20)
	for _, p := range c.roundTrip(req).(*kmsg.FetchResponse).Topics[0].Partitions {
		if p.ErrorCode != 0 || len(p.RecordBatches) == 0 && p.Partition == 0 {
			t.Errorf("partition %d: code %d, %d bytes", p.Partition, p.ErrorCode, len(p.RecordBatches))
		}
	}
}

// A length alone costs nothing, and a large request what has come of it.
func TestALargeRequestHoldsWhatHasCome(t *testing.T) {
	in := open(t, kafka.Options{})
	wantServed(t, in)
	const n = 5
	before := held()
	var all []*rawConn
	for range n {
		c := dial(t, in)
		c.nc.Write(binary.BigEndian.AppendUint32(nil, 35<<20))
		c.nc.Write(append([]byte{0, 0, 0, 9}, make([]byte, 100<<10)...))
		all = append(all, c)
	}
	wantServed(t, in)
	if each := (held() - before) / n; each > 2<<20 {
		t.Errorf("100 KiB of a request cost %d KiB", each>>10)
	}
	for _, c := range all {
		c.nc.Write(make([]byte, 34<<20))
	}
	wantServed(t, in)
	if each := (held() - before) / n; each > 64<<20 {
		t.Errorf("a request of 35 MiB costs %d MiB", each>>20)
	}
}
