package deltatable

import (
	"strconv"

	"spate/column"
	"spate/lake/delta"
	"spate/lake/parquetfile"
)

// partition returns the values of a partition column. A day column comes from
// its source; if rows bring it too, both must agree.
func (w *writer) partition(p int, b *column.Batch, rows []int32, bad badRows) *column.Vector {
	t, at, day := &w.parts[p], w.partsAt[p], w.daysAt[p]
	var given *column.Vector
	if at >= 0 {
		given = t.convert(&b.Cols[at], rows, bad)
	}
	if t.source == "" || day < 0 {
		return t.days(given, rows)
	}
	source := *t
	source.Name, source.Nullable = t.source, true
	source.parquet = parquetfile.Type{Kind: parquetfile.Timestamp}
	made := source.convert(&b.Cols[day], rows, bad)
	if given != nil {
		for _, i := range rows {
			if isNull(given, i) {
				continue
			}
			if isNull(made, i) || parquetfile.Days(column.Ticks(given.Ints[i])) != parquetfile.Days(column.Ticks(made.Ints[i])) {
				bad.add(i, "column %s is not the day of %s", t.Name, t.source)
			}
		}
	}
	return t.days(made, rows)
}

// days cuts the times of a DATE column to midnight, so that rows of one day are
// of one partition.
func (t *target) days(v *column.Vector, rows []int32) *column.Vector {
	if v == nil || t.parquet.Kind != parquetfile.Date {
		return v
	}
	out := &column.Vector{Kind: column.Time, Valid: v.Valid, Ints: make([]int64, len(v.Ints))}
	for _, i := range rows {
		out.Ints[i] = v.Ints[i] - v.Ints[i]%int64(column.Day)
	}
	return out
}

// text is the partition value of row i, nil for NULL.
func (t *target) text(v *column.Vector, i int32) *string {
	if isNull(v, i) {
		return nil
	}
	var s string
	switch t.parquet.Kind {
	case parquetfile.String, parquetfile.Binary:
		s = string(v.TextAt(int(i)))
		if s == "" { // an empty text does not survive in a partition: it is NULL
			return nil
		}
	case parquetfile.Date:
		s = delta.DateText(column.Ticks(v.Ints[i]))
	case parquetfile.Timestamp:
		s = delta.TimestampText(column.Ticks(v.Ints[i]))
	case parquetfile.Boolean:
		s = strconv.FormatBool(v.Ints[i] != 0)
	case parquetfile.Float, parquetfile.Double:
		s = string(column.AppendFloat(nil, v.Floats[i]))
	case parquetfile.Decimal:
		s = delta.DecimalText(v.Ints[i], t.parquet.Scale)
	default:
		s = strconv.FormatInt(v.Ints[i], 10)
	}
	return &s
}

// group splits rows by the values of the partition columns, in the order of
// their first rows.
func group(parts []*column.Vector, rows []int32) [][]int32 {
	if len(rows) == 0 {
		return nil
	}
	ids := make([]int32, len(rows)) // of the group of each row
	count := int32(1)
	for _, v := range parts {
		if v == nil {
			continue
		}
		type pair struct {
			id   int32
			word uint64
			text string
			null bool
		}
		seen := make(map[pair]int32)
		next, last, lastID := int32(0), pair{id: -1}, int32(0)
		for k, i := range rows {
			p := pair{id: ids[k], null: isNull(v, i)}
			switch {
			case p.null:
			case v.Kind == column.Text:
				p.text = string(v.TextAt(int(i)))
			case v.Kind == column.Float64:
				p.text = string(column.AppendFloat(nil, v.Floats[i]))
			default:
				p.word = uint64(v.Ints[i])
			}
			if p != last {
				id, ok := seen[p]
				if !ok {
					id = next
					next++
					seen[p] = id
				}
				last, lastID = p, id
			}
			ids[k] = lastID
		}
		count = next
	}
	if count == 1 {
		return [][]int32{rows}
	}
	out := make([][]int32, count)
	for k, i := range rows {
		out[ids[k]] = append(out[ids[k]], i)
	}
	return out
}
