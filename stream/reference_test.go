package stream_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/connector/file"
	"spate/sql/bind"
	"spate/stream"
)

// fed is a source whose messages come when a test lets them.
type fed struct {
	mu      sync.Mutex
	limit   int           // messages before it may be read
	broken  bool          // reading fails
	changed chan struct{} // closed and replaced when something changes
	waits   chan int      // told what has been read whenever a reader waits for more
}

func newFed() *fed { return &fed{changed: make(chan struct{}), waits: make(chan int, 1000)} }

var errCutOff = errors.New("the source is cut off")

func (f *fed) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	close(f.changed)
	f.changed = make(chan struct{})
}

// let lets messages up to n be read, and waits until they have been taken.
func (f *fed) let(t *testing.T, n int) {
	t.Helper()
	f.change(func() { f.limit = n })
	for {
		select {
		case read := <-f.waits:
			if read == n {
				return
			}
		case <-t.Context().Done():
			t.Fatalf("message %d is not read", n)
		}
	}
}

// at is when message i comes.
func at(i int) column.Ticks { return column.UnixEpoch + column.Ticks(i)*10*column.Minute }

func (f *fed) Partitions(context.Context) (int, error) { return 1, nil }

func (f *fed) OpenReader(_ context.Context, _ int, from connector.Start) (connector.Reader, error) {
	r := &fedReader{f: f}
	if from.Mode == connector.AtPosition {
		r.next = int(binary.BigEndian.Uint64(from.Position))
	}
	return r, nil
}

type fedReader struct {
	f    *fed
	next int
}

func (r *fedReader) Read(ctx context.Context, c *connector.Chunk, wake <-chan struct{}) error {
	c.Reset()
	r.f.mu.Lock()
	limit, broken, changed := r.f.limit, r.f.broken, r.f.changed
	r.f.mu.Unlock()
	if broken {
		return errCutOff
	}
	if r.next >= limit {
		r.f.waits <- r.next
		select {
		case <-changed:
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
		return nil
	}
	c.Data = fmt.Appendf(c.Data, `{"n":%d,"k":"a"}`, r.next)
	c.Starts, c.Ends = append(c.Starts, 0), append(c.Ends, uint32(len(c.Data)))
	c.Arrivals, c.Offsets = append(c.Arrivals, at(r.next)), append(c.Offsets, int64(r.next))
	c.Data = append(c.Data, make([]byte, 16)...)
	r.next++
	c.Next = binary.BigEndian.AppendUint64(nil, uint64(r.next))
	return nil
}

func (r *fedReader) Close() error { return nil }

// told is a log that tells of messages.
type told struct {
	slog.Handler
	said chan string
}

func (h told) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += fmt.Sprintf(" %s=%v", a.Key, a.Value); return true })
	h.said <- line
	return nil
}
func (h told) Enabled(context.Context, slog.Level) bool { return true }
func (h told) WithAttrs([]slog.Attr) slog.Handler       { return h }

// heard waits for a line of the log.
func (h told) heard(t *testing.T, part string) {
	t.Helper()
	for {
		select {
		case line := <-h.said:
			if strings.Contains(line, part) {
				return
			}
		case <-t.Context().Done():
			t.Fatalf("the log does not say %s", part)
		}
	}
}

// life is one life of a job that joins events with reference data.
type life struct {
	*stream.Job
	log  told
	done chan error
}

func startLife(t *testing.T, store blob.Store, in *fed, ref stream.Reference, now column.Ticks, out *table) *life {
	t.Helper()
	job, errs, _ := bind.Script("SELECT i.n, r.v INTO o FROM i LEFT JOIN r ON i.k = r.k", bind.Options{References: []string{"r"}})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	ref.Refresh = time.Millisecond
	l := &life{log: told{said: make(chan string, 1000)}, done: make(chan error, 1)}
	o := stream.Options{
		Name: "job", Plan: job, Store: store, Prefix: "jobs/job", IdleTick: -1, Start: stream.Start{Oldest: true}, Interval: time.Millisecond,
		Inputs:     map[string]stream.Input{"i": {Source: in}},
		References: map[string]stream.Reference{"r": ref},
		Outputs:    map[string]connector.Sink{"o": out}, Clock: standing(now), Log: slog.New(l.log),
	}
	var err error
	if l.Job, err = stream.New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	go func() { l.done <- l.Run(t.Context()) }()
	return l
}

// crash breaks a life off.
func (l *life) crash(t *testing.T, in *fed) {
	t.Helper()
	in.change(func() { in.broken = true })
	if err := <-l.done; !errors.Is(err, errCutOff) {
		t.Fatalf("the job ended with %v", err)
	}
	in.change(func() { in.broken = false })
	for len(in.waits) > 0 {
		<-in.waits
	}
}

