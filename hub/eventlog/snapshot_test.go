package eventlog

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Snapshots of two logs are of one moment, while senders append, segments are sealed and
// retention removes them: what follows from a record is never there without it, nothing
// acknowledged before is missing, and producers are known as far as their records go.
func TestSnapshotsAreOfOneMoment(t *testing.T) {
	clock := newFakeClock()
	dir := t.TempDir()
	open := func(name string) (*Log, Options) {
		o := testOptions(filepath.Join(dir, name), clock)
		return create(t, o, Settings{SegmentBytes: 1 << 20, RetentionBytes: 3 << 20}, 1), o
	}
	first, firstOptions := open("first")
	second, secondOptions := open("second")
	in, out := first.Partition(0), second.Partition(0)
	pad := strings.Repeat("p", 20_000)
	stop := make(chan struct{})
	var acked atomic.Int64
	var running sync.WaitGroup
	running.Go(func() { // appends
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			clock.ms.Add(1)
			if tk := in.AppendOnce(1<<62, int32(i), bodies(strconv.Itoa(i)+" "+pad)); tk.Wait(t.Context()) != nil {
				t.Error(tk.Err())
				return
			}
			acked.Store(int64(i) + 1)
		}
	})
	running.Go(func() { // writes what it reads, and trims
		var c Chunk
		for next := int64(0); ; {
			select {
			case <-stop:
				return
			default:
			}
			if in.Bounds().Next == next {
				continue
			}
			if err := in.Read(t.Context(), next, 1, &c, nil); err != nil {
				t.Error(err)
				return
			}
			next = c.Batches[0].Next()
			if tk := out.AppendOnce(1<<62, int32(next-1), bodies(strconv.FormatInt(next-1, 10)+" "+pad)); tk.Wait(t.Context()) != nil {
				t.Error(tk.Err())
				return
			}
			if err := second.Trim(clock.now()); err != nil {
				t.Error(err)
			}
			if next%100 == 0 { // not what the reader has not read
				if err := in.TrimTo(next - 100); err != nil {
					t.Error(err)
				}
			}
		}
	})
	const snapshots = 12
	type taken struct {
		dirs  []string
		acked int64
	}
	var all []taken
	lengths := make(map[string]int64)
	for k := range snapshots {
		for want := acked.Load() + 40; acked.Load() < want && !t.Failed(); {
		}
		to := filepath.Join(dir, "snapshot", strconv.Itoa(k))
		s := taken{[]string{filepath.Join(to, "first"), filepath.Join(to, "second")}, acked.Load()}
		if err := Snapshot([]*Log{first, second}, s.dirs, func(path string, n int64) { lengths[path] = n }); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	close(stop)
	running.Wait()
	if in.Bounds().First == 0 || out.Bounds().First == 0 {
		t.Error("nothing was trimmed")
	}
	for k, s := range all {
		var next [2]int64
		for i, o := range []Options{firstOptions, secondOptions} {
			o.Dir = filepath.Join(dir, fmt.Sprintf("copy-%d-%d", k, i))
			copyOut(t, s.dirs[i], o.Dir, lengths)
			l := reopen(t, o)
			p := l.Partition(0)
			if err := p.Err(); err != nil {
				t.Fatal(err)
			}
			b := p.Bounds()
			next[i] = b.Next
			values := readAllFrom(t, p, b.First, 1<<20)
			for at, v := range values {
				if n, _, _ := strings.Cut(v, " "); n != strconv.FormatInt(b.First+int64(at), 10) {
					t.Fatalf("snapshot %d of log %d: %s at offset %d", k, i, n, b.First+int64(at))
				}
			}
			if int64(len(values)) != b.Next-b.First {
				t.Errorf("snapshot %d of log %d: %d records from %d to %d", k, i, len(values), b.First, b.Next)
			}
			if got := p.ProducerNext(1 << 62); int64(got) != b.Next {
				t.Errorf("snapshot %d of log %d: the producer goes on at %d, the log at %d", k, i, got, b.Next)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		if next[0] < s.acked {
			t.Errorf("snapshot %d: it ends at %d, and %d were acknowledged", k, next[0], s.acked)
		}
		if next[1] > next[0] {
			t.Errorf("snapshot %d: %d records follow from %d", k, next[1], next[0])
		}
	}
}

// copyOut copies a snapshot, as far as its files belong to it.
func copyOut(t *testing.T, from, to string, lengths map[string]int64) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		b, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		if n, ok := lengths[path]; ok {
			b = b[:n]
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}
