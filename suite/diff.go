package suite

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"spate/column"
)

// shownRows is how many rows of a difference are shown.
const shownRows = 10

// String describes how the rows of an output differ: a row that is expected and one that is
// like it beside each other, with the fields that differ, then the rest.
func (c *comparer) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "output %s: %s, want %d\n", c.output, rowCount(c.got), c.wanted)
	want, got := c.missing.left(), c.extra.left()
	if c.parser.rules.ordered {
		want, got = c.unlike(want, got)
		if len(want)+len(got) == 0 {
			b.WriteString("the rows are right, and stand in another order\n")
		}
	}
	shown := 0
	for _, w := range want {
		if shown++; shown > shownRows {
			break
		}
		fmt.Fprintf(&b, "- %s\n", w.text)
		if k := c.nearest(w, got); k >= 0 {
			fmt.Fprintf(&b, "+ %s\n", got[k].text)
			fmt.Fprintf(&b, "    %s\n", c.fields(w, got[k]))
			got = slices.Delete(slices.Clone(got), k, k+1)
		}
	}
	for _, g := range got {
		if shown++; shown > shownRows {
			break
		}
		fmt.Fprintf(&b, "+ %s\n", g.text)
	}
	if shown > shownRows {
		fmt.Fprintf(&b, "and more: %s missing, %s not expected\n", rowCount(c.missing.live), rowCount(c.extra.live))
	}
	return b.String()
}

func rowCount(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

// unlike are the rows that are on one side only, where their order is not looked at.
func (c *comparer) unlike(want, got []*row) (missing, extra []*row) {
	pairs := match(len(want), len(got), func(i, k int) bool { return c.parser.same(want[i].value, got[k].value) })
	got = slices.Clone(got)
	for i, w := range want {
		if pairs[i] < 0 {
			missing = append(missing, w)
		} else {
			got[pairs[i]] = nil
		}
	}
	for _, g := range got {
		if g != nil {
			extra = append(extra, g)
		}
	}
	return missing, extra
}

// nearest is the row that has the most fields of a row that is expected, at least half; -1:
// there is none.
func (c *comparer) nearest(want *row, got []*row) int {
	best, most := -1, 0
	w := want.value.Record()
	for k, g := range got[:min(len(got), 100)] {
		n := 0
		for i, name := range w.Names {
			if v, ok := fieldOf(g.value.Record(), name); ok && c.parser.same(w.Values[i], v) {
				n++
			}
		}
		if n > most && 2*n >= len(w.Names)-1 {
			best, most = k, n
		}
	}
	return best
}

func fieldOf(r *column.RecordValue, name string) (column.Value, bool) {
	if i := slices.Index(r.Names, name); i >= 0 {
		return r.Values[i], true
	}
	return column.Value{}, false
}

// fields says in which fields two rows differ.
func (c *comparer) fields(want, got *row) string {
	var out []string
	w, g := want.value.Record(), got.value.Record()
	for i, name := range w.Names {
		v, ok := fieldOf(g, name)
		switch {
		case !ok:
			out = append(out, fmt.Sprintf("%s: want %s, and it is not there", name, column.AppendJSON(nil, w.Values[i])))
		case !c.parser.same(w.Values[i], v):
			a, b := column.AppendJSON(nil, w.Values[i]), column.AppendJSON(nil, v)
			if !bytes.Equal(a, b) {
				out = append(out, fmt.Sprintf("%s: want %s, got %s", name, a, b))
			}
		}
	}
	for k, name := range g.Names {
		if _, ok := fieldOf(w, name); !ok && !c.parser.rules.subset {
			out = append(out, fmt.Sprintf("%s: %s is not expected", name, column.AppendJSON(nil, g.Values[k])))
		}
	}
	if len(out) == 0 {
		return "the fields stand in another order"
	}
	return strings.Join(out, "; ")
}
