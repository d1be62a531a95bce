package eventhub

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"spate/column"
	"spate/connector"
	"spate/hub"
)

func openImmediate(t testing.TB, s *ImmediateSink) *immediateWriter {
	t.Helper()
	w, err := s.OpenWriter(t.Context(), connector.Shard{Job: "j", Number: 0, Of: 1})
	if err != nil {
		t.Fatal(err)
	}
	return w.(*immediateWriter)
}

func (w *immediateWriter) mustWrite(t testing.TB, b *column.Batch) {
	t.Helper()
	if bad, err := w.Write(t.Context(), b); err != nil || len(bad) != 0 {
		t.Fatal(bad, err)
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (w *immediateWriter) mustPrepare(t testing.TB) connector.Prepared {
	t.Helper()
	note, err := w.Prepare(t.Context(), connector.Epoch{Job: "j"})
	if err != nil || note == nil {
		t.Fatal(note, err)
	}
	return note
}

func (s *ImmediateSink) mustCommit(t testing.TB, note connector.Prepared) {
	t.Helper()
	if err := s.Commit(t.Context(), connector.Epoch{Job: "j"}, []connector.Prepared{note}); err != nil {
		t.Fatal(err)
	}
}

// mixed are rows from..to: every third without a key.
func mixed(from, to int) *column.Batch {
	var keys []string
	var n []int64
	for i := from; i < to; i++ {
		key := fmt.Sprintf("device-%03d", i%5)
		if i%3 == 0 {
			key = ""
		}
		keys, n = append(keys, key), append(n, int64(i))
	}
	return rows(keys, n)
}

// A job that is broken off behind any row, with the checkpoint at any row before, writes
// each row once and in its place, however the rows are cut into batches.
func TestImmediateRowsComeOnceWhereverAJobIsBrokenOff(t *testing.T) {
	const n = 12
	all := namespace(t, t.TempDir())
	var want []string
	for saved := range n {
		for broken := saved; broken <= n; broken++ {
			h := makeHub(t, all, hub.Spec{Name: fmt.Sprintf("h%d-%d", saved, broken), Partitions: 3})
			s := NewImmediateSink(h, SinkOptions{Output: "o", KeyColumn: "key"})
			w := openImmediate(t, s)
			w.mustWrite(t, mixed(0, saved))
			s.mustCommit(t, w.mustPrepare(t))
			for i := saved; i < broken; i++ {
				w.mustWrite(t, mixed(i, i+1))
			}
			w.mustPrepare(t) // never saved
			s2 := NewImmediateSink(h, SinkOptions{Output: "o", KeyColumn: "key"})
			s2.mustCommit(t, s.note.append(nil))
			w = openImmediate(t, s2)
			if w.Behind() != (broken > saved) {
				t.Errorf("saved at %d, broken off at %d: behind %v", saved, broken, w.Behind())
			}
			for i := saved; i < n; i += 5 {
				w.mustWrite(t, mixed(i, min(i+5, n)))
			}
			w.mustPrepare(t)
			got := stored(t, h)
			if want == nil {
				want = got
			}
			if len(got) != n || !slices.Equal(got, want) {
				t.Fatalf("saved at %d, broken off at %d: %q, want %q", saved, broken, got, want)
			}
			if w.Behind() {
				t.Errorf("saved at %d, broken off at %d: still behind", saved, broken)
			}
		}
	}
}

func TestAnImmediateWriterIsFencedByTheNext(t *testing.T) {
	h := makeHub(t, namespace(t, t.TempDir()), hub.Spec{Name: "h", Partitions: 2})
	s := NewImmediateSink(h, SinkOptions{Output: "o"})
	old := openImmediate(t, s)
	old.mustWrite(t, mixed(0, 2))
	next := openImmediate(t, s)
	if _, err := old.Write(t.Context(), mixed(2, 4)); err != nil {
		t.Fatal(err)
	}
	if err := old.Flush(t.Context()); !errors.Is(err, hub.ErrFenced) {
		t.Errorf("the older writer: %v, want ErrFenced", err)
	}
	next.mustWrite(t, mixed(0, 4))
	next.mustPrepare(t)
	if got := stored(t, h); len(got) != 4 {
		t.Errorf("stored %q, want the four rows once", got)
	}
}

// A hub that grows keeps the rows of a job in the partitions that it had: others would
// come in their places.
func TestImmediateRowsStayInThePartitionsThereWere(t *testing.T) {
	dir := t.TempDir()
	n := namespace(t, dir)
	h := makeHub(t, n, hub.Spec{Name: "h", Partitions: 2})
	s := NewImmediateSink(h, SinkOptions{Output: "o", KeyColumn: "key"})
	w := openImmediate(t, s)
	w.mustWrite(t, mixed(0, 6))
	w.mustPrepare(t)
	h = makeHub(t, n, hub.Spec{Name: "h", Partitions: 4})
	if h.Partitions() != 4 {
		t.Fatalf("%d partitions, want 4", h.Partitions())
	}
	for _, saved := range []bool{false, true} {
		s = NewImmediateSink(h, SinkOptions{Output: "o", KeyColumn: "key"})
		from := 0
		if saved {
			from = 9
			s.mustCommit(t, w.mustPrepare(t))
		}
		w = openImmediate(t, s)
		w.mustWrite(t, mixed(from, from+9))
	}
	w.mustPrepare(t)
	if got := stored(t, h); len(got) != 18 || h.Partition(2).Bounds().Next+h.Partition(3).Bounds().Next != 0 {
		t.Errorf("stored %q, want 18 rows in the first two partitions", got)
	}
}

// What an event hub does not take is left out alike in every life.
func TestImmediateRowsThatAreNoEventComeBack(t *testing.T) {
	h := makeHub(t, namespace(t, t.TempDir()), hub.Spec{Name: "h", Partitions: 2})
	s := NewImmediateSink(h, SinkOptions{Output: "o", KeyColumn: "key"})
	for range 2 {
		w := openImmediate(t, s)
		bad, err := w.Write(t.Context(), rows([]string{"a", strings.Repeat("k", 600), "", strings.Repeat("x", maxEvent), ""}, []int64{1, 2, 3, 4, 5}))
		if err != nil || len(bad) != 2 || bad[0].Row != 1 || bad[1].Row != 3 {
			t.Errorf("bad rows %v, %v, want rows 1 and 3", bad, err)
		}
		w.mustPrepare(t)
	}
	if got := stored(t, h); len(got) != 3 {
		t.Errorf("stored %q, want three rows", got)
	}
}

func TestDamagedStandingsAreRefused(t *testing.T) {
	note := (&standing{keyless: 300, next: []int32{0, 1 << 20, maxSequence}}).append(nil)
	if s, err := openStanding(note); err != nil || s.keyless != 300 || !slices.Equal(s.next, []int32{0, 1 << 20, maxSequence}) {
		t.Fatalf("read %+v, %v", s, err)
	}
	for n := range note {
		if s, err := openStanding(note[:n]); !errors.Is(err, errPrepared) {
			t.Errorf("note cut at %d: %+v, %v, want errPrepared", n, s, err)
		}
	}
	for _, b := range [][]byte{append(slices.Clone(note), 0), {1, 0, 1, 0}, {standingVersion, 0, 0}, {standingVersion, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f}} {
		if s, err := openStanding(b); !errors.Is(err, errPrepared) {
			t.Errorf("note %x: %+v, %v, want errPrepared", b, s, err)
		}
	}
}

func TestReaderSaysThatRecordsWereRemoved(t *testing.T) {
	h := makeHub(t, namespace(t, t.TempDir()), hub.Spec{Name: "h", Partitions: 1})
	send(t, h.Partition(0), "a", "b", "c")
	src := NewSource(h, SourceOptions{})
	r, err := src.OpenReader(t.Context(), 0, connector.Start{Mode: connector.AtPosition, Position: position(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Partition(0).TrimTo(2); err != nil {
		t.Fatal(err)
	}
	var c connector.Chunk
	for _, missed := range []bool{true, false} {
		send(t, h.Partition(0), "d")
		if err := r.Read(t.Context(), &c, nil); err != nil || c.Missed != missed {
			t.Errorf("read %q, %v, missed %v, want %v", texts(&c), err, c.Missed, missed)
		}
	}
	if r, err = src.OpenReader(t.Context(), 0, connector.Start{Mode: connector.AtPosition, Position: position(2, 0)}); err != nil {
		t.Fatal(err)
	}
	if err := r.Read(t.Context(), &c, nil); err != nil || c.Missed {
		t.Errorf("from the first record there is: missed %v, %v", c.Missed, err)
	}
}
