package kafka_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"spate/access"
	"spate/hub"
	"spate/listen/kafka"
	"spate/metric"
)

func TestBatchesAreStoredAndServedVerbatimInEveryVersion(t *testing.T) {
	in := open(t, kafka.Options{})
	c := dial(t, in)
	sent := batch(3, nil)
	next := int64(0)
	for v := int16(3); v <= 13; v++ {
		resp := c.roundTrip(produceRequest(v, in, 0, sent)).(*kmsg.ProduceResponse)
		p := resp.Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.BaseOffset != next || p.LogAppendTime != -1 {
			t.Fatalf("version %d: %+v, want base offset %d", v, p, next)
		}
		next += 3
	}
	for v := int16(4); v <= 18; v++ {
		resp := c.roundTrip(fetchRequest(v, in, 0, 3)).(*kmsg.FetchResponse)
		p := resp.Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.HighWatermark != next || p.LastStableOffset != next || v >= 5 && p.LogStartOffset != 0 {
			t.Fatalf("version %d: %+v", v, p)
		}
		b := p.RecordBatches
		if want := 10 * len(sent); len(b) != want {
			t.Fatalf("version %d: %d bytes, want %d", v, len(b), want)
		}
		if base := int64(binary.BigEndian.Uint64(b)); base != 3 || !bytes.Equal(b[16:len(sent)], sent[16:]) {
			t.Fatalf("version %d: the batch at %d differs from what was sent", v, base)
		}
	}
}

func TestProduceErrors(t *testing.T) {
	in := open(t, kafka.Options{})
	c := dial(t, in)
	f := func(name string, want int16, req *kmsg.ProduceRequest) {
		t.Helper()
		got := c.roundTrip(req).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
		if got.ErrorCode != want || want != 0 && got.BaseOffset != -1 {
			t.Errorf("%s: code %d (%v), base offset %d; want %d", name, got.ErrorCode, kerr.ErrorForCode(got.ErrorCode), got.BaseOffset, want)
		}
	}
	good := batch(1, nil)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	f("sound", 0, produceRequest(9, in, 0, good))
	f("damaged", 2, produceRequest(9, in, 0, flipped))
	f("cut", 2, produceRequest(9, in, 0, good[:len(good)-1]))
	f("two batches", 2, produceRequest(9, in, 0, append(bytes.Clone(good), good...)))
	f("nothing", 2, produceRequest(9, in, 0, nil))
	f("magic 1", 2, produceRequest(9, in, 0, batch(1, func(b *kmsg.RecordBatch) { b.Magic = 1 })))
	f("wrong count", 2, produceRequest(9, in, 0, batch(1, func(b *kmsg.RecordBatch) { b.NumRecords = 2 })))
	f("unknown codec", 76, produceRequest(9, in, 0, batch(1, func(b *kmsg.RecordBatch) { b.Attributes = 5 })))
	f("control", 87, produceRequest(9, in, 0, batch(1, func(b *kmsg.RecordBatch) { b.Attributes = 1 << 5 })))
	f("transactional", 87, produceRequest(9, in, 0, batch(1, func(b *kmsg.RecordBatch) { b.Attributes = 1 << 4 })))
	f("partition", 3, produceRequest(9, in, 4, good))
	f("negative partition", 3, produceRequest(9, in, -1, good))
	f("too large", 10, produceRequest(9, in, 0, batch(1, func(b *kmsg.RecordBatch) {
		b.Records = append(b.Records, make([]byte, 2<<20)...)
		b.Length = int32(49 + len(b.Records))
	})))
	f("old version", 35, produceRequest(2, in, 0, good))

	acks := produceRequest(9, in, 0, good)
	acks.Acks = 2
	f("acks 2", 21, acks)
	topic := produceRequest(9, in, 0, good)
	topic.Topics[0].Topic = "other"
	f("topic", 3, topic)
	id := produceRequest(13, in, 0, good)
	id.Topics[0].TopicID[3]++
	f("topic id", 100, id)
	transactional := produceRequest(9, in, 0, good)
	transactional.TransactionID = kmsg.StringPtr("t")
	f("transactional id", 53, transactional)

	if got := in.partition(t, 0).Bounds().Next; got != 1 {
		t.Errorf("%d records stored, want only the sound one", got)
	}
}

