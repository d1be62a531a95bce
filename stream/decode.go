package stream

import (
	"fmt"
	"slices"
	"strings"

	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/sql/plan"
	"spate/stream/deadletter"
	"spate/stream/exec"
)

// rowDecoder turns the messages of a chunk into columns.
type rowDecoder interface {
	decode(c *connector.Chunk, first int) format.Rows
}

type csvDecoder struct{ d *format.CSVDecoder }

func (d csvDecoder) decode(c *connector.Chunk, first int) format.Rows {
	return d.d.Decode(c.Data, c.Starts, c.Ends, first)
}

type jsonDecoder struct{ d *format.Decoder }

func (d jsonDecoder) decode(c *connector.Chunk, first int) format.Rows {
	return d.d.Decode(c.Data, c.Starts, c.Ends, first)
}

func newRowDecoder(in Input, level plan.Level, cols []format.Column) (rowDecoder, error) {
	if in.Format.CSV {
		d, err := format.NewCSVDecoder(cols, in.Format.Delimiter)
		if err != nil {
			return nil, err
		}
		d.NoHeader, d.LowerNames = in.Format.NoHeader, level.LowersNames()
		return csvDecoder{d}, nil
	}
	o := JSONOptions(level)
	o.General = in.General
	return jsonDecoder{format.NewDecoder(cols, o)}, nil
}

// JSONOptions are how a job of some level reads JSON.
func JSONOptions(level plan.Level) format.Options {
	return format.Options{LowerNames: level.LowersNames(), Times: level.ReadsTimes(), Bigints: level.BitsAreBigints()}
}

// timeColumns are the columns that the TIMESTAMP BY of an input cannot do without.
func timeColumns(e plan.Expr) []int {
	switch e := e.(type) {
	case *plan.Col:
		return []int{e.Index}
	case *plan.Field:
		return timeColumns(e.Of)
	case *plan.Element:
		return timeColumns(e.Of)
	case *plan.Cast:
		return timeColumns(e.Of)
	case *plan.Call:
		var list []int
		for _, a := range e.Args {
			list = append(list, timeColumns(a)...)
		}
		return list
	}
	return nil // COALESCE and CASE choose among theirs
}

// declared checks a column against the type that CREATE TABLE gives it: an event
// whose field cannot be read as that type is dropped, and counted once.
func (p *partition) declared(s plan.Source, v *column.Vector, rows format.Rows, c *connector.Chunk, keep []int32, refused map[int32]bool) []int32 {
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
		x, ok := p.in.Format.ReadAs(v.At(i), s.Declared, p.job.opts.Plan.Level)
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
		if refused[i] { // by another reference to the input
			continue
		}
		refused[i] = true
		p.count.deserialization.Add(1)
		p.refused++
		p.drop(c, int(rows.Src[i]), Diagnostic{
			Kind: "declaration", Type: typeConversion, Dropped: true,
			Reason: fmt.Sprintf("column %s is no %s", s.Name, s.Declared),
		})
	}
	return out
}

// declaredFields gives the whole events of a batch the declared fields as their
// columns have them, so that a star prints what a name does.
func declaredFields(b *column.Batch, cols []plan.Source) {
	isDeclared := func(s plan.Source) bool { return s.Declared != column.Null }
	if !slices.ContainsFunc(cols, isDeclared) {
		return
	}
	for w := range cols {
		if cols[w].Kind != plan.Whole {
			continue
		}
		out := column.Vector{Kind: column.Any, Anys: make([]column.Value, b.Rows)}
		for i := range out.Anys {
			v := b.Cols[w].At(i)
			out.Anys[i] = v
			if v.Kind != column.Record {
				continue
			}
			r := &column.RecordValue{Names: v.Record().Names, Values: slices.Clone(v.Record().Values)}
			for k, s := range cols {
				if !isDeclared(s) {
					continue
				}
				if f := v.FieldIndex(s.Path[0]); f >= 0 {
					r.Values[f] = b.Cols[k].At(i)
				}
			}
			out.Anys[i] = column.RecordOf(r)
		}
		b.Cols[w] = out
	}
}

const typeConversion = "InputDeserializerError.TypeConversionError"

