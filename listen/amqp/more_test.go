package amqp_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"spate/access"
	listen "spate/listen/amqp"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

// S10, S11: TLS with the local CA.
func TestTLS(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	if _, err := access.InitCerts(dir, nil); err != nil {
		t.Fatal(err)
	}
	server, err := access.LoadTLS(dir)
	if err != nil {
		t.Fatal(err)
	}
	var log *lines
	w := newWorld(t, func(o *listen.Options) {
		o.TLS = server
		log = logged(o)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go w.server.ServeTLS(l)
	client, err := access.TrustTLS(dir)
	if err != nil {
		t.Fatal(err)
	}
	client.ServerName = "127.0.0.1" // the SDK takes host and port together for the name if none is set
	cs := access.ConnectionString{Endpoint: "sb://" + l.Addr().String(), KeyName: access.RootRule, Key: rootKey, EntityPath: hubName}
	p, err := azeventhubs.NewProducerClientFromConnectionString(cs.Print(), "", &azeventhubs.ProducerClientOptions{TLSConfig: client})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(context.Background())
	send(t, p, batchTo("0"), numbered(0, 3)...)
	if n := w.hub.Partition(0).Bounds().Next; n != 3 {
		t.Errorf("%d events", n)
	}
	// Plain bytes on a TLS port are not answered as AMQP.
	r := dialRaw(t, &world{addr: l.Addr().String()})
	r.write([]byte("AMQP\x03\x01\x00\x00"))
	b := make([]byte, 8)
	if n, _ := r.conn.Read(b); strings.HasPrefix(string(b[:n]), "AMQP") {
		t.Errorf("% x", b[:n])
	}
	eventually(t, "the log names what it saw", func() bool {
		return strings.Contains(log.String(), "this is AMQP without TLS; the AMQP port is another, by default 5672")
	})
}

// B04, S03: when a token ends, so do its links; one that was refreshed goes on.
func TestTokenExpiresUnderALink(t *testing.T) {
	var shift atomic.Int64
	w := newWorld(t, func(o *listen.Options) {
		o.Clock = func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
	})
	sig := access.Sign("amqp://"+w.addr+"/"+hubName, access.RootRule, rootKey, time.Now().Add(time.Minute))
	cs := access.ConnectionString{Endpoint: "sb://" + w.addr, Signature: sig, EntityPath: hubName, Emulator: true}
	c, err := azeventhubs.NewConsumerClientFromConnectionString(cs.Print(), "", azeventhubs.DefaultConsumerGroup, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	pc, err := c.NewPartitionClient("0", &azeventhubs.PartitionClientOptions{StartPosition: azeventhubs.StartPosition{Earliest: ptr(true)}})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close(context.Background())
	send(t, w.producer(t), batchTo("0"), numbered(0, 1)...)
	if _, err := pc.ReceiveEvents(patience(t), 1, nil); err != nil {
		t.Fatal(err)
	}
	shift.Store(int64(2 * time.Minute))
	_, err = pc.ReceiveEvents(patience(t), 1, nil)
	var e *azeventhubs.Error
	if !errors.As(err, &e) || e.Code != azeventhubs.ErrorCodeUnauthorizedAccess {
		t.Errorf("after the token's end: %v", err)
	}
}

// P10, P11: bodies of every kind, several sections, annotations, footer.
func TestAnnotatedMessages(t *testing.T) {
	w := newWorld(t, nil)
	p, c := w.producer(t), w.consumer(t, azeventhubs.DefaultConsumerGroup)
	sent := []*azeventhubs.AMQPAnnotatedMessage{
		{Body: azeventhubs.AMQPAnnotatedMessageBody{Data: [][]byte{[]byte("one"), []byte("two")}}, Footer: map[any]any{"f": "g"}},
		{Body: azeventhubs.AMQPAnnotatedMessageBody{Value: "text"}, ApplicationProperties: map[string]any{"a": int32(1)}},
		{Body: azeventhubs.AMQPAnnotatedMessageBody{Value: int64(1 << 40)}, MessageAnnotations: map[any]any{"mine": "yes"}},
		{Body: azeventhubs.AMQPAnnotatedMessageBody{Sequence: [][]any{{"a", int64(2)}, {"b"}}}},
	}
	b, err := p.NewEventDataBatch(patience(t), batchTo("3"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range sent {
		if err := b.AddAMQPAnnotatedMessage(m, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.SendEventDataBatch(patience(t), b, nil); err != nil {
		t.Fatal(err)
	}
	for i, e := range receive(t, c, "3", azeventhubs.StartPosition{Earliest: ptr(true)}, len(sent)) {
		got := e.RawAMQPMessage
		if !reflect.DeepEqual(got.Body, sent[i].Body) {
			t.Errorf("message %d: body %v, want %v", i, got.Body, sent[i].Body)
		}
		if got.ApplicationProperties["a"] != sent[i].ApplicationProperties["a"] || got.Footer["f"] != sent[i].Footer["f"] || got.MessageAnnotations["mine"] != sent[i].MessageAnnotations["mine"] {
			t.Errorf("message %d: %v, %v, %v", i, got.ApplicationProperties, got.Footer, got.MessageAnnotations)
		}
	}
}

// R17: what Kafka wrote.
func TestKafkaEventsOverAMQP(t *testing.T) {
	w := newWorld(t, nil)
	batch := kafkaBatch(time.Now().UnixMilli(),
		kafkaRecord{[]byte("k"), []byte("v0"), []string{"h", "1", "bin", "\xff\xfe", "h", "2"}},
		kafkaRecord{[]byte("\xff"), nil, nil})
	ticket := w.hub.Partition(0).AppendBatch(batch)
	<-ticket.Done()
	if ticket.Err() != nil {
		t.Fatal(ticket.Err())
	}
	got := receive(t, w.consumer(t, azeventhubs.DefaultConsumerGroup), "0", azeventhubs.StartPosition{Earliest: ptr(true)}, 2)
	if e := got[0]; string(e.Body) != "v0" || e.PartitionKey == nil || *e.PartitionKey != "k" || !reflect.DeepEqual(e.Properties, map[string]any{"h": "2", "bin": []byte("\xff\xfe")}) {
		t.Errorf("body %q, key %v, properties %v", e.Body, e.PartitionKey, e.Properties)
	}
	if e := got[1]; len(e.Body) != 0 || e.PartitionKey != nil || len(e.Properties) != 0 {
		t.Errorf("body %q, key %v, properties %v", e.Body, e.PartitionKey, e.Properties)
	}
}

type kafkaRecord struct {
	key, value []byte
	headers    []string // name, value, ...
}

// kafkaBatch encodes a RecordBatch v2 of one time.
func kafkaBatch(ms int64, records ...kafkaRecord) []byte {
	var body []byte
	field := func(dst, v []byte) []byte {
		if v == nil {
			return binary.AppendVarint(dst, -1)
		}
		return append(binary.AppendVarint(dst, int64(len(v))), v...)
	}
	for i, r := range records {
		rec := []byte{0, 0}
		rec = binary.AppendVarint(rec, int64(i))
		rec = field(field(rec, r.key), r.value)
		rec = binary.AppendVarint(rec, int64(len(r.headers)/2))
		for _, h := range r.headers {
			rec = field(rec, []byte(h))
		}
		body = append(binary.AppendVarint(body, int64(len(rec))), rec...)
	}
	tail := binary.BigEndian.AppendUint16(nil, 0)
	tail = binary.BigEndian.AppendUint32(tail, uint32(len(records)-1))
	tail = binary.BigEndian.AppendUint64(tail, uint64(ms))
	tail = binary.BigEndian.AppendUint64(tail, uint64(ms))
	tail = append(tail, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255) // no producer
	tail = binary.BigEndian.AppendUint32(tail, uint32(len(records)))
	tail = append(tail, body...)
	b := make([]byte, 8, 61+len(body))
	b = binary.BigEndian.AppendUint32(b, uint32(4+1+4+len(tail)))
	b = append(binary.BigEndian.AppendUint32(b, 0), 2)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(tail, crc32.MakeTable(crc32.Castagnoli)))
	return append(b, tail...)
}

// N07, P13, R18: a deleted hub ends its links, and a reader resumes without gap
// or repeat.
func TestDeletedHubDetaches(t *testing.T) {
	w := open(t)
	r := dialRaw(t, w)
	r.open()
	r.attach(receiverAt("0"))
	r.want(0x12)
	r.credit(0, 0, 10, false)
	r.silent()
	if err := w.ns.Delete(hubName); err != nil {
		t.Fatal(err)
	}
	if got := conditionOf(t, r.want(0x16)); got != "amqp:link:detach-forced" {
		t.Errorf("%s", got)
	}
}

func TestResumeHasNoGapAndNoRepeat(t *testing.T) {
	w := newWorld(t, nil)
	p, c := w.producer(t), w.consumer(t, azeventhubs.DefaultConsumerGroup)
	for i := range 10 {
		send(t, p, batchTo("0"), numbered(7*i, 7)...)
	}
	at := azeventhubs.StartPosition{Earliest: ptr(true)}
	n := 0
	for n < 70 {
		for _, e := range receive(t, c, "0", at, 10) {
			if string(e.Body) != fmt.Sprintf(`{"n":%d}`, n) {
				t.Fatalf("event %d: %s", n, e.Body)
			}
			n++
			at = azeventhubs.StartPosition{Offset: &e.Offset}
		}
	}
}

// When a policy gets another key, the links that it let in end; those of others go on.
func TestAPolicyChangesUnderALink(t *testing.T) {
	var rules *access.Rules
	w := newWorld(t, func(o *listen.Options) { rules = o.Rules })
	open := func(rule, key string) *azeventhubs.PartitionClient {
		t.Helper()
		cs := access.ConnectionString{Endpoint: "sb://" + w.addr, KeyName: rule, Key: key, EntityPath: hubName, Emulator: true}
		c, err := azeventhubs.NewConsumerClientFromConnectionString(cs.Print(), "", azeventhubs.DefaultConsumerGroup, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close(context.Background()) })
		pc, err := c.NewPartitionClient("0", &azeventhubs.PartitionClientOptions{StartPosition: azeventhubs.StartPosition{Earliest: ptr(true)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { pc.Close(context.Background()) })
		return pc
	}
	mine, other := open("reader", "reader-key"), open(access.RootRule, rootKey)
	send(t, w.producer(t), batchTo("0"), numbered(0, 1)...)
	for _, pc := range []*azeventhubs.PartitionClient{mine, other} {
		if _, err := pc.ReceiveEvents(patience(t), 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := rules.Replace(access.Rule{Name: access.RootRule, Primary: rootKey, Rights: access.Manage}, access.Rule{Name: "reader", Primary: "new", Rights: access.Listen}); err != nil {
		t.Fatal(err)
	}
	var e *azeventhubs.Error
	if _, err := mine.ReceiveEvents(patience(t), 1, nil); !errors.As(err, &e) || e.Code != azeventhubs.ErrorCodeUnauthorizedAccess {
		t.Errorf("with the key before: %v", err)
	}
	send(t, w.producer(t), batchTo("0"), numbered(1, 1)...)
	if _, err := other.ReceiveEvents(patience(t), 1, nil); err != nil {
		t.Errorf("of the other policy: %v", err)
	}
	if got, err := open("reader", "new").ReceiveEvents(patience(t), 2, nil); err != nil || len(got) == 0 {
		t.Errorf("with the new key: %v", err)
	}
}