func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// A file may change at any time. Events that came before it was found join what they would
// have joined, before and after a crash, and later ones the new content; what the manifest
// names is kept beside it, whatever becomes of the file.
func TestReplayedRowsJoinWhatTheyJoined(t *testing.T) {
	store, in := blob.NewMemory(), newFed()
	path := filepath.Join(t.TempDir(), "r.jsonl")
	ref := stream.Reference{Source: file.NewSnapshots(file.Options{}, file.Snapshot{Name: path})}
	var out table
	replaceFile(t, path, `{"k":"a","v":"first"}`)
	first := startLife(t, store, in, ref, at(1), &out)
	in.let(t, 2)
	if err := first.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	in.let(t, 4)
	first.crash(t, in)

	in.limit = 0
	replaceFile(t, path, `{"k":"a","v":"second"}`)
	second := startLife(t, store, in, ref, at(4), &out)
	second.log.heard(t, "a snapshot of reference data comes into effect")
	in.let(t, 5) // 2 and 3 again
	if err := second.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	second.crash(t, in)

	in.limit = 0
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	third := startLife(t, store, in, ref, at(5), &out)
	third.log.heard(t, "reference data cannot be looked at again")
	in.let(t, 7)
	for range 2 { // second is of a time at which the first content joins nothing any more
		if err := third.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	third.crash(t, in)
	want := `{"n":0,"v":"first"} {"n":1,"v":"first"} {"n":2,"v":"first"} {"n":3,"v":"first"} {"n":4,"v":"second"} {"n":5,"v":"second"} {"n":6,"v":"second"}`
	if got := strings.Join(out.rows, " "); got != want {
		t.Errorf("rows\n%s\nwant\n%s", got, want)
	}
	kept := 0
	for _, err := range store.List(t.Context(), "jobs/job/reference/", "") {
		if err != nil {
			t.Fatal(err)
		}
		kept++
	}
	if kept != 1 {
		t.Errorf("%d contents are kept, want the one that rows to come join", kept)
	}
}

// Snapshots whose paths say from when they are in effect come while the job runs: one ahead of
// its time, one too late, and one of a time that is over.
func TestSnapshotsByPath(t *testing.T) {
	store, in := blob.NewMemory(), newFed()
	dir := t.TempDir()
	files, err := file.NewPattern(file.Options{Cut: file.CSV}, filepath.Join(dir, "r-{date}-{time}.csv"), "yyyy-MM-dd", "HH-mm")
	if err != nil {
		t.Fatal(err)
	}
	ref := stream.Reference{Source: files, Format: stream.Format{CSV: true, Delimiter: ','}}
	put := func(when column.Ticks, v string) {
		replaceFile(t, filepath.Join(dir, "r-"+when.Time().Format("2006-01-02-15-04")+".csv"), "k,v\na,"+v+"\n")
	}
	put(at(0), "zero")
	put(at(2), "two")
	var out table
	l := startLife(t, store, in, ref, at(3), &out)
	in.let(t, 4)
	put(at(5), "five")
	l.log.heard(t, "from="+at(5).String())
	put(at(3), "late")
	l.log.heard(t, "from="+(at(3)+1).String())
	in.let(t, 5)
	put(at(1), "over")
	in.let(t, 7)
	if err := l.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.crash(t, in)
	want := `{"n":0,"v":"zero"} {"n":1,"v":"zero"} {"n":2,"v":"two"} {"n":3,"v":"two"} {"n":4,"v":"late"} {"n":5,"v":"five"} {"n":6,"v":"five"}`
	if got := strings.Join(out.rows, " "); got != want {
		t.Errorf("rows\n%s\nwant\n%s", got, want)
	}
}

// A job without any snapshot, or with one that is too late, does not start.
func TestAJobNeedsASnapshot(t *testing.T) {
	dir := t.TempDir()
	ref, err := file.NewPattern(file.Options{}, filepath.Join(dir, "{date}.json"), "yyyy-MM-dd", "")
	if err != nil {
		t.Fatal(err)
	}
	job, errs, _ := bind.Script("SELECT i.n INTO o FROM i JOIN r ON i.k = r.k", bind.Options{References: []string{"r"}})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, want := range []string{"there is no snapshot of it", "is in effect from 1970-01-02T00:00:00.0000000Z on: add one from before"} {
		o := stream.Options{
			Name: "job", Plan: job, Store: blob.NewMemory(), Prefix: "jobs/job", Start: stream.Start{First: at(0)},
			Inputs: map[string]stream.Input{"i": {Source: newFed()}}, Outputs: map[string]connector.Sink{"o": new(table)},
			References: map[string]stream.Reference{"R": {Source: ref}},
		}
		_, err := stream.New(t.Context(), o)
		wantText(t, err, "starting job job: reading the reference data of input r: ", want)
		replaceFile(t, filepath.Join(dir, "1970-01-02.json"), `{"k":"a"}`)
	}
}
