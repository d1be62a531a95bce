package kafka_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"spate/hub"
	"spate/listen/kafka"
	"spate/metric"
)

// instance is a namespace with one server on a free port.
type instance struct {
	ns     *hub.Namespace
	server *kafka.Server
	addr   string
}

const topicName = "device-telemetry"

func open(t testing.TB, o kafka.Options) *instance {
	t.Helper()
	ns, err := hub.Open(t.Context(), hub.Options{Dir: t.TempDir(), Metrics: o.Metrics})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := ns.Create(t.Context(), hub.Spec{Name: topicName, Partitions: 4, Retention: time.Hour}); err != nil {
		t.Fatal(err)
	}
	o.Namespace = ns
	s, err := kafka.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != kafka.ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
	})
	return &instance{ns: ns, server: s, addr: l.Addr().String()}
}

func openMetered(t testing.TB) (*instance, *metric.Recorder) {
	m := new(metric.Recorder)
	return open(t, kafka.Options{Metrics: m}), m
}

func (in *instance) partition(t testing.TB, i int) *hub.Partition {
	t.Helper()
	h, ok := in.ns.Hub(topicName)
	if !ok {
		t.Fatal("no hub")
	}
	return h.Partition(i)
}

func client(t testing.TB, in *instance, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(in.addr), kgo.DefaultProduceTopic(topicName),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.FetchMaxWait(200 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func deadline(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// consume reads n records of one partition.
func consume(t testing.TB, in *instance, partition int32, from kgo.Offset, n int, opts ...kgo.Opt) []*kgo.Record {
	t.Helper()
	c := client(t, in, append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topicName: {partition: from}}))...)
	var got []*kgo.Record
	ctx := deadline(t)
	for len(got) < n {
		fs := c.PollFetches(ctx)
		for _, e := range fs.Errors() {
			t.Fatalf("fetch %s/%d: %v, with %d of %d records read", e.Topic, e.Partition, e.Err, len(got), n)
		}
		got = append(got, fs.Records()...)
	}
	if len(got) != n {
		t.Fatalf("%d records, want %d", len(got), n)
	}
	return got
}

func produce(t testing.TB, c *kgo.Client, partition int32, from, n int) {
	t.Helper()
	var rs []*kgo.Record
	for i := range n {
		rs = append(rs, record(partition, from+i))
	}
	if err := c.ProduceSync(deadline(t), rs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func record(partition int32, i int) *kgo.Record {
	return &kgo.Record{
		Partition: partition, Key: fmt.Appendf(nil, "device-%03d", i%20),
		Value:   fmt.Appendf(nil, `{"DeviceId": "device-%03d", "n": %d}`, i%20, i),
		Headers: []kgo.RecordHeader{{Key: "n", Value: fmt.Append(nil, i)}, {Key: "n", Value: []byte("again")}},
	}
}

func checkRecords(t testing.TB, got []*kgo.Record, partition int32, from int) {
	t.Helper()
	for i, r := range got {
		want := record(partition, from+i)
		if string(r.Key) != string(want.Key) || string(r.Value) != string(want.Value) || r.Offset != int64(from+i) ||
			!slices.EqualFunc(r.Headers, want.Headers, func(a, b kgo.RecordHeader) bool {
				return a.Key == b.Key && string(a.Value) == string(b.Value)
			}) {
			t.Fatalf("record %d: offset %d key %s value %s headers %v", from+i, r.Offset, r.Key, r.Value, r.Headers)
		}
	}
}

func TestProducedRecordsComeBackInEachCodec(t *testing.T) {
	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			in := open(t, kafka.Options{})
			c := client(t, in, kgo.ProducerBatchCompression(codec))
			produce(t, c, 2, 0, 3000)
			produce(t, c, 2, 3000, 1)
			checkRecords(t, consume(t, in, 2, kgo.NewOffset().AtStart(), 3001), 2, 0)
			if b := in.partition(t, 1).Bounds(); b.Next != 0 {
				t.Errorf("another partition got %d records", b.Next)
			}
		})
	}
}

func TestAcknowledgementLevels(t *testing.T) {
	in := open(t, kafka.Options{})
	next := 0
	for _, acks := range []kgo.Acks{kgo.AllISRAcks(), kgo.LeaderAck(), kgo.NoAck()} {
		c := client(t, in, kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite())
		produce(t, c, 0, next, 100)
		next += 100
		checkRecords(t, consume(t, in, 0, kgo.NewOffset().AtStart(), next), 0, 0)
	}
}

