package interop

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestPythonSDK(t *testing.T) {
	t.Parallel()
	i := newInstance(t, variant{}).start()
	env := []string{"EVENT_HUB_CONNECTION_STRING=" + i.plain(), "EVENT_HUB_NAME=" + telemetryHub}
	out, errs, err := try(t, 3*time.Minute, env, "", python(t), script(t, "amqp_roundtrip.py"))
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "FAIL") {
			t.Error(strings.TrimSpace(line))
		}
	}
	if err != nil || !strings.Contains(out, "all passed") {
		t.Errorf("%v\n%s\n%s", err, out, tail(errs, 3000))
	}
	i.stop()
}

func TestGoSDK(t *testing.T) {
	t.Parallel()
	i := newInstance(t, variant{}).start()
	p, c := i.producer(t, telemetryHub), i.consumer(t, telemetryHub)
	ctx := patience(t)

	hub, err := c.GetEventHubProperties(ctx, nil)
	if err != nil || hub.Name != telemetryHub || !slices.Equal(hub.PartitionIDs, []string{"0", "1", "2", "3"}) {
		t.Fatalf("hub properties %+v, %v", hub, err)
	}
	before := time.Now().Add(-time.Second)
	var events []*azeventhubs.EventData
	for n := range 20 {
		events = append(events, &azeventhubs.EventData{
			Body:          fmt.Appendf(nil, `{"n":%d}`, n),
			ContentType:   ptr("application/json"),
			MessageID:     ptr(fmt.Sprintf("message-%d", n)),
			CorrelationID: "together",
			Properties:    map[string]any{"DeviceType": "HVAC", "level": int64(n), "ratio": 0.5, "on": true},
		})
	}
	send(t, p, &azeventhubs.EventDataBatchOptions{PartitionID: ptr("1")}, events...)

	first := azeventhubs.StartPosition{Earliest: ptr(true)}
	got := receive(t, c, "1", first, 20)
	for n, e := range got {
		if string(e.Body) != string(events[n].Body) || e.SequenceNumber != int64(n) || *e.ContentType != "application/json" ||
			*e.MessageID != *events[n].MessageID || e.CorrelationID != "together" || e.EnqueuedTime.Before(before) {
			t.Errorf("event %d came back as %+v", n, e)
		}
		if e.Properties["DeviceType"] != "HVAC" || e.Properties["level"] != int64(n) || e.Properties["ratio"] != 0.5 || e.Properties["on"] != true {
			t.Errorf("event %d came back with properties %v", n, e.Properties)
		}
	}

	for _, k := range []struct {
		name string
		at   azeventhubs.StartPosition
		want int64
	}{
		{"behind an offset", azeventhubs.StartPosition{Offset: &got[9].Offset}, 10},
		{"from an offset", azeventhubs.StartPosition{Offset: &got[9].Offset, Inclusive: true}, 9},
		{"behind a sequence number", azeventhubs.StartPosition{SequenceNumber: ptr[int64](5)}, 6},
		{"from a sequence number", azeventhubs.StartPosition{SequenceNumber: ptr[int64](5), Inclusive: true}, 5},
		{"from a time", azeventhubs.StartPosition{EnqueuedTime: &before}, 0},
	} {
		if e := receive(t, c, "1", k.at, 1)[0]; e.SequenceNumber != k.want {
			t.Errorf("%s: sequence number %d, want %d", k.name, e.SequenceNumber, k.want)
		}
	}
	testLatest(t, p, c)

	for range 3 {
		send(t, p, &azeventhubs.EventDataBatchOptions{PartitionKey: ptr("device-007")}, &azeventhubs.EventData{Body: []byte("keyed")})
	}
	keyed := 0
	for _, id := range hub.PartitionIDs {
		properties, err := p.GetPartitionProperties(ctx, id, nil)
		if err != nil {
			t.Fatal(err)
		}
		if properties.IsEmpty {
			continue
		}
		last := receive(t, c, id, azeventhubs.StartPosition{SequenceNumber: &properties.LastEnqueuedSequenceNumber, Inclusive: true}, 1)[0]
		if last.Offset != properties.LastEnqueuedOffset || !last.EnqueuedTime.Equal(properties.LastEnqueuedOn) {
			t.Errorf("partition %s: last event %s at %s, properties say %s at %s", id, last.Offset, last.EnqueuedTime, properties.LastEnqueuedOffset, properties.LastEnqueuedOn)
		}
		if string(last.Body) == "keyed" && last.PartitionKey != nil && *last.PartitionKey == "device-007" {
			keyed++
		}
	}
	if keyed != 1 {
		t.Errorf("the events of one key ended %d partitions, want 1", keyed)
	}
	i.stop()
}

