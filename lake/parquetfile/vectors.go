package parquetfile

import (
	"bytes"
	"fmt"
	"math/big"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"spate/column"
)

// ReadVectors reads flat columns of a file, one row group after another, and
// hands them to use: one vector per column, nil for a column that the file does
// not have. The vectors are of the kinds that Writer.Append takes.
func ReadVectors(data []byte, cols []Column, use func(vecs []*column.Vector, rows int) error) (err error) {
	defer func() { // the library panics on some damaged files
		if r := recover(); r != nil {
			err = fmt.Errorf("damaged Parquet file: %v", r)
		}
	}()
	f, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("Parquet file: %w", err)
	}
	defer f.Close()
	s := f.MetaData().Schema
	at := make([]int, len(cols))
	for i, c := range cols {
		if at[i] = s.ColumnIndexByName(c.Name); c.ByID {
			if at[i], err = indexByID(s, c.ID); err != nil {
				return err
			}
		}
		if at[i] >= 0 && s.Column(at[i]).MaxRepetitionLevel() > 0 {
			return fmt.Errorf("column %s is a list", c.Name)
		}
	}
	for g := range f.NumRowGroups() {
		group := f.RowGroup(g)
		rows := int(group.NumRows())
		vecs := make([]*column.Vector, len(cols))
		for i, c := range cols {
			if at[i] < 0 {
				continue
			}
			cr, err := group.Column(at[i])
			l := &leafData{name: c.Name, max: s.Column(at[i]).MaxDefinitionLevel()}
			if err == nil {
				err = l.readFrom(cr)
			}
			if err == nil && len(l.defs) != rows {
				err = fmt.Errorf("%d values for %d rows", len(l.defs), rows)
			}
			if err == nil {
				vecs[i], err = l.vector(c.Type, s.Column(at[i]))
			}
			if err != nil {
				return fmt.Errorf("row group %d, column %s: %w", g, c.Name, err)
			}
		}
		if err := use(vecs, rows); err != nil {
			return err
		}
	}
	return nil
}

// indexByID finds a flat column, -1 if the file has none of that id. A file without ids is
// refused: its columns cannot be told apart.
func indexByID(s *schema.Schema, id int) (int, error) {
	some := false
	for i := range s.NumColumns() {
		n := s.Column(i).SchemaNode()
		if n.FieldID() == int32(id) && s.Column(i).Path() == n.Name() {
			return i, nil
		}
		some = some || n.FieldID() >= 0
	}
	if !some {
		return 0, fmt.Errorf("the file has no field ids, and the columns of the table are mapped by id")
	}
	return -1, nil
}

// vector spreads the values over the rows.
func (l *leafData) vector(t Type, col *schema.Column) (*column.Vector, error) {
	n := len(l.defs)
	v := &column.Vector{Kind: t.wants()}
	nulls := 0
	for _, d := range l.defs {
		if d < l.max {
			nulls++
		}
	}
	if nulls > 0 {
		v.Valid = make([]uint64, column.Words(n))
		for i, d := range l.defs {
			if d == l.max {
				column.SetBit(v.Valid, i)
			}
		}
	}
	toInt, err := intReader(t, col)
	if err != nil {
		return nil, err
	}
	scaled, err := rescaler(t, col)
	if err != nil {
		return nil, err
	}
	misfit := fmt.Errorf("the file stores %s, which does not fit", col.PhysicalType())
	switch list := l.values.(type) {
	case []parquet.ByteArray:
		if v.Kind == column.Text {
			v.Ends = make([]uint32, n)
			k := 0
			for i, d := range l.defs {
				if d == l.max {
					v.Bytes = append(v.Bytes, list[k]...)
					k++
				}
				v.Ends[i] = uint32(len(v.Bytes))
			}
			return v, nil
		}
		if t.Kind != Decimal {
			return nil, misfit
		}
		v.Ints, err = spread(l, list, func(b parquet.ByteArray) (int64, error) { return scaled(bigEndian(b)) })
	case []parquet.FixedLenByteArray:
		if t.Kind != Decimal {
			return nil, misfit
		}
		v.Ints, err = spread(l, list, func(b parquet.FixedLenByteArray) (int64, error) { return scaled(bigEndian(b)) })
	case []bool:
		if v.Kind != column.Bool {
			return nil, misfit
		}
		v.Ints, err = spread(l, list, func(b bool) (int64, error) {
			if b {
				return 1, nil
			}
			return 0, nil
		})
	case []float64:
		if v.Kind != column.Float64 {
			return nil, misfit
		}
		v.Floats, err = spread(l, list, func(f float64) (float64, error) { return f, nil })
	case []float32:
		if v.Kind != column.Float64 {
			return nil, misfit
		}
		v.Floats, err = spread(l, list, func(f float32) (float64, error) { return float64(f), nil })
	case []int32:
		if t.Kind == Double { // a column that was of integers once
			v.Floats, err = spread(l, list, func(x int32) (float64, error) { return float64(x), nil })
			break
		}
		if v.Kind != column.Int64 && v.Kind != column.Time {
			return nil, misfit
		}
		v.Ints, err = spread(l, list, func(x int32) (int64, error) { return scaled(toInt(int64(x)), nil) })
	case []int64:
		if v.Kind != column.Int64 && v.Kind != column.Time {
			return nil, misfit
		}
		v.Ints, err = spread(l, list, func(x int64) (int64, error) { return scaled(toInt(x), nil) })
	case []parquet.Int96:
		if t.Kind != Timestamp {
			return nil, misfit
		}
		v.Ints, err = spread(l, list, func(x parquet.Int96) (int64, error) { return int64(column.TicksOf(x.ToTime())), nil })
	default:
		return nil, misfit
	}
	return v, err
}

