package delta

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"spate/blob"
)

// The times of files say nothing about a table that was copied; those in the commits do.
func TestTimeTravelByTimesInTheCommits(t *testing.T) {
	store := blob.NewMemory()
	clock := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	o := Options{Clock: func() time.Time { return clock }}
	table, err := o.Create(t.Context(), store, "lake/t", telemetry)
	if err != nil {
		t.Fatal(err)
	}
	plain := commitFiles(t, table, file("plain", "2025-03-10"))
	if plain.info == nil || table.Known().inCommitTimestamps() {
		t.Fatal("on from the start")
	}
	clock = time.Now().Add(time.Hour) // behind the times of the files
	m := plain.Metadata
	m.Configuration = maps.Clone(m.Configuration)
	m.Configuration["delta.enableInCommitTimestamps"] = "true"
	at := map[int64]int64{}
	s, err := table.Commit(t.Context(), &Transaction{Operation: "SET TBLPROPERTIES", Metadata: &m,
		Protocol: &Protocol{MinReaderVersion: 1, MinWriterVersion: 7, WriterFeatures: []string{"appendOnly", "invariants", "inCommitTimestamp"}}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Property(ictVersion, "") != "2" || s.Property(ictTime, "") != fmt.Sprint(clock.UnixMilli()) || m.Configuration[ictVersion] != "" {
		t.Errorf("from version %q, %q", s.Property(ictVersion, ""), s.Property(ictTime, ""))
	}
	for i := range 9 {
		switch {
		case i%3 == 0:
			clock = clock.Add(-time.Minute) // the clock goes back, the times must not
		case i == 5:
			clock = clock.Add(time.Hour)
		}
		if i == 4 { // and an open table of a checkpoint knows the time of its version
			if err := table.Checkpoint(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if table, err = o.Open(t.Context(), store, "lake/t"); err != nil {
				t.Fatal(err)
			}
		}
		s = commitFiles(t, table, file(fmt.Sprint("f", i), "2025-03-10"))
	}
	last := int64(0)
	for v := int64(2); v <= s.Version; v++ {
		c, err := table.readCommit(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		_, ms := timesOf(c.info)
		if ms == nil || *ms <= last {
			t.Fatalf("version %d has the time %v, before it %d", v, ms, last)
		}
		last, at[v] = *ms, *ms
	}
	for v, ms := range at {
		if got, err := table.SnapshotAsOf(t.Context(), time.UnixMilli(ms)); err != nil || got.Version != v {
			t.Errorf("at the time of version %d: %v, %v", v, got, err)
		}
		if v < 3 {
			continue
		}
		if got, err := table.SnapshotAsOf(t.Context(), time.UnixMilli(ms-1)); err != nil || got.Version != v-1 {
			t.Errorf("before the time of version %d: %v, %v", v, got, err)
		}
	}
	if _, err := table.SnapshotAsOf(t.Context(), time.UnixMilli(last+1)); !errors.Is(err, ErrVersionNotFound) {
		t.Errorf("behind the last: %v", err)
	}
	if got, err := table.SnapshotAsOf(t.Context(), time.UnixMilli(at[2]-1)); err != nil || got.Version != 1 {
		t.Errorf("before the times in the commits: %v, %v", got, err)
	}
	if _, err := table.read(t.Context(), table.checksumKey(s.Version)); err != nil {
		t.Error(err)
	}
}
