package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"
)

// faultLog is a log on a disk in memory. The log is left open: tests copy the
// disk to see what a crash at that moment leaves.
func faultLog(t testing.TB, s Settings) (*Log, Options, *faultFS) {
	o := testOptions("/hub", newFakeClock())
	f := newFaultFS()
	o.fs = f
	return create(t, o, s, 1), o, f
}

func on(o Options, f *faultFS) Options {
	o.fs = f
	return o
}

func TestTornTailIsCutAtEveryByte(t *testing.T) {
	l, o, f := faultLog(t, Settings{})
	p := l.Partition(0)
	all := numbers(0, 20)
	for part := range slices.Chunk(all[:18], 3) {
		mustAppend(t, p.Append(Kafka, bodies(part...)))
	}
	whole := p.Bounds().Bytes
	// The last entry is on its way: nobody has been told that it is there.
	f.edit("/hub/0000/tail", func([]byte) []byte { return nil })
	mustAppend(t, p.Append(Kafka, bodies(all[18:]...)))
	f.edit("/hub/0000/tail", func([]byte) []byte { return nil })
	end := p.Bounds().Bytes
	for size := whole; size <= end; size++ {
		c := f.copyOf()
		c.edit(segmentName(0), func(b []byte) []byte { return b[:size] })
		l2 := reopen(t, on(o, c))
		p2 := l2.Partition(0)
		want := all[:18]
		if size == end {
			want = all
		}
		if got := readAllFrom(t, p2, 0, 1000); !slices.Equal(got, want) {
			t.Fatalf("cut at byte %d of %d: %q, want %q", size, end, got, want)
		}
		if tk := mustAppend(t, p2.Append(Kafka, bodies("next"))); tk.Offset() != int64(len(want)) {
			t.Fatalf("cut at byte %d: next append at %d, want %d", size, tk.Offset(), len(want))
		}
		if err := l2.Close(); err != nil {
			t.Fatal(err)
		}
		l3 := reopen(t, on(o, c))
		if got := readAllFrom(t, l3.Partition(0), 0, 1000); !slices.Equal(got, append(slices.Clone(want), "next")) {
			t.Fatalf("cut at byte %d, closed and opened again: %q", size, got)
		}
		l3.Close()
	}
}

func TestFlippedBitInAcknowledgedDataIsDetectedAndNotServed(t *testing.T) {
	l, o, f := faultLog(t, Settings{})
	p := l.Partition(0)
	all := numbers(10, 22) // of one length, so that entries are
	for part := range slices.Chunk(all, 3) {
		mustAppend(t, p.Append(Kafka, bodies(part...)))
	}
	size := int(p.Bounds().Bytes)
	f.edit("/hub/0000/tail", func([]byte) []byte { return nil }) // proof comes from durable marks alone
	lastEntry := (size - segHeader) / 4
	for at := segHeader; at < size; at++ {
		c := f.copyOf()
		c.edit(segmentName(0), func(b []byte) []byte { b[at] ^= 1 << (at % 8); return b })
		l2, err := Open(on(o, c))
		if err != nil {
			t.Fatalf("flip at %d: %v", at, err)
		}
		p2 := l2.Partition(0)
		hurt := (at - segHeader) / lastEntry * 3
		if got := readAllFrom(t, p2, 0, 1000); !slices.Equal(got, all[:hurt]) {
			t.Fatalf("flip at %d: %q, want %q", at, got, all[:hurt])
		}
		// Entries behind the bad one prove that it was acknowledged, if the mark
		// of one of them lies behind it; the last but one is never proven so.
		damaged := errors.Is(p2.Err(), ErrDamaged) && errors.Is(p2.Err(), ErrOffline)
		if wantDamaged := hurt < 9; damaged != wantDamaged {
			t.Fatalf("flip at %d in offsets %d..: Err %v, want damage %v", at, hurt, p2.Err(), wantDamaged)
		}
		if damaged {
			if tk := p2.Append(Kafka, bodies("x")); !errors.Is(tk.Err(), ErrOffline) {
				t.Fatalf("flip at %d: append %v, want ErrOffline", at, tk.Err())
			}
		}
		l2.Close()
		if l3, err := Open(on(o, c)); err != nil || damaged != errors.Is(l3.Partition(0).Err(), ErrDamaged) {
			t.Fatalf("flip at %d, opened again: %v", at, err)
		}
	}
}

