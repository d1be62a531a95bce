package exec

import (
	"cmp"
	"slices"

	"spate/column"
	"spate/column/compute"
)

// Skip is told of a row that a step cannot compute and goes on without: a row of b, which
// came to the step. Of a group whose result fails it is the row that would have left the
// step, with NULL for what has none.
type Skip func(b *column.Batch, row int, err *Error)

// Skipper is a step that can go on without the rows that it cannot compute. Until SkipTo
// says where they go, such a row ends the job.
type Skipper interface {
	SkipTo(Skip)
}

// skips is embedded by steps whose expressions may fail.
type skips struct{ skip Skip }

// SkipTo implements Skipper.
func (s *skips) SkipTo(f Skip) { s.skip = f }

// computer computes all expressions of a step over a batch, before the step keeps or
// emits anything of it: a row that fails has left no trace.
type computer interface {
	// compute fails if it would for one of the live rows alone. What it computes stays
	// with the step until the next call.
	compute(b *column.Batch) *compute.RowError
}

// sound computes a batch. Rows for which that fails end the job or, where skip is set,
// are left out; what is returned is computed, and nil if nothing is left.
func sound(c computer, b *column.Batch, skip Skip) (*column.Batch, error) {
	if b.LiveRows() == 0 {
		return nil, nil
	}
	failed := c.compute(b)
	if failed == nil {
		return b, nil
	}
	if skip == nil {
		return nil, errorOf(b, failed)
	}
	s := sieve{c: c, b: b, bad: skip}
	s.halves(liveRows(b))
	if len(s.good) == 0 {
		return nil, nil
	}
	b = b.WithLive(s.good)
	if failed := c.compute(b); failed != nil { // no row of it fails alone
		return nil, errorOf(b, failed)
	}
	return b, nil
}

func liveRows(b *column.Batch) []int32 {
	if b.Live != nil {
		return b.Live
	}
	return upTo(b.Rows)
}

// sieve tells the rows of a batch that fail from the others. A kernel takes as long as
// its batch is, so each half is a batch of its own: n rows take n log n at most.
type sieve struct {
	c    computer
	b    *column.Batch
	bad  Skip
	good []int32
}

// sift takes some rows, in order.
func (s *sieve) sift(rows []int32) {
	failed := s.c.compute(s.b.Gather(rows))
	switch {
	case failed == nil:
		s.good = append(s.good, rows...)
	case len(rows) == 1:
		i := int(rows[0])
		s.bad(s.b, i, errorOf(s.b, &compute.RowError{Row: i, Err: failed.Err}))
	default:
		s.halves(rows)
	}
}

// halves takes rows of which one fails.
func (s *sieve) halves(rows []int32) {
	if len(rows) == 1 {
		s.sift(rows)
		return
	}
	s.sift(rows[:len(rows)/2])
	s.sift(rows[len(rows)/2:])
}

// failedRows are rows of a batch that is being made whose results fail.
type failedRows []failedRow

type failedRow struct {
	row int
	err *Error
}

// add takes a row. What is returned ends the job.
func (f *failedRows) add(row int, err *Error, skip Skip) error {
	if skip == nil {
		return err
	}
	*f = append(*f, failedRow{row, err})
	return nil
}

// without returns the finished batch without these rows, nil if it has no others, and
// forgets them. A row that fails twice is told of once.
func (f *failedRows) without(b *column.Batch, skip Skip) *column.Batch {
	if len(*f) == 0 {
		return b
	}
	bad := *f
	*f = nil
	slices.SortStableFunc(bad, func(x, y failedRow) int { return cmp.Compare(x.row, y.row) })
	good := make([]int32, 0, b.Rows)
	for i := range b.Rows {
		if len(bad) == 0 || bad[0].row != i {
			good = append(good, int32(i))
			continue
		}
		skip(b, i, bad[0].err)
		for len(bad) > 0 && bad[0].row == i {
			bad = bad[1:]
		}
	}
	if len(good) == 0 {
		return nil
	}
	return b.WithLive(good)
}
