package query

import (
	"context"
	"fmt"
	"path/filepath"

	"spate/blob"
	"spate/lake/delta"
)

// Local finds the file of a blob on this machine.
type Local interface {
	Path(key string) (string, error)
}

// TableOf describes a snapshot for queries. store is where the table's blobs
// lie; only stores with local files can be read.
func TableOf(database, name string, snap *delta.Snapshot, store blob.Store) (*Table, error) {
	local, ok := store.(Local)
	if !ok {
		return nil, fmt.Errorf("read table %s.%s: queries over tables that are not on a local disk are not supported yet", database, name)
	}
	t := &Table{Database: database, Name: name, Version: snap.Version, ByID: snap.Mapping() == delta.MapID}
	partition := map[string]bool{}
	for _, p := range snap.Metadata.PartitionColumns {
		partition[p] = true
	}
	for _, c := range snap.Columns {
		col, err := columnOf(c)
		if err != nil {
			return nil, fmt.Errorf("read table %s.%s: %w", database, name, err)
		}
		col.Partition = partition[c.Name]
		t.Columns = append(t.Columns, col)
	}
	for _, d := range snap.PartitionDates() {
		day, time := t.column(d.Column), t.column(d.Source)
		if day != nil && time != nil && day.Partition && !time.Partition && time.Type.ID == DateTime2 {
			time.Day = day.Physical
		}
	}
	index := snap.Index()
	t.Files = make([]File, 0, index.Len())
	for f := range index.Files() {
		key, err := snap.Locate(f.Path())
		if err != nil {
			return nil, fmt.Errorf("read table %s.%s: %w", database, name, err)
		}
		path, err := local.Path(key)
		if err != nil {
			return nil, fmt.Errorf("read table %s.%s: %w", database, name, err)
		}
		if !filepath.IsAbs(path) {
			if path, err = filepath.Abs(path); err != nil {
				return nil, fmt.Errorf("read table %s.%s: %w", database, name, err)
			}
		}
		file := File{Path: path, Size: f.Size(), Partition: f.PartitionValues(), Meta: f}
		if dv := f.DeletionVector(); dv != nil {
			file.DeletedRows = dv.Cardinality
			file.Deleted = func(ctx context.Context) ([]int64, error) { return snap.DeletedRows(ctx, store, dv) }
		}
		t.Files = append(t.Files, file)
	}
	return t, nil
}

func (t *Table) column(name string) *TableColumn {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// columnOf maps a Delta column to its T-SQL type (sql-endpoint.md 7.1).
func columnOf(c delta.Column) (TableColumn, error) {
	out := TableColumn{Name: c.Name, Physical: c.FileName(), ID: c.ID, Delta: c.Type, NotNull: !c.Nullable, WasFloat: c.WasFloat()}
	switch c.Type {
	case delta.String, delta.Void: // of a void column no file has values
		out.Type = Type{ID: NVarChar, Size: 4000}
	case delta.Long:
		out.Type = Type{ID: BigInt}
	case delta.Integer:
		out.Type = Type{ID: Int}
	case delta.Short, delta.Byte:
		out.Type = Type{ID: SmallInt}
	case delta.Float:
		out.Type = Type{ID: Real}
	case delta.Double:
		out.Type = Type{ID: Float}
	case delta.Boolean:
		out.Type = Type{ID: Bit}
	case delta.Binary:
		out.Type = Type{ID: VarBinary, Size: Max}
	case delta.Date:
		out.Type = Type{ID: Date}
	case delta.Timestamp:
		out.Type, out.Zoned = Type{ID: DateTime2, Scale: 6}, true
	case delta.TimestampNTZ:
		out.Type = Type{ID: DateTime2, Scale: 6}
	default:
		p, s, ok := c.Type.DecimalParts()
		switch {
		case ok:
			out.Type = Type{ID: Decimal, Prec: p, Scale: s}
		case c.Type.Nested():
			shape, err := c.Type.Shape()
			if err != nil {
				return out, fmt.Errorf("column %s: %w", c.Name, err)
			}
			out.Type, out.Nested = Type{ID: NVarChar, Size: Max}, &shape
		default:
			return out, fmt.Errorf("column %s: the type %s is not supported yet", c.Name, c.Type)
		}
	}
	return out, nil
}
