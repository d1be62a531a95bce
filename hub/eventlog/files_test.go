package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A partition that lacks a descriptor, at any step of an append or of the beginning of a
// new segment, refuses, and goes on when there are some.
func TestNoDescriptorIsSurvived(t *testing.T) {
	for _, policy := range []Policy{Sync, OS, Interval} {
		l, o, f := faultLog(t, Settings{Policy: policy})
		p := l.Partition(0)
		id, seq := FirstJobProducer+7, int32(0)
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
		refusals := 0
		for opens := range int64(12) {
			for l.o.Files.giveUp() { // the next use has to open the segment again
			}
			f.opens.Store(opens)
			errs := []error{put(fmt.Sprintf("short %d", opens)), p.roll(), put(fmt.Sprintf("short again %d", opens))}
			for _, err := range errs {
				if err != nil {
					refusals++
					if !errors.Is(err, ErrDescriptors) || errors.Is(err, ErrOffline) {
						t.Fatalf("%v with %d descriptors: %v, want ErrDescriptors", policy, opens, err)
					}
				}
			}
			f.opens.Store(-1)
			if err := put(fmt.Sprintf("after %d", opens)); err != nil {
				t.Fatalf("%v: append with descriptors again: %v", policy, err)
			}
		}
		if refusals < 6 {
			t.Errorf("%v: %d refusals", policy, refusals)
		}
		check := func(when string, l *Log) {
			if got := readAllFrom(t, l.Partition(0), 0, 1<<20); !slices.Equal(got, want) {
				t.Errorf("%v, %s: %q, want %q", policy, when, got, want)
			}
			if got := l.Partition(0).ProducerNext(id); got != seq {
				t.Errorf("%v, %s: next sequence %d, want %d", policy, when, got, seq)
			}
		}
		check("running", l)
		check("after a crash", reopen(t, on(o, f.copyOf())))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A refusal ends when its cause does, with nobody appending.
func TestRefusalPassesByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, f := faultLog(t, Settings{})
		p := l.Partition(0)
		mustAppend(t, p.Append(Kafka, bodies("first")))
		for _, c := range []struct {
			start, end func()
			want       error
		}{
			{func() { f.space.Store(0) }, func() { f.space.Store(-1) }, ErrDiskFull},
			{func() { f.opens.Store(0) }, func() { f.opens.Store(-1) }, ErrDescriptors},
		} {
			for l.o.Files.giveUp() {
			}
			c.start()
			tk := p.Append(Kafka, bodies(strings.Repeat("x", 10_000)))
			<-tk.Done()
			time.Sleep(10 * probeEvery)
			if err := p.Refusal(); !errors.Is(tk.Err(), c.want) || !errors.Is(err, c.want) {
				t.Errorf("refused %v, as long as it lasts: %v, want %v", tk.Err(), err, c.want)
			}
			if p.Err() != nil {
				t.Errorf("the partition is offline: %v", p.Err())
			}
			c.end()
			time.Sleep(2 * probeEvery)
			synctest.Wait()
			if err := p.Refusal(); err != nil {
				t.Errorf("still refused: %v", err)
			}
			mustAppend(t, p.Append(Kafka, bodies("again")))
		}
		if left := f.list(".tmp"); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
		f.space.Store(0) // Close finds a refusal
		<-p.Append(Kafka, bodies("x")).Done()
		f.space.Store(-1)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

// openFiles are the files below dir that the process has open.
func openFiles(t *testing.T, dir string) (open []string) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here")
	}
	for _, e := range list {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, dir) {
			open = append(open, to)
		}
	}
	return open
}

