package query

import (
	"math"
	"strconv"
	"strings"

	"spate/column"
	"spate/lake/delta"
)

// index makes the statistics of a file that brings them as text only.
func (f *chosen) index(t *Table) {
	if f.Stats == "" || !f.Meta.IsZero() {
		return
	}
	cols := make([]delta.Column, len(t.Columns))
	for i, c := range t.Columns {
		cols[i] = delta.Column{Name: c.Physical, Type: c.delta()}
	}
	f.Meta = delta.RefOf(cols, &delta.Add{Path: f.Path, Stats: f.Stats})
}

// delta is a type whose statistics are those of the column.
func (c *TableColumn) delta() delta.Type {
	switch t := c.Type; {
	case c.Nested != nil:
		return delta.Binary
	case t.isInteger():
		return delta.Long
	case t.ID == Real:
		return delta.Float
	case t.ID == Float:
		return delta.Double
	case t.ID == Decimal:
		return delta.Decimal(t.Prec, t.Scale)
	case t.ID == Date:
		return delta.Date
	case t.ID == DateTime2 && c.Zoned:
		return delta.Timestamp
	case t.ID == DateTime2:
		return delta.TimestampNTZ
	case t.isText():
		return delta.String
	}
	return delta.Binary
}

// rows is the number of rows of the file, deleted ones among them.
func (f *chosen) rows() (int64, bool) {
	if f.Meta.IsZero() {
		return 0, false
	}
	return f.Meta.Rows()
}

// nulls is the number of NULLs of a column.
func (f *chosen) nulls(c *TableColumn) (int64, bool) {
	if c.Partition {
		return 0, f.Partition[c.Physical] != nil
	}
	if f.Meta.IsZero() {
		return 0, false
	}
	b, _ := f.Meta.Bounds(c.Physical)
	if !b.NullsKnown {
		return 0, false
	}
	// With a deletion vector only none and all mean what they say.
	if n, ok := f.Meta.Rows(); b.Nulls != 0 && !f.Meta.Tight() && (!ok || n != b.Nulls) {
		return 0, false
	}
	return b.Nulls, true
}

// bounds are values below and above which a column of the file has none; nil
// where that is not known. empty: the column has only NULLs.
func (f *chosen) bounds(c *TableColumn, t *Table) (lo, hi *Value, empty bool) {
	if c.Nested != nil {
		return nil, nil, false
	}
	if c.Partition {
		text, ok := f.Partition[c.Physical]
		if !ok {
			return nil, nil, false
		}
		if text == nil {
			return nil, nil, true
		}
		v, err := partitionValue(text, c.Type)
		if err != nil || v.IsNull() {
			return nil, nil, false
		}
		return &v, &v, false
	}
	if !f.Meta.IsZero() {
		if n, ok := f.nulls(c); ok {
			if rows, ok := f.Meta.Rows(); ok && n == rows {
				return nil, nil, true
			}
		}
		b, _ := f.Meta.Bounds(c.Physical)
		lo, hi = boundValue(b.Min, c.Type, false), boundValue(b.Max, c.Type, true)
		if c.WasFloat { // the shortest text of a 32-bit float is near it
			lo, hi = aside(lo, false), aside(hi, true)
		}
	}
	if c.Day == "" {
		return lo, hi, false
	}
	// The folder tells the day of a time as well. Foreign writers may have made it in
	// another time zone: a day more on both sides.
	day, err := partitionValue(f.Partition[c.Day], Type{ID: Date})
	if err != nil || day.Kind != KindDate {
		return lo, hi, false
	}
	if v := timeValue(KindTime, day.Ticks()-column.Day); lo == nil || compareValues(*lo, v) < 0 {
		lo = &v
	}
	if v := timeValue(KindTime, day.Ticks()+2*column.Day-1); hi == nil || compareValues(*hi, v) > 0 {
		hi = &v
	}
	return lo, hi, false
}

