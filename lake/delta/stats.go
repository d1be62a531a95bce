package delta

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"spate/lake/parquetfile"
)

// Stats are the statistics of a file as its add action carries them.
type Stats struct {
	NumRecords  *int64                     `json:"numRecords,omitempty"`
	MinValues   map[string]json.RawMessage `json:"minValues,omitempty"`
	MaxValues   map[string]json.RawMessage `json:"maxValues,omitempty"`
	NullCount   map[string]json.RawMessage `json:"nullCount,omitempty"`
	TightBounds *bool                      `json:"tightBounds,omitempty"`
}

// ParseStats reads the stats of an add action. Empty text gives empty stats.
func ParseStats(text string) (Stats, error) {
	var s Stats
	if text == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return Stats{}, fmt.Errorf("file statistics: %w", err)
	}
	return s, nil
}

// Nulls returns the null count of a top-level column, if it is known.
func (s *Stats) Nulls(name string) (int64, bool) {
	var n int64
	raw, ok := s.NullCount[name]
	return n, ok && json.Unmarshal(raw, &n) == nil
}

// TimeBounds returns bounds of a timestamp column that hold for sure: writers cut
// them to milliseconds, so the upper one is moved up by one.
func (s *Stats) TimeBounds(name string) (lo, hi time.Time, ok bool) {
	lo, ok1 := statTime(s.MinValues[name])
	hi, ok2 := statTime(s.MaxValues[name])
	return lo, hi.Add(time.Millisecond), ok1 && ok2
}

func statTime(raw json.RawMessage) (time.Time, bool) {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// indexed are those of cols that have statistics by the properties of the table.
func (s *Snapshot) indexed(cols []Column) []Column {
	left := s.intProperty("delta.dataSkippingNumIndexedCols", 32)
	var only []string
	if list := s.Metadata.Configuration["delta.dataSkippingStatsColumns"]; list != "" {
		for name := range strings.SplitSeq(list, ",") {
			only = append(only, strings.ToLower(strings.Trim(strings.TrimSpace(name), "`")))
		}
	}
	var out []Column
	for _, c := range cols {
		if slices.Contains(s.Metadata.PartitionColumns, c.Name) {
			continue
		}
		if only != nil && !slices.Contains(only, strings.ToLower(c.Name)) || only == nil && left == 0 {
			continue
		}
		left--
		out = append(out, c)
	}
	return out
}

// StatsOf writes the stats of a new file whose columns are cols, in the order of
// the table's data columns.
func (s *Snapshot) StatsOf(cols []Column, p parquetfile.Stats) string {
	mins, maxs, nulls := map[string]json.RawMessage{}, map[string]json.RawMessage{}, map[string]json.RawMessage{}
	prefix := s.intProperty("delta.dataSkippingStringPrefixLength", 32)
	for _, c := range s.indexed(cols) {
		if strings.HasPrefix(string(c.Type), `{"type":"struct"`) {
			continue // it has a count for each of its fields
		}
		st := &p.Columns[slices.IndexFunc(cols, func(o Column) bool { return o.Name == c.Name })]
		nulls[c.FileName()] = json.RawMessage(strconv.FormatInt(st.Nulls, 10))
		if lo, hi := boundTexts(c.Type, st, prefix); lo != nil {
			mins[c.FileName()] = lo
			if hi != nil {
				maxs[c.FileName()] = hi
			}
		}
	}
	return string(marshal(struct {
		NumRecords int64                      `json:"numRecords"`
		MinValues  map[string]json.RawMessage `json:"minValues"`
		MaxValues  map[string]json.RawMessage `json:"maxValues"`
		NullCount  map[string]json.RawMessage `json:"nullCount"`
	}{p.Rows, mins, maxs, nulls}))
}

// boundTexts returns the JSON of both bounds; nil where there is none.
func boundTexts(t Type, st *parquetfile.ColumnStats, prefix int) (lo, hi json.RawMessage) {
	if !st.Bounded {
		return nil, nil
	}
	number := func(n int64) json.RawMessage { return json.RawMessage(strconv.FormatInt(n, 10)) }
	switch t {
	case Byte, Short, Integer, Long:
		return number(st.MinInt), number(st.MaxInt)
	case Float, Double:
		if st.NaN {
			return nil, nil
		}
		return floatText(st.MinFloat, t), floatText(st.MaxFloat, t)
	case Date:
		day := func(d int64) json.RawMessage { return jsonText(time.Unix(d*86400, 0).UTC().Format("2006-01-02")) }
		return day(st.MinInt), day(st.MaxInt)
	case Timestamp:
		ms := func(us int64) json.RawMessage {
			return jsonText(time.UnixMicro(us).UTC().Format("2006-01-02T15:04:05.000Z"))
		}
		return ms(st.MinInt), ms(st.MaxInt)
	case TimestampNTZ:
		ms := func(us int64) json.RawMessage {
			return jsonText(time.UnixMicro(us).UTC().Format("2006-01-02T15:04:05.000"))
		}
		return ms(st.MinInt), ms(st.MaxInt)
	case String:
		lo := jsonText(minPrefix(string(st.MinText), prefix))
		if m, ok := maxPrefix(string(st.MaxText), prefix); ok {
			return lo, jsonText(m)
		}
		return lo, nil
	}
	if _, scale, ok := t.DecimalParts(); ok {
		if st.MinText != nil { // of more digits than a number holds
			return json.RawMessage(st.MinText), json.RawMessage(st.MaxText)
		}
		return json.RawMessage(DecimalText(st.MinInt, scale)), json.RawMessage(DecimalText(st.MaxInt, scale))
	}
	return nil, nil
}

func floatText(f float64, t Type) json.RawMessage {
	switch {
	case math.IsInf(f, 1):
		return jsonText("Infinity")
	case math.IsInf(f, -1):
		return jsonText("-Infinity")
	}
	size := 64
	if t == Float {
		size = 32
	}
	text := strconv.FormatFloat(f, 'g', -1, size)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return json.RawMessage(text)
}

// DecimalText writes an unscaled decimal without an exponent.
func DecimalText(n int64, scale int) string {
	sign := ""
	u := uint64(n)
	if n < 0 {
		sign, u = "-", -u
	}
	text := strconv.FormatUint(u, 10)
	if scale > 0 {
		text = strings.Repeat("0", max(0, scale+1-len(text))) + text
		text = text[:len(text)-scale] + "." + text[len(text)-scale:]
	}
	return sign + text
}

// minPrefix cuts a lower bound to n characters.
func minPrefix(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// maxPrefix cuts an upper bound to about n UTF-16 units and puts a character
// behind it that is above what was cut off.
func maxPrefix(s string, n int) (string, bool) {
	units := 0
	for i, r := range s {
		if units >= n {
			if units > 2*n || r == utf8.MaxRune {
				if units > 2*n {
					return "", false
				}
			} else if r < 0x7f {
				return s[:i] + "\x7f", true
			} else {
				return s[:i] + string(utf8.MaxRune), true
			}
		}
		units++
		if r > 0xffff {
			units++
		}
	}
	return s, true
}