func TestLossBelowTheTailCheckpointIsDetected(t *testing.T) {
	l, o, f := faultLog(t, Settings{})
	p := l.Partition(0)
	mustAppend(t, p.Append(Kafka, bodies("a", "b")))
	for _, lose := range []int{1, 50} {
		c := f.copyOf()
		c.edit(segmentName(0), func(b []byte) []byte { return b[:len(b)-lose] })
		l2 := reopen(t, on(o, c))
		if err := l2.Partition(0).Err(); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes lost below the checkpoint: Err %v, want ErrDamaged", lose, err)
		}
	}
	// A bad entry below it is not cut off as a torn tail.
	hurt := f.copyOf()
	hurt.edit(segmentName(0), func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	size := len(hurt.files[segmentName(0)].data)
	if err := reopen(t, on(o, hurt)).Partition(0).Err(); !errors.Is(err, ErrDamaged) {
		t.Errorf("bad entry below the checkpoint: Err %v, want ErrDamaged", err)
	}
	if got := len(hurt.files[segmentName(0)].data); got != size {
		t.Errorf("segment of %d bytes, was %d: damage was cut off", got, size)
	}
	c := f.copyOf()
	c.edit(segmentName(0), func(b []byte) []byte { return b[:segHeader] })
	if err := reopen(t, on(o, c)).Partition(0).Err(); !errors.Is(err, ErrDamaged) {
		t.Errorf("all entries lost: Err %v, want ErrDamaged", err)
	}
}

func TestManifestIsNeverGuessed(t *testing.T) {
	l, o, f := faultLog(t, Settings{})
	mustAppend(t, l.Partition(0).Append(Kafka, bodies("a")))
	l.Close()
	c := f.copyOf()
	if err := c.Remove("/hub/manifest"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(on(o, c)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open without manifest: %v, want an error that says it is missing", err)
	}
	c = f.copyOf()
	c.edit("/hub/manifest", func(b []byte) []byte { b[len(b)-5] ^= 1; return b })
	if _, err := Open(on(o, c)); !errors.Is(err, ErrDamaged) {
		t.Errorf("open with a bad manifest: %v, want ErrDamaged", err)
	}
	c = f.copyOf()
	c.edit("/hub/manifest", func(b []byte) []byte { return []byte(strings.Replace(string(b), "spate-log 1", "spate-log 2", 1)) })
	if _, err := Open(on(o, c)); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("open with a newer manifest: %v, want its version named", err)
	}
	c = f.copyOf()
	c.edit(segmentName(0), func(b []byte) []byte { b[9] = 2; return b })
	if _, err := Open(on(o, c)); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("open with a newer segment: %v, want its version named", err)
	}
}

func TestLostIndexIsMadeAnew(t *testing.T) {
	l, o, f := faultLog(t, Settings{SegmentBytes: 1 << 20})
	p := l.Partition(0)
	all := numbers(0, 300)
	for i := range all {
		all[i] += strings.Repeat("x", 10_000)
		mustAppend(t, p.Append(Kafka, bodies(all[i])))
	}
	l.Close()
	names := f.list(idxSuffix)
	if len(names) < 3 {
		t.Fatalf("indexes %v, want one per sealed segment", names)
	}
	c := f.copyOf()
	c.Remove(names[0])
	c.edit(names[1], func(b []byte) []byte { b[40] ^= 1; return b })
	l2 := reopen(t, on(o, c))
	if got := readAllFrom(t, l2.Partition(0), 0, 50_000); !slices.Equal(got, all) {
		t.Errorf("%d records, want the same %d", len(got), len(all))
	}
	if again := c.list(idxSuffix); !slices.Equal(again, names) {
		t.Errorf("indexes after open %v, want %v", again, names)
	}
}

func TestASegmentThatGrowsAgainHasAnIndexOfAllItsEntriesWhenItIsSealed(t *testing.T) {
	l, o, f := faultLog(t, Settings{SegmentBytes: 1 << 20})
	p := l.Partition(0)
	row := strings.Repeat("x", 40_000)
	for len(f.list(segSuffix)) < 2 {
		mustAppend(t, p.Append(Kafka, bodies(row)))
	}
	sealed := int(p.segs[0].end)
	// The crash came while the second segment was made: the first is the active one again.
	c := f.copyOf()
	c.edit(segmentName(int64(sealed)), func([]byte) []byte { return nil })
	c.edit("/hub/0000/tail", func([]byte) []byte { return nil })
	l2 := reopen(t, on(o, c))
	p2 := l2.Partition(0)
	small := strings.Repeat("y", 100)
	for i := 0; len(c.list(segSuffix)) < 2; i++ {
		text := small // what is left of the first segment, then one that does not fit
		if i == 20 {
			text = row
		}
		mustAppend(t, p2.Append(Kafka, bodies(text)))
	}
	b, err := c.ReadFile(companion(segmentName(0), idxSuffix))
	if err != nil {
		t.Fatal(err)
	}
	s := p2.segs[0]
	_, index, err := parseIndex(b, o.ID, 0, 0, s.length, s.extent)
	if err != nil || len(index) < sealed-1 {
		t.Errorf("the index has %d entries of %d large rows, %v", len(index), sealed, err)
	}
	if got := readAllFrom(t, p2, 0, 50_000); len(got) != int(p2.Bounds().Next) {
		t.Errorf("%d records of %d", len(got), p2.Bounds().Next)
	}
}