// boundValue turns a bound into a value, widened by what writers cut off it. A bound of
// a type that the column had once serves where its values are those of the new type.
func boundValue(b delta.Bound, t Type, upper bool) *Value {
	var v Value
	switch {
	case b.Kind == delta.IntBound && t.isInteger():
		v = intValue(b.Int)
	case b.Kind == delta.IntBound && t.ID == Float && b.Int > -1<<53 && b.Int < 1<<53:
		v = floatValue(float64(b.Int))
	case b.Kind == delta.IntBound && t.ID == Decimal:
		v = textValue(KindDecimal, strconv.FormatInt(b.Int, 10))
	case b.Kind == delta.FloatBound && (t.ID == Float || t.ID == Real):
		v = floatValue(b.Float)
	case b.Kind == delta.DecimalBound && t.ID == Decimal:
		v = textValue(KindDecimal, b.Text)
		r := v.rat()
		if r == nil {
			return nil
		}
		if t.Prec > 15 {
			// Some writers round such bounds through a float.
			f, _ := r.Float64()
			v = floatValue(ulp(f, upper))
		}
	case b.Kind == delta.DateBound && (t.ID == Date || t.ID == DateTime2):
		v = timeValue(t.kind(), column.UnixEpoch+column.Ticks(b.Int)*column.Day)
	case b.Kind == delta.TimeBound && t.ID == DateTime2:
		ticks := column.UnixEpoch + column.Ticks(b.Int)*10
		if upper {
			ticks += column.Millisecond - 1 // bounds are cut to milliseconds
		}
		v = timeValue(KindTime, ticks)
	case b.Kind == delta.TextBound && t.isText():
		v = textValue(KindText, b.Text)
	default:
		return nil
	}
	return &v
}

// aside is a float beyond every number that has the same 32-bit float.
func aside(v *Value, upper bool) *Value {
	if v == nil || v.Kind != KindFloat {
		return nil
	}
	to := math.Inf(-1)
	if upper {
		to = math.Inf(1)
	}
	out := floatValue(float64(math.Nextafter32(float32(v.Float()), float32(to))))
	return &out
}

func ulp(f float64, upper bool) float64 {
	if upper {
		return math.Nextafter(f, math.Inf(1))
	}
	return math.Nextafter(f, math.Inf(-1))
}

// partitionValue reads Delta's text of a partition value; an empty text is NULL
// but in a column of texts.
func partitionValue(text *string, t Type) (Value, error) {
	if text == nil || *text == "" && !t.isText() {
		return Value{}, nil
	}
	s := *text
	switch {
	case t.isText():
		return textValue(KindText, s), nil
	case t.isInteger():
		i, err := strconv.ParseInt(s, 10, 64)
		return intValue(i), err
	case t.ID == Bit:
		b, err := strconv.ParseBool(s)
		return boolValue(b), err
	case t.ID == Float || t.ID == Real:
		f, err := strconv.ParseFloat(s, 64)
		return floatValue(f), err
	case t.ID == Decimal:
		v := textValue(KindDecimal, s)
		if v.rat() == nil {
			return Value{}, raise(8114, "The partition value '%s' is no %s.", s, t)
		}
		return v, nil
	case t.ID == Date, t.ID == DateTime2:
		ticks, ok := column.ParseTicks(s)
		if !ok {
			return Value{}, raise(241, "The partition value '%s' is no %s.", s, t)
		}
		return timeValue(t.kind(), ticks), nil
	case t.ID == VarBinary:
		return Value{Kind: KindBinary, str: partitionBytes(s)}, nil
	}
	return Value{}, raise(8114, "The partition value '%s' is no %s.", s, t)
}

// partitionBytes reads binary: every byte is a character, those beyond ASCII
// written as \u00e9 or as the character itself.
func partitionBytes(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if strings.HasPrefix(s[i:], `\u`) && i+6 <= len(s) {
			if n, err := strconv.ParseUint(s[i+2:i+6], 16, 16); err == nil && n < 256 {
				b.WriteByte(byte(n))
				i += 6
				continue
			}
		}
		b.WriteByte(s[i])
		i++
	}
	return b.String()
}
