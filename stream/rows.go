package stream

import (
	"context"
	"fmt"
	"strings"

	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/sql/plan"
	"spate/stream/exec"
)

// packetRows is how many rows a packet may bring: waking the tail costs more than
// a batch does, so the batches of one chunk go together.
const packetRows = 4096

// take decodes the messages of a chunk and runs the rows through the plan.
func (p *partition) take(ctx context.Context, c *connector.Chunk) error {
	p.received = p.job.opts.Clock.Now()
	p.count.messages.Add(int64(c.Len()))
	bytes := int64(0)
	for i := range c.Starts {
		bytes += int64(c.Ends[i] - c.Starts[i])
	}
	waiting := 0 // rows since the last packet
	for first := 0; first < c.Len(); {
		rows := p.decoder.decode(c, first)
		for _, bad := range rows.Bad {
			p.count.deserialization.Add(1)
			bytes -= int64(c.Ends[bad.Message] - c.Starts[bad.Message])
			p.drop(c, bad.Message, Diagnostic{
				Kind: "deserialization", Type: bad.Type, Dropped: true,
				Reason: fmt.Sprintf("at byte %d: %s", bad.ByteOffset, bad.Reason), Excerpt: bad.Excerpt,
			})
		}
		first = rows.Next
		if rows.Rows > 0 {
			p.refused = 0
			err := p.batch(c, rows)
			p.count.events.Add(int64(rows.Rows - p.refused))
			if err != nil {
				return err
			}
		}
		if waiting += rows.Rows; waiting >= packetRows {
			waiting = 0
			if err := p.send(ctx); err != nil {
				return err
			}
		}
	}
	p.count.bytes.Add(bytes)
	return nil
}

func (p *partition) batch(c *connector.Chunk, rows format.Rows) error {
	arrivals, seq := make([]column.Ticks, rows.Rows), make([]int64, rows.Rows)
	var index []int64 // where a message brings several events
	for i, m := range rows.Src {
		arrivals[i], seq[i] = c.Arrivals[m], p.sequence(c.Offsets[m])
		if i > 0 && rows.Src[i-1] == m {
			if index == nil {
				index = make([]int64, rows.Rows)
			}
			index[i] = min(index[i-1]+column.Place, (column.Places-1)*column.Place)
		}
	}
	if err := p.stamp(c, rows, arrivals); err != nil {
		return err
	}
	refused := make(map[int32]bool)
	for _, br := range p.branches {
		b := &column.Batch{Schema: br.schema, Rows: rows.Rows, Time: arrivals, Seq: seq, Index: index, Cols: make([]column.Vector, len(br.node.Cols))}
		var keep []int32
		for k, s := range br.node.Cols {
			if s.Kind == plan.Metadata {
				b.Cols[k] = p.metadata(s, br.from[k], c, rows, arrivals)
				continue
			}
			b.Cols[k] = p.column(s, br.from[k], rows, arrivals, seq)
			if s.Declared != column.Null {
				keep = p.declared(s, &b.Cols[k], rows, c, keep, refused)
			}
		}
		declaredFields(b, br.node.Cols)
		b.Live = keep
		if p.job.opts.Diagnostic != nil || p.job.letters != nil {
			br.stage.Report = func(row int, f exec.TimeFault, m exec.Moved) { p.fault(c, int(rows.Src[row]), f, m) }
		}
		if err := br.stage.Rows(b, br.next); err != nil {
			return err
		}
		br.counts(p.count)
		if err := p.advance(br); err != nil {
			return err
		}
	}
	return nil
}

// stamp takes the arrival times from the events, where the input says so.
func (p *partition) stamp(c *connector.Chunk, rows format.Rows, arrivals []column.Ticks) error {
	if p.stamps == nil {
		return nil
	}
	offsets, cols := make([]int64, rows.Rows), make([]column.Vector, len(p.stampers))
	for i, m := range rows.Src {
		offsets[i] = c.Offsets[m]
	}
	for k, from := range p.stampers {
		cols[k] = rows.Cols[from]
	}
	return p.stamps.Stamp(cols, offsets, arrivals)
}

