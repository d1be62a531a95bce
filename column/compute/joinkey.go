package compute

import "spate/column"

// joinKey is one form for values of all kinds that "=" may find equal. Values that it
// does not find equal may have one form as well.
func joinKey(v column.Value) column.Value {
	switch v.Kind {
	case column.Bool:
		return column.IntOf(bitNumber(v.Bool()))
	case column.Int64:
		if n := v.Int(); n > 1<<53 || n < -(1<<53) { // compared with a float it is one
			return column.FloatOf(float64(n))
		}
	case column.Text:
		if f, ok := column.ParseFloat(v.Text()); ok {
			return f
		}
		if bit, ok := column.ParseBit(v.Text()); ok {
			return column.IntOf(int64(bit))
		}
		if t, ok := column.ParseTicks(v.Text()); ok {
			return column.TimeOf(t)
		}
	}
	return v
}

func bitNumber(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