func TestConsumeFromOffsetAndTime(t *testing.T) {
	in := open(t, kafka.Options{})
	c := client(t, in)
	base := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
	for i := range 10 {
		r := record(1, i)
		r.Timestamp = base.Add(time.Duration(i) * time.Second)
		if err := c.ProduceSync(deadline(t), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	checkRecords(t, consume(t, in, 1, kgo.NewOffset().At(7), 3), 1, 7)
	checkRecords(t, consume(t, in, 1, kgo.NewOffset().AfterMilli(base.Add(4*time.Second).UnixMilli()), 6), 1, 4)
	checkRecords(t, consume(t, in, 1, kgo.NewOffset().AfterMilli(base.Add(4*time.Second+1).UnixMilli()+1), 5), 1, 5)
	checkRecords(t, consume(t, in, 1, kgo.NewOffset().AtEnd().Relative(-2), 2), 1, 8)
}

func TestConsumersSeeWhatComesWhileTheyWait(t *testing.T) {
	in := open(t, kafka.Options{})
	offsets := map[int32]kgo.Offset{}
	for i := range int32(4) {
		offsets[i] = kgo.NewOffset().AtStart()
	}
	reader := client(t, in, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topicName: offsets}), kgo.FetchMaxWait(20*time.Second))
	c, ctx := client(t, in), deadline(t)
	for i := range 5 {
		produce(t, c, 3, i, 1)
		fs := reader.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatal(err)
		}
		checkRecords(t, fs.Records(), 3, i)
	}
}

func TestOffsetsBeyondTheLogAreRefused(t *testing.T) {
	in := open(t, kafka.Options{})
	produce(t, client(t, in), 0, 0, 5)
	req := fetchRequest(12, in, 0, 6)
	resp, err := client(t, in).Request(deadline(t), req)
	if err != nil {
		t.Fatal(err)
	}
	p := resp.(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if p.ErrorCode != 1 || len(p.RecordBatches) != 0 {
		t.Errorf("code %d with %d bytes, want 1 (offset out of range)", p.ErrorCode, len(p.RecordBatches))
	}
}

// fetchRequest asks for one partition.
func fetchRequest(version int16, in *instance, partition int32, from int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version = version
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = -1, 0, 1, 1<<20
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topicName
	h, _ := in.ns.Hub(topicName)
	t.TopicID = h.ID()
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, from, 1<<20
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// rawConn speaks to the server without a client library.
type rawConn struct {
	t  testing.TB
	nc net.Conn
	f  *kmsg.RequestFormatter
}

func dial(t testing.TB, in *instance) *rawConn {
	t.Helper()
	nc, err := net.Dial("tcp", in.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(60 * time.Second))
	return &rawConn{t: t, nc: nc, f: kmsg.NewRequestFormatter(kmsg.FormatterClientID("raw"))}
}

func (c *rawConn) send(req kmsg.Request, correlation int32) {
	c.t.Helper()
	if _, err := c.nc.Write(c.f.AppendRequest(nil, req, correlation)); err != nil {
		c.t.Fatal(err)
	}
}

// frame reads one answer whole; io.EOF when the server has hung up.
func (c *rawConn) frame() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.nc, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(c.nc, b)
	return b, err
}

func (c *rawConn) receive(resp kmsg.Response, correlation int32) {
	c.t.Helper()
	b, err := c.frame()
	if err != nil {
		c.t.Fatalf("answer %d: %v", correlation, err)
	}
	if got := int32(binary.BigEndian.Uint32(b)); got != correlation {
		c.t.Fatalf("correlation id %d, want %d", got, correlation)
	}
	b = b[4:]
	if resp.IsFlexible() && resp.Key() != 18 {
		b = b[1:]
	}
	if err := resp.ReadFrom(b); err != nil {
		c.t.Fatalf("decode an answer: %v", err)
	}
	if again := resp.AppendTo(nil); len(again) != len(b) {
		c.t.Fatalf("answer has %d bytes, its fields take %d", len(b), len(again))
	}
}

func (c *rawConn) roundTrip(req kmsg.Request) kmsg.Response {
	c.t.Helper()
	c.send(req, 7)
	resp := req.ResponseKind()
	c.receive(resp, 7)
	return resp
}

func (c *rawConn) wantClosed() {
	c.t.Helper()
	if b, err := c.frame(); err == nil {
		c.t.Fatalf("the connection is open and answered % x", b)
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		c.t.Fatal("the connection is still open")
	}
}

// batch encodes records; edit changes the batch before its checksum is made.
func batch(n int, edit func(*kmsg.RecordBatch)) []byte {
	var records []byte
	for i := range n {
		r := kmsg.NewRecord()
		r.OffsetDelta, r.Value = int32(i), fmt.Appendf(nil, "event %d", i)
		body := r.AppendTo(nil)
		r.Length = int32(len(body) - 1) // the length itself took one byte
		records = r.AppendTo(records)
	}
	b := kmsg.NewRecordBatch()
	b.Magic, b.LastOffsetDelta, b.NumRecords, b.Records = 2, int32(n-1), int32(n), records
	b.PartitionLeaderEpoch, b.ProducerID, b.ProducerEpoch, b.FirstSequence = -1, -1, -1, -1
	b.FirstTimestamp = time.Now().UnixMilli()
	b.MaxTimestamp = b.FirstTimestamp
	b.Length = int32(49 + len(records))
	if edit != nil {
		edit(&b)
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

func produceRequest(version int16, in *instance, partition int32, raw []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = version, -1, 1000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topicName
	h, _ := in.ns.Hub(topicName)
	t.TopicID = h.ID()
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, raw
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}