func TestIdempotentProducerIsNotDoubled(t *testing.T) {
	in := open(t, kafka.Options{})
	c := dial(t, in)
	init := kmsg.NewPtrInitProducerIDRequest()
	init.Version = 4
	id := c.roundTrip(init).(*kmsg.InitProducerIDResponse)
	if id.ErrorCode != 0 || id.ProducerID <= 0 || id.ProducerEpoch != 0 {
		t.Fatalf("%+v", id)
	}
	if again := c.roundTrip(init).(*kmsg.InitProducerIDResponse); again.ProducerID == id.ProducerID {
		t.Error("the same id twice")
	}
	f := func(name string, seq, n int32, epoch int16, code int16, offset int64) {
		t.Helper()
		raw := batch(int(n), func(b *kmsg.RecordBatch) {
			b.ProducerID, b.ProducerEpoch, b.FirstSequence = id.ProducerID, epoch, seq
		})
		p := c.roundTrip(produceRequest(9, in, 1, raw)).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
		if p.ErrorCode != code || p.BaseOffset != offset {
			t.Errorf("%s: code %d offset %d, want %d and %d", name, p.ErrorCode, p.BaseOffset, code, offset)
		}
	}
	f("first", 0, 3, 0, 0, 0)
	f("second", 3, 2, 0, 0, 3)
	f("repeat of the first", 0, 3, 0, 0, 0)
	f("gap", 7, 1, 0, 45, -1)
	f("next epoch", 0, 1, 1, 0, 5)
	f("old epoch", 5, 1, 0, 47, -1)

	init.TransactionalID = kmsg.StringPtr("t")
	if got := c.roundTrip(init).(*kmsg.InitProducerIDResponse).ErrorCode; got != 53 {
		t.Errorf("transactional: code %d, want 53", got)
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	in := open(t, kafka.Options{})
	c := dial(t, in)
	const n = 300 // more than the queue holds
	go func() {
		for i := range n {
			var req kmsg.Request = produceRequest(9, in, int32(i%4), batch(1+i%3, nil))
			switch i % 10 {
			case 4:
				m := kmsg.NewPtrMetadataRequest()
				m.Version = 12
				req = m
			case 7:
				f := fetchRequest(12, in, 0, 0)
				f.MaxWaitMillis = 50
				req = f
			}
			if _, err := c.nc.Write(c.f.AppendRequest(nil, req, int32(i))); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for i := range n {
		switch i % 10 {
		case 4:
			c.receive(&kmsg.MetadataResponse{Version: 12}, int32(i))
		case 7:
			c.receive(&kmsg.FetchResponse{Version: 12}, int32(i))
		default:
			resp := &kmsg.ProduceResponse{Version: 9}
			c.receive(resp, int32(i))
			if code := resp.Topics[0].Partitions[0].ErrorCode; code != 0 {
				t.Fatalf("request %d: code %d", i, code)
			}
		}
	}
}

func TestFetchWaitsForMinBytesOrTime(t *testing.T) {
	in := open(t, kafka.Options{})
	c := dial(t, in)
	req := fetchRequest(12, in, 0, 0)
	req.MaxWaitMillis = 30_000
	raw := batch(1, nil)
	req.MinBytes = int32(len(raw) + 1) // two batches
	c.send(req, 1)
	other := dial(t, in)
	other.roundTrip(produceRequest(9, in, 0, raw))
	other.roundTrip(produceRequest(9, in, 0, raw))
	resp := &kmsg.FetchResponse{Version: 12}
	c.receive(resp, 1)
	if got := len(resp.Topics[0].Partitions[0].RecordBatches); got != 2*len(raw) {
		t.Errorf("%d bytes, want two batches of %d", got, len(raw))
	}
	req.MaxWaitMillis, req.MinBytes = 30, 1<<20
	begin := time.Now()
	c.send(req, 2)
	c.receive(resp, 2)
	if took := time.Since(begin); took < 30*time.Millisecond {
		t.Errorf("answered after %v", took)
	}
	if got := len(resp.Topics[0].Partitions[0].RecordBatches); got != 2*len(raw) {
		t.Errorf("%d bytes when time is over, want what there is", got)
	}
	req.SessionID, req.SessionEpoch = 5, 3
	c.send(req, 3)
	c.receive(resp, 3)
	if resp.ErrorCode != 70 {
		t.Errorf("unknown session: code %d, want 70", resp.ErrorCode)
	}
}

func TestAFetchGetsABatchLargerThanItsLimits(t *testing.T) {
	in := open(t, kafka.Options{})
	c := dial(t, in)
	raw := batch(50, nil)
	c.roundTrip(produceRequest(9, in, 0, raw))
	req := fetchRequest(12, in, 0, 49)
	req.MaxBytes, req.Topics[0].Partitions[0].PartitionMaxBytes = 10, 10
	resp := c.roundTrip(req).(*kmsg.FetchResponse)
	if got := len(resp.Topics[0].Partitions[0].RecordBatches); got != len(raw) {
		t.Errorf("%d bytes, want the batch of %d", got, len(raw))
	}
}

func TestApiVersions(t *testing.T) {
	in := open(t, kafka.Options{ClusterID: "ns"})
	c := dial(t, in)
	for v := int16(0); v <= 5; v++ {
		req := kmsg.NewPtrApiVersionsRequest()
		req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = v, "kgo", "1.22.3"
		resp := c.roundTrip(req).(*kmsg.ApiVersionsResponse)
		if resp.ErrorCode != 0 || len(resp.ApiKeys) < 15 {
			t.Errorf("version %d: %+v", v, resp)
		}
	}
	bad := kmsg.NewPtrApiVersionsRequest()
	bad.Version, bad.ClientSoftwareName, bad.ClientSoftwareVersion = 3, "-x", "1"
	if got := c.roundTrip(bad).(*kmsg.ApiVersionsResponse).ErrorCode; got != 42 {
		t.Errorf("bad client name: code %d, want 42", got)
	}
	foreign := kmsg.NewPtrApiVersionsRequest()
	foreign.Version, foreign.ClientSoftwareName, foreign.ClientSoftwareVersion = 5, "x", "1"
	foreign.ClusterID, foreign.NodeID = kmsg.StringPtr("another"), 0
	if got := c.roundTrip(foreign).(*kmsg.ApiVersionsResponse).ErrorCode; got != 129 {
		t.Errorf("foreign cluster: code %d, want 129", got)
	}

	// A version from the future is answered in the form of version 0.
	if _, err := c.nc.Write([]byte{0, 0, 0, 14, 0, 18, 0, 99, 0, 0, 0, 9, 0, 0, 0, 1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	b, err := c.frame()
	if err != nil {
		t.Fatal(err)
	}
	want := []byte{0, 0, 0, 9, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 5}
	if !bytes.Equal(b, want) {
		t.Errorf("got % x, want % x", b, want)
	}
}

func TestMetadataInEveryVersion(t *testing.T) {
	in := open(t, kafka.Options{Advertise: "events.example.com:19093"})
	c := dial(t, in)
	h, _ := in.ns.Hub(topicName)
	for v := int16(0); v <= 13; v++ {
		req := kmsg.NewPtrMetadataRequest()
		req.Version = v
		all := c.roundTrip(req).(*kmsg.MetadataResponse)
		if len(all.Topics) != 1 || *all.Topics[0].Topic != topicName || len(all.Topics[0].Partitions) != 4 || v >= 10 && all.Topics[0].TopicID != h.ID() {
			t.Fatalf("version %d: %+v", v, all.Topics)
		}
		if b := all.Brokers[0]; b.Host != "events.example.com" || b.Port != 19093 || b.NodeID != 0 {
			t.Fatalf("version %d: broker %+v", v, b)
		}
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr("none")
		req.Topics = append(req.Topics, topic)
		if none := c.roundTrip(req).(*kmsg.MetadataResponse); len(none.Topics) != 1 || none.Topics[0].ErrorCode != 3 {
			t.Fatalf("version %d: %+v", v, none.Topics)
		}
		if v >= 12 {
			req.Topics[0].Topic, req.Topics[0].TopicID = nil, h.ID()
			if byID := c.roundTrip(req).(*kmsg.MetadataResponse); len(byID.Topics) != 1 || byID.Topics[0].ErrorCode != 0 || *byID.Topics[0].Topic != topicName {
				t.Fatalf("version %d: %+v", v, byID.Topics)
			}
		}
		if v >= 1 {
			req.Topics = []kmsg.MetadataRequestTopic{}
			if empty := c.roundTrip(req).(*kmsg.MetadataResponse); len(empty.Topics) != 0 {
				t.Fatalf("version %d: %d topics for an empty list", v, len(empty.Topics))
			}
		}
	}
}

func TestListOffsetsInEveryVersion(t *testing.T) {
	in := open(t, kafka.Options{})
	c := dial(t, in)
	now := time.Now().UnixMilli()
	for i := range int64(3) {
		c.roundTrip(produceRequest(9, in, 0, batch(2, func(b *kmsg.RecordBatch) {
			b.FirstTimestamp, b.MaxTimestamp = now-3000+i*1000, now-3000+i*1000
		})))
	}
	for v := int16(0); v <= 10; v++ {
		f := func(ask, want int64, code int16) {
			t.Helper()
			req := kmsg.NewPtrListOffsetsRequest()
			req.Version, req.ReplicaID = v, -1
			rt := kmsg.NewListOffsetsRequestTopic()
			rt.Topic = topicName
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Timestamp = ask
			rt.Partitions = append(rt.Partitions, p)
			req.Topics = append(req.Topics, rt)
			got := c.roundTrip(req).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
			offset := got.Offset
			if v == 0 && len(got.OldStyleOffsets) == 1 {
				offset = got.OldStyleOffsets[0]
			}
			if code != got.ErrorCode || code == 0 && offset != want {
				t.Errorf("version %d, time %d: code %d, offset %d; want %d, %d", v, ask, got.ErrorCode, offset, code, want)
			}
		}
		f(-1, 6, 0)
		f(-2, 0, 0)
		f(now-2500, 2, 0)
		f(-9, 0, 35)
		if v >= 1 {
			f(now+1000, -1, 0)
		}
		if v >= 7 {
			f(-3, 4, 0)
		} else {
			f(-3, 0, 35)
		}
	}
	e := kmsg.NewPtrOffsetForLeaderEpochRequest()
	e.Version = 4
	et := kmsg.NewOffsetForLeaderEpochRequestTopic()
	et.Topic = topicName
	ep := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	ep.CurrentLeaderEpoch, ep.LeaderEpoch = -1, in.partition(t, 0).Epoch()
	et.Partitions = append(et.Partitions, ep)
	e.Topics = append(e.Topics, et)
	if got := c.roundTrip(e).(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.EndOffset != 6 {
		t.Errorf("epoch end: %+v", got)
	}
}

const key = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I="

// secured has three policies. At most one Options is taken.
func secured(t testing.TB, options ...kafka.Options) (*instance, func(rule string) string) {
	t.Helper()
	var o kafka.Options
	if len(options) > 0 {
		o = options[0]
	}
	rules, err := access.NewRules(
		access.Rule{Name: "root", Primary: key, Rights: access.Manage},
		access.Rule{Name: "reader", Primary: key, Rights: access.Listen},
		access.Rule{Name: "sender", Primary: key, Rights: access.Send, Hub: topicName})
	if err != nil {
		t.Fatal(err)
	}
	o.Rules, o.RequireAuth = rules, true
	return open(t, o), func(rule string) string {
		return "Endpoint=sb://localhost;SharedAccessKeyName=" + rule + ";SharedAccessKey=" + key + ";UseDevelopmentEmulator=true;"
	}
}

func asUser(user, password string) kgo.Opt {
	return kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism())
}

func TestSASLWithConnectionStringOrKey(t *testing.T) {
	in, connection := secured(t)
	produce(t, client(t, in, asUser("$ConnectionString", connection("root"))), 0, 0, 10)
	produce(t, client(t, in, asUser("root", key)), 0, 10, 10)
	produce(t, client(t, in, asUser("$ConnectionString", connection("sender"))), 0, 20, 10)
	checkRecords(t, consume(t, in, 0, kgo.NewOffset().AtStart(), 30, asUser("$ConnectionString", connection("reader"))), 0, 0)

	err := client(t, in, asUser("$ConnectionString", connection("reader"))).ProduceSync(deadline(t), record(0, 0)).FirstErr()
	if !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("reader produces: %v", err)
	}
	fs := client(t, in, asUser("$ConnectionString", connection("sender")),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topicName: {0: kgo.NewOffset().At(0)}})).PollFetches(deadline(t))
	if !errors.Is(fs.Err(), kerr.TopicAuthorizationFailed) {
		t.Errorf("sender consumes: %v", fs.Err())
	}
}

func TestWrongSecretsAreRefused(t *testing.T) {
	in, connection := secured(t)
	for _, opt := range []kgo.Opt{asUser("$ConnectionString", connection("nobody")), asUser("root", "wrong"), asUser("$ConnectionString", "nonsense")} {
		if err := client(t, in, opt).Ping(deadline(t)); !errors.Is(err, kerr.SaslAuthenticationFailed) {
			t.Errorf("got %v, want a failed authentication", err)
		}
	}
	c := dial(t, in)
	m := kmsg.NewPtrMetadataRequest()
	m.Version = 9
	c.send(m, 1)
	c.wantClosed()

	c = dial(t, in)
	shake := kmsg.NewPtrSASLHandshakeRequest()
	shake.Version, shake.Mechanism = 1, "SCRAM-SHA-256"
	if resp := c.roundTrip(shake).(*kmsg.SASLHandshakeResponse); resp.ErrorCode != 33 || len(resp.SupportedMechanisms) != 1 {
		t.Errorf("unknown mechanism: %+v", resp)
	}
}

// Who is refused is a user error of the namespace, once, and no success.
func TestRefusedKeysAreUserErrors(t *testing.T) {
	m := new(metric.Recorder)
	in, connection := secured(t, kafka.Options{Metrics: m})
	wants := func(what string, succeeded, errors int64) {
		t.Helper()
		for name, want := range map[string]int64{"SuccessfulRequests": succeeded, "UserErrors": errors} {
			result := map[string]string{"SuccessfulRequests": "Success", "UserErrors": "ClientError"}[name]
			if got := m.Counter(name, "EntityName", "-NamespaceOnlyMetric-", "OperationResult", result).Value(); got != want {
				t.Errorf("%s: %s %d, want %d", what, name, got, want)
			}
		}
		if got := m.Counter("IncomingRequests", "EntityName", "-NamespaceOnlyMetric-").Value(); got != succeeded+errors {
			t.Errorf("%s: IncomingRequests %d, want %d", what, got, succeeded+errors)
		}
	}
	show := func(c *rawConn, password string) {
		t.Helper()
		shake := kmsg.NewPtrSASLHandshakeRequest()
		shake.Version, shake.Mechanism = 1, "PLAIN"
		c.roundTrip(shake)
		auth := kmsg.NewPtrSASLAuthenticateRequest()
		auth.Version, auth.SASLAuthBytes = 1, []byte("\x00$ConnectionString\x00"+password)
		c.roundTrip(auth)
	}
	show(dial(t, in), connection("nobody"))
	wants("an unknown rule", 1, 1) // the handshake is a request too
	show(dial(t, in), strings.Replace(connection("root"), key, "wrong", 1))
	wants("a wrong key", 2, 2)
	show(dial(t, in), connection("root"))
	wants("the right key", 4, 2)

	c := dial(t, in)
	shake := kmsg.NewPtrSASLHandshakeRequest()
	shake.Version, shake.Mechanism = 1, "SCRAM-SHA-256"
	c.roundTrip(shake)
	wants("another mechanism", 4, 3)
	auth := kmsg.NewPtrSASLAuthenticateRequest()
	auth.Version = 1
	c.roundTrip(auth)
	wants("no handshake", 4, 4)

	c = dial(t, in)
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Version = 9
	c.send(metadata, 1)
	c.wantClosed()
	wants("no key", 4, 5)

	c = dial(t, in)
	shake.Version, shake.Mechanism = 0, "PLAIN"
	c.roundTrip(shake)
	token := "\x00root\x00wrong"
	if _, err := c.nc.Write(append([]byte{0, 0, 0, byte(len(token))}, token...)); err != nil {
		t.Fatal(err)
	}
	c.wantClosed()
	wants("a bare token", 5, 6)
}

func TestOldHandshakeWithBareToken(t *testing.T) {
	in, connection := secured(t)
	for _, good := range []bool{true, false} {
		c := dial(t, in)
		shake := kmsg.NewPtrSASLHandshakeRequest()
		shake.Mechanism = "PLAIN"
		c.roundTrip(shake)
		token := "\x00$ConnectionString\x00" + connection("root")
		if !good {
			token = "\x00root\x00wrong"
		}
		c.nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(token))), token...))
		if !good {
			c.wantClosed()
			continue
		}
		if b, err := c.frame(); err != nil || len(b) != 0 {
			t.Fatalf("answer % x, %v", b, err)
		}
		c.roundTrip(kmsg.NewPtrMetadataRequest())
	}
}