// testLatest attaches at the end; only what comes later is received.
func testLatest(t *testing.T, p *azeventhubs.ProducerClient, c *azeventhubs.ConsumerClient) {
	pc, err := c.NewPartitionClient("1", &azeventhubs.PartitionClientOptions{StartPosition: azeventhubs.StartPosition{Latest: ptr(true)}})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close(context.Background())
	// The first call attaches the link; it must find nothing.
	short, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	if events, _ := pc.ReceiveEvents(short, 1, nil); len(events) > 0 {
		t.Errorf("latest received old event %s", events[0].Body)
	}
	cancel()
	send(t, p, &azeventhubs.EventDataBatchOptions{PartitionID: ptr("1")}, &azeventhubs.EventData{Body: []byte("later")})
	events, err := pc.ReceiveEvents(patience(t), 1, nil)
	if err != nil || len(events) != 1 || string(events[0].Body) != "later" {
		t.Errorf("latest received %v, %v", events, err)
	}
}

// An event that came in over one protocol is read over the other.
func TestOneEventTwoProtocols(t *testing.T) {
	t.Parallel()
	i := newInstance(t, variant{}).start()
	send(t, i.producer(t, telemetryHub), &azeventhubs.EventDataBatchOptions{PartitionID: ptr("0")},
		&azeventhubs.EventData{Body: []byte("over AMQP"), Properties: map[string]any{"Location": "Office"}})
	k := i.kafka(t)
	if err := k.ProduceSync(patience(t), &kgo.Record{Topic: telemetryHub, Partition: 2, Key: []byte("device-001"), Value: []byte("over Kafka"),
		Headers: []kgo.RecordHeader{{Key: "Location", Value: []byte("Office")}}}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	records := i.readLog(t, telemetryHub)
	if len(records[0]) != 1 || string(records[0][0].Value) != "over AMQP" {
		t.Errorf("partition 0 over Kafka: %v", records[0])
	}
	e := receive(t, i.consumer(t, telemetryHub), "2", azeventhubs.StartPosition{Earliest: ptr(true)}, 1)[0]
	if string(e.Body) != "over Kafka" || e.PartitionKey == nil || *e.PartitionKey != "device-001" {
		t.Errorf("partition 2 over AMQP: %q, key %v", e.Body, e.PartitionKey)
	}
	if text := fmt.Sprintf("%s", e.Properties["Location"]); text != "Office" {
		t.Errorf("the header came as property %v", e.Properties)
	}
	i.stop()
}

func TestKcat(t *testing.T) {
	t.Parallel()
	program := kcat(t)
	i := newInstance(t, variant{}).start()
	run := func(stdin string, args ...string) string {
		t.Helper()
		return output(t, time.Minute, nil, stdin, program, append([]string{"-b", i.info.Addresses["kafka"], "-X", "security.protocol=SASL_PLAINTEXT",
			"-X", "sasl.mechanisms=PLAIN", "-X", "sasl.username=$ConnectionString", "-X", "sasl.password=" + i.plain()}, args...)...)
	}
	if out := run("", "-L"); !strings.Contains(out, `topic "device-telemetry" with 4 partitions`) {
		t.Errorf("-L prints\n%s", out)
	}
	want := ""
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		run("key:"+codec+"\n", "-P", "-t", telemetryHub, "-p", "3", "-K:", "-H", "from=kcat", "-z", codec)
		want += "key " + codec + " from=kcat\n"
	}
	if out := run("", "-C", "-t", telemetryHub, "-p", "3", "-o", "beginning", "-e", "-q", "-f", "%k %s %h\n"); out != want {
		t.Errorf("-C prints\n%swant\n%s", out, want)
	}
	e := receive(t, i.consumer(t, telemetryHub), "3", azeventhubs.StartPosition{Earliest: ptr(true)}, 5)
	if string(e[4].Body) != "zstd" || *e[4].PartitionKey != "key" {
		t.Errorf("over AMQP the last event is %q, key %v", e[4].Body, e[4].PartitionKey)
	}
	i.stop()
}

func TestKgo(t *testing.T) {
	t.Parallel()
	i := newInstance(t, variant{}).start()
	for _, o := range []struct {
		name string
		opts []kgo.Opt
	}{
		{"idempotent", nil},
		{"not idempotent", []kgo.Opt{kgo.DisableIdempotentWrite()}},
		{"snappy", []kgo.Opt{kgo.ProducerBatchCompression(kgo.SnappyCompression())}},
		{"zstd", []kgo.Opt{kgo.ProducerBatchCompression(kgo.ZstdCompression())}},
	} {
		c := i.kafka(t, o.opts...)
		var batch []*kgo.Record
		for n := range 500 {
			batch = append(batch, &kgo.Record{Topic: telemetryHub, Partition: int32(n % 4), Value: fmt.Appendf(nil, `%s %d`, o.name, n)})
		}
		if err := c.ProduceSync(patience(t), batch...).FirstErr(); err != nil {
			t.Errorf("%s: %v", o.name, err)
		}
	}
	for p, records := range i.readLog(t, telemetryHub) {
		if len(records) != 500 {
			t.Errorf("partition %d holds %d records, want 500", p, len(records))
		}
	}
	if n := i.number("SELECT COUNT(*) AS n FROM telemetry.raw_telemetry"); n != 0 {
		t.Errorf("%d rows made of text that is no JSON", n)
	}
	i.stop()
}
