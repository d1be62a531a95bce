package state_test

import (
	"bytes"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"spate/stream/state"
)

// Steps that share a section do not see each other, whatever they put and delete.
func TestSectionsUnderOneAreApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0xfe, 0xff}), 0, 3)
		parts := []byte{0, 1, 0xfe}
		want := make(model) // of part and key
		var files [][]byte
		for range rapid.IntRange(1, 4).Draw(t, "files") {
			w := state.NewWriter()
			for range rapid.IntRange(0, 10).Draw(t, "changes") {
				part := rapid.SampledFrom(parts).Draw(t, "part")
				s := w.Step("s", 0, state.Groups).Under(part)
				k := string(key.Draw(t, "key"))
				switch rapid.IntRange(0, 4).Draw(t, "kind") {
				case 0:
					s.Delete([]byte(k))
					delete(want, [2]string{string(part), k})
				case 1:
					to := string(key.Draw(t, "to"))
					if k < to {
						s.DeleteRange([]byte(k), []byte(to))
						want.deleteRange(string(part), k, to, 0, state.Groups)
					}
				case 2:
					s.DeleteRange([]byte(k), nil)
					want.deleteRange(string(part), k, "", 0, state.Groups)
				default:
					s.Put(0, []byte(k), []byte(k))
					want[[2]string{string(part), k}] = k
				}
			}
			var b bytes.Buffer
			if _, err := w.WriteTo(&b); err != nil {
				t.Fatal(err)
			}
			files = append(files, b.Bytes())
		}
		got := make(model)
		err := state.Scan(readers(files), func(_ string, e state.Entry) error {
			if e.Key[0] == 0xff { // every shard gets it, whatever the step
				got[[2]string{string(e.Key[1]), "\xff" + string(e.Key[2:])}] = string(e.Value)
			} else {
				got[[2]string{string(e.Key[0]), string(e.Key[1:])}] = string(e.Value)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(got, want) {
			t.Fatalf("the files read as %q, want %q", got, want)
		}
	})
}
