package amqp

import (
	"io"
	"net"
	"testing"

	"spate/hub"
	"spate/hub/eventlog"
	"spate/metric"
)

// receiving is a link that a client receives on, without a connection that runs.
func receiving(t *testing.T, rec *metric.Recorder) (*link, *hub.Partition) {
	t.Helper()
	ns, err := hub.Open(t.Context(), hub.Options{Dir: t.TempDir(), Metrics: rec})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	h, err := ns.Create(t.Context(), hub.Spec{Name: "h", Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Namespace: ns})
	if err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close() })
	go io.Copy(io.Discard, client)
	c := newConn(s, server)
	c.maxFrame = 65536
	l := &link{s: &session{c: c, window: 1000}}
	l.out = &outgoing{hub: h, part: h.Partition(0), credit: 1000}
	return l, h.Partition(0)
}

// A receiver passes over what cannot be taken out of its batch, and says how much.
func TestUnreadableBatchIsSkippedAndCounted(t *testing.T) {
	rec := new(metric.Recorder)
	l, p := receiving(t, rec)
	for _, n := range []int{2, 3, 1} {
		ticket := p.Append(eventlog.AMQP, make([]hub.Event, n))
		<-ticket.Done()
		if ticket.Err() != nil {
			t.Fatal(ticket.Err())
		}
	}
	var s slot
	for len(s.chunk.Batches) < 3 {
		if err := p.Read(t.Context(), 0, readBytes, &s.chunk, nil); err != nil {
			t.Fatal(err)
		}
	}
	s.chunk.Batches[1].Codec = 4
	l.sendChunk(t.Context(), &s)
	if l.out.next != 6 || l.out.delivered != 3 {
		t.Errorf("%d events were sent, the next offset is %d", l.out.delivered, l.out.next)
	}
	if n := rec.Counter("SkippedEvents", "EntityName", "h").Value(); n != 3 {
		t.Errorf("%d events were counted", n)
	}
}
