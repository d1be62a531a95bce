package suite

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// compare compares rows, one a line.
func compare(t *testing.T, r rules, want, got string) *comparer {
	t.Helper()
	p := newRowParser(r)
	c := newComparer("out", p, rowsOf("want", []byte(want), p))
	for line := range strings.Lines(got) {
		if err := c.add([]byte(strings.TrimSpace(line))); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.finish(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhatIsEqual(t *testing.T) {
	usual := usualRules()
	kinds, subset, ordered, keys := usual, usual, usual, usual
	kinds.kinds, subset.subset, ordered.ordered, keys.keyOrder = true, true, true, true
	f := func(r rules, want, got string, equal bool) {
		t.Helper()
		if c := compare(t, r, want, got); c.equal() != equal {
			t.Errorf("%+v\nwant %s\ngot  %s\nequal: %v\n%s", r, want, got, c.equal(), c)
		}
	}
	f(usual, `{"a":1,"b":"x"}`, `{"b":"x","a":1}`, true)
	f(keys, `{"a":1,"b":"x"}`, `{"b":"x","a":1}`, false)
	f(usual, `{"a":1}`, `{"a":1.0}`, true)
	f(kinds, `{"a":1}`, `{"a":1.0}`, false)
	f(usual, `{"a":0.3}`, `{"a":0.30000000000000004}`, true)
	f(usual, `{"a":0.3}`, `{"a":0.3000001}`, false)
	f(usual, `{"a":1000000000000}`, `{"a":1000000000001}`, false)
	f(usual, `{"a":9007199254740993}`, `{"a":9007199254740992}`, false)
	f(rules{tolerance: 0.1}, `{"a":100.0}`, `{"a":95}`, true)
	f(usual, `{"t":"2026-01-01T01:00:00+01:00"}`, `{"t":"2026-01-01T00:00:00.0000000Z"}`, true)
	f(kinds, `{"t":"2026-01-01T01:00:00+01:00"}`, `{"t":"2026-01-01T00:00:00.0000000Z"}`, false)
	f(usual, `{"t":"20260101"}`, `{"t":"2026-01-01"}`, false)
	f(usual, `{"a":null}`, `{}`, false)
	f(usual, `{"a":null}`, `{"a":null}`, true)
	f(usual, `{"a":[1,{"b":2}]}`, `{"a":[1.0,{"b":2}]}`, true)
	f(usual, `{"a":[1,2]}`, `{"a":[2,1]}`, false)
	f(usual, `{"a":"$any"}`, `{"a":[1]}`, true)
	f(usual, `{"a":"$any"}`, `{"b":1}`, false)
	f(subset, `{"a":1}`, `{"b":2,"a":1}`, true)
	f(subset, `{"a":1,"b":2}`, `{"a":1}`, false)
	f(usual, "{\"a\":1}\n{\"a\":2}", "{\"a\":2}\n{\"a\":1}", true)
	f(ordered, "{\"a\":1}\n{\"a\":2}", "{\"a\":2}\n{\"a\":1}", false)
	f(ordered, "{\"a\":1}\n{\"a\":2}", "{\"a\":1}\n{\"a\":2}", true)
	f(ordered, "{\"a\":1}\n{\"a\":2}", "{\"a\":1}", false)
	f(ordered, "{\"a\":1}", "{\"a\":1}\n{\"a\":2}", false)
	f(usual, "{\"a\":1}\n{\"a\":1}", "{\"a\":1}", false)
	f(usual, "", "", true)
	f(usual, "", "{}", false)
	// Whoever may be like any gives way to who is like one.
	f(usual, "{\"a\":\"$any\"}\n{\"a\":1}", "{\"a\":1}\n{\"a\":2}", true)
	f(rules{tolerance: 0.35}, "{\"a\":1.0}\n{\"a\":1.4}", "{\"a\":1.1}\n{\"a\":0.7}", true)
}

// Files of rows may be lines, lists, or objects between commas.
func TestFormsOfFiles(t *testing.T) {
	p := newRowParser(usualRules())
	for _, text := range []string{
		"{\"a\":1}\n{\"a\":{\"b\":[1,\"}\\\"\"]}}\n",
		"[ {\"a\":1},\n {\"a\":\n{\"b\":[1,\"}\\\"\"]} } ]\n",
		"\ufeff{\"a\":1},{\"a\":{\"b\":[1,\"}\\\"\"]}}",
	} {
		f := rowsOf("x", []byte(text), p)
		for _, want := range []string{`{"a":1,}`, `{"a":{"b":[1,"}\"",],},}`} {
			r, err := f.next()
			if err != nil || r.exact != want {
				t.Errorf("%q: got %v, %v, want %s", text, r, err, want)
			}
		}
		if _, err := f.next(); !errors.Is(err, io.EOF) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range map[string]string{"{\"a\":1}\n{\"a\"": "x:2: the row has no end", "a,b\n1,2": "x:1: want a row of JSON, got 'a'", "{\"a\":1}\n\n{a}": "x:3: this is no row of JSON"} {
		f := rowsOf("x", []byte(text), p)
		var err error
		for err == nil {
			_, err = f.next()
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// endless gives the rows 0, 1, 2, ...
type endless struct {
	p     *rowParser
	i, to int
}

func (e *endless) next() (*row, error) {
	if e.i == e.to {
		return nil, io.EOF
	}
	e.i++
	return e.p.parse(fmt.Appendf(nil, `{"n":%d}`, e.i-1))
}
func (*endless) close() error { return nil }

// Rows that come in nearly the order in which they are expected are let go, however many
// there are; in too different an order the comparison ends with an error.
func TestAComparisonHoldsWhatDiffers(t *testing.T) {
	const rows = 50_000
	p := newRowParser(usualRules())
	c := newComparer("out", p, &endless{p, 0, rows})
	c.limit = 100 << 10
	for i := range rows {
		n := i ^ 7 // other places among eight
		if i == 3 {
			n = -1 // one that is not expected
		}
		if err := c.add(fmt.Appendf(nil, `{"n":%d}`, n)); err != nil {
			t.Fatal(err)
		}
		if held := len(c.missing.rows) + len(c.extra.rows); held > 4096 {
			t.Fatalf("row %d: %d are held", i, held)
		}
	}
	if err := c.finish(); err != nil {
		t.Fatal(err)
	}
	if c.missing.live != 1 || c.extra.live != 1 || c.got != rows || c.wanted != rows {
		t.Errorf("%s", c)
	}

	c = newComparer("out", p, &endless{p, 0, rows})
	c.limit = 100 << 10
	var err error
	for i := 0; err == nil && i < rows; i++ {
		err = c.add(fmt.Appendf(nil, `{"n":%d}`, rows-i))
	}
	if !errors.Is(err, errTooDifferent) {
		t.Errorf("got %v", err)
	}
}

// Many floats that are off by a little are found by what they share.
func TestManyRowsWithinATolerance(t *testing.T) {
	var want, got strings.Builder
	const rows = 3000
	for i := range rows {
		fmt.Fprintf(&want, "{\"id\":\"d%d\",\"x\":%g}\n", i, float64(i)+0.5)
		fmt.Fprintf(&got, "{\"id\":\"d%d\",\"x\":%g}\n", rows-1-i, (float64(rows-1-i)+0.5)*(1+1e-12))
	}
	if c := compare(t, usualRules(), want.String(), got.String()); !c.equal() {
		t.Errorf("%s", c)
	}
}

func TestPairs(t *testing.T) {
	like := [][]bool{{true, true, false}, {true, false, false}, {false, true, true}}
	got := match(3, 3, func(i, k int) bool { return like[i][k] })
	if !slices.Equal(got, []int{1, 0, 2}) {
		t.Errorf("got %v", got)
	}
}

// What becomes of rows that are expected: those that are right stay as they are.
func TestEdits(t *testing.T) {
	f := func(r rules, old, got, want string) {
		t.Helper()
		p := newRowParser(r)
		read := func(s string) (rows []*row) {
			for _, n := range strings.Fields(s) {
				row, err := p.parse(fmt.Appendf(nil, `{"n":%s}`, n))
				if err != nil {
					t.Fatal(err)
				}
				rows = append(rows, row)
			}
			return rows
		}
		before := read(old)
		var out []string
		for _, e := range edits(p, before, read(got)) {
			if e.keep >= 0 {
				out = append(out, fmt.Sprintf("keep %s", before[e.keep].text))
			} else {
				out = append(out, fmt.Sprintf("new %s", e.text))
			}
		}
		s := strings.NewReplacer(`{"n":`, "", "}", "").Replace(strings.Join(out, ", "))
		if s != want {
			t.Errorf("%s becomes %s: got %s, want %s", old, got, s, want)
		}
	}
	f(usualRules(), "1 2 3", "3 4 1", "keep 1, keep 3, new 4")
	f(usualRules(), `"$any"`, "3", `keep "$any"`)
	ordered := usualRules()
	ordered.ordered = true
	f(ordered, "1 2 3", "3 4 1", "keep 3, new 4, new 1")
	f(ordered, "1 2 3", "1 3 4", "keep 1, keep 3, new 4")
	f(ordered, "1 2", "", "")
}
