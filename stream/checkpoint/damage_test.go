package checkpoint_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"spate/blob"
	"spate/connector"
	"spate/stream/checkpoint"
	"spate/stream/state"
)

const epoch = 7

// saved is a store with one epoch: three files of state, notes in a file.
func saved(t *testing.T) (*blob.Memory, *checkpoint.Log) {
	t.Helper()
	store := blob.NewMemory()
	log := checkpoint.NewLog(store, "jobs/j")
	m := &checkpoint.Manifest{
		Job: "j", ID: "id", Epoch: epoch, Incarnation: "inc", Plan: "p",
		Positions: map[string][][]byte{"i": {[]byte("12"), nil}},
		Offsets:   []connector.Offset{{Input: "i", Partition: 0, Last: 12}},
		Notes:     checkpoint.Notes{"prepared/o": bytes.Repeat([]byte("row "), 5000)},
	}
	for k := range 3 {
		w := state.NewWriter()
		s := w.Step(fmt.Sprintf("step%d", k%2), 0, state.Groups)
		s.DeleteRange([]byte("b"), []byte("c"))
		for n := range 5 {
			s.Put(uint8(n), fmt.Appendf(nil, "key%d", n+k), fmt.Appendf(nil, "value%d", k))
		}
		f, err := log.WriteState(t.Context(), int64(epoch-2+k), "inc", w)
		if err != nil {
			t.Fatal(err)
		}
		m.State = append(m.State, *f)
	}
	if err := log.Save(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return store, log
}

// restore reads an epoch as a start does.
func restore(ctx context.Context, log *checkpoint.Log) (string, error) {
	m, err := log.Latest(ctx)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = log.ReadState(ctx, m, func(step string, e state.Entry) error {
		fmt.Fprintf(&out, "%s %d %s %s\n", step, e.Group, e.Key, e.Value)
		return nil
	})
	m.CRC = ""
	fmt.Fprintf(&out, "%+v", *m)
	return out.String(), err
}

// A byte that changed, or an end that is missing, of any file of a checkpoint is an
// error that names the file.
func TestDamageOfACheckpointIsNamed(t *testing.T) {
	store, log := saved(t)
	want, err := restore(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for info, err := range store.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	for _, key := range keys {
		r, err := store.Open(t.Context(), key, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		try := func(what string, b []byte) {
			if _, err := store.Replace(t.Context(), key, bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
			switch got, err := restore(t.Context(), log); {
			case err == nil && got != want:
				t.Fatalf("%s of %s: no error and another state", what, key)
			case err == nil:
				t.Errorf("%s of %s: no error", what, key)
			case !strings.Contains(err.Error(), key):
				t.Errorf("%s of %s: error %q does not name it", what, key, err)
			}
		}
		step := max(len(whole)/150, 1)
		for n := 0; n < len(whole); n += step {
			try(fmt.Sprintf("%d of %d bytes", n, len(whole)), whole[:n])
			for _, bit := range []byte{1, 0x20, 0x80} {
				b := bytes.Clone(whole)
				b[n] ^= bit
				try(fmt.Sprintf("byte %d ^ %#x", n, bit), b)
			}
		}
		if _, err := store.Replace(t.Context(), key, bytes.NewReader(whole)); err != nil {
			t.Fatal(err)
		}
	}
	if len(keys) != 5 {
		t.Errorf("files %q, want a manifest, notes and three of state", keys)
	}
}
