package hub

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"spate/hub/eventlog"
	"spate/metric"
)

// Vectors of the JS SDK 6.0.4.
// Source: event-hubs.md 4.7.
func TestPartitionKeyHash(t *testing.T) {
	for _, c := range []struct {
		key       string
		h         int16
		of4, of32 int
	}{
		{"", 0, 0, 0}, {"7149583486996073602", 12977, 1, 17},
		{"7", -15263, 3, 31}, {"device-000", 25033, 1, 9},
		{"a", -16220, 0, 28}, {"device-001", 20622, 2, 14},
		{"FWfAT", -22341, 1, 5}, {"device-002", -30700, 0, 12},
		{"größe", 14391, 3, 23}, {"device-003", 21435, 3, 27},
		{"日本", 27948, 0, 12}, {"device-007", -19868, 0, 28},
		{"twelve chars", 16055, 3, 23}, {"device-019", -11673, 1, 25},
		{"sOdeEAsyQoEuEFPGerWO", -6503, 3, 7}, {"device-1999", 2919, 3, 7},
	} {
		if h := KeyHash(c.key); h != c.h {
			t.Errorf("%q: hash %d, want %d", c.key, h, c.h)
		}
		if a, b := partitionOf(c.key, 4), partitionOf(c.key, 32); a != c.of4 || b != c.of32 {
			t.Errorf("%q: partitions %d of 4 and %d of 32, want %d and %d", c.key, a, b, c.of4, c.of32)
		}
	}
}

func open(t *testing.T, dir string, rec *metric.Recorder) *Namespace {
	t.Helper()
	n, err := Open(t.Context(), Options{Dir: dir, Metrics: rec})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func make1(t *testing.T, n *Namespace, s Spec) *Hub {
	t.Helper()
	h, err := n.Create(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHubsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir, nil)
	h := make1(t, n, Spec{Name: "Plant/Line-1", Partitions: 2, Retention: time.Hour, ConsumerGroups: []string{"$default", "dash", "DASH"}})
	tk := h.Partition(1).Append(eventlog.HTTPS, []Event{{Body: []byte("x")}})
	<-tk.Done()
	if tk.Err() != nil {
		t.Fatal(tk.Err())
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if tk := h.Partition(1).Append(eventlog.HTTPS, []Event{{Body: []byte("x")}}); !errors.Is(tk.Err(), ErrClosed) {
		t.Errorf("append after Close: %v, want ErrClosed", tk.Err())
	}
	n2 := open(t, dir, nil)
	h2, ok := n2.Hub("plant/LINE-1")
	if !ok {
		t.Fatal("the hub is gone")
	}
	if h2.Name() != "Plant/Line-1" || h2.ID() != h.ID() || !h2.Created().Equal(h.Created()) || h2.Partitions() != 2 {
		t.Errorf("hub %+v after restart, was %+v", h2, h)
	}
	if got := h2.ConsumerGroups(); !slices.Equal(got, []string{"$Default", "dash"}) {
		t.Errorf("groups %q", got)
	}
	for name, want := range map[string]bool{"$DEFAULT": true, "Dash": true, "other": false} {
		if h2.HasConsumerGroup(name) != want {
			t.Errorf("group %s there: %v", name, !want)
		}
	}
	if b := h2.Partition(1).Bounds(); b.Next != 1 {
		t.Errorf("bounds %+v, want one record", b)
	}
	if s := h2.Settings(); s.Retention != time.Hour {
		t.Errorf("retention %v", s.Retention)
	}
}

func TestCreateAgainChangesSettings(t *testing.T) {
	n := open(t, t.TempDir(), nil)
	h := make1(t, n, Spec{Name: "h", Partitions: 2})
	again := make1(t, n, Spec{Name: "H", Partitions: 4, Retention: time.Minute, ConsumerGroups: []string{"g"}})
	if again != h || h.Partitions() != 4 || h.Settings().Retention != time.Minute || !h.HasConsumerGroup("g") {
		t.Errorf("hub %v, partitions %d, settings %+v", again == h, h.Partitions(), h.Settings())
	}
	if _, err := n.Create(t.Context(), Spec{Name: "h", Partitions: 3}); err == nil || !strings.Contains(err.Error(), "shrink") {
		t.Errorf("fewer partitions: %v, want a refusal", err)
	}
	for _, s := range []Spec{{Name: ""}, {Name: "-h"}, {Name: "h "}, {Name: strings.Repeat("x", 257)}, {Name: "x", Partitions: 2000},
		{Name: "x", SegmentBytes: 5}, {Name: "x", ConsumerGroups: []string{strings.Repeat("g", 51)}}} {
		if _, err := n.Create(t.Context(), s); err == nil {
			t.Errorf("spec %+v was taken", s)
		}
	}
	if len(n.Hubs()) != 1 {
		t.Errorf("%d hubs, want 1", len(n.Hubs()))
	}
}

func TestDeletedHubIsGoneAndItsNameFree(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir, nil)
	h := make1(t, n, Spec{Name: "h", Partitions: 1})
	<-h.Partition(0).Append(eventlog.AMQP, []Event{{Body: []byte("x")}}).Done()
	var c Chunk
	read := make(chan error)
	go func() { read <- h.Partition(0).Read(context.Background(), 1, 100, &c, nil) }()
	if err := n.Delete("H"); err != nil {
		t.Fatal(err)
	}
	if err := <-read; !errors.Is(err, ErrDeleted) {
		t.Errorf("waiting reader: %v, want ErrDeleted", err)
	}
	if tk := h.Partition(0).Append(eventlog.AMQP, []Event{{Body: []byte("x")}}); !errors.Is(tk.Err(), ErrDeleted) {
		t.Errorf("append: %v, want ErrDeleted", tk.Err())
	}
	if err := n.Delete("h"); !errors.Is(err, ErrNotFound) {
		t.Errorf("second delete: %v, want ErrNotFound", err)
	}
	h2 := make1(t, n, Spec{Name: "h", Partitions: 1})
	if h2.ID() == h.ID() || h2.Partition(0).Bounds().Next != 0 {
		t.Error("the new hub goes on where the old one ended")
	}
	if dirs, err := os.ReadDir(filepath.Join(dir, "hubs")); err != nil || len(dirs) != 1 {
		t.Errorf("folders %v, %v, want one", dirs, err)
	}
}

func TestInterruptedDeletionIsFinished(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir, nil)
	h := make1(t, n, Spec{Name: "h", Partitions: 1})
	make1(t, n, Spec{Name: "other", Partitions: 1})
	<-h.Partition(0).Append(eventlog.AMQP, []Event{{Body: []byte("x")}}).Done()
	n.Close()
	id := h.ID()
	path := n.hubDir(hex.EncodeToString(id[:]))
	if err := os.Rename(path, path+deletedSuffix); err != nil {
		t.Fatal(err)
	}
	n2 := open(t, dir, nil)
	if _, ok := n2.Hub("h"); ok || len(n2.Hubs()) != 1 {
		t.Errorf("hubs %v, want other alone", n2.Hubs())
	}
	n2.Close()
	if n3 := open(t, dir, nil); len(n3.Hubs()) != 1 {
		t.Errorf("hubs %v at the next start, want other alone", n3.Hubs())
	}
}

