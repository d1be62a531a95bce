package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"spate/column"
	"spate/connector"
	"spate/sql/plan"
)

// printer takes the rows of all printing outputs, holds them until no row can come that
// stands before them, and prints them in order.
type printer struct {
	ctx context.Context // of the run: an operator that computes ends at its next row

	mu      sync.Mutex // the job's goroutine, and whoever abandons the run
	marks   []column.Ticks
	passed  column.Ticks // rows before it are printed
	rows    *sorter
	targets []target // by number
	tables  []bool   // by statement: it writes a table, which needs no order
	over    bool     // nothing is taken any more
	whole   bool     // all rows of the run have been printed
	closed  bool
}

func newPrinter(ctx context.Context, statements int) *printer {
	p := &printer{ctx: ctx, marks: make([]column.Ticks, statements), tables: make([]bool, statements)}
	p.rows = newSorter(func(out int32, row []byte) error { return p.targets[out].print(row) })
	return p
}

// open makes the sinks of all outputs.
func (p *printer) open(ctx context.Context, r *run, job *plan.Job, sinks map[string]connector.Sink) error {
	specs, err := specsOf(r.o, job)
	if err != nil {
		return err
	}
	for i, out := range job.Outputs {
		if folder, ok := specs[out.Name].table(); ok {
			p.tables[i] = true
			if sinks[out.Name] == nil {
				if sinks[out.Name], err = openTable(ctx, r.o, folder, out.Name, job); err != nil {
					return fmt.Errorf("output %s: %w", out.Name, err)
				}
			}
			continue
		}
		if sinks[out.Name] != nil {
			continue
		}
		t, err := openTarget(r, specs[out.Name], out.Name, job)
		if err != nil {
			return fmt.Errorf("output %s: %w", out.Name, err)
		}
		p.targets = append(p.targets, t)
		sinks[out.Name] = &printerSink{p, int32(len(p.targets) - 1)}
	}
	return nil
}

// advance notes how far a statement is and prints what all have passed.
func (p *printer) advance(statement int, w column.Ticks) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.stopped(); err != nil {
		return err
	}
	p.marks[statement] = max(p.marks[statement], w)
	least := column.EndOfTime
	for i, m := range p.marks {
		if !p.tables[i] {
			least = min(least, m)
		}
	}
	if least <= p.passed {
		return nil
	}
	p.passed = least
	if err := p.rows.release(least); err != nil {
		return err
	}
	return p.flush()
}

// flush shows whoever reads standard output what is final.
func (p *printer) flush() error {
	var errs []error
	for _, t := range p.targets {
		errs = append(errs, t.flush())
	}
	return errors.Join(errs...)
}

func (p *printer) stopped() error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	if p.over {
		return context.Canceled
	}
	return nil
}

// end is where a finished run ends.
var end = rank{time: math.MaxInt64}

// finish prints the rows before a place: the end, or behind a runtime error the row that
// failed.
func (p *printer) finish(at rank) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return nil
	}
	p.over = true
	err := p.rows.releaseIf(math.MaxInt64, func(r *rank) bool { return r.before(&at) })
	err = errors.Join(err, p.flush())
	p.whole = err == nil && at == end
	return err
}

// abandon ends the run from outside.
func (p *printer) abandon() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	return p.closeTargets()
}

func (p *printer) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	return errors.Join(p.rows.close(), p.closeTargets())
}

func (p *printer) closeTargets() error {
	if p.closed {
		return nil
	}
	p.closed = true
	var errs []error
	for _, t := range p.targets {
		errs = append(errs, t.close(p.whole))
	}
	return errors.Join(errs...)
}

// printerSink is one output of a printer.
type printerSink struct {
	p   *printer
	out int32
}

// OpenWriter implements connector.Sink.
func (s *printerSink) OpenWriter(context.Context, connector.Shard) (connector.Writer, error) {
	return &printerWriter{s}, nil
}

// Commit implements connector.Sink: rows are printed when they are final.
func (s *printerSink) Commit(context.Context, connector.Epoch, []connector.Prepared) error {
	return nil
}

type printerWriter struct{ *printerSink }

// WriteStatement implements connector.StatementWriter.
func (w *printerWriter) WriteStatement(_ context.Context, statement int, b *column.Batch) ([]connector.BadRow, error) {
	p := w.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.stopped(); err != nil {
		return nil, err
	}
	t := p.targets[w.out]
	for k := range b.LiveRows() {
		i := b.Row(k)
		r := rank{time: b.Time[i], arrived: b.Time[i], statement: int32(statement)}
		if b.Arrived != nil {
			r.arrived = b.Arrived[i]
		}
		if b.Seq != nil {
			r.seq = b.Seq[i]
		}
		if b.Index != nil {
			r.index = b.Index[i]
		}
		if err := p.rows.add(r, w.out, func(dst []byte) []byte { return t.append(dst, b, i) }); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// AdvanceStatement implements connector.WatermarkWriter.
func (w *printerWriter) AdvanceStatement(statement int, at column.Ticks) error {
	return w.p.advance(statement, at)
}

// Write implements connector.Writer.
func (w *printerWriter) Write(ctx context.Context, b *column.Batch) ([]connector.BadRow, error) {
	return w.WriteStatement(ctx, 0, b)
}

// Prepare implements connector.Writer.
func (w *printerWriter) Prepare(context.Context, connector.Epoch) (connector.Prepared, error) {
	return nil, nil
}

// Close implements connector.Writer.
func (w *printerWriter) Close() error { return nil }
