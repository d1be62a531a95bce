package notify

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"spate/hub"
	"spate/hub/eventlog"
	"spate/metric"
)

// chunkOf is a chunk of gzip batches of one event each, the first at offset 0. A
// nil body stands for bytes that are no gzip.
func chunkOf(t *testing.T, bodies ...[]byte) *hub.Chunk {
	t.Helper()
	c := new(hub.Chunk)
	for i, body := range bodies {
		rec := []byte{0, 0, 0, 1}
		rec = binary.AppendVarint(rec, int64(len(body)))
		rec = append(append(rec, body...), 0)
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		z.Write(append(binary.AppendVarint(nil, int64(len(rec))), rec...))
		z.Close()
		if body == nil {
			packed.Reset()
			packed.WriteString("this is no gzip")
		}
		b := eventlog.Batch{Start: len(c.Data), BaseOffset: int64(i), Count: 1, Codec: 1}
		c.Data = append(append(c.Data, make([]byte, 61)...), packed.Bytes()...)
		b.End = len(c.Data)
		c.Batches = append(c.Batches, b)
	}
	return c
}

func notifier(t *testing.T) (*Notifier, *metric.Recorder) {
	t.Helper()
	dir := t.TempDir()
	rec := new(metric.Recorder)
	ns, err := hub.Open(t.Context(), hub.Options{Dir: dir, Metrics: rec})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	h, err := ns.Create(t.Context(), hub.Spec{Name: "alerts", Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(Options{Dir: filepath.Join(dir, "notify"), Name: "n", Hub: h, Receivers: []Receiver{{Name: "file", File: filepath.Join(dir, "f")}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n, rec
}

func TestABatchThatCannotBeTakenApartDoesNotStopThoseBehindIt(t *testing.T) {
	n, rec := notifier(t)
	if err := n.put(0, 0, chunkOf(t, nil, []byte(`{"alert":"fire"}`)), new(reading)); err != nil {
		t.Fatal(err)
	}
	if n.Pending() != 1 || n.box.position(0) != 2 {
		t.Errorf("%d events wait at position %d, want 1 at 2", n.Pending(), n.box.position(0))
	}
	if err := n.put(1, 0, chunkOf(t, nil), new(reading)); err != nil || n.box.position(1) != 1 {
		t.Errorf("nothing but damage: %v, position %d, want 1", err, n.box.position(1))
	}
	if v := rec.Counter("SkippedEvents", "EntityName", "alerts").Value(); v != 2 {
		t.Errorf("%d events are counted as skipped, want 2", v)
	}
}

func TestEventsThatCompressWellGoToTheOutboxInParts(t *testing.T) {
	n, _ := notifier(t)
	body := []byte(strings.Repeat("x", 1<<20))
	c := chunkOf(t, body, body, body, body, body, body)
	if err := n.put(0, 0, c, new(reading)); err != nil || n.box.position(0) != 4 {
		t.Fatalf("first part: %v, position %d, want 4", err, n.box.position(0))
	}
	if err := n.put(0, 4, c, new(reading)); err != nil || n.box.position(0) != 6 || n.Pending() != 6 {
		t.Errorf("second part: %v, position %d, %d wait, want 6 and 6", err, n.box.position(0), n.Pending())
	}
}
