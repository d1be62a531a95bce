package eventhub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"spate/column"
	"spate/connector"
	"spate/hub"
	"spate/hub/eventlog"
	"spate/metric"
)

func namespace(t testing.TB, dir string) *hub.Namespace {
	t.Helper()
	n, err := hub.Open(t.Context(), hub.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func makeHub(t testing.TB, n *hub.Namespace, s hub.Spec) *hub.Hub {
	t.Helper()
	h, err := n.Create(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func send(t testing.TB, p *hub.Partition, texts ...string) *hub.Ticket {
	t.Helper()
	var events []hub.Event
	for _, s := range texts {
		events = append(events, hub.Event{Body: []byte(s)})
	}
	tk := p.Append(eventlog.AMQP, events)
	<-tk.Done()
	if tk.Err() != nil {
		t.Fatal(tk.Err())
	}
	return tk
}

// texts are the messages of a chunk.
func texts(c *connector.Chunk) []string {
	var list []string
	for i := range c.Len() {
		list = append(list, string(c.Data[c.Starts[i]:c.Ends[i]]))
	}
	return list
}

func TestReaderGivesMessagesPositionsAndAPromise(t *testing.T) {
	h := makeHub(t, namespace(t, t.TempDir()), hub.Spec{Name: "h", Partitions: 2})
	p := h.Partition(1)
	first := send(t, p, "a", "b")
	send(t, p, "c", "")
	src := NewSource(h, SourceOptions{})
	if n, err := src.Partitions(t.Context()); n != 2 || err != nil {
		t.Errorf("partitions %d, %v", n, err)
	}
	r, err := src.OpenReader(t.Context(), 1, connector.Start{})
	if err != nil {
		t.Fatal(err)
	}
	var c connector.Chunk
	if err := r.Read(t.Context(), &c, nil); err != nil {
		t.Fatal(err)
	}
	if got := texts(&c); !slices.Equal(got, []string{"a", "b", "c", ""}) || !slices.Equal(c.Offsets, []int64{0, 1, 2, 3}) {
		t.Errorf("messages %q at %v", got, c.Offsets)
	}
	if len(c.Data) < int(c.Ends[3])+16 {
		t.Errorf("%d bytes follow the last message, want 16", len(c.Data)-int(c.Ends[3]))
	}
	if c.Arrivals[0] != column.TicksOf(first.Time()) || c.Arrivals[1] != c.Arrivals[0] || c.Arrivals[2] < c.Arrivals[0] {
		t.Errorf("arrivals %v, the first append was at %v", c.Arrivals, first.Time())
	}
	if !c.CaughtUp || c.Promise < c.Arrivals[3] {
		t.Errorf("caught up %v, promise %v, last arrival %v", c.CaughtUp, c.Promise, c.Arrivals[3])
	}
	if tk := send(t, p, "d"); column.TicksOf(tk.Time()) < c.Promise {
		t.Errorf("append at %v against the promise %v", tk.Time(), c.Promise)
	}
	next := slices.Clone(c.Next)
	r2, err := src.OpenReader(t.Context(), 1, connector.Start{Mode: connector.AtPosition, Position: next})
	if err != nil {
		t.Fatal(err)
	}
	if err := r2.Read(t.Context(), &c, nil); err != nil || !slices.Equal(texts(&c), []string{"d"}) {
		t.Errorf("from the position: %q, %v", texts(&c), err)
	}
	wake := make(chan struct{}, 1)
	wake <- struct{}{}
	if err := r2.Read(t.Context(), &c, wake); err != nil || c.Len() != 0 || !c.CaughtUp || c.Promise == 0 || len(c.Next) == 0 {
		t.Errorf("woken: %d messages, %v, caught up %v, promise %v", c.Len(), err, c.CaughtUp, c.Promise)
	}
}

func TestReaderStarts(t *testing.T) {
	start := time.UnixMilli(1_700_000_000_000)
	var run atomic.Int64
	n, err := hub.Open(t.Context(), hub.Options{Dir: t.TempDir(), Clock: func() time.Time { return start.Add(time.Duration(run.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	h := makeHub(t, n, hub.Spec{Name: "h", Partitions: 1})
	send(t, h.Partition(0), "a")
	run.Store(int64(time.Second))
	send(t, h.Partition(0), "b")
	src := NewSource(h, SourceOptions{})
	wake := make(chan struct{})
	close(wake)
	for _, c := range []struct {
		start connector.Start
		want  []string
	}{
		{connector.Start{Mode: connector.Oldest}, []string{"a", "b"}},
		{connector.Start{Mode: connector.Newest}, nil},
		{connector.Start{Mode: connector.AtTime, Time: column.TicksOf(start.Add(time.Second - time.Millisecond))}, []string{"b"}},
		{connector.Start{Mode: connector.AtPosition, Position: position(1, 0)}, []string{"b"}},
	} {
		r, err := src.OpenReader(t.Context(), 0, c.start)
		if err != nil {
			t.Fatal(err)
		}
		var chunk connector.Chunk
		if err := r.Read(t.Context(), &chunk, wake); err != nil || !slices.Equal(texts(&chunk), c.want) {
			t.Errorf("start %+v: %q, %v, want %q", c.start, texts(&chunk), err, c.want)
		}
	}
	for _, bad := range []connector.Start{{Mode: connector.AtPosition}, {Mode: connector.AtPosition, Position: position(9, 0)}, {Mode: 9}} {
		if _, err := src.OpenReader(t.Context(), 0, bad); err == nil {
			t.Errorf("start %+v was taken", bad)
		}
	}
}

// A position knows its log, until the record before it is removed.
func TestAPositionKnowsItsLog(t *testing.T) {
	var run atomic.Int64
	clock := func() time.Time { return time.UnixMilli(1_700_000_000_000 + run.Add(1)) }
	n, err := hub.Open(t.Context(), hub.Options{Dir: t.TempDir(), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	one, other := makeHub(t, n, hub.Spec{Name: "one", Partitions: 1}), makeHub(t, n, hub.Spec{Name: "other", Partitions: 1})
	for range 3 {
		send(t, one.Partition(0), "a")
		send(t, other.Partition(0), "a")
	}
	wake := make(chan struct{})
	close(wake)
	r, err := NewSource(one, SourceOptions{}).OpenReader(t.Context(), 0, connector.Start{Mode: connector.Oldest})
	if err != nil {
		t.Fatal(err)
	}
	var c connector.Chunk
	if err := r.Read(t.Context(), &c, wake); err != nil || c.Len() != 3 {
		t.Fatalf("%d events, %v", c.Len(), err)
	}
	mine := NewSource(one, SourceOptions{}).Remembers(t.Context(), 0, c.Next)
	foreign := NewSource(other, SourceOptions{}).Remembers(t.Context(), 0, c.Next)
	if mine != nil || !errors.Is(foreign, ErrOtherLog) {
		t.Errorf("its own log: %v, another one: %v", mine, foreign)
	}
	if err := NewSource(one, SourceOptions{}).Remembers(t.Context(), 0, position(4, 0)); !errors.Is(err, ErrOtherLog) {
		t.Errorf("behind the end of the log: %v", err)
	}
}

func TestRemovedEventsAreCountedAndPassedOver(t *testing.T) {
	h := makeHub(t, namespace(t, t.TempDir()), hub.Spec{Name: "h", Partitions: 1})
	rec := new(metric.Recorder)
	r, err := NewSource(h, SourceOptions{Job: "j", Metrics: rec}).OpenReader(t.Context(), 0, connector.Start{})
	if err != nil {
		t.Fatal(err)
	}
	send(t, h.Partition(0), "a", "b", "c")
	if err := h.Partition(0).TrimTo(2); err != nil {
		t.Fatal(err)
	}
	var c connector.Chunk
	if err := r.Read(t.Context(), &c, nil); err != nil || !slices.Equal(texts(&c), []string{"c"}) {
		t.Errorf("read %q, %v", texts(&c), err)
	}
	if v := rec.Counter("EventsTrimmedUnread", "EntityName", "h", "JobName", "j", "PartitionId", "0").Value(); v != 2 {
		t.Errorf("EventsTrimmedUnread %d, want 2", v)
	}
}

// rows makes a batch of the columns key and n.
func rows(keys []string, n []int64) *column.Batch {
	k, v := column.NewBuilder(nil), column.NewBuilder(nil)
	for i := range n {
		if keys[i] == "" {
			k.Append(column.Value{})
		} else {
			k.Append(column.TextOf(keys[i]))
		}
		v.Append(column.IntOf(n[i]))
	}
	return &column.Batch{Schema: &column.Schema{Fields: []column.Field{{Name: "Key"}, {Name: "n"}}}, Rows: len(n),
		Time: make([]column.Ticks, len(n)), Cols: []column.Vector{k.Vector(), v.Vector()}}
}

// stored returns all records of a hub as "partition key value".
func stored(t *testing.T, h *hub.Hub) []string {
	t.Helper()
	var list []string
	var c hub.Chunk
	for i := range h.Partitions() {
		p := h.Partition(i)
		for from := p.Bounds().First; from < p.Bounds().Next; {
			if err := p.Read(context.Background(), from, 1<<20, &c, nil); err != nil {
				t.Fatal(err)
			}
			for k := range c.Batches {
				for it := c.Records(k); it.Next(); {
					list = append(list, fmt.Sprintf("%d %s %s", i, it.Record.Key, it.Record.Value))
				}
				from = c.Batches[k].Next()
			}
		}
	}
	return list
}

func TestSinkIsExactlyOnceOverRepeatsAndRestarts(t *testing.T) {
	dir := t.TempDir()
	n := namespace(t, dir)
	h := makeHub(t, n, hub.Spec{Name: "out", Partitions: 4})
	o := SinkOptions{Output: "alerts", KeyColumn: "key"}
	s := NewSink(h, o)
	prepare := func(w connector.Writer, b *column.Batch, epoch int64) connector.Prepared {
		t.Helper()
		if bad, err := w.Write(t.Context(), b); err != nil || len(bad) != 0 {
			t.Fatal(bad, err)
		}
		note, err := w.Prepare(t.Context(), connector.Epoch{Job: "j", Number: epoch})
		if err != nil {
			t.Fatal(err)
		}
		return note
	}
	commit := func(s *Sink, epoch int64, notes ...connector.Prepared) {
		t.Helper()
		if err := s.Commit(t.Context(), connector.Epoch{Job: "j", Number: epoch}, notes); err != nil {
			t.Fatal(err)
		}
	}
	writer := func(s *Sink, shard int) connector.Writer {
		t.Helper()
		w, err := s.OpenWriter(t.Context(), connector.Shard{Job: "j", Number: shard, Of: 2})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	w0, w1 := writer(s, 0), writer(s, 1)
	note0 := prepare(w0, rows([]string{"device-000", "device-001"}, []int64{1, 2}), 1)
	note1 := prepare(w1, rows([]string{"device-000", ""}, []int64{3, 4}), 1)
	if got := stored(t, h); len(got) != 0 {
		t.Errorf("visible before the commit: %q", got)
	}
	commit(s, 1, note0, note1, nil)
	want := []string{
		`1 device-000 {"Key":"device-000","n":1}`,
		`1 device-000 {"Key":"device-000","n":3}`,
		`1  {"Key":null,"n":4}`,
		`2 device-001 {"Key":"device-001","n":2}`,
	}
	if got := stored(t, h); !slices.Equal(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}
	// The next epoch is prepared but its commit is lost with the process; the
	// manifest's commit comes again.
	note0 = prepare(w0, rows([]string{"device-000"}, []int64{5}), 2)
	prepare(w1, rows([]string{"device-000"}, []int64{99}), 2) // never in a manifest
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = namespace(t, dir)
	h, _ = n.Hub("out")
	s = NewSink(h, o)
	commit(s, 2, note0, nil)
	commit(s, 2, note0, nil)
	w0, w1 = writer(s, 0), writer(s, 1)
	commit(s, 3, prepare(w0, rows([]string{"device-000"}, []int64{6}), 3), prepare(w1, rows([]string{"device-000"}, []int64{7}), 3))
	want = slices.Insert(want, 3, `1 device-000 {"Key":"device-000","n":5}`, `1 device-000 {"Key":"device-000","n":6}`, `1 device-000 {"Key":"device-000","n":7}`)
	if got := stored(t, h); !slices.Equal(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}
	if note, err := w0.Prepare(t.Context(), connector.Epoch{}); note != nil || err != nil {
		t.Errorf("nothing written: %x, %v", note, err)
	}
}

func TestSinkSplitsLargeEpochsAndSpreadsKeylessBatches(t *testing.T) {
	h := makeHub(t, namespace(t, t.TempDir()), hub.Spec{Name: "out", Partitions: 2})
	s := NewSink(h, SinkOptions{Output: "o"})
	w, err := s.OpenWriter(t.Context(), connector.Shard{Job: "j", Number: 0, Of: 1})
	if err != nil {
		t.Fatal(err)
	}
	const n = 2*commitEvents + 5
	b := rows(make([]string, n), make([]int64, n))
	for range 2 {
		if _, err := w.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Write(t.Context(), b.WithLive([]int32{3})); err != nil {
		t.Fatal(err)
	}
	note, err := w.Prepare(t.Context(), connector.Epoch{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Commit(t.Context(), connector.Epoch{}, []connector.Prepared{note}); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := h.Partition(0).Bounds().Next, h.Partition(1).Bounds().Next; a != n+1 || b != n {
		t.Errorf("partitions hold %d and %d, want %d and %d", a, b, n+1, n)
	}
}

func TestRowsThatAreNoEventComeBack(t *testing.T) {
	h := makeHub(t, namespace(t, t.TempDir()), hub.Spec{Name: "out", Partitions: 2})
	w, err := NewSink(h, SinkOptions{KeyColumn: "Key"}).OpenWriter(t.Context(), connector.Shard{Job: "j", Number: 0, Of: 1})
	if err != nil {
		t.Fatal(err)
	}
	bad, err := w.Write(t.Context(), rows([]string{"a", strings.Repeat("k", 600), strings.Repeat("x", maxEvent)}, []int64{1, 2, 3}))
	if err != nil || len(bad) != 2 || bad[0].Row != 1 || bad[1].Row != 2 {
		t.Errorf("bad rows %v, %v, want rows 1 and 2", bad, err)
	}
}

func TestKeyFromAStarColumn(t *testing.T) {
	h := makeHub(t, namespace(t, t.TempDir()), hub.Spec{Name: "out", Partitions: 4})
	s := NewSink(h, SinkOptions{KeyColumn: "device"})
	w, err := s.OpenWriter(t.Context(), connector.Shard{Job: "j", Number: 0, Of: 1})
	if err != nil {
		t.Fatal(err)
	}
	rec := column.RecordOf(&column.RecordValue{Names: []string{"Device", "t"}, Values: []column.Value{column.TextOf("device-001"), column.FloatOf(20)}})
	b := &column.Batch{Schema: &column.Schema{Fields: []column.Field{{Name: "*", Star: true}}}, Rows: 1, Time: make([]column.Ticks, 1),
		Cols: []column.Vector{column.Constant(rec, 1)}}
	if _, err := w.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	note, _ := w.Prepare(t.Context(), connector.Epoch{})
	if err := s.Commit(t.Context(), connector.Epoch{}, []connector.Prepared{note}); err != nil {
		t.Fatal(err)
	}
	if got, want := stored(t, h), []string{`2 device-001 {"Device":"device-001","t":20.0}`}; !slices.Equal(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}
}

func TestDamagedNotesAreRefused(t *testing.T) {
	h := makeHub(t, namespace(t, t.TempDir()), hub.Spec{Name: "out", Partitions: 1})
	s := NewSink(h, SinkOptions{})
	w, _ := s.OpenWriter(t.Context(), connector.Shard{Job: "j", Number: 0, Of: 1})
	w.Write(t.Context(), rows([]string{"a"}, []int64{1}))
	note, _ := w.Prepare(t.Context(), connector.Epoch{})
	for n := 1; n < len(note); n++ {
		if n == 9 {
			continue // no group at all: nothing to append
		}
		if err := s.Commit(t.Context(), connector.Epoch{}, []connector.Prepared{note[:n]}); !errors.Is(err, errPrepared) {
			t.Errorf("note cut at %d: %v, want errPrepared", n, err)
		}
	}
	if n := h.Partition(0).Bounds().Next; n != 0 {
		t.Errorf("%d events of damaged notes stored", n)
	}
}

func FuzzPrepared(f *testing.F) {
	f.Add(appendGroup(beginPrepared(nil, 1<<62), 1, &staged{next: 3, count: 1, events: appendEvent(nil, true, []byte("k"), []byte("v"))}))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := openPrepared(b)
		if err != nil {
			return
		}
		for d.nextGroup() {
			for d.nextEvent() {
				_ = string(d.key) + string(d.body)
			}
		}
	})
}

func TestReadAllocatesPerChunkNotPerMessage(t *testing.T) {
	h := makeHub(t, namespace(t, t.TempDir()), hub.Spec{Name: "h", Partitions: 2})
	allocs := func(p, messages int) float64 {
		events := make([]string, messages)
		for i := range events {
			events[i] = strings.Repeat("x", 100)
		}
		send(t, h.Partition(p), events...)
		r, err := NewSource(h, SourceOptions{}).OpenReader(t.Context(), p, connector.Start{})
		if err != nil {
			t.Fatal(err)
		}
		var c connector.Chunk
		return testing.AllocsPerRun(20, func() {
			r.(*reader).next = 0
			if err := r.Read(t.Context(), &c, nil); err != nil || c.Len() != messages {
				t.Fatalf("%d messages, %v", c.Len(), err)
			}
		})
	}
	if few, many := allocs(0, 10), allocs(1, 5000); few != many {
		t.Errorf("%v allocations for 10 messages, %v for 5000", few, many)
	}
}
