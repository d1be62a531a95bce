package suite

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// comparer compares the rows of one output, as they come, with those that are expected. Rows
// that have their like are let go at once, so what is held is what stands in another order
// or differs.
type comparer struct {
	output string
	parser *rowParser
	want   rowSource
	limit  int // bytes that are held

	wanted, got int
	missing     waiting
	extra       waiting
	drained     bool

	err error // of reading what is expected
}

// waiting are rows without their like, in their order.
type waiting struct {
	rows  []*row           // nil where one was found
	at    map[string][]int // places by exact
	bytes int
	live  int
}

func (w *waiting) add(r *row) {
	if w.at == nil {
		w.at = map[string][]int{}
	}
	w.at[r.exact] = append(w.at[r.exact], len(w.rows))
	w.rows = append(w.rows, r)
	w.bytes += size(r)
	w.live++
}

// take removes a row that is exactly as r.
func (w *waiting) take(r *row) bool {
	list := w.at[r.exact]
	if len(list) == 0 {
		return false
	}
	i := list[0]
	if w.at[r.exact] = list[1:]; len(list) == 1 {
		delete(w.at, r.exact)
	}
	w.bytes -= size(w.rows[i])
	w.rows[i] = nil
	if w.live--; len(w.rows) > 2*w.live+1024 { // mostly holes
		rows := w.left()
		*w = waiting{}
		for _, r := range rows {
			w.add(r)
		}
	}
	return true
}

// left are the rows that wait.
func (w *waiting) left() []*row {
	return slices.DeleteFunc(slices.Clone(w.rows), func(r *row) bool { return r == nil })
}

// size is what a row takes, about.
func size(r *row) int { return 256 + 4*len(r.text) }

// heldBytes is what a comparison holds at most.
const heldBytes = 64 << 20

var errTooDifferent = errors.New("the rows stand in too different an order to be compared in bounded memory: keep them in the order in which spate eval prints them")

var errTooMany = errors.New("there are too many rows to find which of them match: leave $any and match: subset away, or compare fewer")

func newComparer(output string, p *rowParser, want rowSource) *comparer {
	return &comparer{output: output, parser: p, want: want, limit: heldBytes}
}

// add takes a row of the output. An error ends the run.
func (c *comparer) add(text []byte) error {
	r, err := c.parser.parse(slices.Clone(text))
	if err != nil {
		return fmt.Errorf("reading a row of output %s: %w", c.output, err)
	}
	c.got++
	c.pull()
	if c.parser.rules.ordered {
		c.inOrder(r)
	} else if c.parser.rules.subset || !c.missing.take(r) {
		c.extra.add(r)
	}
	if c.missing.bytes+c.extra.bytes > c.limit {
		if c.settle(); c.missing.bytes+c.extra.bytes > c.limit/2 {
			return errTooDifferent
		}
	}
	return c.err
}

// inOrder takes a row where the order counts: once one differs, all that follow wait.
func (c *comparer) inOrder(r *row) {
	if c.missing.live == 1 && c.extra.live == 0 {
		if w := c.missing.left()[0]; c.parser.same(w.value, r.value) {
			c.missing.take(w)
			return
		}
	}
	c.extra.add(r)
}

// pull reads one expected row.
func (c *comparer) pull() {
	if c.drained || c.err != nil {
		return
	}
	w, err := c.want.next()
	switch {
	case errors.Is(err, io.EOF):
		c.drained = true
	case err != nil:
		c.err = err
	default:
		c.wanted++
		if c.parser.rules.ordered || c.parser.rules.subset || w.wild || !c.extra.take(w) {
			c.missing.add(w)
		}
	}
}

// finish reads what is still expected.
func (c *comparer) finish() error {
	for !c.drained && c.err == nil {
		if c.pull(); c.missing.bytes+c.extra.bytes > c.limit {
			if c.settle(); c.missing.bytes+c.extra.bytes > c.limit/2 {
				return errTooDifferent
			}
		}
	}
	c.settle()
	return errors.Join(c.err, c.want.close())
}

