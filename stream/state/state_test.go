package state_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"spate/stream/state"
)

// model is what the files should read as: step and key to value.
type model map[[2]string]string

func (m model) deleteRange(step, from, to string, first, last int) {
	for k := range m {
		if n := len(k[1]); k[0] == step && n >= first && n <= last && k[1] >= from && (to == "" || k[1] < to) {
			delete(m, k)
		}
	}
}

func scan(t *rapid.T, files [][]byte) model {
	got := make(model)
	last := [2]string{}
	err := state.Scan(readers(files), func(step string, e state.Entry) error {
		k := [2]string{step, string(e.Key)}
		if len(got) > 0 && (k[0] < last[0] || k[0] == last[0] && k[1] <= last[1]) {
			return fmt.Errorf("%q comes behind %q", k, last)
		}
		last = k
		if e.Group != byte(len(e.Key)) {
			return fmt.Errorf("group %d of key %q", e.Group, e.Key)
		}
		got[k] = string(e.Value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func readers(files [][]byte) []io.Reader {
	var out []io.Reader
	for _, f := range files {
		out = append(out, bytes.NewReader(f))
	}
	return out
}

// Whatever is put, deleted and merged, the files read as the map does.
func TestFilesReadAsOneMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[ab]{0,3}`)
		want := make(model)
		var files [][]byte
		for range rapid.IntRange(1, 6).Draw(t, "files") {
			w := state.NewWriter()
			for range rapid.IntRange(0, 12).Draw(t, "changes") {
				step := rapid.SampledFrom([]string{"s", "t"}).Draw(t, "step")
				k := key.Draw(t, "key")
				switch rapid.IntRange(0, 3).Draw(t, "kind") {
				case 0:
					w.Step(step, 0, state.Groups).Delete([]byte(k))
					delete(want, [2]string{step, k})
				case 1:
					to := key.Draw(t, "to")
					first := rapid.IntRange(0, 3).Draw(t, "first")
					last := rapid.IntRange(first, 3).Draw(t, "last")
					end := []byte(to)
					if to == "" {
						end = nil
					}
					w.Step(step, first, last+1).DeleteRange([]byte(k), end)
					if to == "" || k < to {
						want.deleteRange(step, k, to, first, last)
					}
				default:
					v := rapid.StringN(0, 5, 40_000).Draw(t, "value")
					w.Step(step, 0, state.Groups).Put(uint8(len(k)), []byte(k), []byte(v))
					want[[2]string{step, k}] = v
				}
			}
			var b bytes.Buffer
			if _, err := w.WriteTo(&b); err != nil {
				t.Fatal(err)
			}
			files = append(files, b.Bytes())
			if n := len(files); n > 1 && rapid.Bool().Draw(t, "merge") {
				n = rapid.IntRange(2, n).Draw(t, "merged")
				var base bytes.Buffer
				if err := state.Merge(&base, readers(files[:n]), func(string) bool { return true }); err != nil {
					t.Fatal(err)
				}
				files = append([][]byte{base.Bytes()}, files[n:]...)
			}
			if got := scan(t, files); !maps.Equal(got, want) {
				t.Fatalf("the files read as %q, want %q", got, want)
			}
		}
	})
}

// A file of many blocks, cut or changed anywhere, is an error and never another map.
func TestDamageIsSeen(t *testing.T) {
	w := state.NewWriter()
	for i := range 3000 {
		w.Step("step", 0, state.Groups).Put(7, fmt.Appendf(nil, "%05d", i), bytes.Repeat([]byte{byte(i)}, 40))
	}
	w.Step("step", 0, state.Groups).DeleteRange([]byte("x"), nil)
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	none := func(string, state.Entry) error { return nil }
	if err := state.Scan(readers([][]byte{b.Bytes()}), none); err != nil {
		t.Fatal(err)
	}
	for at := 0; at < b.Len(); at += 997 {
		if err := state.Scan(readers([][]byte{b.Bytes()[:at]}), none); err == nil {
			t.Errorf("cut at %d: no error", at)
		}
		bad := bytes.Clone(b.Bytes())
		bad[at] ^= 0x10
		if err := state.Scan(readers([][]byte{bad}), none); err == nil {
			t.Errorf("changed at %d: no error", at)
		}
	}
}

func FuzzScan(f *testing.F) {
	w := state.NewWriter()
	w.Step("a", 0, state.Groups).Put(1, []byte("k"), []byte("v"))
	w.Step("a", 0, state.Groups).DeleteRange([]byte("b"), []byte("c"))
	w.Step("b", 0, state.Groups).Delete([]byte("k"))
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(_ *testing.T, b []byte) {
		_ = state.Scan([]io.Reader{bytes.NewReader(b)}, func(string, state.Entry) error { return nil })
	})
}
