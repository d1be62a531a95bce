package exec

import (
	"spate/column"
	"spate/column/compute"
)

// noTime stands for the time of a row that has none or is dropped.
const noTime column.Ticks = -1

// stamps evaluates TIMESTAMP BY, for the live rows. A row for which it fails has no
// time: as with a value that is no datetime, it costs the event and not the job.
func (s *TimeStage) stamps(b *column.Batch, rows compute.Rows) []column.Ticks {
	times := make([]column.Ticks, b.Rows)
	o, err := s.expr.eval(b, rows)
	if err == nil {
		timesOf(o, rows, times)
		return times
	}
	for k := range rows.Len() {
		i := rows.Row(k)
		times[i] = noTime
		if o, err := s.expr.eval(b.Gather([]int32{int32(i)}), compute.Rows{N: 1}); err == nil {
			times[i] = timeOf(o.At(0))
		}
	}
	return times
}

// timesOf writes the event time of each row to times[row], or noTime.
func timesOf(o compute.Operand, rows compute.Rows, times []column.Ticks) {
	v := o.Vec
	if v == nil {
		t := timeOf(o.Const)
		for k := range rows.Len() {
			times[rows.Row(k)] = t
		}
		return
	}
	for k := range rows.Len() {
		i := rows.Row(k)
		times[i] = noTime
		switch {
		case v.IsNull(i):
		case v.Kind == column.Time:
			if t := column.Ticks(v.Ints[i]); t.Valid() {
				times[i] = t
			}
		case v.Kind == column.Text:
			if t, ok := column.ParseTicks(v.TextAt(i)); ok {
				times[i] = t
			}
		case v.Kind == column.Any:
			times[i] = timeOf(v.Anys[i])
		}
	}
}

func timeOf(v column.Value) column.Ticks {
	switch v.Kind {
	case column.Time:
		if t := v.Ticks(); t.Valid() {
			return t
		}
	case column.Text:
		if t, ok := column.ParseTicks(v.Text()); ok {
			return t
		}
	}
	return noTime
}
