package exec

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"spate/column"
	"spate/sql/bind"
	"spate/stream/state"
)

// overStage is the stage of an input with one key, and what takes its rows.
func overStage(t *testing.T, p TimePolicy, most int) *TimeStage {
	t.Helper()
	job, errs, _ := bind.Script("SELECT k INTO o FROM i TIMESTAMP BY t OVER k", bind.Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	s, err := NewTimeStage(job.Inputs[0], p)
	if err != nil {
		t.Fatal(err)
	}
	s.subs.most = most
	return s
}

type nowhere struct{ rows int }

func (n *nowhere) Rows(b *column.Batch) error { n.rows += b.LiveRows(); return nil }

func (n *nowhere) Advance(column.Ticks) error { return nil }

// come gives a stage one event of a key, which arrives at its own time.
func come(t *testing.T, s *TimeStage, key string, at column.Ticks) (taken bool) {
	t.Helper()
	times := column.Vector{Kind: column.Time, Ints: []int64{int64(at)}}
	keys := column.NewBuilder(nil)
	keys.Append(column.TextOf(key))
	b := &column.Batch{Rows: 1, Time: []column.Ticks{at}, Seq: []int64{s.next}, Cols: []column.Vector{times, keys.Vector()}}
	var out nowhere
	if err := s.Rows(b, &out); err != nil {
		t.Fatal(err)
	}
	return out.rows == 1
}

// A key that has been silent for longer than events may be late is forgotten, in memory
// and in the state, and a partition has so many keys at one time and no more.
func TestSilentSubstreamsAreForgotten(t *testing.T) {
	const most = 10
	base := 700_000 * column.Day
	s := overStage(t, TimePolicy{Late: 5 * column.Second}, most)
	var files [][]byte // the state
	freeze := func() {
		keys, _ := s.Substreams()
		f, err := keys.Freeze()
		if err != nil {
			t.Fatal(err)
		}
		w := state.NewWriter()
		if f != nil {
			f(w.Step("s", 0, state.Groups))
		}
		var b bytes.Buffer
		if _, err := w.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		files = append(files, b.Bytes())
	}
	load := func(each func(e state.Entry) error) {
		var readers []io.Reader
		for _, f := range files {
			readers = append(readers, bytes.NewReader(f))
		}
		if err := state.Scan(readers, func(_ string, e state.Entry) error { return each(e) }); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1000 {
		if !come(t, s, fmt.Sprint("k", i), base+column.Ticks(i)*column.Second) {
			t.Fatalf("the event of key %d is dropped", i)
		}
		if n := len(s.subs.of); n > 6 || len(s.subs.list) > most {
			t.Fatalf("%d keys in %d places are remembered behind event %d", n, len(s.subs.list), i)
		}
		if i%3 == 0 {
			freeze()
		}
	}
	freeze()
	kept := 0
	load(func(e state.Entry) error {
		if kept++; s.subs.find(e.Key) == nil {
			t.Errorf("the state has key %q, which is forgotten", e.Key)
		}
		return nil
	})
	if kept != len(s.subs.of) {
		t.Errorf("%d keys in the state, %d in memory", kept, len(s.subs.of))
	}
	now := base + 1000*column.Second
	taken := 0
	for i := range 100 {
		if come(t, s, fmt.Sprint("x", i), now) {
			taken++
		}
	}
	if taken != most-4 || s.counts.InvalidTime != int64(100-taken) { // those of 5 s ago and before are forgotten
		t.Errorf("%d of 100 new keys are taken, %d events are counted as dropped", taken, s.counts.InvalidTime)
	}
	// Where the state is put back, the same keys have room.
	freeze()
	again := overStage(t, TimePolicy{Late: 5 * column.Second}, most)
	again.timeScalars = s.timeScalars
	keys, _ := again.Substreams()
	load(keys.Load)
	for i := range 20 {
		at := now + column.Ticks(i)*column.Second/2
		if a, b := come(t, s, fmt.Sprint("y", i), at), come(t, again, fmt.Sprint("y", i), at); a != b {
			t.Errorf("key %d at %s: taken %v, and %v where the state was put back", i, at, a, b)
		}
	}
}

// What a key sends goes on at once, however far behind others are that say nothing; the
// watermark of all is the last arrival less the tolerance for late events, and the clock
// moves it too. What comes behind it all the same, because its delivery took long, is moved.
func TestAFastSubstreamWaitsForNone(t *testing.T) {
	base := 700_000 * column.Day
	s := overStage(t, TimePolicy{Late: 5 * column.Second}, 10)
	come(t, s, "slow", base)
	for i := range 60 {
		at := base + column.Ticks(i)*column.Second
		if !come(t, s, "fast", at) {
			t.Fatalf("the event at %s does not go on", at)
		}
		if w := s.Watermark(); w != at-5*column.Second {
			t.Fatalf("watermark %s behind the event at %s", w, at)
		}
	}
	if err := s.Idle(base+80*column.Second, false, new(nowhere)); err != nil {
		t.Fatal(err)
	}
	if w := s.Watermark(); w != base+75*column.Second {
		t.Errorf("watermark %s behind a silence of 20 s", w)
	}
	var moved Moved
	s.Report = func(_ int, f TimeFault, m Moved) {
		if f == OutOfOrder {
			moved = m
		}
	}
	if !come(t, s, "slow", base+70*column.Second) || moved.By != 5*column.Second {
		t.Errorf("an event 5 s behind the clock's watermark was moved by %s", moved.By)
	}
}

// A long key costs no more than a short one, and differs from others that begin so.
func TestLongKeysOfSubstreams(t *testing.T) {
	base := 700_000 * column.Day
	s := overStage(t, TimePolicy{Late: 5 * column.Second}, 100)
	long := strings.Repeat("x", 1<<20)
	for _, key := range []string{long + "a", long + "b", long + "a", "x"} {
		come(t, s, key, base)
	}
	if len(s.subs.of) != 3 {
		t.Errorf("%d keys, want 3", len(s.subs.of))
	}
	for key := range s.subs.of {
		if len(key) > longestKey {
			t.Errorf("a key takes %d bytes", len(key))
		}
	}
}
