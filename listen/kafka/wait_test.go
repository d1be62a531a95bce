package kafka

import (
	"testing"

	"spate/hub"
	"spate/hub/eventlog"
)

// However often a partition grows, each record is looked at once.
func TestGrowthIsMeasuredOnce(t *testing.T) {
	ns, err := hub.Open(t.Context(), hub.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	h, err := ns.Create(t.Context(), hub.Spec{Name: "h", Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	p := h.Partition(0)
	put := func() {
		t.Helper()
		tk := p.Append(eventlog.Internal, []hub.Event{{Body: make([]byte, 1000)}})
		if <-tk.Done(); tk.Err() != nil {
			t.Fatal(tk.Err())
		}
	}
	r := fetched{part: p, most: 1 << 20}
	var chunk hub.Chunk
	measure := func() int {
		t.Helper()
		n, ok := r.measure(&chunk, 1<<30)
		if !ok {
			t.Fatal("an error")
		}
		return n
	}
	put()
	one := measure()
	for range 100 {
		put()
	}
	if n := measure(); n != 100*one || one < 1000 {
		t.Errorf("100 records have %d bytes, one has %d", n, one)
	}
	if n := measure(); n != 0 || r.end != 101 {
		t.Errorf("%d bytes a second time, at offset %d", n, r.end)
	}
	r.most = r.size // that is all that may be sent of it
	put()
	if n := measure(); n != 0 {
		t.Errorf("%d bytes beyond what may be sent", n)
	}
}
