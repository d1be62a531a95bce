package kafka

import (
	"net"
	"strings"
	"testing"

	"spate/hub"
)

// However a client spells a hub's name, it is one entry.
func TestATopicIsKeptOnce(t *testing.T) {
	ns, err := hub.Open(t.Context(), hub.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	const name = "device-telemetry"
	if _, err := ns.Create(t.Context(), hub.Spec{Name: name, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Namespace: ns})
	if err != nil {
		t.Fatal(err)
	}
	local, _ := net.Pipe()
	c := newConn(s, local)
	defer c.Close()
	want := c.topicByName([]byte(name))
	for i := range name {
		spelled := name[:i] + strings.ToUpper(name[i:])
		if got := c.topicByName([]byte(spelled)); got != want || got == nil {
			t.Errorf("%s is another topic", spelled)
		}
	}
	if len(c.hubs) != 1 {
		t.Errorf("%d entries", len(c.hubs))
	}
}
