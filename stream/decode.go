package stream

import (
	"fmt"

	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/sql/plan"
)

// rowDecoder turns the messages of a chunk into columns.
type rowDecoder interface {
	decode(c *connector.Chunk, first int) format.Rows
}

type jsonDecoder struct{ d *format.Decoder }

func (d jsonDecoder) decode(c *connector.Chunk, first int) format.Rows {
	return d.d.Decode(c.Data, c.Starts, c.Ends, first)
}

func newRowDecoder(in Input, cols []format.Column) (rowDecoder, error) {
	if in.Format.CSV {
		return nil, fmt.Errorf("decoding csv is not supported yet")
	}
	return jsonDecoder{format.NewDecoder(cols, format.Options{General: in.General})}, nil
}

// declared checks a column against the type that CREATE TABLE gives it: an event
// whose field cannot be read as that type is dropped.
func (p *partition) declared(s plan.Source, v *column.Vector, rows format.Rows, c *connector.Chunk, keep []int32) []int32 {
	if v.Kind == s.Declared && v.Whole == nil {
		return keep
	}
	if keep == nil {
		keep = make([]int32, rows.Rows)
		for i := range keep {
			keep[i] = int32(i)
		}
	}
	b := column.NewBuilder(nil)
	bad := make(map[int32]bool)
	for i := range rows.Rows {
		x, ok := readAs(v.At(i), s.Declared)
		if !ok {
			bad[int32(i)] = true
		}
		b.Append(x)
	}
	*v = b.Vector()
	if len(bad) == 0 {
		return keep
	}
	out := keep[:0]
	for _, i := range keep {
		if !bad[i] {
			out = append(out, i)
			continue
		}
		p.job.counts.deserialization.Add(1)
		p.job.diagnose(Diagnostic{
			Kind: "declaration", Input: p.source.name, Part: p.number, Offset: c.Offsets[rows.Src[i]], Dropped: true,
			Reason: fmt.Sprintf("InputDeserializerError.TypeConversionError: column %s is no %s", s.Name, s.Declared),
		})
	}
	return out
}

// readAs reads a JSON value as a declared type: nothing is converted but what
// the format itself cannot tell apart.
func readAs(v column.Value, k column.Kind) (column.Value, bool) {
	switch {
	case v.IsNull() || v.Kind == k:
		return v, true
	case k == column.Float64 && v.Kind == column.Int64, k == column.Time && v.Kind == column.Text:
		return column.Cast(v, k)
	case k == column.Int64 && v.Kind == column.Bool:
		return column.Cast(v, k)
	}
	return column.Value{}, false
}

// count reports what the time stage dropped or changed since the last batch.
func (br *branch) count(p *partition, c *connector.Chunk, rows format.Rows) {
	now := br.stage.Counts()
	if now == br.counted {
		return
	}
	old := br.counted
	br.counted = now
	report := func(kind string, n int64, dropped bool, reason string) {
		if n == 0 {
			return
		}
		p.job.diagnose(Diagnostic{
			Kind: kind, Input: p.source.name, Part: p.number, Offset: c.Offsets[rows.Src[0]], Dropped: dropped,
			Reason: fmt.Sprintf("%d events: %s", n, reason),
		})
	}
	drop := p.job.opts.Policy.Drop
	p.job.counts.early.Add(now.Early - old.Early)
	p.job.counts.late.Add(now.Late - old.Late)
	p.job.counts.outOfOrder.Add(now.OutOfOrder - old.OutOfOrder)
	p.job.counts.invalidTime.Add(now.InvalidTime - old.InvalidTime)
	report("early", now.Early-old.Early, true, "arrival is earlier than the event's time by more than 5 minutes")
	report("late", now.Late-old.Late, drop, "sent later than the configured tolerance")
	report("outOfOrder", now.OutOfOrder-old.OutOfOrder, drop, "behind the watermark of the partition")
	report("timestamp", now.InvalidTime-old.InvalidTime, true, "InvalidInputTimeStamp: Cannot convert string to datetime")
}