// settle finds, among the rows that wait, pairs that are the same within the rules.
func (c *comparer) settle() {
	if c.parser.rules.ordered || c.missing.live == 0 || c.extra.live == 0 {
		return
	}
	want, got := c.missing.left(), c.extra.left()
	same := func(i, k int) bool { return c.parser.same(want[i].value, got[k].value) }
	partner := pairs(len(want), len(got), func(i int) string {
		if want[i].wild || c.parser.rules.subset {
			return "" // it may be like any
		}
		return c.parser.shape(want[i].value)
	}, func(k int) string { return c.parser.shape(got[k].value) }, same)
	if partner == nil {
		c.err = errors.Join(c.err, errTooMany)
		return
	}
	c.missing, c.extra = waiting{}, waiting{}
	for i, w := range want {
		if partner[i] < 0 {
			c.missing.add(w)
		} else {
			got[partner[i]] = nil
		}
	}
	for _, g := range got {
		if g != nil {
			c.extra.add(g)
		}
	}
}

// pairs is match for many things: those with a shape are like things of the same shape only.
// nil: there are too many without one.
func pairs(n, m int, shape, shapeOf func(int) string, same func(i, k int) bool) []int {
	if n*m <= matchCells {
		return match(n, m, same)
	}
	partner := make([]int, n)
	groups, rest := map[string][2][]int{}, []int(nil)
	for i := range n {
		partner[i] = -1
		if s := shape(i); s == "" {
			rest = append(rest, i)
		} else {
			groups[s] = [2][]int{append(groups[s][0], i), nil}
		}
	}
	free := []int(nil)
	for k := range m {
		s := shapeOf(k)
		if g, ok := groups[s]; ok {
			groups[s] = [2][]int{g[0], append(g[1], k)}
		} else {
			free = append(free, k)
		}
	}
	work := len(rest) * m
	for _, g := range groups {
		work += len(g[0]) * len(g[1])
	}
	if work > 64*matchCells {
		return nil
	}
	for _, g := range groups {
		taken := map[int]bool{}
		for a, b := range match(len(g[0]), len(g[1]), func(a, b int) bool { return same(g[0][a], g[1][b]) }) {
			if b >= 0 {
				partner[g[0][a]], taken[b] = g[1][b], true
			}
		}
		for b, k := range g[1] {
			if !taken[b] {
				free = append(free, k)
			}
		}
	}
	slices.Sort(free)
	for a, b := range match(len(rest), len(free), func(a, b int) bool { return same(rest[a], free[b]) }) {
		if b >= 0 {
			partner[rest[a]] = free[b]
		}
	}
	return partner
}

// matchCells is up to which size a matching is the largest that there is; beyond it each row
// takes the first that fits.
const matchCells = 1 << 20

// match pairs n things with m others, as many as it can: the partner of each, or -1.
func match(n, m int, same func(i, k int) bool) []int {
	partner, taken := make([]int, n), make([]int, m)
	for i := range partner {
		partner[i] = -1
	}
	for k := range taken {
		taken[k] = -1
	}
	first := 0 // of those without a partner
	for i := range partner {
		for first < m && taken[first] >= 0 {
			first++
		}
		for k := first; k < m; k++ {
			if taken[k] < 0 && same(i, k) {
				partner[i], taken[k] = k, i
				break
			}
		}
	}
	if n*m > matchCells {
		return partner
	}
	// Somebody's partner may have another to give way to.
	var augment func(i int, seen []bool) bool
	augment = func(i int, seen []bool) bool {
		for k := range m {
			if seen[k] || !same(i, k) {
				continue
			}
			seen[k] = true
			if taken[k] < 0 || augment(taken[k], seen) {
				partner[i], taken[k] = k, i
				return true
			}
		}
		return false
	}
	for i := range partner {
		if partner[i] < 0 {
			augment(i, make([]bool, m))
		}
	}
	return partner
}

// equal reports whether the rows are what is expected.
func (c *comparer) equal() bool { return c.missing.live == 0 && c.extra.live == 0 }
