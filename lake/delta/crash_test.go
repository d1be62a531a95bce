package delta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"spate/blob"
)

// dying is a store that dies at one of its changes: before it, after it, or, for a change
// of many blobs, in the middle. An answer that is lost is an error to the caller.
type dying struct {
	blobs map[string]dyingBlob
	left  int // changes before it dies; negative: it lives
	late  bool
	dead  bool
	clock func() time.Time
}

type dyingBlob struct {
	body []byte
	at   time.Time
}

var errDied = errors.New("the machine died")

// change reports what becomes of one change: whether it happens and what is told.
func (d *dying) change() (happens bool, err error) {
	if d.dead {
		return false, errDied
	}
	if d.left < 0 {
		return true, nil
	}
	if d.left--; d.left >= 0 {
		return true, nil
	}
	d.dead = true
	return d.late, errDied
}

func (d *dying) Create(_ context.Context, key string, body io.Reader) (blob.Info, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return blob.Info{}, err
	}
	if _, ok := d.blobs[key]; ok {
		return blob.Info{}, blob.ErrExists
	}
	return d.put(key, data)
}

func (d *dying) Replace(_ context.Context, key string, body io.Reader) (blob.Info, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return blob.Info{}, err
	}
	return d.put(key, data)
}

func (d *dying) put(key string, data []byte) (blob.Info, error) {
	happens, err := d.change()
	if happens {
		d.blobs[key] = dyingBlob{data, d.clock()}
	}
	return blob.Info{Key: key, Size: int64(len(data))}, err
}

func (d *dying) Open(_ context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if d.dead {
		return nil, errDied
	}
	b, ok := d.blobs[key]
	if !ok {
		return nil, blob.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(b.body[off:])), nil
}

func (d *dying) Stat(_ context.Context, key string) (blob.Info, error) {
	if d.dead {
		return blob.Info{}, errDied
	}
	b, ok := d.blobs[key]
	if !ok {
		return blob.Info{}, blob.ErrNotFound
	}
	return blob.Info{Key: key, Size: int64(len(b.body)), Modified: b.at}, nil
}

func (d *dying) List(_ context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		if d.dead {
			yield(blob.Info{}, errDied)
			return
		}
		for _, key := range slices.Sorted(maps.Keys(d.blobs)) {
			if strings.HasPrefix(key, prefix) && key > after && !yield(blob.Info{Key: key, Size: int64(len(d.blobs[key].body)), Modified: d.blobs[key].at}, nil) {
				return
			}
		}
	}
}

// Delete removes key by key: each is a change.
func (d *dying) Delete(_ context.Context, keys ...string) error {
	for _, key := range keys {
		if _, ok := d.blobs[key]; !ok {
			continue
		}
		happens, err := d.change()
		if happens {
			delete(d.blobs, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A machine dies at every change that commits, checkpoints, compacted files, checksums and
// cleanups make. Whoever opens the table then sees the versions that were acknowledged and
// at most the one that was under way, each of them whole, and can go on.
func TestEveryCrashLeavesAWholeTable(t *testing.T) {
	start := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	const commits = 95
	type outcome struct {
		acknowledged int64
	}
	states := map[int64]string{}
	run := func(store *dying, clock *time.Time) outcome {
		out := outcome{acknowledged: -1}
		o := Options{Clock: func() time.Time { return *clock }}
		d := telemetry
		d.Properties = map[string]string{"delta.checkpointInterval": "30", "delta.logRetentionDuration": "interval 1 days"}
		table, err := o.Create(t.Context(), store, "lake/t", d)
		if err != nil {
			return out
		}
		out.acknowledged = 0
		for i := range commits {
			*clock = clock.Add(40 * time.Minute)
			tx := &Transaction{Operation: "WRITE", Adds: []*Add{file(fmt.Sprint("f", i), "2025-03-10")}, Txns: []Txn{{AppID: "a", Version: int64(i)}}}
			if i%7 == 6 {
				tx.Removes = []*Remove{{Path: fmt.Sprint("f", i-3), DeletionTimestamp: clock.UnixMilli()}}
			}
			s, err := table.Commit(t.Context(), tx)
			if err != nil {
				return out
			}
			out.acknowledged = s.Version
			if store.left < 0 && !store.dead {
				states[s.Version] = files(s)
			}
			if store.dead {
				return out
			}
		}
		return out
	}
	fresh := func(left int, late bool) (*dying, *time.Time) {
		clock := start
		return &dying{blobs: map[string]dyingBlob{}, left: left, late: late, clock: func() time.Time { return clock }}, &clock
	}
	count, clock := fresh(1<<30, false)
	run(count, clock)
	changes := 1<<30 - count.left
	whole, clock := fresh(-1, false)
	if got := run(whole, clock); got.acknowledged != commits {
		t.Fatalf("without a crash %d versions", got.acknowledged)
	}
	cleaned := false
	for at := range changes {
		if at > 20 && at < changes-110 && at%4 != 0 { // commits and their checksums, all alike
			continue
		}
		for _, late := range []bool{false, true} {
			store, clock := fresh(at, late)
			out := run(store, clock)
			store.dead, store.left = false, -1
			if _, ok := store.blobs["lake/t/_delta_log/00000000000000000001.json"]; !ok && out.acknowledged > 30 {
				cleaned = true
			}
			table, err := Options{Clock: func() time.Time { return *clock }}.Open(t.Context(), store, "lake/t")
			if out.acknowledged < 0 && errors.Is(err, ErrNotATable) {
				continue
			}
			if err != nil {
				t.Fatalf("crash at change %d (late %v): %v", at, late, err)
			}
			s := table.Known()
			if s.Version != out.acknowledged && s.Version != out.acknowledged+1 {
				t.Fatalf("crash at change %d (late %v): version %d, %d was acknowledged", at, late, s.Version, out.acknowledged)
			}
			if s.Version > 0 && files(s) != states[s.Version] {
				t.Fatalf("crash at change %d (late %v): version %d is\n%s\nwant\n%s", at, late, s.Version, files(s), states[s.Version])
			}
			// The writer comes again with the commit that it has no answer for.
			if v, ok := s.TxnVersion("a"); s.Version > 0 && (!ok || v != s.Version-1) {
				t.Fatalf("crash at change %d: txn %d at version %d", at, v, s.Version)
			}
			next, err := table.Commit(t.Context(), &Transaction{Operation: "WRITE", Adds: []*Add{file("again", "2025-03-10")}})
			if err != nil || next.Version != s.Version+1 {
				t.Fatalf("crash at change %d: the next commit: %v", at, err)
			}
			if h, ok := table.readHint(t.Context()); ok {
				if _, there := store.blobs[table.logKey(fmt.Sprintf("%020d.checkpoint.parquet", h.Version))]; !there {
					t.Fatalf("crash at change %d: the hint names checkpoint %d, which is not there", at, h.Version)
				}
			}
		}
	}
	if !cleaned {
		t.Error("no cleanup came into it")
	}
	t.Logf("%d changes", changes)
}

// files are the live files and the transactions of a version: tombstones expire by the clock.
func files(s *Snapshot) string {
	return fmt.Sprint(paths(s), s.Txns())
}