func TestGroupsAreRefusedWithAnErrorClientsReport(t *testing.T) {
	in := open(t, kafka.Options{})
	c := client(t, in, kgo.ConsumerGroup("g"), kgo.ConsumeTopics(topicName))
	fs := c.PollFetches(deadline(t))
	if !errors.Is(fs.Err(), kerr.UnsupportedVersion) {
		t.Errorf("group consumer got %v", fs.Err())
	}
	raw := dial(t, in)
	for _, req := range []kmsg.Request{kmsg.NewPtrJoinGroupRequest(), kmsg.NewPtrSyncGroupRequest(), kmsg.NewPtrHeartbeatRequest(),
		kmsg.NewPtrLeaveGroupRequest(), kmsg.NewPtrListGroupsRequest(), kmsg.NewPtrDescribeGroupsRequest(), kmsg.NewPtrOffsetCommitRequest(),
		kmsg.NewPtrOffsetFetchRequest(), kmsg.NewPtrFindCoordinatorRequest(), kmsg.NewPtrCreateTopicsRequest(),
		kmsg.NewPtrDescribeConfigsRequest(), kmsg.NewPtrDescribeClusterRequest()} {
		for v := range req.MaxVersion() + 1 {
			if req.Key() == 9 && v > 10 || req.Key() == 8 && v > 10 || req.Key() == 10 && v > 5 {
				break
			}
			req.SetVersion(v)
			raw.roundTrip(req)
		}
	}
}

