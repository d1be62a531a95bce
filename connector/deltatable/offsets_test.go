package deltatable

import (
	"testing"

	"spate/blob"
	"spate/connector"
	"spate/lake/delta"
)

// A commit says which epoch it is, and how far each input partition is that
// brought rows to it.
func TestCommitsCarryOffsets(t *testing.T) {
	for name, c := range map[string]struct {
		offsets []connector.Offset
		want    map[string]int64
	}{
		"one input": {
			[]connector.Offset{{Input: "in", Partition: 0, Last: 41}, {Input: "in", Partition: 3, Last: 7}},
			map[string]int64{"job/out/#state": 1, "job/out/in/0": 41, "job/out/in/3": 7},
		},
		"two inputs": {
			[]connector.Offset{{Input: "in", Partition: 0, Last: 41}, {Input: "other", Partition: 0, Last: 7}},
			map[string]int64{"job/out/#state": 1, "job/out/in/0": 41, "job/out/other/0": 7},
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := blob.NewLocal(t.TempDir())
			s := open(t, store)
			w := writerOf(t, s, 0)
			put(t, w, batch(names, event("a", day)))
			p := prepare(t, w, 1)
			e := epoch(1)
			e.Offsets = c.offsets
			if err := s.Commit(t.Context(), e, []connector.Prepared{p}); err != nil {
				t.Fatal(err)
			}
			table, err := delta.Open(t.Context(), store, "t")
			if err != nil {
				t.Fatal(err)
			}
			snap, err := table.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for app, want := range c.want {
				if got, ok := snap.TxnVersion(app); !ok || got != want {
					t.Errorf("txn of %s: %d, %v; want %d", app, got, ok, want)
				}
			}
		})
	}
}
