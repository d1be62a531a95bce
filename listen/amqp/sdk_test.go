package amqp_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"spate/access"
	"spate/hub"
	listen "spate/listen/amqp"
	"spate/metric"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

const (
	rootKey = "cm9vdC1rZXk="
	hubName = "telemetry/eu"
)

// world is a server on loopback with one hub of four partitions.
type world struct {
	ns      *hub.Namespace
	hub     *hub.Hub
	server  *listen.Server
	addr    string
	metrics *metric.Recorder
}

func newWorld(t testing.TB, change func(*listen.Options)) *world {
	t.Helper()
	w := &world{metrics: new(metric.Recorder)}
	var err error
	if w.ns, err = hub.Open(t.Context(), hub.Options{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.ns.Close() })
	w.hub, err = w.ns.Create(t.Context(), hub.Spec{Name: hubName, Partitions: 4, ConsumerGroups: []string{"second"}})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := access.NewRules(
		access.Rule{Name: access.RootRule, Primary: rootKey, Rights: access.Manage},
		access.Rule{Name: "sender", Primary: "sender-key", Rights: access.Send},
		access.Rule{Name: "reader", Primary: "reader-key", Rights: access.Listen},
	)
	if err != nil {
		t.Fatal(err)
	}
	o := listen.Options{Namespace: w.ns, Rules: rules, RequireAuth: true, Metrics: w.metrics}
	if change != nil {
		change(&o)
	}
	if w.server, err = listen.New(o); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := w.server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return w
}

func (w *world) connString(rule, key string) string {
	return access.ConnectionString{Endpoint: "sb://" + w.addr, KeyName: rule, Key: key, Emulator: true, EntityPath: hubName}.Print()
}

func (w *world) producer(t testing.TB) *azeventhubs.ProducerClient {
	t.Helper()
	p, err := azeventhubs.NewProducerClientFromConnectionString(w.connString(access.RootRule, rootKey), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background()) })
	return p
}

