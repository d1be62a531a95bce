package delta

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"spate/lake/parquetfile"
)

// parsedColumn is a column of stats_parsed or partitionValues_parsed.
type parsedColumn struct {
	name  string // physical
	kind  BoundKind
	scale int // of a decimal
	zone  bool
	typ   parquetfile.Type
	bound bool // it may have bounds, and not only a count of NULLs
	value bool // a column can hold it at all
}

func fieldsOf(columns []parsedColumn) []parquetfile.Field {
	out := make([]parquetfile.Field, len(columns))
	for i, c := range columns {
		out[i] = leafOf(c.name, c.typ)
	}
	return out
}

func parsedColumnOf(c *Column, k statColumn) parsedColumn {
	out := parsedColumn{name: k.name, kind: k.kind, zone: k.zone, bound: true, value: true}
	typ, err := ParquetType(*c)
	if err != nil || c.Type == Binary { // no type of a bound
		out.bound, out.value = false, false
		return out
	}
	out.typ, out.scale = typ, typ.Scale
	out.bound = c.Type != Boolean // Spark has no bounds of it
	return out
}

// parsedStats are the columns of the checkpoint's stats_parsed.
func (s *Snapshot) parsedStats() []parsedColumn {
	out := []parsedColumn{}
	for i := range s.Columns {
		c := &s.Columns[i]
		// A struct has a struct of counts, which these columns do not keep.
		if slices.Contains(s.Metadata.PartitionColumns, c.Name) || strings.HasPrefix(string(c.Type), `{"type":"struct"`) || c.Type == Void {
			continue
		}
		out = append(out, parsedColumnOf(c, s.stats[i]))
	}
	return out
}

// parsedPartitions are the columns of partitionValues_parsed; nil if there are none, or
// where one has a value or type that cannot be written so.
func (s *Snapshot) parsedPartitions() []parsedColumn {
	var out []parsedColumn
	for _, name := range s.Metadata.PartitionColumns {
		for i := range s.Columns {
			if s.Columns[i].Name != name {
				continue
			}
			k := parsedColumnOf(&s.Columns[i], s.stats[i])
			if !k.value {
				return nil
			}
			out = append(out, k)
		}
	}
	for _, c := range s.Index().chunks {
		for _, values := range c.partitions {
			for _, k := range out {
				if v := values[k.name]; v != nil {
					if _, ok := k.ofText(*v); !ok {
						return nil
					}
				}
			}
		}
	}
	return out
}

// ofText reads a partition value. An empty text is NULL, but in a column of texts.
func (k *parsedColumn) ofText(text string) (any, bool) {
	if k.typ.Kind == parquetfile.String {
		return text, true
	}
	if text == "" {
		return nil, true
	}
	switch k.typ.Kind {
	case parquetfile.Byte, parquetfile.Short, parquetfile.Integer, parquetfile.Long:
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil
	case parquetfile.Float, parquetfile.Double:
		f, err := strconv.ParseFloat(text, 64)
		return f, err == nil
	case parquetfile.Boolean:
		b, err := strconv.ParseBool(text)
		return b, err == nil
	case parquetfile.Decimal:
		return unscaled(text, k.scale)
	case parquetfile.Date:
		t, err := time.Parse("2006-01-02", text)
		return t.Unix() / 86400, err == nil
	case parquetfile.Timestamp:
		t, ok := parseStatTime(text)
		return t.UnixMicro(), ok && strings.ContainsAny(text, "Z+") // without a zone it is in that of its writer
	}
	return nil, false
}

