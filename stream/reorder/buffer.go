// Package reorder brings rows that wait for time into total order.
//
// # Order
//
// Rows order by column.Position; rows of one position by the number of their source,
// then as they came. Of every source the buffer knows a frontier: no later row of it
// stands before. A row leaves when nothing that may still come orders before it, so
// what leaves is always the beginning of the order, and where the frontiers stand
// decides when a row leaves, never in which order.
//
// # Structure
//
// A batch is sorted when it comes, if it must be, and becomes a run. Runs that follow
// each other in order form a chain: sources in order have one chain, sources in
// disorder several. A heap over the heads of the chains gives the next row. Long runs
// leave as slices of their batches; rows that interleave are gathered, column by
// column, into full batches.
//
// A buffer belongs to one goroutine. Batches given to it are kept and must not change.
//
// Stability: importable, not promised before 1.0.
package reorder

import (
	"sort"

	"spate/column"
)

// Buffer holds the rows of several sources until they may leave in total order.
type Buffer struct {
	// Group, if set, is the key group under which a waiting row is saved; 0 without it.
	// Freeze calls it, on the goroutine of the buffer.
	Group func(b *column.Batch, row int) uint8

	// Source, if set, is the source of a row that Load puts back, by its Seq: the
	// sources may be others than when it was saved.
	Source func(seq int64) int

	schema   *column.Schema
	sources  []source
	heads    heads
	out      *column.Gatherer
	number   uint64 // rows that have come
	first    int    // the source with the least frontier; of several the one with the least number
	second   int    // the one that would be without it; -1: none
	stale    bool   // first and second are to be found again
	restored []*restored
	saved    saved
}

type source struct {
	frontier column.Position
	chains   []*chain // by their tails, latest first
	held     int64    // bytes
}

// New returns a buffer of that many sources, numbered from 0. Their frontiers are at
// the beginning of time.
func New(schema *column.Schema, sources int) *Buffer {
	return &Buffer{schema: schema, sources: make([]source, sources), out: column.NewGatherer(schema), stale: true}
}

// Add takes live rows of a source. They may come in any order.
func (b *Buffer) Add(source int, rows *column.Batch) {
	n := rows.LiveRows()
	if n == 0 {
		return
	}
	b.settle()
	switch {
	case !inOrder(rows):
		rows = rows.Gather(sorted(rows))
	case rows.Live != nil && n*4 < rows.Rows:
		rows = rows.Compact() // the batch would be kept for a few rows
	}
	r := &run{b: rows, rows: rows.Live, n: n, source: int32(source), number: b.number, bytes: rows.Bytes()}
	b.number += uint64(n)
	b.place(r)
	b.saved.came(r)
}

// place puts a run into a chain: of those it can follow the one whose tail is nearest,
// so that there are as few chains as can be.
func (b *Buffer) place(r *run) {
	s := &b.sources[r.source]
	s.held += r.bytes
	head, tail := r.at(0), r.at(r.n-1)
	i := sort.Search(len(s.chains), func(i int) bool { return !head.Before(s.chains[i].tail) })
	var c *chain
	if i < len(s.chains) {
		c = s.chains[i]
		r.before = c.bytes
		c.runs = append(c.runs, r)
	} else {
		c = &chain{runs: []*run{r}}
		s.chains = append(s.chains, c)
		b.heads.push(c)
	}
	c.tail = tail
	c.bytes += r.bytes
	for ; i > 0 && s.chains[i-1].tail.Before(tail); i-- {
		s.chains[i] = s.chains[i-1]
	}
	s.chains[i] = c
}

// Reach says that no later row of a source stands before p. A row that does so
// nevertheless leaves with the next Release.
func (b *Buffer) Reach(source int, p column.Position) {
	if s := &b.sources[source]; s.frontier.Before(p) {
		s.frontier, b.stale = p, true
	}
}

// Frontier is where no later row of a source stands before.
func (b *Buffer) Frontier(source int) column.Position { return b.sources[source].frontier }

// First is where the first of the rows that wait stands; false: none waits.
func (b *Buffer) First() (column.Position, bool) {
	b.settle()
	if b.heads.empty() {
		return column.Position{}, false
	}
	r := b.heads.top().runs[0]
	return r.at(r.pos), true
}

// Least is the least frontier: no row that leaves later stands before it.
func (b *Buffer) Least() column.Position {
	b.rank()
	return b.sources[b.first].frontier
}

// rank finds the sources with the least frontiers.
func (b *Buffer) rank() {
	if !b.stale {
		return
	}
	b.stale, b.first, b.second = false, 0, -1
	for i := 1; i < len(b.sources); i++ {
		f := b.sources[i].frontier
		switch {
		case f.Before(b.sources[b.first].frontier):
			b.first, b.second = i, b.first
		case b.second < 0 || f.Before(b.sources[b.second].frontier):
			b.second = i
		}
	}
}

// Held is about how many bytes rows of a source wait with. A batch counts until its
// last row has left.
func (b *Buffer) Held(source int) int64 {
	b.settle()
	return b.sources[source].held
}

// Owed is how many of these bytes wait for other sources: those of rows that do not
// stand before the least frontier of the others.
func (b *Buffer) Owed(source int) int64 {
	b.settle()
	b.rank()
	other := b.first
	if other == source {
		other = b.second
	}
	s := &b.sources[source]
	if other < 0 || s.held == 0 {
		return 0
	}
	limit := b.sources[other].frontier
	n := int64(0)
	for _, c := range s.chains {
		if c.tail.Before(limit) {
			break // and so are the tails that follow
		}
		n += c.from(limit)
	}
	return n
}