func TestFullDiskRefusesAndRecoversWithoutRestart(t *testing.T) {
	for _, segment := range []int64{64 << 20, 1 << 20} {
		l, o, f := faultLog(t, Settings{SegmentBytes: segment})
		p := l.Partition(0)
		id, seq := FirstJobProducer+7, int32(0)
		pad := strings.Repeat("x", 100_000)
		var want []string
		put := func(s string) error {
			tk := p.AppendOnce(id, seq, bodies(s))
			<-tk.Done()
			if tk.Err() == nil {
				seq++
				want = append(want, s)
			}
			return tk.Err()
		}
		if err := put("first"); err != nil {
			t.Fatal(err)
		}
		refusals := 0
		for i := range 40 {
			f.space.Store(int64(i) * 3_001)
			err := put(fmt.Sprintf("%d%s", i, pad))
			if err != nil {
				refusals++
				if !errors.Is(err, ErrDiskFull) {
					t.Fatalf("append on a full disk: %v, want ErrDiskFull", err)
				}
			}
			f.space.Store(-1)
			if err := put(fmt.Sprintf("after %d%s", i, pad)); err != nil {
				t.Fatalf("append with space again: %v", err)
			}
		}
		if refusals == 0 {
			t.Error("the disk was never full")
		}
		if got := readAllFrom(t, p, 0, 1<<20); !slices.Equal(got, want) {
			t.Errorf("segments of %d: %d records, want %d", segment, len(got), len(want))
		}
		l2 := reopen(t, on(o, f.copyOf()))
		if got := readAllFrom(t, l2.Partition(0), 0, 1<<20); !slices.Equal(got, want) {
			t.Errorf("segments of %d, after a crash: %d records, want %d", segment, len(got), len(want))
		}
		if got := l2.Partition(0).ProducerNext(id); got != seq {
			t.Errorf("segments of %d, after a crash: next sequence %d, want %d", segment, got, seq)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFailedSyncTakesThePartitionOffline(t *testing.T) {
	l, _, f := faultLog(t, Settings{})
	p := l.Partition(0)
	mustAppend(t, p.Append(Kafka, bodies("durable")))
	f.badSync.Store(true)
	tk := p.Append(Kafka, bodies("lost"))
	<-tk.Done()
	if !errors.Is(tk.Err(), ErrOffline) {
		t.Errorf("append with a failed sync: %v, want ErrOffline", tk.Err())
	}
	f.badSync.Store(false)
	if tk := p.Append(Kafka, bodies("later")); !errors.Is(tk.Err(), ErrOffline) {
		t.Errorf("append afterwards: %v, want ErrOffline", tk.Err())
	}
	if got := readAllFrom(t, p, 0, 1000); !slices.Equal(got, []string{"durable"}) {
		t.Errorf("readable %q, want the durable record", got)
	}
}

// Acknowledged events survive, in order and once, whatever unsynced writes a
// power failure leaves, loses and tears; what was not acknowledged may be there
// or not, but only whole and in order.
func TestPowerFailureKeepsWhatWasAcknowledged(t *testing.T) {
	rounds := 80
	if testing.Short() {
		rounds = 20
	}
	for seed := range rounds {
		rnd := rand.New(rand.NewSource(int64(seed)))
		o := testOptions("/hub", newFakeClock())
		f := newFaultFS()
		o.fs = f
		l := create(t, o, Settings{SegmentBytes: 1 << 20}, 1)
		f.SyncDir("/")
		var sent []string // by offset
		acked := 0
		for life := range 4 {
			p := l.Partition(0)
			var tickets []*Ticket
			for range rnd.Intn(30) {
				texts := make([]string, 1+rnd.Intn(4))
				for i := range texts {
					texts[i] = fmt.Sprintf("life %d event %d %s", life, len(sent)+i, strings.Repeat("y", rnd.Intn(40_000)))
				}
				sent = append(sent, texts...)
				tickets = append(tickets, p.Append(Kafka, bodies(texts...)))
				if rnd.Intn(4) == 0 {
					mustAppend(t, tickets[len(tickets)-1])
					acked = len(sent)
				}
			}
			crash := f.powerFail(rnd) // while the rest is on its way
			for _, tk := range tickets {
				<-tk.Done()
			}
			l.Close()
			o.fs, f = crash, crash
			l2, err := Open(o)
			if err != nil {
				t.Fatalf("seed %d life %d: %v", seed, life, err)
			}
			if err := l2.Partition(0).Err(); err != nil {
				t.Fatalf("seed %d life %d: %v", seed, life, err)
			}
			got := readAllFrom(t, l2.Partition(0), 0, 1<<20)
			if len(got) < acked || len(got) > len(sent) || !slices.Equal(got, sent[:len(got)]) {
				t.Fatalf("seed %d life %d: %d records, %d were acknowledged of %d", seed, life, len(got), acked, len(sent))
			}
			sent = sent[:len(got):len(got)]
			acked = len(got)
			l = l2
		}
		l.Close()
	}
}

func TestRetentionRemovesWholeOldSegmentsOnly(t *testing.T) {
	o, clock := tempLog(t)
	l := create(t, o, Settings{SegmentBytes: 1 << 20, Retention: time.Hour}, 1)
	p := l.Partition(0)
	pad := strings.Repeat("x", 100_000)
	for range 40 {
		mustAppend(t, p.Append(Kafka, bodies(pad)))
		clock.ms.Add(time.Minute.Milliseconds())
	}
	trim := func() Bounds {
		t.Helper()
		if err := l.Trim(clock.now()); err != nil {
			t.Fatal(err)
		}
		return p.Bounds()
	}
	if b := trim(); b.First != 0 {
		t.Errorf("first %d after 40 minutes of an hour, want 0", b.First)
	}
	clock.ms.Add(40 * time.Minute.Milliseconds())
	b := trim()
	if b.First == 0 || b.First > 20 {
		t.Errorf("first %d, want above 0 and none younger than an hour (20) gone", b.First)
	}
	var c Chunk
	if err := p.Read(t.Context(), 0, 100, &c, nil); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Errorf("read of removed records: %v, want ErrOffsetOutOfRange", err)
	}
	clock.ms.Add(10 * time.Hour.Milliseconds())
	if b := trim(); !b.Empty || b.First != 40 || b.Next != 40 || b.LastSequence != 39 {
		t.Errorf("bounds %+v of an idle log, want empty at 40", b)
	}
	l.Close()
	l2 := reopen(t, o)
	if b := l2.Partition(0).Bounds(); !b.Empty || b.Next != 40 || b.LastSequence != 39 {
		t.Errorf("bounds after restart %+v, want empty at 40", b)
	}
	if tk := mustAppend(t, l2.Partition(0).Append(Kafka, bodies("x"))); tk.Offset() != 40 {
		t.Errorf("next offset %d, want 40", tk.Offset())
	}
}

func TestRetentionByBytesAndTrimTo(t *testing.T) {
	l, o, f := faultLog(t, Settings{SegmentBytes: 1 << 20, RetentionBytes: 2 << 20})
	p := l.Partition(0)
	for range 60 {
		mustAppend(t, p.Append(Kafka, bodies(strings.Repeat("x", 100_000))))
	}
	if err := l.Trim(time.UnixMilli(testTime)); err != nil {
		t.Fatal(err)
	}
	if b := p.Bounds(); b.Bytes > 3<<20 || b.First == 0 {
		t.Errorf("bounds %+v, want 3 MiB at most", b)
	}
	at := p.Bounds().First + 5
	if err := p.TrimTo(at); err != nil {
		t.Fatal(err)
	}
	l2 := reopen(t, on(o, f.copyOf()))
	if b := l2.Partition(0).Bounds(); b.First != at {
		t.Errorf("first %d after TrimTo and a crash, want %d", b.First, at)
	}
	if err := p.TrimTo(1000); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Errorf("trim beyond the end: %v", err)
	}
}

func TestOSAndIntervalPoliciesAcknowledgeBeforeTheSync(t *testing.T) {
	for _, policy := range []Policy{OS, Interval} {
		l, o, f := faultLog(t, Settings{Policy: policy})
		synced := make(chan struct{}, 100)
		hook := func() { synced <- struct{}{} }
		f.onSync.Store(&hook)
		p := l.Partition(0)
		mustAppend(t, p.Append(Kafka, bodies("a")))
		if policy == Interval {
			<-synced
		} else if len(synced) != 0 {
			t.Errorf("%v: %d syncs", policy, len(synced))
		}
		f.onSync.Store(nil)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l2 := reopen(t, on(o, f.powerFail(rand.New(rand.NewSource(1)))))
		if got := readAllFrom(t, l2.Partition(0), 0, 100); !slices.Equal(got, []string{"a"}) {
			t.Errorf("%v: %q after an orderly close and a power failure", policy, got)
		}
		if s := l2.Settings(); s.Policy != policy {
			t.Errorf("policy %v after restart, want %v", s.Policy, policy)
		}
	}
}
