package deltatable

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"strconv"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/lake/delta"
	"spate/lake/parquetfile"
)

// Snapshots is a connector.Snapshots of the newest version of a table. A content is its rows
// as JSON, one a line: dates and times are texts there.
type Snapshots struct {
	store  blob.Store
	tables Tables
	path   string
	table  *delta.Table // nil: it was not there yet
}

// NewSnapshots reads the table below a path of a store. tables may be nil, see Options.
func NewSnapshots(store blob.Store, path string, tables Tables) *Snapshots {
	if tables == nil {
		tables = own{store: store}
	}
	return &Snapshots{store: store, tables: tables, path: path}
}

// List implements connector.Snapshots.
func (s *Snapshots) List(ctx context.Context) ([]connector.Snapshot, error) {
	if s.table == nil {
		t, err := s.tables.Open(ctx, s.path)
		if err != nil {
			return nil, fmt.Errorf("opening table %s: %w", s.path, err)
		}
		s.table = t
	}
	v, err := s.table.Snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading table %s: %w", s.path, err)
	}
	return []connector.Snapshot{{Name: s.path, Stamp: strconv.FormatInt(v.Version, 10)}}, nil
}

// Read implements connector.Snapshots.
func (s *Snapshots) Read(ctx context.Context, c connector.Snapshot) ([]byte, error) {
	version, err := strconv.ParseInt(c.Stamp, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("reading table %s: %q is no version", s.path, c.Stamp)
	}
	v, err := s.table.SnapshotAt(ctx, version)
	if err != nil {
		return nil, fmt.Errorf("reading version %d of table %s: %w", version, s.path, err)
	}
	for _, col := range v.Columns {
		switch col.Type {
		case delta.String, delta.Long, delta.Integer, delta.Short, delta.Byte, delta.Float, delta.Double, delta.Boolean, delta.Date, delta.Timestamp, delta.TimestampNTZ:
		default:
			return nil, fmt.Errorf("reading table %s: column %s is a %s, which reference data cannot hold", s.path, col.Name, col.Type)
		}
	}
	var lines []byte
	for _, add := range v.Files() {
		if lines, err = s.file(ctx, lines, v, add); err != nil {
			return nil, fmt.Errorf("reading %s of version %d of table %s: %w", path.Base(add.Path), version, s.path, err)
		}
	}
	return lines, nil
}

// file appends the rows of a file.
func (s *Snapshots) file(ctx context.Context, dst []byte, v *delta.Snapshot, add *delta.Add) ([]byte, error) {
	r, err := s.store.Open(ctx, v.Key(add), 0, -1)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	r.Close()
	if err != nil {
		return nil, err
	}
	rows, err := parquetfile.ReadRows(data, nil)
	if err != nil {
		return nil, err
	}
	var deleted []int64
	if add.DeletionVector != nil {
		if deleted, err = v.DeletedRows(ctx, s.store, add.DeletionVector); err != nil {
			return nil, err
		}
	}
	for i, row := range rows {
		if len(deleted) > 0 && deleted[0] == int64(i) {
			deleted = deleted[1:]
			continue
		}
		rec := &column.RecordValue{}
		for _, col := range v.Columns {
			x := row[col.FileName()]
			if p, ok := add.PartitionValues[col.FileName()]; ok {
				if x, err = partitionValue(col, p); err != nil {
					return nil, err
				}
			}
			val, err := jsonValue(col, x)
			if err != nil {
				return nil, err
			}
			rec.Names, rec.Values = append(rec.Names, col.Name), append(rec.Values, val)
		}
		dst = append(column.AppendJSON(dst, column.RecordOf(rec)), '\n')
	}
	return dst, nil
}

// partitionValue is the value of a column that stands in the path of a file.
func partitionValue(col delta.Column, p *string) (any, error) {
	if p == nil {
		return nil, nil
	}
	switch col.Type {
	case delta.Long, delta.Integer, delta.Short, delta.Byte:
		return strconv.ParseInt(*p, 10, 64)
	case delta.Float, delta.Double:
		return strconv.ParseFloat(*p, 64)
	case delta.Boolean:
		return strconv.ParseBool(*p)
	}
	return *p, nil
}

// jsonValue is a value as JSON has it.
func jsonValue(col delta.Column, x any) (column.Value, error) {
	switch x := x.(type) {
	case nil:
		return column.Value{}, nil
	case string:
		return column.TextOf(x), nil
	case bool:
		return column.BoolOf(x), nil
	case float64:
		return column.FloatOf(x), nil
	case int64:
		switch col.Type {
		case delta.Date:
			return column.TextOf((column.UnixEpoch + column.Ticks(x)*column.Day).String()[:len("2006-01-02")]), nil
		case delta.Timestamp, delta.TimestampNTZ: // microseconds
			return column.TextOf((column.UnixEpoch + column.Ticks(x)*10).String()), nil
		}
		return column.IntOf(x), nil
	}
	return column.Value{}, fmt.Errorf("column %s: a %T is no %s", col.Name, x, col.Type)
}

// Cut implements connector.Snapshots.
func (s *Snapshots) Cut(data []byte) (*connector.Chunk, error) {
	c := &connector.Chunk{Data: append(data[:len(data):len(data)], make([]byte, 16)...)}
	at := 0
	for line := range bytes.Lines(data) {
		c.Starts, c.Ends = append(c.Starts, uint32(at)), append(c.Ends, uint32(at+len(line)))
		at += len(line)
		c.Offsets, c.Arrivals = append(c.Offsets, int64(len(c.Starts))), append(c.Arrivals, 0)
	}
	return c, nil
}
