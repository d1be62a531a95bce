package kafka_test

import (
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/twmb/franz-go/pkg/kgo"

	"spate/hub"
	"spate/hub/eventlog"
	"spate/listen/kafka"
	wire "spate/wire/amqp"
)

// amqpEvent encodes a message with a foreign codec and takes it apart as the AMQP listener does.
func amqpEvent(t *testing.T, m *amqp.Message) hub.Event {
	t.Helper()
	raw, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	parts, _, err := wire.Split(raw, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return hub.Event{Key: parts.Key, Body: parts.Body, AMQP: parts.AMQP}
}

func TestPropertiesOfAMQPEventsBecomeHeaders(t *testing.T) {
	in := open(t, kafka.Options{})
	subject := "not shown"
	contentType := "application/json"
	created := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	m := amqp.NewMessage([]byte(`{"t":1}`))
	m.Properties = &amqp.MessageProperties{MessageID: "m-1", Subject: &subject, ContentType: &contentType, CreationTime: &created}
	m.Annotations = amqp.Annotations{"x-opt-partition-key": "device-001"}
	values := map[string]any{
		"text": "größe", "long": int64(-5), "ulong": uint64(7), "double": 1.5, "float": float32(0.25), "yes": true,
		"bytes": []byte{0, 255}, "time": created, "id": amqp.UUID{1, 2, 15: 16}, "none": nil,
	}
	m.ApplicationProperties = values
	plain := amqp.NewMessage([]byte("plain"))
	value := &amqp.Message{Value: "a value"}
	p := in.partition(t, 0)
	for _, tk := range []*hub.Ticket{
		p.Append(eventlog.AMQP, []hub.Event{amqpEvent(t, m), amqpEvent(t, plain), amqpEvent(t, value)}),
		p.Append(eventlog.Internal, []hub.Event{{Key: []byte("k"), Body: []byte("job")}}),
	} {
		if err := tk.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	produce(t, client(t, in), 0, 4, 2)

	got := consume(t, in, 0, kgo.NewOffset().AtStart(), 6)
	first := got[0]
	if string(first.Key) != "device-001" || string(first.Value) != `{"t":1}` || first.Offset != 0 {
		t.Errorf("offset %d key %q value %s", first.Offset, first.Key, first.Value)
	}
	if age := time.Since(first.Timestamp); age < 0 || age > time.Minute || first.Attrs.TimestampType() != 1 {
		t.Errorf("time %v, type %d; want the append time", first.Timestamp, first.Attrs.TimestampType())
	}
	want := map[string]string{
		"x-opt-partition-key": "device-001", "message-id": "m-1", "content-type": contentType, "creation-time": "2026-01-02T03:04:05.678Z",
		"text": "größe", "long": "-5", "ulong": "7", "double": "1.5", "float": "0.25", "yes": "true", "bytes": "\x00\xff",
		"time": "2026-01-02T03:04:05.678Z", "id": "01020000-0000-0000-0000-000000000010", "none": "",
	}
	for _, h := range first.Headers {
		if w, ok := want[h.Key]; !ok || w != string(h.Value) || h.Key == "none" && h.Value != nil {
			t.Errorf("header %s = %q, want %q", h.Key, h.Value, w)
		}
		delete(want, h.Key)
	}
	if len(want) > 0 {
		t.Errorf("headers missing: %v", want)
	}
	if string(got[1].Value) != "plain" || got[1].Key != nil || len(got[1].Headers) != 0 {
		t.Errorf("event without properties: %q %v", got[1].Value, got[1].Headers)
	}
	if string(got[2].Value) != "a value" || string(got[3].Value) != "job" {
		t.Errorf("got %q and %q", got[2].Value, got[3].Value)
	}
	checkRecords(t, got[4:], 0, 4)
	if after := consume(t, in, 0, kgo.NewOffset().At(2), 4); string(after[0].Value) != "a value" {
		t.Errorf("from the middle of a batch: %q", after[0].Value)
	}
}