// However many segments are read and written at the same time, few are open.
func TestFewSegmentsAreOpen(t *testing.T) {
	const most, segments, partitions = 4, 10, 3
	o, _ := tempLog(t)
	o.Files = NewFiles(most, 0)
	l := create(t, o, Settings{}, partitions)
	want := make([][]string, partitions)
	for i := range partitions {
		for k := range segments {
			s := fmt.Sprintf("event %d of %d", k, i)
			mustAppend(t, l.Partition(i).Append(Kafka, bodies(s)))
			want[i] = append(want[i], s)
			if err := l.Partition(i).roll(); err != nil {
				t.Fatal(err)
			}
		}
	}
	few := func(when string) {
		t.Helper()
		if n := openFiles(t, o.Dir); len(n) > most {
			t.Errorf("%s: %d files are open: %q", when, len(n), n)
		}
	}
	few("written")
	var wg sync.WaitGroup
	for i := range partitions {
		p := l.Partition(i)
		for range 2 {
			wg.Go(func() {
				for range 5 {
					if got := readAllFrom(t, p, 0, 100)[:segments]; !slices.Equal(got, want[i]) {
						t.Errorf("read %q, want %q", got, want[i])
					}
				}
			})
		}
		wg.Go(func() {
			for range 20 {
				<-p.Append(Kafka, bodies("more")).Done()
			}
			var sum int64
			for _, s := range p.segs {
				sum += s.length
			}
			if b := p.Bounds().Bytes; b != sum {
				t.Errorf("%d bytes, want %d", b, sum)
			}
		})
	}
	wg.Wait()
	few("read")
	if err := l.Partition(0).TrimTo(5); err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, s := range l.Partition(0).segs {
		sum += s.length
	}
	if b := l.Partition(0).Bounds().Bytes; b != sum {
		t.Errorf("%d bytes behind the trim, want %d", b, sum)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n := openFiles(t, o.Dir); len(n) > 0 {
		t.Errorf("closed: %q are open", n)
	}
	o.Files = NewFiles(most, 0)
	l = reopen(t, o)
	few("opened")
	if b := l.Partition(0).Bounds().Bytes; b != sum {
		t.Errorf("%d bytes behind a start, want %d", b, sum)
	}
}

// writeSegments makes a log of one partition with so many sealed segments of one event
// each, without waiting for the disk.
func writeSegments(t *testing.T, o Options, n int) {
	t.Helper()
	l := create(t, o, Settings{}, 1)
	dir := l.Partition(0).dir
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, tailName)); err != nil {
		t.Fatal(err)
	}
	write := func(path string, b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	floor := int64(0)
	for k := range int64(n) {
		x := emptyExtent(k, testTime, floor)
		b := appendSegmentHeader(nil, o.ID, 0, 0, k, &x)
		b = appendEvents(b, bodies(fmt.Sprintf("event %d", k)), testTime, -1, -1, -1)
		sealEntry(b[segHeader:], uint16(Kafka), 0, testTime, k, k, 0)
		e, err := parseHead(b[segHeader:])
		if err != nil {
			t.Fatal(err)
		}
		var index []indexEntry
		if ix, ok := x.add(k, &e); ok {
			index = append(index, ix)
		}
		floor = x.lastTime
		write(segmentPath(dir, k), b)
		write(companion(segmentPath(dir, k), idxSuffix), encodeIndex(o.ID, 0, k, &x, index))
	}
}

// Ten thousand segments are opened, read and added to by a process that may have 256 files
// open, when somebody else in it holds all that are left.
func TestTenThousandSegmentsUnderALimit(t *testing.T) {
	const segments = 10_000
	if dir := os.Getenv("SPATE_TEST_LIMITED"); dir != "" {
		limited(t, dir, segments)
		return
	}
	if runtime.GOOS == "windows" || testing.Short() {
		t.Skip("no ulimit, or no time")
	}
	o, _ := tempLog(t)
	writeSegments(t, o, segments)
	cmd := exec.Command("/bin/sh", "-c", `ulimit -n 256; exec "$0" -test.run '^TestTenThousandSegmentsUnderALimit$'`, os.Args[0])
	cmd.Env = append(os.Environ(), "SPATE_TEST_LIMITED="+o.Dir)
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.HasPrefix(out, []byte("PASS")) {
		t.Errorf("%v\n%s", err, out)
	}
}

func limited(t *testing.T, dir string, segments int) {
	o := testOptions(dir, newFakeClock())
	o.Files = NewFiles(32, 16)
	l := reopen(t, o)
	p := l.Partition(0)
	var taken []*os.File
	for { // as connections would
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		taken = append(taken, f)
	}
	if len(taken) > 256-32-16 {
		t.Errorf("%d files could be taken: the log keeps none", len(taken))
	}
	for k := range 5 {
		mustAppend(t, p.Append(Kafka, bodies(fmt.Sprintf("event %d", segments+k))))
		if err := p.roll(); err != nil {
			t.Fatal(err)
		}
	}
	if got := readAllFrom(t, p, 0, 1); !slices.Equal(got, numbers(0, segments+5)) {
		t.Errorf("%d events", len(got))
	}
	// The last descriptor too: that is refused, and passes.
	for o.Files.giveUp() {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, f)
	}
	tk := p.Append(Kafka, bodies("refused"))
	<-tk.Done()
	if !errors.Is(tk.Err(), ErrDescriptors) || !errors.Is(p.Refusal(), ErrDescriptors) {
		t.Errorf("append without a descriptor: %v, %v", tk.Err(), p.Refusal())
	}
	if err := p.Read(context.Background(), 0, 1, new(Chunk), nil); !noDescriptor(err) {
		t.Errorf("read without a descriptor: %v", err)
	}
	for _, f := range taken {
		f.Close()
	}
	mustAppend(t, p.Append(Kafka, bodies("again")))
	if p.Refusal() != nil {
		t.Error(p.Refusal())
	}
}
