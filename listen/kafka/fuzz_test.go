package kafka

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"spate/hub"
)

// FuzzProduceRequest compares the parser with kmsg's, which reads the same
// layout by other code.
func FuzzProduceRequest(f *testing.F) {
	for _, v := range []int16{0, 3, 8, 9, 12, 13} {
		req := kmsg.NewPtrProduceRequest()
		req.Version, req.Acks = v, -1
		t := kmsg.NewProduceRequestTopic()
		t.Topic = "t"
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = 3, []byte("records")
		t.Partitions = append(t.Partitions, p, kmsg.NewProduceRequestTopicPartition())
		req.Topics = append(req.Topics, t, kmsg.NewProduceRequestTopic())
		f.Add(v, req.AppendTo(nil))
	}
	f.Add(int16(9), []byte{0, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, version int16, b []byte) {
		if version < 0 || version > 13 {
			return
		}
		var ours produceReply
		r := reader{b: b, flexible: version >= 9}
		transactional, err := ours.parse(&r, version)
		theirs := kmsg.NewPtrProduceRequest()
		theirs.Version = version
		theirErr := theirs.ReadFrom(b)
		if err != nil {
			return // we may be stricter: null topics, absurd counts
		}
		if theirErr != nil {
			t.Fatalf("accepted what kmsg refuses: %v", theirErr)
		}
		if transactional != (theirs.TransactionID != nil) || ours.acks != theirs.Acks || len(ours.topics) != len(theirs.Topics) {
			t.Fatalf("%+v, kmsg %+v", ours, theirs)
		}
		at := 0
		for i, topic := range ours.topics {
			want := theirs.Topics[i]
			if version < 13 && string(ours.names[topic.name[0]:topic.name[1]]) != want.Topic || topic.id != want.TopicID || topic.parts != len(want.Partitions) {
				t.Fatalf("topic %d: %+v, kmsg %+v", i, topic, want)
			}
			for _, p := range want.Partitions {
				if ours.parts[at].index != p.Partition || !bytes.Equal(ours.parts[at].batch, p.Records) {
					t.Fatalf("topic %d: %+v, kmsg %+v", i, ours.parts[at], p)
				}
				at++
			}
		}
		resp := &kmsg.ProduceResponse{Version: version}
		if err := resp.ReadFrom(ours.appendTo(nil)); err != nil {
			t.Fatalf("kmsg cannot read our answer: %v", err)
		}
	})
}

// FuzzRequest gives any frame to a connection: it may refuse it, not panic.
func FuzzRequest(f *testing.F) {
	ns, err := hub.Open(f.Context(), hub.Options{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { ns.Close() })
	if _, err := ns.Create(f.Context(), hub.Spec{Name: "t", Partitions: 1}); err != nil {
		f.Fatal(err)
	}
	s, err := New(Options{Namespace: ns})
	if err != nil {
		f.Fatal(err)
	}
	for _, a := range apis {
		req := kmsg.RequestForKey(a.key)
		for v := a.min; v <= a.max; v++ {
			req.SetVersion(v)
			f.Add(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)[4:])
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		local, remote := net.Pipe()
		defer local.Close()
		defer remote.Close()
		c := newConn(s, local)
		defer c.Close()
		c.in = frame
		p := c.queue.fresh()
		if err := c.handle(p); err != nil {
			return
		}
		if p.fetch != nil {
			p.fetch.MaxWaitMillis = 0
		}
		go io.Copy(io.Discard, remote)
		if err := c.respond(p); err != nil {
			t.Fatalf("answer: %v", err)
		}
	})
}
