package query

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"spate/column"
)

// fileStats are a file's Delta statistics; what is malformed counts as absent.
type fileStats struct {
	NumRecords *int64                     `json:"numRecords"`
	MinValues  map[string]json.RawMessage `json:"minValues"`
	MaxValues  map[string]json.RawMessage `json:"maxValues"`
	NullCount  map[string]json.RawMessage `json:"nullCount"`
}

func parseStats(text string) fileStats {
	var s fileStats
	if text == "" || json.Unmarshal([]byte(text), &s) != nil {
		return fileStats{}
	}
	return s
}

// nulls is the number of NULLs of a column.
func (f *chosen) nulls(c *TableColumn) (int64, bool) {
	if c.Partition {
		if f.Partition[c.Physical] != nil {
			return 0, true
		}
		return 0, false
	}
	var n int64
	raw, ok := f.stats.NullCount[c.Physical]
	if !ok || json.Unmarshal(raw, &n) != nil {
		return 0, false
	}
	return n, true
}

// bounds are values below and above which a column of the file has none; nil
// where that is not known. empty: the column has only NULLs.
func (f *chosen) bounds(c *TableColumn) (lo, hi *Value, empty bool) {
	if c.Nested {
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
	if n, ok := f.nulls(c); ok && f.stats.NumRecords != nil && n == *f.stats.NumRecords {
		return nil, nil, true
	}
	lo = statBound(f.stats.MinValues[c.Physical], c.Type, false)
	hi = statBound(f.stats.MaxValues[c.Physical], c.Type, true)
	return lo, hi, false
}

// statBound reads one bound, widened by what writers cut off it.
func statBound(raw json.RawMessage, t Type, upper bool) *Value {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var text string
	quoted := json.Unmarshal(raw, &text) == nil
	var v Value
	switch {
	case t.isInteger() && !quoted:
		i, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return nil
		}
		v = intValue(i)
	case (t.ID == Float || t.ID == Real) && !quoted:
		f, err := strconv.ParseFloat(string(raw), 64)
		if err != nil {
			return nil
		}
		if t.ID == Real { // bounds of a real may have been rounded on their way through text
			f = ulp(f, upper)
		}
		v = floatValue(f)
	case t.ID == Decimal:
		if !quoted {
			text = string(raw)
		}
		v = textValue(KindDecimal, text)
		r := v.rat()
		if r == nil {
			return nil
		}
		if t.Prec > 15 {
			// Some writers round such bounds through a float.
			f, _ := r.Float64()
			v = floatValue(ulp(f, upper))
		}
	case t.ID == Date && quoted:
		ticks, ok := column.ParseTicks(text)
		if !ok {
			return nil
		}
		v = timeValue(KindDate, ticks)
	case t.ID == DateTime2 && quoted:
		ticks, ok := column.ParseTicks(text)
		if !ok {
			return nil
		}
		if upper {
			ticks += column.Millisecond - 1 // bounds are cut to milliseconds
		}
		v = timeValue(KindTime, ticks)
	case t.isText() && quoted:
		v = textValue(KindText, text)
	default:
		return nil
	}
	return &v
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
