package deadletter

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"spate/blob"
	"spate/column"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func write(t *testing.T, l *Log, epoch int64, at time.Time, lines string) {
	t.Helper()
	if err := l.Write(t.Context(), epoch, "i", at, []byte(lines)); err != nil {
		t.Fatal(err)
	}
}

func sweep(t *testing.T, l *Log, now time.Time) {
	t.Helper()
	if err := l.Sweep(t.Context(), now); err != nil {
		t.Fatal(err)
	}
}

// kept returns the files and all lines, in order.
func kept(t *testing.T, s blob.Store) (files int, lines []string) {
	t.Helper()
	for info, err := range s.List(t.Context(), "dl/", "") {
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Open(t.Context(), info.Key, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		files++
		lines = append(lines, strings.Fields(string(b))...)
	}
	return files, lines
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		l    Letter
		want string
	}{
		{Letter{Kind: "deserialization", Reason: `bad "x"`, Input: "in", Partition: 3, Offset: 7, Enqueued: column.TicksOf(noon), Body: []byte("{\"a\":\n")},
			`{"kind":"deserialization","reason":"bad \"x\"","input":"in","partition":3,"offset":7,"enqueued":"2026-03-01T12:00:00.0000000Z","body":"{\"a\":\n"}`},
		{Letter{Kind: "late", Input: "in", Body: []byte{0xff}}, `"bodyBase64":"/w=="}`},
		{Letter{Kind: "conversion", Reason: "r", Output: "o", Time: column.TicksOf(noon), Row: []byte(`{"a":1}`)},
			`{"kind":"conversion","reason":"r","output":"o","time":"2026-03-01T12:00:00.0000000Z","row":{"a":1}}`},
	} {
		line := string(c.l.AppendTo(nil))
		if !json.Valid([]byte(line)) || !strings.HasSuffix(line, c.want+"\n") || strings.Count(line, "\n") != 1 {
			t.Errorf("line %s, want %s", line, c.want)
		}
	}
}

func TestARepeatedEpochIsKeptOnce(t *testing.T) {
	s := blob.NewMemory()
	l := NewLog(s, "dl", time.Hour, 1<<30)
	var want []string
	for e := range int64(40) {
		line := fmt.Sprintf("line-%d", e)
		write(t, l, e+1, noon, line+"\n")
		write(t, l, e+1, noon, line+"\n")
		want = append(want, line)
	}
	sweep(t, l, noon)
	write(t, l, 40, noon, "line-39\n") // behind a crash the newest epoch is committed again
	files, got := kept(t, s)
	if files != 1 || !slices.Equal(got, want) {
		t.Errorf("%d files, lines %v", files, got)
	}
}

func TestACrashInTheMiddleOfAMerge(t *testing.T) {
	s := blob.NewMemory()
	l := NewLog(s, "dl", time.Hour, 1<<30)
	for e := range int64(20) {
		write(t, l, e+1, noon, fmt.Sprintf("line-%d\n", e))
	}
	single, err := l.files(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, before := kept(t, s)
	sweep(t, l, noon)
	for _, f := range single[:5] { // they were not deleted
		merged, _ := l.files(t.Context())
		if _, err := s.Create(t.Context(), f.key, strings.NewReader("twice\n")); err != nil {
			t.Fatal(err)
		}
		// The merged file is the younger one.
		for _, m := range merged {
			if m.from < m.to {
				body, err := s.Open(t.Context(), m.key, 0, -1)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.Replace(t.Context(), m.key, body); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	sweep(t, l, noon)
	if _, after := kept(t, s); !slices.Equal(before, after) {
		t.Errorf("lines %v, want %v", after, before)
	}
}

func TestOldAndTooMany(t *testing.T) {
	s := blob.NewMemory()
	l := NewLog(s, "dl", time.Hour, 20)
	write(t, l, 1, noon, "aaaaaaaaa\n")
	write(t, l, 2, noon.Add(30*time.Minute), "bbbbbbbbb\n")
	sweep(t, l, noon.Add(time.Hour))
	if n, _ := kept(t, s); n != 2 {
		t.Errorf("%d files within the hour", n)
	}
	sweep(t, l, noon.Add(70*time.Minute))
	if _, lines := kept(t, s); !slices.Equal(lines, []string{"bbbbbbbbb"}) {
		t.Errorf("lines %v behind the hour", lines)
	}
	for e := range int64(3) {
		write(t, l, e+3, noon.Add(71*time.Minute), "ccccccccc\n")
	}
	sweep(t, l, noon.Add(71*time.Minute))
	if _, lines := kept(t, s); !slices.Equal(lines, []string{"ccccccccc", "ccccccccc"}) {
		t.Errorf("lines %v, want 20 bytes of them", lines)
	}
}

// Letters are named, marked and deleted in their files: what is committed again, or merged
// later, does not bring them back.
func TestLettersAreMarkedAndDeleted(t *testing.T) {
	store := blob.NewMemory()
	l := NewLog(store, "dl", time.Hour, 1<<20)
	one, two, three := `{"a":1,"replayed":"x"}`+"\n", `{"a":{"replayed":"x"}}`+"\n", `{"a":3}`+"\n"
	write(t, l, 1, noon, one+two)
	write(t, l, 2, noon, three)
	marked := string(Replayed([]byte(two), noon))
	if want := `{"a":{"replayed":"x"},"replayed":"2026-03-01T12:00:00Z"}` + "\n"; marked != want || !IsReplayed([]byte(marked)) || IsReplayed([]byte(two)) {
		t.Errorf("marked %s, want %s", marked, want)
	}
	if again := string(Replayed([]byte(marked), noon.Add(time.Minute))); strings.Count(again, "replayed") != 2 || !strings.Contains(again, "12:01:00Z") {
		t.Errorf("marked twice: %s", again)
	}
	if ID([]byte(marked)) != ID([]byte(two)) || ID([]byte(two)) == ID([]byte(three)) {
		t.Error("a mark changes the ID, or two letters have one")
	}
	n, err := l.Edit(t.Context(), func(line []byte) ([]byte, error) {
		switch string(line) {
		case two:
			return Replayed(line, noon), nil
		case three:
			return nil, nil
		}
		return line, nil
	})
	if err != nil || n != 2 {
		t.Fatalf("%d changed, %v", n, err)
	}
	write(t, l, 2, noon, three)
	var lines []string
	if err := l.Each(t.Context(), func(line []byte) error { lines = append(lines, string(line)); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(lines, []string{one, marked}) {
		t.Errorf("%q are left", lines)
	}
	for e := int64(3); e < 20; e++ {
		write(t, l, e, noon, three)
	}
	sweep(t, l, noon)
	if files, lines := kept(t, store); files != 1 || len(lines) != 19 || lines[1]+"\n" != marked {
		t.Errorf("merged: %d files, %q", files, lines)
	}
}
