package file

import (
	"context"
	"sort"
	"sync"

	"spate/column"
	"spate/column/format"
	"spate/connector"
)

// Row is one output row of an offline run.
type Row struct {
	Output string
	JSON   []byte
	rank   rank
}

// rank is the order in which an offline run prints: time, statement, total
// order of the input, and the order of emission.
type rank struct {
	time, arrived column.Ticks
	statement     int
	seq           int64
	index         int32
	made          int
}

// Collector gathers the rows of all outputs of a job and gives them in order.
type Collector struct {
	mu   sync.Mutex
	rows []Row
}

// Sink returns the sink of one output.
func (c *Collector) Sink(output string) *CollectorSink { return &CollectorSink{c, output} }

// Rows returns the committed rows in order.
func (c *Collector) Rows() []Row {
	c.mu.Lock()
	defer c.mu.Unlock()
	sort.SliceStable(c.rows, func(i, j int) bool { return c.rows[i].rank.before(c.rows[j].rank) })
	return c.rows
}

func (a rank) before(b rank) bool {
	switch {
	case a.time != b.time:
		return a.time < b.time
	case a.statement != b.statement:
		return a.statement < b.statement
	case a.arrived != b.arrived:
		return a.arrived < b.arrived
	case a.seq != b.seq:
		return a.seq < b.seq
	case a.index != b.index:
		return a.index < b.index
	}
	return a.made < b.made
}

// CollectorSink is one output of a Collector.
type CollectorSink struct {
	c      *Collector
	output string
}

// OpenWriter implements connector.Sink.
func (s *CollectorSink) OpenWriter(context.Context, connector.Shard) (connector.Writer, error) {
	return &collectorWriter{sink: s}, nil
}

// Commit implements connector.Sink: rows are collected as they are written.
func (s *CollectorSink) Commit(context.Context, connector.Epoch, []connector.Prepared) error {
	return nil
}

type collectorWriter struct{ sink *CollectorSink }

// WriteStatement takes the rows of one statement.
func (w *collectorWriter) WriteStatement(_ context.Context, statement int, b *column.Batch) ([]connector.BadRow, error) {
	c := w.sink.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range b.LiveRows() {
		i := b.Row(k)
		r := Row{Output: w.sink.output, JSON: format.AppendRow(nil, b, i)}
		r.rank = rank{time: b.Time[i], arrived: b.Time[i], statement: statement, made: len(c.rows)}
		if b.Arrived != nil {
			r.rank.arrived = b.Arrived[i]
		}
		if b.Seq != nil {
			r.rank.seq = b.Seq[i]
		}
		if b.Index != nil {
			r.rank.index = b.Index[i]
		}
		c.rows = append(c.rows, r)
	}
	return nil, nil
}

// Write implements connector.Writer.
func (w *collectorWriter) Write(ctx context.Context, b *column.Batch) ([]connector.BadRow, error) {
	return w.WriteStatement(ctx, 0, b)
}

// Prepare implements connector.Writer.
func (w *collectorWriter) Prepare(context.Context, connector.Epoch) (connector.Prepared, error) {
	return nil, nil
}

// Close implements connector.Writer.
func (w *collectorWriter) Close() error { return nil }
