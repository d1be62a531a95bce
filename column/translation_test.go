package column

import (
	"fmt"
	"testing"
)

// numbered gives texts numbers in the order of their coming, as users of a Translation do.
type numbered struct {
	Translation
	numbers map[string]uint32
	asked   int // how often the text itself was looked at
}

func (n *numbered) of(v *DictView, code uint32) uint32 {
	to := n.Of(v)
	if to[code] == 0 {
		n.asked++
		s := v.StringAt(code)
		if _, ok := n.numbers[s]; !ok {
			n.numbers[s] = uint32(len(n.numbers))
		}
		to[code] = n.numbers[s] + 1
	}
	return to[code] - 1
}

func TestTranslationAsksOnceForACodeOfDictionariesInTurns(t *testing.T) {
	const texts, dicts = 50, 4
	n := &numbered{numbers: map[string]uint32{}}
	var of [dicts]*Dict
	for d := range of {
		of[d] = NewDict()
	}
	for range 10 {
		for d, dict := range of {
			for i := range texts {
				s := fmt.Sprint((i*7 + d*3) % texts)
				code := dict.CodeOf(s) // grows between the views
				if got := n.of(dict.View(), code); got != n.numbers[s] {
					t.Fatalf("%s of dictionary %d is %d, want %d", s, d, got, n.numbers[s])
				}
			}
		}
	}
	if n.asked != texts*dicts {
		t.Errorf("asked %d times for %d codes", n.asked, texts*dicts)
	}
	n.Reset()
	n.numbers = map[string]uint32{"other": 0}
	if got := n.of(of[0].View(), 1); got != 1 {
		t.Errorf("after Reset the first text is %d, want 1", got)
	}
}

func TestTranslationOfMoreDictionariesThanTablesStaysRight(t *testing.T) {
	n := &numbered{numbers: map[string]uint32{}}
	var of []*Dict
	for d := range 3 * maxTranslated {
		of = append(of, NewDict())
		of[d].CodeOf(fmt.Sprint("only ", d))
		of[d].CodeOf("shared")
	}
	for range 3 {
		for d, dict := range of {
			for code, want := range map[uint32]string{1: fmt.Sprint("only ", d), 2: "shared"} {
				if got := n.of(dict.View(), code); got != n.numbers[want] {
					t.Fatalf("%s is %d, want %d", want, got, n.numbers[want])
				}
			}
		}
	}
	if len(n.tables) > maxTranslated {
		t.Errorf("%d tables", len(n.tables))
	}
}

func TestDictAddAndCodeAgree(t *testing.T) {
	d := NewDict()
	a := d.Add("a")
	if got := d.CodeOf("a"); got != a {
		t.Errorf("a is %d, was added as %d", got, a)
	}
	b := d.Add("b")
	if got := d.Code([]byte("b")); got != b || b == a {
		t.Errorf("b is %d, was added as %d", got, b)
	}
	if got := d.CodeOf(""); got == 0 || d.View().StringAt(got) != "" {
		t.Errorf("the empty text has the code of null")
	}
}
