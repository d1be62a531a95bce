package notify

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func open(t *testing.T, dir string, names ...string) *outbox {
	t.Helper()
	b, err := openOutbox(dir, names)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.close() })
	return b
}

func reopen(t *testing.T, b *outbox, names ...string) *outbox {
	t.Helper()
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	return open(t, b.dir, names...)
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func event(offset int64, body string) []message {
	return []message{{offset: offset, body: []byte(body)}}
}

// bodies are what a receiver gets until nothing is left; it is marked as done.
func bodies(t *testing.T, b *outbox, receiver, limit int) string {
	t.Helper()
	var got []string
	for {
		ms, _, err := b.unsent(receiver, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(ms) == 0 {
			return strings.Join(got, " ")
		}
		for _, m := range ms {
			got = append(got, string(m.body))
		}
		must(t, b.advance(receiver, ms[len(ms)-1].number+1, -1))
	}
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestTornTailOfTheOutboxIsCut(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, "r")
	must(t, b.begin(), b.put(1, event(7, "whole")), b.put(1, event(8, "torn")), b.close())
	path := b.segmentPath(1)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := len(data) - 1; ; cut-- {
		must(t, os.WriteFile(path, data[:cut], 0o600))
		b = open(t, dir, "r")
		if b.position(1) == 7 || b.waitingFor(0) == 0 {
			t.Fatalf("cut at %d: position %d, %d wait: the whole event is gone", cut, b.position(1), b.waitingFor(0))
		}
		// What is written next stands in another file: the torn one stays as it is.
		must(t, b.begin(), b.put(1, event(8, "again")))
		b = reopen(t, b, "r")
		if got := bodies(t, b, 0, 10); got != "whole again" || b.position(1) != 9 {
			t.Fatalf("cut at %d: outbox holds %q, position %d", cut, got, b.position(1))
		}
		must(t, b.close())
		for _, name := range files(t, dir) {
			must(t, os.Remove(filepath.Join(dir, name)))
		}
		if bytes.HasSuffix(data[:cut], []byte("whole")) {
			return
		}
	}
}

func TestFilesOfTheOutboxGoWhenTheirEventsAreDone(t *testing.T) {
	b := open(t, t.TempDir(), "fast", "slow")
	must(t, b.begin())
	body := bytes.Repeat([]byte("x"), 1<<20)
	for i := range 20 {
		must(t, b.put(0, []message{{offset: int64(i), body: body}}), b.advance(0, uint64(i+2), -1), b.advance(1, uint64(max(1, i)), -1))
	}
	var size int64
	for _, name := range files(t, b.dir) {
		info, err := os.Stat(filepath.Join(b.dir, name))
		must(t, err)
		size += info.Size()
	}
	if size > 3*segmentBytes {
		t.Errorf("the outbox has %d bytes", size)
	}
	if b.bytes < 2<<20 || b.bytes > 3<<20 {
		t.Errorf("%d bytes wait, want those of two events", b.bytes)
	}
	b = reopen(t, b, "slow", "new")
	if b.waitingFor(0) != 2 || b.waitingFor(1) != 0 || b.position(0) != 20 {
		t.Errorf("slow waits for %d, new for %d, position %d; want 2, 0, 20", b.waitingFor(0), b.waitingFor(1), b.position(0))
	}
}

func TestTakeCrossesFilesAndKeepsItsLimits(t *testing.T) {
	for _, limit := range []int{1, 3, 2048} {
		b := open(t, t.TempDir(), "r")
		var want []string
		for i := range 10 {
			must(t, b.begin(), b.put(0, event(int64(2*i), fmt.Sprint(i))), b.put(1, event(int64(i), fmt.Sprint("b", i))))
			want = append(want, fmt.Sprint(i), fmt.Sprint("b", i))
		}
		b = reopen(t, b, "r")
		if got := bodies(t, b, 0, limit); got != strings.Join(want, " ") {
			t.Errorf("limit %d: got %s", limit, got)
		}
		if len(b.segments) != 1 || len(files(t, b.dir)) != 1 {
			t.Errorf("limit %d: all is done and there are the files %v", limit, files(t, b.dir))
		}
	}
}

// A receiver that is left out for one start is new at the next: it gets what comes then.
func TestReceiverThatWasLeftOutBeginsAnew(t *testing.T) {
	b := open(t, t.TempDir(), "stays", "goes")
	must(t, b.begin(), b.put(0, event(0, "a")))
	b = reopen(t, b, "stays")
	must(t, b.begin(), b.put(0, event(1, "b")))
	b = reopen(t, b, "stays", "goes")
	must(t, b.begin(), b.put(0, event(2, "c")))
	if stays, goes := bodies(t, b, 0, 10), bodies(t, b, 1, 10); stays != "a b c" || goes != "c" {
		t.Errorf("got %q and %q", stays, goes)
	}
}

func TestWriteThatWentWrongIsNoPartOfTheOutbox(t *testing.T) {
	b := open(t, t.TempDir(), "r")
	must(t, b.begin(), b.put(0, event(0, "a")))
	s := b.segments[0]
	// The record reaches the file and the answer is an error: a failed sync.
	lost := appendPut(nil, &message{number: 2, offset: 1, body: []byte("lost")})
	if _, err := s.f.WriteAt(lost, s.end); err != nil {
		t.Fatal(err)
	}
	b.broken = true
	must(t, b.put(0, event(1, "b")))
	b = reopen(t, b, "r")
	if got := bodies(t, b, 0, 10); got != "a b" || b.position(0) != 2 {
		t.Errorf("outbox holds %q, position %d", got, b.position(0))
	}
}

func TestFolderThatCannotBeSyncedKeepsEventsOutUntilItCan(t *testing.T) {
	b := open(t, t.TempDir(), "r")
	must(t, b.begin(), b.put(0, event(0, "a")))
	// The next file has its name and the sync behind it went wrong.
	must(t, b.publish(2, b.appendState(nil)))
	dir := b.dir
	b.dir = filepath.Join(dir, "gone")
	if err := b.put(0, event(1, "b")); err == nil {
		t.Fatal("an event was taken while its file may have no name")
	}
	b.dir = dir
	must(t, b.put(0, event(1, "b")))
	b = reopen(t, b, "r")
	if got := bodies(t, b, 0, 10); got != "a b" || b.position(0) != 2 {
		t.Errorf("outbox holds %q, position %d", got, b.position(0))
	}
}

func TestMissingFileOfTheOutboxIsRefused(t *testing.T) {
	b := open(t, t.TempDir(), "r")
	for i := range 3 {
		must(t, b.begin(), b.put(0, event(int64(i), "x")))
	}
	must(t, b.close(), os.Remove(b.segmentPath(2)))
	if _, err := openOutbox(b.dir, []string{"r"}); err == nil || !strings.Contains(err.Error(), "events 2 to 3") {
		t.Errorf("opened with %v", err)
	}
}

func TestOutboxOfAnotherVersionIsRefused(t *testing.T) {
	b := open(t, t.TempDir(), "r")
	begin := appendRecord(nil, func(r []byte) []byte { return append(r, beginKind, outboxVersion+1, 1) })
	must(t, os.WriteFile(b.segmentPath(1), begin, 0o600))
	if _, err := openOutbox(b.dir, []string{"r"}); err == nil || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("opened with %v", err)
	}
}

// The file of version 1: no begin, cursors and positions between the events.
func TestOutboxOfVersionOneIsTakenOver(t *testing.T) {
	id := [16]byte{9}
	put := func(b []byte, number uint64, partition int, offset int64, body string) []byte {
		return appendPut(b, &message{number: number, partition: partition, offset: offset, body: []byte(body)})
	}
	for name, c := range map[string]struct {
		events func(b []byte) []byte
		slow   string
		next   uint64
	}{
		"events wait": {func(b []byte) []byte {
			b = put(b, 41, 0, 5, "a")
			b = put(b, 42, 1, 3, "b")
			b = appendCursor(b, "fast", cursor{43, 7})
			b = put(b, 43, 1, 4, "c")
			return append(b, 1, 2, 3) // torn
		}, "a b c", 44},
		"nothing waits": {func(b []byte) []byte { return b }, "", 43},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			data := appendCursor(appendCursor(nil, "fast", cursor{43, 6}), "slow", cursor{41, -1})
			if c.slow == "" {
				data = appendCursor(appendCursor(nil, "fast", cursor{43, 6}), "slow", cursor{43, -1})
			}
			data = appendPosition(appendPosition(data, id, 0, 5), id, 1, 3)
			must(t, os.WriteFile(filepath.Join(dir, "outbox"), c.events(data), 0o600))
			b := open(t, dir, "fast", "slow")
			if b.hubID != id || b.next != c.next || b.cursors[0].next != 43 {
				t.Errorf("hub %x, next %d, cursor %d", b.hubID, b.next, b.cursors[0].next)
			}
			if c.slow != "" && (b.position(0) != 6 || b.position(1) != 5 || b.cursors[0].size != 7) {
				t.Errorf("positions %v, size %d", b.positions, b.cursors[0].size)
			}
			must(t, b.begin())
			if got := bodies(t, b, 1, 10); got != c.slow {
				t.Errorf("got %q, want %q", got, c.slow)
			}
			if got := files(t, dir); len(got) != 1+min(len(c.slow), 1) {
				t.Errorf("the folder holds %v", got)
			}
			b = reopen(t, b, "fast", "slow")
			if b.waitingFor(1) != 0 || b.next != c.next || b.position(1) < 3 {
				t.Errorf("after a restart: %d wait, next %d, position %d", b.waitingFor(1), b.next, b.position(1))
			}
		})
	}
}

