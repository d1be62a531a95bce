package parquetfile

import (
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
)

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// add appends a value of the field n.
func (l *leafData) add(n *node, v any) error {
	bad := func() error { return fmt.Errorf("field %s: a %T does not fit", n.Name, v) }
	switch n.Type.Kind {
	case String, Binary:
		switch x := v.(type) {
		case string:
			l.values = appendTo(l.values, parquet.ByteArray(x))
		case []byte:
			l.values = appendTo(l.values, parquet.ByteArray(x))
		default:
			return bad()
		}
	case Boolean:
		x, ok := v.(bool)
		if !ok {
			return bad()
		}
		l.values = appendTo(l.values, x)
	case Float, Double:
		x, ok := v.(float64)
		if !ok {
			return bad()
		}
		if n.Type.Kind == Float {
			l.values = appendTo(l.values, float32(x))
		} else {
			l.values = appendTo(l.values, x)
		}
	default:
		x, ok := v.(int64)
		if !ok {
			return bad()
		}
		if n.Type.narrow() {
			l.values = appendTo(l.values, int32(x))
		} else {
			l.values = appendTo(l.values, x)
		}
	}
	return nil
}

func appendTo[T any](list any, v T) []T {
	s, _ := list.([]T)
	return append(s, v)
}

func (l *leafData) writeTo(cw file.ColumnChunkWriter) error {
	defs, reps := l.defs, l.reps
	if l.max == 0 {
		defs = nil
	}
	if cw.Descr().MaxRepetitionLevel() == 0 {
		reps = nil
	}
	var err error
	switch w := cw.(type) {
	case *file.BooleanColumnChunkWriter:
		_, err = w.WriteBatch(listOf[bool](l.values), defs, reps)
	case *file.Int32ColumnChunkWriter:
		_, err = w.WriteBatch(listOf[int32](l.values), defs, reps)
	case *file.Int64ColumnChunkWriter:
		_, err = w.WriteBatch(listOf[int64](l.values), defs, reps)
	case *file.Float32ColumnChunkWriter:
		_, err = w.WriteBatch(listOf[float32](l.values), defs, reps)
	case *file.Float64ColumnChunkWriter:
		_, err = w.WriteBatch(listOf[float64](l.values), defs, reps)
	case *file.ByteArrayColumnChunkWriter:
		_, err = w.WriteBatch(listOf[parquet.ByteArray](l.values), defs, reps)
	default:
		err = fmt.Errorf("no encoder for %T", cw)
	}
	return err
}

// listOf never returns nil, which the library takes for "no values given".
func listOf[T any](list any) []T {
	if s, ok := list.([]T); ok {
		return s
	}
	return []T{}
}

// readFrom reads one column chunk.
func (l *leafData) readFrom(cr file.ColumnChunkReader) error {
	l.defs, l.reps, l.values, l.next, l.taken = l.defs[:0], l.reps[:0], nil, 0, 0
	var err error
	var keep keeper
	switch r := cr.(type) {
	case *file.BooleanColumnChunkReader:
		l.values, err = readAll(l, r.HasNext, r.ReadBatch, nil)
	case *file.Int32ColumnChunkReader:
		l.values, err = readAll(l, r.HasNext, r.ReadBatch, nil)
	case *file.Int64ColumnChunkReader:
		l.values, err = readAll(l, r.HasNext, r.ReadBatch, nil)
	case *file.Int96ColumnChunkReader:
		l.values, err = readAll(l, r.HasNext, r.ReadBatch, nil)
	case *file.Float32ColumnChunkReader:
		l.values, err = readAll(l, r.HasNext, r.ReadBatch, nil)
	case *file.Float64ColumnChunkReader:
		l.values, err = readAll(l, r.HasNext, r.ReadBatch, nil)
	case *file.ByteArrayColumnChunkReader:
		l.values, err = readAll(l, r.HasNext, r.ReadBatch, func(b parquet.ByteArray) parquet.ByteArray { return keep.own(b) })
	case *file.FixedLenByteArrayColumnChunkReader:
		l.values, err = readAll(l, r.HasNext, r.ReadBatch, func(b parquet.FixedLenByteArray) parquet.FixedLenByteArray { return keep.own(b) })
	default:
		return fmt.Errorf("no decoder for %T", cr)
	}
	if err == nil {
		err = cr.Err()
	}
	return err
}

func readAll[T any](l *leafData, more func() bool, read func(int64, []T, []int16, []int16) (int64, int, error), own func(T) T) ([]T, error) {
	const batch = 4096
	out := []T{}
	buf, defs, reps := make([]T, batch), make([]int16, batch), make([]int16, batch)
	for more() {
		for i := range defs { // levels that the column does not have stay as they are
			defs[i], reps[i] = 0, 0
		}
		n, got, err := read(batch, buf, defs, reps)
		if err != nil {
			return nil, err
		}
		if n == 0 && got == 0 {
			break
		}
		l.defs, l.reps = append(l.defs, defs[:n]...), append(l.reps, reps[:n]...)
		for _, v := range buf[:got] {
			if own != nil {
				v = own(v)
			}
			out = append(out, v)
		}
	}
	return out, nil
}

// take returns the next entry of the leaf.
func (l *leafData) take() (any, error) {
	def := l.defs[l.next]
	l.next++
	if def < l.max {
		return nil, nil
	}
	i := l.taken
	l.taken++
	switch v := l.values.(type) {
	case []bool:
		return at(v, i)
	case []int64:
		return at(v, i)
	case []float64:
		return at(v, i)
	case []int32:
		x, err := at(v, i)
		if err != nil {
			return nil, err
		}
		return int64(x.(int32)), nil
	case []float32:
		x, err := at(v, i)
		if err != nil {
			return nil, err
		}
		return float64(x.(float32)), nil
	case []parquet.ByteArray:
		x, err := at(v, i)
		if err != nil {
			return nil, err
		}
		b := []byte(x.(parquet.ByteArray))
		if l.text {
			return string(b), nil
		}
		return b, nil
	case []parquet.FixedLenByteArray:
		x, err := at(v, i)
		if err != nil {
			return nil, err
		}
		return []byte(x.(parquet.FixedLenByteArray)), nil
	case []parquet.Int96:
		x, err := at(v, i)
		if err != nil {
			return nil, err
		}
		t := x.(parquet.Int96)
		return t.ToTime().UnixMicro(), nil
	}
	return nil, fmt.Errorf("%s: no values of %T", l.name, l.values)
}

func at[T any](v []T, i int) (any, error) {
	if i >= len(v) {
		return nil, fmt.Errorf("value %d of %d", i, len(v))
	}
	return v[i], nil
}
