package stream

import (
	"spate/column"
	"spate/stream/exec"
)

// RowError is the runtime error that ends a job, with the row that failed: where it
// stands in the total order. What the job makes of the rows before it has gone to the
// outputs; rows behind it may have gone there too, by other statements.
type RowError struct {
	Time, Arrived column.Ticks
	Seq           int64
	Index         int64
	Err           *exec.Error
}

// Error implements error.
func (e *RowError) Error() string { return e.Err.Error() }

// Unwrap returns the error of the query.
func (e *RowError) Unwrap() error { return e.Err }

// watched tells an error of a step from one of the steps behind it.
type watched struct {
	exec.Emit
	failed bool
}

func (w *watched) Rows(b *column.Batch) error {
	err := w.Emit.Rows(b)
	w.failed = err != nil
	return err
}

// upTo passes on the rows of b before the first that fails. The operator has no
// state, so that it can be asked again row by row.
func (l *link) upTo(b *column.Batch, failed *exec.Error) error {
	for k := range b.LiveRows() {
		i := int32(b.Row(k))
		below := watched{Emit: l.next}
		err := l.op.Process(l.in, b.WithLive([]int32{i}), &below)
		if own, ok := err.(*exec.Error); ok && !below.failed {
			return rowErrorOf(b, int(i), own)
		}
		if err != nil {
			return err
		}
	}
	return failed
}

func rowErrorOf(b *column.Batch, row int, err *exec.Error) *RowError {
	e := &RowError{Time: b.Time[row], Arrived: b.Time[row], Err: err}
	if b.Arrived != nil {
		e.Arrived = b.Arrived[row]
	}
	if b.Seq != nil {
		e.Seq = b.Seq[row]
	}
	if b.Index != nil {
		e.Index = b.Index[row]
	}
	return e
}