// unscaled reads a decimal that has no more digits than the scale.
func unscaled(text string, scale int) (any, bool) {
	if len(text) > 64 {
		return nil, false
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok || strings.ContainsAny(text, "/xX_pP") {
		return nil, false
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
	if !r.IsInt() || !r.Num().IsInt64() {
		return nil, false
	}
	return r.Num().Int64(), true
}

func (w *checkpointWriter) statsField() parquetfile.Field {
	var bounds, nulls []parquetfile.Field
	for _, k := range w.stats {
		nulls = append(nulls, leafOf(k.name, longType))
		if k.bound {
			bounds = append(bounds, leafOf(k.name, k.typ))
		}
	}
	fields := []parquetfile.Field{leafOf("numRecords", longType)}
	if len(bounds) > 0 { // a struct has members
		fields = append(fields, structOf("minValues", bounds...), structOf("maxValues", bounds...))
	}
	if len(nulls) > 0 {
		fields = append(fields, structOf("nullCount", nulls...))
	}
	if w.tight {
		fields = append(fields, leafOf("tightBounds", boolType))
	}
	return structOf("stats_parsed", fields...)
}

// statsRow is the row of stats_parsed of a file; nil where nothing is known.
func (w *checkpointWriter) statsRow(c *chunk, row int) any {
	lows, highs, nulls := map[string]any{}, map[string]any{}, map[string]any{}
	for i := range w.stats {
		p := &w.stats[i]
		k := c.column(p.name)
		if k == nil {
			continue
		}
		if has := k.has[row]; has != 0 {
			if has&hasMin != 0 && p.bound {
				if v, ok := p.typed(c, k, k.low(row)); ok {
					lows[p.name] = v
				}
			}
			if has&hasMax != 0 && p.bound {
				if v, ok := p.typed(c, k, k.high(row)); ok {
					highs[p.name] = v
				}
			}
			if has&hasNulls != 0 {
				nulls[p.name] = k.nullsOf(row)
			}
		}
	}
	m := map[string]any{"minValues": lows, "maxValues": highs, "nullCount": nulls}
	n := c.rows[row]
	if n >= 0 {
		m["numRecords"] = n
	}
	tight, known := c.tight[uint16(row)]
	if known {
		m["tightBounds"] = tight
	}
	if n < 0 && !known && len(lows)+len(highs)+len(nulls) == 0 {
		return nil
	}
	return m
}

func (c *chunk) column(name string) *chunkColumn {
	for i := range c.columns {
		if c.columns[i].name == name {
			return &c.columns[i]
		}
	}
	return nil
}

// typed is a bound as its column holds it. A bound of a type that the column had before
// stays out.
func (p *parsedColumn) typed(c *chunk, k *chunkColumn, v int64) (any, bool) {
	if p.kind != k.kind {
		return nil, false
	}
	switch k.kind {
	case FloatBound:
		return math.Float64frombits(uint64(v)), (k.bits == 32) == (p.typ.Kind == parquetfile.Float)
	case TextBound:
		return c.textOf(v), true
	case DecimalBound:
		return unscaled(c.textOf(v), p.scale)
	case IntBound, DateBound:
		lo, hi := int64(math.MinInt32), int64(math.MaxInt32)
		switch p.typ.Kind {
		case parquetfile.Byte:
			lo, hi = math.MinInt8, math.MaxInt8
		case parquetfile.Short:
			lo, hi = math.MinInt16, math.MaxInt16
		case parquetfile.Long:
			lo, hi = math.MinInt64, math.MaxInt64
		}
		return v, v >= lo && v <= hi
	case TimeBound:
		return v, true
	}
	return nil, false
}

// exact reports whether stats_parsed tells all that is known of the files.
func (w *checkpointWriter) exact() bool {
	parsed := make(map[string]*parsedColumn, len(w.stats))
	for i := range w.stats {
		parsed[w.stats[i].name] = &w.stats[i]
	}
	for _, ref := range w.s.Index().chunks {
		c := ref.chunk
		if len(c.raw) > 0 || len(c.tight) > 0 && !w.tight {
			return false
		}
		for i := range c.columns {
			k := &c.columns[i]
			p := parsed[k.name]
			if p == nil || k.bounded && (!p.bound || p.kind != k.kind || k.kind == FloatBound && (k.bits == 32) != (p.typ.Kind == parquetfile.Float)) {
				return false
			}
			if k.bounded && (k.kind == DecimalBound || k.kind == IntBound || k.kind == DateBound) {
				for row := range c.n {
					if k.has[row]&hasMin != 0 {
						if _, ok := p.typed(c, k, k.low(row)); !ok {
							return false
						}
					}
					if k.has[row]&hasMax != 0 {
						if _, ok := p.typed(c, k, k.high(row)); !ok {
							return false
						}
					}
				}
			}
		}
	}
	return true
}
