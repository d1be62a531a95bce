// Package pipetest is what tests of whole pipelines and of their jobs share: events go into
// hubs, rows come out of tables.
package pipetest

import (
	"io"
	"strings"
	"testing"
	"time"

	"spate/blob"
	"spate/hub"
	"spate/hub/eventlog"
	"spate/lake/delta"
	"spate/lake/parquetfile"
	"spate/metric"
)

// Until polls a condition.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Send appends events to the partitions of a hub in turn, and waits until they are durable.
func Send(t testing.TB, n *hub.Namespace, name string, bodies ...string) {
	t.Helper()
	h, ok := n.Hub(name)
	if !ok {
		t.Fatalf("no hub %s", name)
	}
	for i, b := range bodies {
		ticket := h.Partition(i%h.Partitions()).Append(eventlog.AMQP, []hub.Event{{Body: []byte(b)}})
		if err := ticket.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Events are the events of a hub, by partition.
func Events(t testing.TB, n *hub.Namespace, name string) (out [][]string) {
	t.Helper()
	h, ok := n.Hub(name)
	if !ok {
		t.Fatalf("no hub %s", name)
	}
	for i := range h.Partitions() {
		var list []string
		var c hub.Chunk
		part := h.Partition(i)
		for from := part.Bounds().First; from < part.Bounds().Next; {
			if err := part.Read(t.Context(), from, 1<<20, &c, nil); err != nil {
				t.Fatal(err)
			}
			for k := range c.Batches {
				for it := c.Records(k); it.Next(); {
					list = append(list, string(it.Record.Value))
				}
				from = c.Batches[k].Next()
			}
		}
		out = append(out, list)
	}
	return out
}

// Rows are the rows of a table of the default names in a data folder; a table that is not
// there has none.
func Rows(t testing.TB, dir, table string) (out []map[string]any) {
	t.Helper()
	store := blob.NewLocal(dir)
	d, err := delta.Open(t.Context(), store, "lake/spate/data/default.db/"+table)
	if err != nil {
		return nil
	}
	s := d.Known()
	for _, a := range s.Files() {
		r, err := store.Open(t.Context(), s.Key(a), 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		list, err := parquetfile.ReadRows(data, nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, list...)
	}
	return out
}

// Counter is the sum of a metric over the series with the labels, which are names and
// values in turn.
func Counter(r *metric.Recorder, name string, labels ...string) (n int64) {
	for _, s := range r.Series() {
		if s.Name != name || s.Counter == nil {
			continue
		}
		match := true
		for i := 0; i < len(labels); i += 2 {
			has := false
			for _, l := range s.Labels {
				has = has || l.Name == labels[i] && strings.EqualFold(l.Value, labels[i+1])
			}
			match = match && has
		}
		if match {
			n += s.Counter.Value()
		}
	}
	return n
}