// What is not there is named where the answer has a place for it.
func TestRefusalsSayWhatIsNotThere(t *testing.T) {
	raw := dial(t, open(t, kafka.Options{}))
	coordinator := kmsg.NewPtrFindCoordinatorRequest()
	coordinator.Version = 3
	producer := kmsg.NewPtrFindCoordinatorRequest()
	producer.Version, producer.CoordinatorType = 3, 1
	topics := kmsg.NewPtrCreateTopicsRequest()
	topics.Topics = append(topics.Topics, kmsg.NewCreateTopicsRequestTopic())
	topics.Version = 4
	configs := kmsg.NewPtrDescribeConfigsRequest()
	configs.Resources = append(configs.Resources, kmsg.NewDescribeConfigsRequestResource())
	for want, got := range map[string]*string{
		"consumer groups are not supported yet":                    raw.roundTrip(coordinator).(*kmsg.FindCoordinatorResponse).ErrorMessage,
		"transactions are not supported yet":                       raw.roundTrip(producer).(*kmsg.FindCoordinatorResponse).ErrorMessage,
		"hubs are made by the pipeline file, not by Kafka clients": raw.roundTrip(topics).(*kmsg.CreateTopicsResponse).Topics[0].ErrorMessage,
		"describing configurations is not supported yet":           raw.roundTrip(configs).(*kmsg.DescribeConfigsResponse).Resources[0].ErrorMessage,
	} {
		if got == nil || !strings.Contains(*got, want) {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

func TestGarbageClosesTheConnection(t *testing.T) {
	in := open(t, kafka.Options{})
	for name, b := range map[string][]byte{
		"negative length": {0xff, 0xff, 0xff, 0xff},
		"huge length":     {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 9},
		"large metadata":  {0x04, 0, 0, 0, 0, 3, 0, 9},
		"unknown key":     {0, 0, 0, 10, 0, 99, 0, 0, 0, 0, 0, 1, 0xff, 0xff},
		"cut header":      {0, 0, 0, 3, 0, 0, 0},
		"cut produce":     {0, 0, 0, 14, 0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0},
		"http":            []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, in)
			c.nc.Write(b)
			c.wantClosed()
		})
	}
	produce(t, client(t, in), 0, 0, 1) // and the server lives
}

