package eventlog

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Source: event-hubs.md 14.5, golden vector.
const goldenSegment = `
53 50 41 54 45 53 45 47 00 01 00 40 5d 49 2a fb
00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff
00 00 00 02 00 00 00 00 00 00 00 00 00 00 00 00
00 00 01 a2 03 18 32 53 00 00 00 00 00 00 00 00
53 50 45 31 2a 1a 27 c6 00 00 00 8e 00 0a 01 26
00 00 01 a2 03 18 32 53 00 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 00 00 00 62 00 00 00 00
02 8b 16 a4 cb 00 08 00 00 00 00 00 00 01 a2 03
18 32 53 00 00 01 a2 03 18 32 53 ff ff ff ff ff
ff ff ff ff ff ff ff ff ff 00 00 00 01 60 00 00
00 14 64 65 76 69 63 65 2d 30 30 31 0e 7b 22 74
22 3a 31 7d 02 0a 24 61 6d 71 70 24 01 00 00 00
0c 00 53 74 c1 07 02 a1 01 61 a1 01 62 00`

func TestSegmentFileIsTheGoldenVector(t *testing.T) {
	want, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "").Replace(goldenSegment))
	if err != nil {
		t.Fatal(err)
	}
	o, _ := tempLog(t)
	l := create(t, o, Settings{}, 3)
	amqp, _ := hex.DecodeString("010000000c005374c10702a10161a1016200")
	ev := Event{Key: []byte("device-001"), Body: []byte(`{"t":1}`), AMQP: amqp}
	mustAppend(t, l.Partition(2).Append(AMQP, []Event{ev}))
	got, err := os.ReadFile(filepath.Join(o.Dir, "0002", "00000000000000000000.seg"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("segment\n got %x\nwant %x", got, want)
	}
	var c Chunk
	if err := l.Partition(2).Read(context.Background(), 0, 1<<20, &c, nil); err != nil {
		t.Fatal(err)
	}
	it := c.Records(0)
	if !it.Next() || string(it.Record.Key) != "device-001" || string(it.Record.Value) != `{"t":1}` ||
		!bytes.Equal(it.Record.AMQP(), amqp) || it.Record.Time != testTime || !c.Batches[0].Mapped || c.Batches[0].Origin != AMQP {
		t.Errorf("read back %+v of batch %+v", it.Record, c.Batches[0])
	}
	if len(c.Data) < c.Batches[0].End+slack {
		t.Errorf("%d bytes follow the last batch, want %d", len(c.Data)-c.Batches[0].End, slack)
	}
}

func TestNullAndEmptyStayApart(t *testing.T) {
	o, _ := tempLog(t)
	p := create(t, o, Settings{}, 1).Partition(0)
	mustAppend(t, p.Append(Internal, []Event{{}, {Key: []byte{}, Body: []byte{}}}))
	var c Chunk
	if err := p.Read(context.Background(), 0, 1<<20, &c, nil); err != nil {
		t.Fatal(err)
	}
	it := c.Records(0)
	it.Next()
	if it.Record.Key != nil || it.Record.Value != nil {
		t.Errorf("null event read as %q, %q", it.Record.Key, it.Record.Value)
	}
	it.Next()
	if it.Record.Key == nil || it.Record.Value == nil {
		t.Error("empty event read as null")
	}
}

func TestReadFromEveryOffsetWithSmallReads(t *testing.T) {
	o, _ := tempLog(t)
	p := create(t, o, Settings{}, 1).Partition(0)
	all := numbers(0, 700)
	for part := range slices.Chunk(all, 7) {
		mustAppend(t, p.Append(Kafka, bodies(part...)))
	}
	for from := int64(0); from < 700; from += 31 {
		if got := readAllFrom(t, p, from, 200); !slices.Equal(got, all[from:]) {
			t.Fatalf("read from %d: %d records, want %d", from, len(got), len(all[from:]))
		}
	}
	var c Chunk
	if err := p.Read(context.Background(), 701, 100, &c, nil); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Errorf("read beyond the end: %v, want ErrOffsetOutOfRange", err)
	}
}

