package exec_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"spate/column"
	"spate/stream/state"
)

// savedFiles is the state of one step: a file per checkpoint, sometimes merged.
type savedFiles [][]byte

// step is what of an operator or a time stage the state is about.
type step interface {
	Freeze() (state.Frozen, error)
	Load(e state.Entry) error
}

func (f *savedFiles) freeze(t testing.TB, s step) {
	t.Helper()
	frozen, err := s.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	w := state.NewWriter()
	if frozen != nil {
		frozen(w.Step("s", 0, state.Groups))
	}
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	*f = append(*f, b.Bytes())
}

func (f *savedFiles) merge(t testing.TB) {
	t.Helper()
	var b bytes.Buffer
	if err := state.Merge(&b, f.readers(), func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	*f = savedFiles{b.Bytes()}
}

func (f *savedFiles) readers() (out []io.Reader) {
	for _, b := range *f {
		out = append(out, bytes.NewReader(b))
	}
	return out
}

func (f *savedFiles) load(t testing.TB, s step) {
	t.Helper()
	if err := state.Scan(f.readers(), func(_ string, e state.Entry) error { return s.Load(e) }); err != nil {
		t.Fatal(err)
	}
}

func (f *savedFiles) entries(t testing.TB) (n int) {
	t.Helper()
	if err := state.Scan(f.readers(), func(string, state.Entry) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// cut freezes s, sometimes merges the files, and sometimes returns true: then s is to
// be replaced by a new step, loaded from the files.
func (f *savedFiles) cut(t testing.TB, r *rand.Rand, s step) bool {
	t.Helper()
	if r.IntN(3) > 0 {
		return false
	}
	f.freeze(t, s)
	if r.IntN(3) == 0 {
		f.merge(t)
	}
	return r.IntN(2) == 0
}

// same reports whether two values are the same, kind and all.
func same(a, b column.Value) bool {
	return string(column.AppendBinary(nil, a)) == string(column.AppendBinary(nil, b))
}

// rowsOf collects the live rows that a step emits.
type rowsOf struct {
	at   []column.Position
	vals [][]column.Value
}

func (o *rowsOf) Rows(b *column.Batch) error {
	for k := range b.LiveRows() {
		i := b.Row(k)
		o.at = append(o.at, column.PositionOf(b, i))
		row := make([]column.Value, len(b.Cols))
		for c := range row {
			row[c] = b.Cols[c].At(i)
		}
		o.vals = append(o.vals, row)
	}
	return nil
}

func (o *rowsOf) Advance(column.Ticks) error { return nil }