func (w *world) consumer(t testing.TB, group string) *azeventhubs.ConsumerClient {
	t.Helper()
	c, err := azeventhubs.NewConsumerClientFromConnectionString(w.connString(access.RootRule, rootKey), "", group, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func patience(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func ptr[T any](v T) *T { return &v }

func send(t testing.TB, p *azeventhubs.ProducerClient, o *azeventhubs.EventDataBatchOptions, events ...*azeventhubs.EventData) {
	t.Helper()
	ctx := patience(t)
	b, err := p.NewEventDataBatch(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if err := b.AddEventData(e, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.SendEventDataBatch(ctx, b, nil); err != nil {
		t.Fatal(err)
	}
}

func batchTo(partition string) *azeventhubs.EventDataBatchOptions {
	return &azeventhubs.EventDataBatchOptions{PartitionID: &partition}
}

func numbered(from, n int) []*azeventhubs.EventData {
	events := make([]*azeventhubs.EventData, n)
	for i := range events {
		events[i] = &azeventhubs.EventData{Body: fmt.Appendf(nil, `{"n":%d}`, from+i)}
	}
	return events
}

func receive(t testing.TB, c *azeventhubs.ConsumerClient, partition string, at azeventhubs.StartPosition, n int) []*azeventhubs.ReceivedEventData {
	t.Helper()
	pc, err := c.NewPartitionClient(partition, &azeventhubs.PartitionClientOptions{StartPosition: at})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close(context.Background())
	events, err := pc.ReceiveEvents(patience(t), n, nil)
	if err != nil || len(events) != n {
		t.Fatalf("received %d events of %d: %v", len(events), n, err)
	}
	return events
}

// P02, P05, P07, P11, R01, R08: what the SDK sends comes back, in order.
func TestSentEventsComeBack(t *testing.T) {
	w := newWorld(t, nil)
	p, c := w.producer(t), w.consumer(t, azeventhubs.DefaultConsumerGroup)
	before := time.Now().Add(-time.Second)
	e := &azeventhubs.EventData{
		Body: []byte(`{"t":21.5}`), MessageID: ptr("m-1"), ContentType: ptr("application/json"), CorrelationID: uint64(7),
		Properties: map[string]any{"DeviceType": "HVAC", "n": int64(42), "big": uint32(1 << 30), "ok": true, "f": 2.5, "raw": []byte{0, 1}},
	}
	send(t, p, &azeventhubs.EventDataBatchOptions{PartitionKey: ptr("device-001")}, append([]*azeventhubs.EventData{e}, numbered(0, 299)...)...)
	got := receive(t, c, "2", azeventhubs.StartPosition{Earliest: ptr(true)}, 300) // device-001 hashes to 2 of 4
	first := got[0]
	if string(first.Body) != `{"t":21.5}` || *first.MessageID != "m-1" || *first.ContentType != "application/json" || first.CorrelationID != uint64(7) {
		t.Errorf("first event: %s, %v, %v, %v", first.Body, first.MessageID, first.ContentType, first.CorrelationID)
	}
	for k, want := range e.Properties {
		if got := first.Properties[k]; fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", want, want) {
			t.Errorf("property %s: got %T %v, want %T %v", k, got, got, want, want)
		}
	}
	for i, g := range got {
		if g.SequenceNumber != int64(i) || g.Offset != fmt.Sprint(i) || *g.PartitionKey != "device-001" {
			t.Fatalf("event %d: sequence number %d, offset %s, key %v", i, g.SequenceNumber, g.Offset, g.PartitionKey)
		}
		if g.EnqueuedTime.Before(before) || g.EnqueuedTime.After(time.Now().Add(time.Second)) {
			t.Fatalf("event %d: enqueued at %s", i, g.EnqueuedTime)
		}
		if i > 0 && string(g.Body) != fmt.Sprintf(`{"n":%d}`, i-1) {
			t.Fatalf("event %d: %s", i, g.Body)
		}
	}
	if n := w.metrics.Counter("IncomingRequests", "EntityName", hubName).Value(); n != 1 {
		t.Errorf("a batch counted as %d requests", n)
	}
}

// M01, M02, M03.
func TestPropertiesOfHubAndPartition(t *testing.T) {
	w := newWorld(t, nil)
	p := w.producer(t)
	h, err := p.GetEventHubProperties(patience(t), nil)
	if err != nil || h.Name != hubName || fmt.Sprint(h.PartitionIDs) != "[0 1 2 3]" || time.Since(h.CreatedOn) > time.Minute {
		t.Errorf("hub: %+v, %v", h, err)
	}
	pp, err := p.GetPartitionProperties(patience(t), "3", nil)
	if err != nil || !pp.IsEmpty || pp.LastEnqueuedSequenceNumber != -1 || pp.LastEnqueuedOffset != "-1" {
		t.Errorf("empty partition: %+v, %v", pp, err)
	}
	send(t, p, batchTo("3"), numbered(0, 10)...)
	pp, err = p.GetPartitionProperties(patience(t), "3", nil)
	if err != nil || pp.IsEmpty || pp.BeginningSequenceNumber != 0 || pp.LastEnqueuedSequenceNumber != 9 || pp.LastEnqueuedOffset != "9" || time.Since(pp.LastEnqueuedOn) > time.Minute {
		t.Errorf("partition: %+v, %v", pp, err)
	}
	once, err := azeventhubs.NewProducerClientFromConnectionString(w.connString(access.RootRule, rootKey), "", &azeventhubs.ProducerClientOptions{RetryOptions: azeventhubs.RetryOptions{MaxRetries: -1}})
	if err != nil {
		t.Fatal(err)
	}
	defer once.Close(context.Background())
	if _, err := once.GetPartitionProperties(patience(t), "4", nil); err == nil || !strings.Contains(err.Error(), "It should be between 0 and 3.") {
		t.Errorf("properties of partition 4 of 4: %v", err)
	}
	sender, err := azeventhubs.NewProducerClientFromConnectionString(w.connString("sender", "sender-key"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close(context.Background())
	if _, err := sender.GetEventHubProperties(patience(t), nil); err != nil {
		t.Errorf("hub properties with the right to send: %v", err)
	}
}

// R01 to R04.
func TestStartPositions(t *testing.T) {
	w := newWorld(t, nil)
	p, c := w.producer(t), w.consumer(t, "second")
	send(t, p, batchTo("1"), numbered(0, 5)...)
	waitForClock(t, w.hub.Partition(1).Bounds().LastTime)
	send(t, p, batchTo("1"), numbered(5, 5)...)
	later := w.hub.Partition(1).Bounds().LastTime
	f := func(name string, at azeventhubs.StartPosition, want int64) {
		t.Helper()
		if got := receive(t, c, "1", at, 1)[0]; got.SequenceNumber != want {
			t.Errorf("%s: begins at %d, want %d", name, got.SequenceNumber, want)
		}
	}
	f("earliest", azeventhubs.StartPosition{Earliest: ptr(true)}, 0)
	f("behind offset", azeventhubs.StartPosition{Offset: ptr("3")}, 4)
	f("from offset", azeventhubs.StartPosition{Offset: ptr("3"), Inclusive: true}, 3)
	f("behind sequence", azeventhubs.StartPosition{SequenceNumber: ptr(int64(6))}, 7)
	f("from sequence", azeventhubs.StartPosition{SequenceNumber: ptr(int64(6)), Inclusive: true}, 6)
	f("from time", azeventhubs.StartPosition{EnqueuedTime: ptr(later), Inclusive: true}, 5)
	f("behind time", azeventhubs.StartPosition{EnqueuedTime: ptr(later.Add(-time.Millisecond))}, 5)

	pc, err := c.NewPartitionClient("1", &azeventhubs.PartitionClientOptions{StartPosition: azeventhubs.StartPosition{SequenceNumber: ptr(int64(77))}})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close(context.Background())
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if events, err := pc.ReceiveEvents(ctx, 1, nil); err == nil {
		t.Errorf("from beyond the end: %d events", len(events))
	}
}

func waitForClock(t *testing.T, past time.Time) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !time.Now().After(past.Add(2 * time.Millisecond)); {
		if time.Now().After(deadline) {
			t.Fatal("the clock stands still")
		}
	}
}

// R01, R14: a receiver at the end gets what comes after its attach, and nothing
// before.
func TestLatestSeesOnlyWhatComes(t *testing.T) {
	w := newWorld(t, nil)
	p, c := w.producer(t), w.consumer(t, azeventhubs.DefaultConsumerGroup)
	send(t, p, batchTo("0"), numbered(0, 5)...)
	pc, err := c.NewPartitionClient("0", nil) // latest
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close(context.Background())
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if events, err := pc.ReceiveEvents(short, 1, nil); len(events) != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("nothing was sent: %d events, %v", len(events), err)
	}
	send(t, p, batchTo("0"), numbered(5, 3)...)
	events, err := pc.ReceiveEvents(patience(t), 3, nil)
	if err != nil || len(events) != 3 || events[0].SequenceNumber != 5 {
		t.Fatalf("%d events, %v", len(events), err)
	}
}

// R10, R13, P09: messages of several frames, credit by hand, and a message that
// is too large leaves the link usable.
func TestLargeEventsAndCreditByHand(t *testing.T) {
	w := newWorld(t, nil)
	p, c := w.producer(t), w.consumer(t, azeventhubs.DefaultConsumerGroup)
	big := &azeventhubs.EventData{Body: []byte(strings.Repeat("x", 900_000))}
	send(t, p, batchTo("0"), big)
	for i := range 3 {
		send(t, p, batchTo("0"), numbered(i, 1)...)
	}
	pc, err := c.NewPartitionClient("0", &azeventhubs.PartitionClientOptions{StartPosition: azeventhubs.StartPosition{Earliest: ptr(true)}, Prefetch: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close(context.Background())
	for i := range 4 {
		events, err := pc.ReceiveEvents(patience(t), 1, nil)
		if err != nil || len(events) != 1 || events[0].SequenceNumber != int64(i) {
			t.Fatalf("event %d: %v, %v", i, events, err)
		}
		if i == 0 && len(events[0].Body) != 900_000 {
			t.Errorf("%d bytes came back", len(events[0].Body))
		}
	}
	// Three events are asked for and none is there: the SDK drains its credit.
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if events, err := pc.ReceiveEvents(short, 3, nil); len(events) != 0 || err == nil {
		t.Errorf("%d events, %v", len(events), err)
	}
	send(t, p, batchTo("0"), numbered(9, 1)...)
	if events, err := pc.ReceiveEvents(patience(t), 1, nil); err != nil || events[0].SequenceNumber != 4 {
		t.Errorf("after the drain: %v, %v", events, err)
	}
}

// R10, R12: the SDK gets its credit back, so that it reads on behind its prefetch
// of 300.
func TestReceiverReadsBeyondItsPrefetch(t *testing.T) {
	w := newWorld(t, nil)
	p, c := w.producer(t), w.consumer(t, azeventhubs.DefaultConsumerGroup)
	for i := range 5 {
		send(t, p, batchTo("0"), numbered(1000*i, 1000)...)
	}
	for i, e := range receive(t, c, "0", azeventhubs.StartPosition{Earliest: ptr(true)}, 5000) {
		if string(e.Body) != fmt.Sprintf(`{"n":%d}`, i) {
			t.Fatalf("event %d is %s", i, e.Body)
		}
	}
}

// P04: batches without a key take partitions in turn.
func TestRoundRobin(t *testing.T) {
	w := newWorld(t, nil)
	p := w.producer(t)
	for range 8 {
		send(t, p, nil, numbered(0, 3)...)
	}
	for i := range 4 {
		if n := w.hub.Partition(i).Bounds().Next; n != 6 {
			t.Errorf("partition %d has %d events, want 6", i, n)
		}
	}
}

// E01 to E07.
func TestEpochs(t *testing.T) {
	w := newWorld(t, nil)
	p := w.producer(t)
	send(t, p, batchTo("0"), numbered(0, 3)...)
	open := func(instance string, owner *int64) (*azeventhubs.PartitionClient, error) {
		t.Helper()
		c, err := azeventhubs.NewConsumerClientFromConnectionString(w.connString(access.RootRule, rootKey), "", azeventhubs.DefaultConsumerGroup, &azeventhubs.ConsumerClientOptions{InstanceID: instance})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close(context.Background()) })
		pc, err := c.NewPartitionClient("0", &azeventhubs.PartitionClientOptions{OwnerLevel: owner, StartPosition: azeventhubs.StartPosition{Earliest: ptr(true)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { pc.Close(context.Background()) })
		_, err = pc.ReceiveEvents(patience(t), 1, nil)
		return pc, err
	}
	var plain []*azeventhubs.PartitionClient
	for i := range 5 {
		pc, err := open(fmt.Sprint("plain", i), nil)
		if err != nil {
			t.Fatalf("receiver %d of 5: %v", i, err)
		}
		plain = append(plain, pc)
	}
	if _, err := open("sixth", nil); err == nil || !strings.Contains(err.Error(), "Exceeded the maximum number of allowed receivers per partition in a consumer group which is 5.") {
		t.Errorf("the sixth: %v", err)
	}
	lost := func(pc *azeventhubs.PartitionClient, who string) {
		t.Helper()
		for {
			_, err := pc.ReceiveEvents(patience(t), 1, nil)
			var ee *azeventhubs.Error
			if errors.As(err, &ee) && ee.Code == azeventhubs.ErrorCodeOwnershipLost {
				return
			}
			if err != nil {
				t.Errorf("%s: %v, want that it lost its ownership", who, err)
				return
			}
		}
	}
	first, err := open("first", ptr(int64(1)))
	if err != nil {
		t.Fatal(err)
	}
	for i, pc := range plain {
		lost(pc, fmt.Sprint("plain", i))
	}
	if _, err := open("none", nil); err == nil || !strings.Contains(err.Error(), "At least one receiver for the endpoint is created with epoch of '1', and so non-epoch receiver is not allowed.") {
		t.Errorf("without an epoch: %v", err)
	}
	second, err := open("second", ptr(int64(1)))
	if err != nil {
		t.Fatal(err)
	}
	lost(first, "first")
	_, err = open("lower", ptr(int64(0)))
	if err == nil || !strings.Contains(err.Error(), "Receiver 'second' with a higher epoch '1' already exists. Receiver 'lower' with epoch 0 cannot be created.") {
		t.Errorf("a lower epoch: %v", err)
	}
	if _, err := second.ReceiveEvents(patience(t), 1, nil); err != nil {
		t.Errorf("the owner: %v", err)
	}
	if _, err := open("third", ptr(int64(2))); err != nil {
		t.Errorf("a higher epoch: %v", err)
	}
	lost(second, "second")
}

// S02, S03, S05, B01, B04.
func TestWhoMayNot(t *testing.T) {
	w := newWorld(t, nil)
	code := func(err error) azeventhubs.ErrorCode {
		var e *azeventhubs.Error
		errors.As(err, &e)
		if e == nil {
			return ""
		}
		return e.Code
	}
	sends := func(cs string) error {
		p, err := azeventhubs.NewProducerClientFromConnectionString(cs, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close(context.Background())
		_, err = p.NewEventDataBatch(patience(t), nil)
		return err
	}
	if err := sends(w.connString(access.RootRule, "wrong")); code(err) != azeventhubs.ErrorCodeUnauthorizedAccess || !strings.Contains(err.Error(), "InvalidSignature") {
		t.Errorf("wrong key: %v", err)
	}
	if err := sends(w.connString("nobody", rootKey)); code(err) != azeventhubs.ErrorCodeUnauthorizedAccess {
		t.Errorf("unknown policy: %v", err)
	}
	if err := sends(w.connString("reader", "reader-key")); code(err) != azeventhubs.ErrorCodeUnauthorizedAccess || !strings.Contains(err.Error(), "'Send' claim(s) are required") {
		t.Errorf("reader sends: %v", err)
	}
	expired := access.ConnectionString{Endpoint: "sb://" + w.addr, Signature: access.Sign("amqp://"+w.addr+"/"+hubName, access.RootRule, rootKey, time.Now().Add(-time.Minute)), EntityPath: hubName, Emulator: true}
	if err := sends(expired.Print()); code(err) != azeventhubs.ErrorCodeUnauthorizedAccess || !strings.Contains(err.Error(), "ExpiredToken: The token is expired. Expiration time:") {
		t.Errorf("expired token: %v", err)
	}
	c, err := azeventhubs.NewConsumerClientFromConnectionString(w.connString("sender", "sender-key"), "", azeventhubs.DefaultConsumerGroup, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	pc, err := c.NewPartitionClient("0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close(context.Background())
	if _, err := pc.ReceiveEvents(patience(t), 1, nil); code(err) != azeventhubs.ErrorCodeUnauthorizedAccess || !strings.Contains(err.Error(), "'Listen' claim(s) are required") {
		t.Errorf("sender receives: %v", err)
	}
}

// Without RequireAuth an unknown policy may do anything, and the wrong key of a
// known one still nothing.
func TestOpenListener(t *testing.T) {
	w := newWorld(t, func(o *listen.Options) { o.RequireAuth = false })
	for _, f := range []struct {
		rule, key string
		ok        bool
	}{{"nobody", "anything", true}, {access.RootRule, rootKey, true}, {access.RootRule, "wrong", false}} {
		p, err := azeventhubs.NewProducerClientFromConnectionString(w.connString(f.rule, f.key), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = p.NewEventDataBatch(patience(t), nil); (err == nil) != f.ok {
			t.Errorf("policy %s with key %s: %v", f.rule, f.key, err)
		}
		p.Close(context.Background())
	}
}

func TestMissingHubAndPartition(t *testing.T) {
	w := newWorld(t, nil)
	cs := access.ConnectionString{Endpoint: "sb://" + w.addr, KeyName: access.RootRule, Key: rootKey, Emulator: true}
	p, err := azeventhubs.NewProducerClientFromConnectionString(cs.Print(), "missing", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(context.Background())
	if _, err := p.NewEventDataBatch(patience(t), nil); err == nil || !strings.Contains(err.Error(), "The messaging entity 'spate:eventhub:missing' could not be found.") {
		t.Errorf("a hub that is not there: %v", err)
	}
	if _, err := w.producer(t).NewEventDataBatch(patience(t), batchTo("4")); err == nil || !strings.Contains(err.Error(), "It should be between 0 and 3.") {
		t.Errorf("a partition that is not there: %v", err)
	}
}