// Widths of the parts of a row's sequence.
const (
	offsetBits    = 46
	partitionBits = 10
	sourceBits    = 7
)

// sequence orders the messages of a job: input, partition, offset. In files the
// line stands for all three.
func (p *partition) sequence(offset int64) int64 {
	if p.in.LineOrder {
		return offset
	}
	return int64(p.source.ordinal)<<(offsetBits+partitionBits) | int64(p.number)<<offsetBits | offset&(1<<offsetBits-1)
}

// partOf is the index of the partition that a sequence is of, -1 if there is none.
func (j *Job) partOf(seq int64) int {
	ordinal, number := int(seq>>(offsetBits+partitionBits)), int(seq>>offsetBits)&(1<<partitionBits-1)
	for _, p := range j.parts {
		if p.source.ordinal == ordinal && p.number == number {
			return p.index
		}
	}
	return -1
}

// column makes one column of an Input.
func (p *partition) column(s plan.Source, from int, rows format.Rows, arrivals []column.Ticks, seq []int64) column.Vector {
	switch s.Kind {
	case plan.EventEnqueued, plan.EventProcessed:
		v := column.Vector{Kind: column.Time, Ints: make([]int64, rows.Rows)}
		for i := range v.Ints {
			v.Ints[i] = int64(arrivals[i])
			if s.Kind == plan.EventProcessed {
				v.Ints[i] = int64(p.processed(arrivals[i]))
			}
		}
		return v
	case plan.Partition:
		v := column.Vector{Kind: column.Int64, Ints: make([]int64, rows.Rows)}
		for i := range v.Ints {
			v.Ints[i] = int64(p.number)
		}
		return v
	case plan.MarkedMessage:
		v := column.Vector{Kind: column.Int64, Ints: make([]int64, rows.Rows)}
		for i := range v.Ints {
			if p.holds(p.job.opts.shadow.marked) && seq[i] == p.sequence(p.job.opts.shadow.marked.Offset) {
				v.Ints[i] = 1
			}
		}
		return v
	case plan.Whole:
		if p.in.SystemColumns {
			return p.withSystem(rows.Cols[from], arrivals)
		}
	}
	return rows.Cols[from]
}

// withSystem appends the system columns to event records; a payload field of the
// same name is overwritten.
func (p *partition) withSystem(v column.Vector, arrivals []column.Ticks) column.Vector {
	names := []string{"EventProcessedUtcTime", "PartitionId", "EventEnqueuedUtcTime"}
	if p.job.opts.Plan.Level.LowersNames() {
		for i, n := range names {
			names[i] = strings.ToLower(n)
		}
	}
	out := column.Vector{Kind: column.Any, Anys: make([]column.Value, len(arrivals))}
	for i := range out.Anys {
		r := &column.RecordValue{}
		if rec := v.At(i).Record(); rec != nil {
			for k, n := range rec.Names {
				if !isSystem(n) {
					r.Names, r.Values = append(r.Names, n), append(r.Values, rec.Values[k])
				}
			}
		}
		r.Names = append(r.Names, names...)
		r.Values = append(r.Values, column.TimeOf(p.processed(arrivals[i])), column.IntOf(int64(p.number)), column.TimeOf(arrivals[i]))
		out.Anys[i] = column.RecordOf(r)
	}
	return out
}

// processed is the value of EventProcessedUtcTime: when the reader took the
// batch, and in offline runs, which have no clock, the arrival time.
func (p *partition) processed(arrival column.Ticks) column.Ticks {
	if p.received == 0 {
		return arrival
	}
	return p.received
}

func isSystem(name string) bool {
	return column.EqualNames(name, "EventProcessedUtcTime") || column.EqualNames(name, "PartitionId") || column.EqualNames(name, "EventEnqueuedUtcTime")
}