func TestFolderWithRecordsThatNoNameLeadsToIsRefused(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir, nil)
	h := make1(t, n, Spec{Name: "h", Partitions: 1})
	<-h.Partition(0).Append(eventlog.AMQP, []Event{{Body: []byte("x")}}).Done()
	n.Close()
	if err := os.Remove(filepath.Join(dir, namespaceFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Dir: dir}); !errors.Is(err, eventlog.ErrDamaged) {
		t.Errorf("open without the namespace file: %v, want a refusal", err)
	}
}

func TestRoundRobinAndMetrics(t *testing.T) {
	rec := new(metric.Recorder)
	n := open(t, t.TempDir(), rec)
	h := make1(t, n, Spec{Name: "h", Partitions: 3})
	var got []int
	for range 6 {
		i := h.NextPartition()
		got = append(got, i)
		tk := h.Partition(i).Append(eventlog.AMQP, []Event{{Body: []byte("12345")}, {Body: []byte("678")}})
		<-tk.Done()
	}
	if !slices.Equal(got, []int{0, 1, 2, 0, 1, 2}) {
		t.Errorf("partitions %v", got)
	}
	h.CountOutgoing(5, 50)
	h.CountSkipped(3)
	for name, want := range map[string]int64{"IncomingMessages": 12, "IncomingBytes": 48, "OutgoingMessages": 5, "OutgoingBytes": 50, "SkippedEvents": 3} {
		if v := rec.Counter(name, "EntityName", "h").Value(); v != want {
			t.Errorf("%s %d, want %d", name, v, want)
		}
	}
}

func TestRetentionRunsByItself(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		n, err := Open(t.Context(), Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		h, err := n.Create(t.Context(), Spec{Name: "h", Partitions: 1, Retention: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		<-h.Partition(0).Append(eventlog.AMQP, []Event{{Body: []byte("x")}}).Done()
		time.Sleep(59 * time.Minute)
		if b := h.Partition(0).Bounds(); b.Empty {
			t.Errorf("bounds %+v within the retention", b)
		}
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if b := h.Partition(0).Bounds(); !b.Empty || b.First != 1 {
			t.Errorf("bounds %+v after the retention, want empty at 1", b)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