func TestShutdownAnswersWhatWasRead(t *testing.T) {
	ns, err := hub.Open(t.Context(), hub.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	if _, err := ns.Create(t.Context(), hub.Spec{Name: topicName, Partitions: 4}); err != nil {
		t.Fatal(err)
	}
	s, err := kafka.New(kafka.Options{Namespace: ns})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	in := &instance{ns: ns, server: s, addr: l.Addr().String()}
	c := dial(t, in)
	c.roundTrip(produceRequest(9, in, 0, batch(1, nil)))
	wait := fetchRequest(12, in, 0, 1)
	wait.MaxWaitMillis = 60_000
	c.send(wait, 3)
	other := dial(t, in)
	other.roundTrip(kmsg.NewPtrMetadataRequest()) // so that the fetch has most likely been read
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != kafka.ErrServerClosed {
		t.Errorf("Serve: %v", err)
	}
	if _, err := io.ReadAll(c.nc); err != nil {
		t.Errorf("the connection did not end in order: %v", err)
	}
	if err := s.Serve(l); err != kafka.ErrServerClosed {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}

func TestMetricsCountRequestsEventsAndConnections(t *testing.T) {
	in, m := openMetered(t)
	c := dial(t, in)
	c.roundTrip(produceRequest(9, in, 0, batch(5, nil)))
	c.roundTrip(produceRequest(9, in, 9, batch(5, nil))) // no such partition
	c.roundTrip(fetchRequest(12, in, 0, 0))
	c.roundTrip(kmsg.NewPtrMetadataRequest())
	for _, want := range []struct {
		name   string
		labels []string
		value  int64
	}{
		{"IncomingRequests", []string{"EntityName", topicName}, 3},
		{"SuccessfulRequests", []string{"EntityName", topicName, "OperationResult", "Success"}, 2},
		{"UserErrors", []string{"EntityName", topicName, "OperationResult", "ClientError"}, 1},
		{"IncomingRequests", []string{"EntityName", "-NamespaceOnlyMetric-"}, 1},
		{"IncomingMessages", []string{"EntityName", topicName}, 5},
		{"OutgoingMessages", []string{"EntityName", topicName}, 5},
		{"ConnectionsOpened", []string{"EntityName", "-NamespaceOnlyMetric-"}, 1},
	} {
		if got := m.Counter(want.name, want.labels...).Value(); got != want.value {
			t.Errorf("%s %v = %d, want %d", want.name, want.labels, got, want.value)
		}
	}
}

func TestAConnectionEndsWithItsToken(t *testing.T) {
	in, _ := secured(t)
	login := func(life time.Duration) *rawConn {
		c := dial(t, in)
		shake := kmsg.NewPtrSASLHandshakeRequest()
		shake.Version, shake.Mechanism = 1, "PLAIN"
		c.roundTrip(shake)
		token := access.Sign("sb://localhost/", "root", key, time.Now().Add(life))
		auth := kmsg.NewPtrSASLAuthenticateRequest()
		auth.Version = 2
		auth.SASLAuthBytes = []byte("\x00$ConnectionString\x00Endpoint=sb://localhost;SharedAccessSignature=" + token)
		resp := c.roundTrip(auth).(*kmsg.SASLAuthenticateResponse)
		if resp.ErrorCode != 0 || resp.SessionLifetimeMillis <= 0 || resp.SessionLifetimeMillis > life.Milliseconds() {
			t.Fatalf("%+v", resp)
		}
		// Re-authentication keeps the principal.
		auth.SASLAuthBytes = []byte("\x00reader\x00" + key)
		if life > time.Minute {
			if resp := c.roundTrip(auth).(*kmsg.SASLAuthenticateResponse); resp.ErrorCode != 58 {
				t.Errorf("another principal: %+v", resp)
			}
		}
		return c
	}
	login(time.Hour)
	c := login(2 * time.Second)
	for { // until the token ends
		c.send(kmsg.NewPtrMetadataRequest(), 1)
		if _, err := c.frame(); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Fatal("the connection outlives its token")
			}
			return
		}
	}
}

