package delta

import (
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"spate/lake/parquetfile"
)

// parsedFields are the columns of a checkpoint that hold statistics and partition values
// with the types of the table: stats_parsed and partitionValues_parsed. Spark takes them
// where they are, and needs no JSON then.
type parsedFields struct {
	stats      []Column // with a number of NULLs
	bounded    []Column // of stats: with bounds
	partitions []Column
}

// parsedFields are those of the table; none if it does not want them.
func (s *Snapshot) parsedFields() *parsedFields {
	p := &parsedFields{}
	if s.Property("delta.checkpoint.writeStatsAsStruct", "true") != "true" {
		return p
	}
	for _, c := range s.Columns {
		if slices.Contains(s.Metadata.PartitionColumns, c.Name) {
			if _, ok := parsedType(c); ok {
				p.partitions = append(p.partitions, c)
			}
		}
	}
	if len(p.partitions) < len(s.Metadata.PartitionColumns) {
		p.partitions = nil // half of them would be read as NULL
	}
	for _, c := range s.indexed(s.Columns) {
		if slices.Contains(s.Metadata.PartitionColumns, c.Name) || strings.HasPrefix(string(c.Type), `{"type":"struct"`) {
			continue
		}
		p.stats = append(p.stats, c)
		if _, ok := parsedType(c); ok && c.Type != Boolean && c.Type != Binary {
			p.bounded = append(p.bounded, c)
		}
	}
	return p
}

// parsedType is how a value of a column stands in a checkpoint.
func parsedType(c Column) (parquetfile.Type, bool) {
	t, err := ParquetType(c)
	return t, err == nil
}

func (p *parsedFields) fields() []parquetfile.Field {
	var out []parquetfile.Field
	typed := func(name string, cols []Column) parquetfile.Field {
		f := structOf(name)
		for _, c := range cols {
			t, _ := parsedType(c)
			f.Fields = append(f.Fields, leafOf(c.Name, t))
		}
		return f
	}
	if len(p.partitions) > 0 {
		out = append(out, typed("partitionValues_parsed", p.partitions))
	}
	if len(p.stats) == 0 {
		return out
	}
	stats := structOf("stats_parsed", leafOf("numRecords", longType))
	if len(p.bounded) > 0 {
		stats.Fields = append(stats.Fields, typed("minValues", p.bounded), typed("maxValues", p.bounded))
	}
	nulls := structOf("nullCount")
	for _, c := range p.stats {
		nulls.Fields = append(nulls.Fields, leafOf(c.Name, longType))
	}
	stats.Fields = append(stats.Fields, nulls, leafOf("tightBounds", boolType))
	return append(out, stats)
}

// put adds to the row of a file what its action says. A value that is none of its type is
// left out, as one that is not known.
func (p *parsedFields) put(row map[string]any, a *Add) {
	if len(p.partitions) > 0 {
		values := make(map[string]any, len(p.partitions))
		for _, c := range p.partitions {
			if text := a.PartitionValues[c.Name]; text != nil && (*text != "" || c.Type == String) {
				if v := parsedText(c, *text); v != nil {
					values[c.Name] = v
				}
			}
		}
		row["partitionValues_parsed"] = values
	}
	st, err := ParseStats(a.Stats)
	if len(p.stats) == 0 || err != nil || a.Stats == "" {
		return
	}
	out, lows, highs, nulls := map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}
	if st.NumRecords != nil {
		out["numRecords"] = *st.NumRecords
	}
	if st.TightBounds != nil {
		out["tightBounds"] = *st.TightBounds
	}
	for _, c := range p.bounded {
		if v := parsedBound(c, st.MinValues[c.Name]); v != nil {
			lows[c.Name] = v
		}
		if v := parsedBound(c, st.MaxValues[c.Name]); v != nil {
			highs[c.Name] = v
		}
	}
	for _, c := range p.stats {
		if n, ok := st.Nulls(c.Name); ok {
			nulls[c.Name] = n
		}
	}
	if len(p.bounded) > 0 {
		out["minValues"], out["maxValues"] = lows, highs
	}
	out["nullCount"] = nulls
	row["stats_parsed"] = out
}

func parsedBound(c Column, raw json.RawMessage) any {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	text := string(raw)
	if raw[0] == '"' && json.Unmarshal(raw, &text) != nil {
		return nil
	}
	return parsedText(c, text)
}

// parsedText reads the text of a bound or of a partition value; nil if it is none.
func parsedText(c Column, text string) any {
	switch c.Type {
	case String:
		return text
	case Binary:
		return []byte(text)
	case Boolean:
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	case Byte, Short, Integer, Long:
		bits := map[Type]int{Byte: 8, Short: 16, Integer: 32, Long: 64}[c.Type]
		if n, err := strconv.ParseInt(text, 10, bits); err == nil {
			return n
		}
	case Float, Double:
		if f, err := strconv.ParseFloat(text, 64); err == nil || math.IsInf(f, 0) && strings.Contains(text, "Inf") {
			return f
		}
	case Date:
		if t, ok := statTime(jsonText(text + "T00:00:00Z")); ok {
			return t.Unix() / 86400
		}
	case Timestamp:
		if t, ok := statTime(jsonText(text)); ok {
			return t.UnixMicro()
		}
	default:
		if _, scale, ok := c.Type.DecimalParts(); ok {
			r, ok := new(big.Rat).SetString(text)
			if !ok || len(text) > 64 {
				return nil
			}
			r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
			if r.IsInt() && r.Num().IsInt64() {
				return r.Num().Int64()
			}
		}
	}
	return nil
}