func TestReadWaitsForAnAppendWakeOrContext(t *testing.T) {
	o, _ := tempLog(t)
	p := create(t, o, Settings{}, 1).Partition(0)
	var c Chunk
	wake := make(chan struct{}, 1)
	wake <- struct{}{}
	if err := p.Read(context.Background(), 0, 100, &c, wake); err != nil || len(c.Batches) != 0 {
		t.Errorf("woken read: %d batches, %v", len(c.Batches), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Read(ctx, 0, 100, &c, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled read: %v", err)
	}
	done := make(chan error)
	go func() { done <- p.Read(context.Background(), 0, 100, &c, nil) }()
	mustAppend(t, p.Append(Kafka, bodies("x")))
	if err := <-done; err != nil || len(c.Batches) != 1 {
		t.Errorf("read of an append: %d batches, %v", len(c.Batches), err)
	}
}

func TestRestartKeepsRecordsOffsetsAndTimes(t *testing.T) {
	for _, orderly := range []bool{true, false} {
		o, clock := tempLog(t)
		l := create(t, o, Settings{SegmentBytes: 1 << 20}, 2)
		p := l.Partition(1)
		all := numbers(0, 120)
		pad := strings.Repeat("x", 32_000)
		for i, s := range all {
			clock.ms.Add(10)
			all[i] = s + pad
			mustAppend(t, p.Append(AMQP, bodies(all[i])))
		}
		before := p.Bounds()
		if len(p.segs) < 4 {
			t.Fatalf("%d segments, want several", len(p.segs))
		}
		if orderly {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		l2 := reopen(t, o)
		p2 := l2.Partition(1)
		if got := p2.Bounds(); got != before {
			t.Errorf("orderly %v: bounds %+v, want %+v", orderly, got, before)
		}
		if got := readAllFrom(t, p2, 0, 1<<20); !slices.Equal(got, all) {
			t.Errorf("orderly %v: %d records after restart, want %d the same", orderly, len(got), len(all))
		}
		wantEpoch := int32(1)
		if orderly {
			wantEpoch = 0
		}
		if p2.Epoch() != wantEpoch {
			t.Errorf("orderly %v: epoch %d, want %d", orderly, p2.Epoch(), wantEpoch)
		}
		clock.ms.Store(testTime - 1000) // the clock fell back: times must not
		tk := mustAppend(t, p2.Append(AMQP, bodies("y")))
		if tk.Offset() != 120 || tk.Time().Before(before.LastTime) {
			t.Errorf("orderly %v: append at %d, %v, want 120 and not before %v", orderly, tk.Offset(), tk.Time(), before.LastTime)
		}
		if err := l2.Close(); err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}

func TestLookupByAppendTime(t *testing.T) {
	o, clock := tempLog(t)
	l := create(t, o, Settings{SegmentBytes: 1 << 20}, 1)
	p := l.Partition(0)
	pad := strings.Repeat("x", 5000)
	for range 400 {
		mustAppend(t, p.Append(AMQP, bodies(pad, pad)))
		clock.ms.Add(10)
	}
	check := func(p *Partition) {
		t.Helper()
		for i := range 400 {
			at := time.UnixMilli(testTime + int64(i)*10)
			for _, d := range []time.Duration{0, -9 * time.Millisecond, -time.Microsecond} {
				if got, err := p.OffsetAt(at.Add(d)); err != nil || got != int64(2*i) {
					t.Fatalf("offset at batch %d%+v is %d, want %d (%v)", i, d, got, 2*i, err)
				}
				if got, ms, err := p.OffsetAtRecordTime(at.UnixMilli()); err != nil || got != int64(2*i) || ms != at.UnixMilli() {
					t.Fatalf("offset at record time of batch %d is %d, %d, want %d (%v)", i, got, ms, 2*i, err)
				}
			}
		}
		if got, err := p.OffsetAt(time.UnixMilli(testTime + 4000)); err != nil || got != 800 {
			t.Errorf("offset behind the last is %d, want 800 (%v)", got, err)
		}
		if got, ms, err := p.MaxRecordTime(); err != nil || got != 798 || ms != testTime+3990 {
			t.Errorf("max record time %d at %d, want %d at 798 (%v)", ms, got, testTime+3990, err)
		}
	}
	check(p)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check(reopen(t, o).Partition(0))
}

func TestAppendsDuringASyncShareTheNextOne(t *testing.T) {
	o := testOptions("/hub", newFakeClock())
	fs := newFaultFS()
	o.fs = fs
	p := create(t, o, Settings{}, 1).Partition(0)
	entered, leave := make(chan struct{}), make(chan struct{})
	hook := func() { entered <- struct{}{}; <-leave }
	fs.onSync.Store(&hook)
	first := p.Append(Kafka, bodies("first"))
	<-entered
	var rest []*Ticket
	for range 1000 {
		rest = append(rest, p.Append(Kafka, bodies("x")))
	}
	select {
	case <-first.Done():
		t.Error("acknowledged before the sync")
	default:
	}
	if got := p.Bounds().Next; got != 0 {
		t.Errorf("readers see %d records before the sync", got)
	}
	leave <- struct{}{}
	mustAppend(t, first)
	<-entered
	leave <- struct{}{}
	for i, tk := range rest {
		if mustAppend(t, tk); tk.Offset() != int64(i)+1 {
			t.Fatalf("append %d got offset %d", i+1, tk.Offset())
		}
	}
	fs.onSync.Store(nil)
}

func TestPromiseHoldsAgainstClockStepsBack(t *testing.T) {
	o, clock := tempLog(t)
	p := create(t, o, Settings{}, 1).Partition(0)
	clock.ms.Add(500)
	promised := p.PromiseFrom(0)
	if promised != testTime+500 {
		t.Errorf("promise %d, want the present %d", promised, testTime+500)
	}
	clock.ms.Add(-400)
	tk := mustAppend(t, p.Append(Kafka, bodies("x")))
	if tk.Time().UnixMilli() < promised {
		t.Errorf("append time %d below the promise %d", tk.Time().UnixMilli(), promised)
	}
	if got := p.PromiseFrom(0); got != 0 {
		t.Errorf("promise %d for an offset that is readable, want none", got)
	}
	if got := p.PromiseFrom(1); got < promised {
		t.Errorf("promise %d fell below %d", got, promised)
	}
}

func TestClockStepForwardIsFollowedAfterAMinute(t *testing.T) {
	s := newStamper(newFakeClock().now)
	for _, c := range []struct {
		run        time.Duration
		step, want int64 // milliseconds: of the wall clock against the monotonic one; expected
	}{
		{time.Second, 0, 1000},
		{2 * time.Second, 4000, 6000}, // a small step is followed at once
		{3 * time.Second, 3600_000, 7000},
		{62 * time.Second, 3600_000, 66_000},
		{63 * time.Second, 3600_000, 3663_000},
		{64 * time.Second, -3600_000, 64_000 - 3600_000},
	} {
		if got := s.follow(testTime+c.run.Milliseconds()+c.step, c.run) - testTime; got != c.want {
			t.Errorf("after %v with a step of %d ms: %d ms, want %d", c.run, c.step, got, c.want)
		}
	}
}