// A connection whose policy has gone ends with its next request; others go on.
func TestAConnectionEndsWithItsPolicy(t *testing.T) {
	root := access.Rule{Name: "root", Primary: key, Rights: access.Manage}
	rules, err := access.NewRules(root, access.Rule{Name: "reader", Primary: key, Rights: access.Listen})
	if err != nil {
		t.Fatal(err)
	}
	in := open(t, kafka.Options{Rules: rules, RequireAuth: true})
	login := func(rule string) *rawConn {
		c := dial(t, in)
		shake := kmsg.NewPtrSASLHandshakeRequest()
		shake.Version, shake.Mechanism = 1, "PLAIN"
		c.roundTrip(shake)
		auth := kmsg.NewPtrSASLAuthenticateRequest()
		auth.Version, auth.SASLAuthBytes = 2, []byte("\x00"+rule+"\x00"+key)
		if resp := c.roundTrip(auth).(*kmsg.SASLAuthenticateResponse); resp.ErrorCode != 0 {
			t.Fatalf("%+v", resp)
		}
		c.roundTrip(kmsg.NewPtrMetadataRequest())
		return c
	}
	gone, stays := login("reader"), login("root")
	if err := rules.Replace(root); err != nil {
		t.Fatal(err)
	}
	stays.roundTrip(kmsg.NewPtrMetadataRequest())
	gone.send(kmsg.NewPtrMetadataRequest(), 1)
	if _, err := gone.frame(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection goes on: %v", err)
	}
}

// A client that asks for its partitions in one order, and always finds the answer full,
// gets something of each.
func TestFullAnswersGiveEachPartitionItsTurn(t *testing.T) {
	in := open(t, kafka.Options{})
	c := dial(t, in)
	req := fetchRequest(12, in, 0, 0)
	req.MaxBytes = 1
	for i := range int32(4) {
		c.roundTrip(produceRequest(9, in, i, batch(1, nil)))
		if i > 0 {
			p := req.Topics[0].Partitions[0]
			p.Partition = i
			req.Topics[0].Partitions = append(req.Topics[0].Partitions, p)
		}
	}
	var got []int32
	for range 5 {
		for _, p := range c.roundTrip(req).(*kmsg.FetchResponse).Topics[0].Partitions {
			if len(p.RecordBatches) > 0 {
				got = append(got, p.Partition)
			}
		}
	}
	if want := []int32{0, 1, 2, 3, 0}; !slices.Equal(got, want) {
		t.Errorf("records of %v, want %v", got, want)
	}
}