func FuzzOutboxReplay(f *testing.F) {
	f.Add(appendPosition(appendCursor(appendPut(appendBegin(nil, 3), &message{number: 3, partition: 1, offset: 4, body: []byte("x")}), "r", cursor{3, 9}), [16]byte{1}, 1, 5))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		// The sum is made right, so that what lies behind it is reached.
		record := appendRecord(nil, func(b []byte) []byte { return append(b, data...) })
		for _, in := range [][]byte{data, record, append(appendBegin(nil, 1), record...)} {
			b := &outbox{positions: map[int]int64{}, stored: map[string]cursor{}, next: 1}
			s := &segment{number: 1}
			if err := b.replaySegment(s, in); err == nil && (s.end > int64(len(in)) || b.next != s.next()) {
				t.Errorf("end %d of %d bytes, next event %d of %d", s.end, len(in), b.next, s.next())
			}
		}
	})
}

// BenchmarkOutbox is what an event costs on its way through, with the syncs of a
// thousand others.
func BenchmarkOutbox(b *testing.B) {
	box, err := openOutbox(b.TempDir(), []string{"r"})
	if err != nil {
		b.Fatal(err)
	}
	defer box.close()
	body := bytes.Repeat([]byte("x"), 250)
	ms := make([]message, 1000)
	for i := range ms {
		ms[i].body = body
	}
	offset := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		for i := range ms {
			ms[i].offset = offset
			offset++
		}
		if err := box.put(0, ms); err != nil {
			b.Fatal(err)
		}
		for box.waitingFor(0) > 0 {
			got, _, err := box.unsent(0, 2048)
			if err != nil {
				b.Fatal(err)
			}
			if err := box.advance(0, got[len(got)-1].number+1, -1); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(ms)), "ns/event")
}