func spread[T, U any](l *leafData, list []T, conv func(T) (U, error)) ([]U, error) {
	out := make([]U, len(l.defs))
	k := 0
	for i, d := range l.defs {
		if d < l.max {
			continue
		}
		x, err := conv(list[k])
		if err != nil {
			return nil, err
		}
		out[i] = x
		k++
	}
	return out, nil
}

// rescaler returns what brings the unscaled decimals of a file to the scale of the type, which
// may have become wider since; other values stay as they are.
func rescaler(t Type, col *schema.Column) (func(int64, error) (int64, error), error) {
	scale := 0
	if l, ok := col.LogicalType().(schema.DecimalLogicalType); ok {
		scale = int(l.Scale())
	}
	if t.Kind != Decimal || scale == t.Scale {
		return func(x int64, err error) (int64, error) { return x, err }, nil
	}
	if scale > t.Scale {
		return nil, fmt.Errorf("the file stores decimals with %d digits behind the point, which is more than %d", scale, t.Scale)
	}
	by := int64(1)
	for range t.Scale - scale {
		by *= 10
	}
	return func(x int64, err error) (int64, error) {
		if y := x * by; y/by == x {
			return y, err
		}
		return 0, fmt.Errorf("decimal %d with %d digits behind the point has more than 18 digits with %d", x, scale, t.Scale)
	}, nil
}

// intReader returns how the integers of a file become those of a vector.
func intReader(t Type, col *schema.Column) (func(int64) int64, error) {
	switch t.Kind {
	case Date:
		return func(d int64) int64 { return int64(column.UnixEpoch + column.Ticks(d)*column.Day) }, nil
	case Timestamp:
		l, ok := col.LogicalType().(schema.TimestampLogicalType)
		if !ok {
			if col.PhysicalType() == parquet.Types.Int96 {
				return nil, nil
			}
			return nil, fmt.Errorf("the file stores %s, which is no timestamp", col.LogicalType())
		}
		switch l.TimeUnit() {
		case schema.TimeUnitMillis:
			return func(x int64) int64 { return int64(column.UnixEpoch + column.Ticks(x)*column.Millisecond) }, nil
		case schema.TimeUnitMicros:
			return func(x int64) int64 { return int64(column.UnixEpoch + column.Ticks(x)*10) }, nil
		}
		return func(x int64) int64 { // nanoseconds
			q := x / 100
			if x%100 < 0 {
				q--
			}
			return int64(column.UnixEpoch + column.Ticks(q))
		}, nil
	}
	return func(x int64) int64 { return x }, nil
}

// bigEndian reads a two's complement number that fits 64 bits.
func bigEndian(b []byte) (int64, error) {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	if !n.IsInt64() {
		return 0, fmt.Errorf("decimal %s has more than 18 digits", n)
	}
	return n.Int64(), nil
}