// noNumber reports whether a text is one of the floats that are no number.
func noNumber(s string) bool {
	s = strings.TrimLeft(strings.TrimSpace(s), "+-")
	return s == "NaN" || s == "Infinity"
}

// ReadAs reads a value as a declared type: nothing is converted but what the
// format itself cannot tell apart. Text is all that CSV knows; an empty field is
// no number and no time, but NULL, and so is the bit "null". What the level has made of a
// word or a text of JSON is read as what it was.
func (f Format) ReadAs(v column.Value, k column.Kind, level plan.Level) (column.Value, bool) {
	switch {
	case k == column.Float64 && v.Kind == column.Text && level.PassesNaN() && noNumber(v.Text()):
		return column.Value{}, true
	case f.CSV && v.Kind == column.Text && k != column.Text && v.Text() == "":
		return column.Value{}, true
	case f.CSV && k == column.Bool && strings.EqualFold(v.Text(), "null"):
		return column.Value{}, true
	case f.CSV:
		return column.Cast(v, k)
	case v.IsNull() || v.Kind == k:
		return v, true
	case k == column.Float64 && v.Kind == column.Int64, k == column.Time && v.Kind == column.Text:
		return column.Cast(v, k)
	case k == column.Int64 && v.Kind == column.Bool:
		return column.Cast(v, k)
	case k == column.Bool && v.Kind == column.Int64 && level.BitsAreBigints() && (v.Int() == 0 || v.Int() == 1):
		return column.Cast(v, k) // it was true or false
	case k == column.Text && v.Kind == column.Time && level.ReadsTimes():
		return column.Cast(v, k) // it was a text
	}
	return column.Value{}, false
}

// counts adds what the time stage dropped or changed since the last batch.
func (br *branch) counts(to *inputCounts) {
	now, old := br.stage.Counts(), br.counted
	if now == old {
		return
	}
	br.counted = now
	to.early.Add(now.Early - old.Early)
	to.late.Add(now.Late - old.Late)
	to.outOfOrder.Add(now.OutOfOrder - old.OutOfOrder)
	to.invalidTimes.Add(now.InvalidTime - old.InvalidTime)
}

// timeFaults are what diagnostics say of time faults: Azure's type and a reason.
var timeFaults = map[exec.TimeFault][2]string{
	exec.TooEarly:    {"EarlyInputEvent", "the event's time is more than 5 minutes ahead of its arrival"},
	exec.TooLate:     {"LateInputEvent", "sent later than the configured tolerance"},
	exec.OutOfOrder:  {"OutOfOrderEvent", "behind the watermark of the partition"},
	exec.InvalidTime: {"InvalidInputTimeStamp", "the value of TIMESTAMP BY is no datetime"},
	exec.InvalidKey:  {"InvalidInputTimeStampKey", "a key of TIMESTAMP BY ... OVER is NULL"},
	exec.TooManyKeys: {"InvalidInputTimeStampKey", "the partition has as many substreams as it may"},
}

// fault reports an event whose time is wrong.
func (p *partition) fault(c *connector.Chunk, message int, f exec.TimeFault, m exec.Moved) {
	text := timeFaults[f]
	if f == exec.InvalidKey || f == exec.TooManyKeys {
		f = exec.InvalidTime // the kind of both
	}
	d := Diagnostic{Kind: string(f), Type: text[0], Reason: text[1], Dropped: m.Dropped, Moved: m.By, Cause: c.Offsets[message]}
	if f == exec.OutOfOrder && p.in.LineOrder {
		d.Cause = m.Cause
	}
	p.drop(c, message, d)
}

// drop reports an event that is dropped or whose time is changed, and keeps a
// dropped one as a dead letter.
func (p *partition) drop(c *connector.Chunk, message int, d Diagnostic) {
	d.Input, d.Part, d.Offset = p.source.name, p.number, c.Offsets[message]
	p.job.diagnose(d)
	if !d.Dropped || p.job.letters == nil {
		return
	}
	p.job.counts.deadLetter(d.Input, d.Type)
	l := deadletter.Letter{
		Kind: d.Kind, Reason: d.Type + ": " + d.Reason, Input: d.Input, Partition: d.Part, Offset: d.Offset,
		Enqueued: c.Arrivals[message], Body: c.Data[c.Starts[message]:c.Ends[message]],
	}
	p.letters.add(&l)
}
