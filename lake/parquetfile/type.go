// Package parquetfile turns columns into Parquet files and back. It is the only
// package that knows the Parquet library.
//
// Writer is the fast way for flat tables: it takes column vectors, keeps one row
// group of them in memory and encodes it when it is full, page by page, without the
// library: every event goes through it. WriteRows and ReadRows are the general way for
// nested rows, such as Delta checkpoints.
//
// Stability: importable, not promised before 1.0.
package parquetfile

import (
	"fmt"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// Kind is what a Parquet column holds.
type Kind uint8

// The kinds of flat columns, and the three nested ones that only Field has.
const (
	String Kind = iota
	Binary
	Boolean
	Byte
	Short
	Integer
	Long
	Float
	Double
	Decimal
	Date
	Timestamp // microseconds, UTC
	Struct
	List
	Map
)

// Type is a kind with the parameters of a decimal.
type Type struct {
	Kind      Kind
	Precision int // Decimal: 1..18
	Scale     int
}

// Column is one column of a flat file.
type Column struct {
	Name     string
	ID       int  // by which tables with mapped columns find it; 0: none
	ByID     bool // ReadVectors finds it by its ID, whatever its name
	Type     Type
	Nullable bool
	Unique   bool // hardly any value comes twice: no dictionary is tried
}

// Options are the settings of a file.
type Options struct {
	Codec        string // zstd (default), snappy, gzip, lz4_raw, uncompressed
	RowGroupRows int    // a row group ends at so many rows, default 131,072,
	BufferBytes  int64  // or at about so many bytes before encoding, default 64 MiB
	CreatedBy    string
	Scratch      *Scratch // memory shared with other writers; nil: its own
}

// check says whether a flat column can have the type.
func (t Type) check(name string) error {
	switch {
	case t.Kind >= Struct:
		return fmt.Errorf("column %s: kind %d is no flat column", name, t.Kind)
	case t.Kind == Decimal && (t.Precision < 1 || t.Precision > 18 || t.Scale < 0 || t.Scale > t.Precision):
		return fmt.Errorf("decimal(%d,%d) in column %s is not supported yet; the precision goes up to 18", t.Precision, t.Scale, name)
	}
	return nil
}

func (t Type) node(name string, rep parquet.Repetition) (schema.Node, error) {
	if err := t.check(name); err != nil {
		return nil, err
	}
	plain := func(p parquet.Type) (schema.Node, error) {
		n, err := schema.NewPrimitiveNode(name, rep, p, -1, -1)
		return n, err
	}
	logical := func(l schema.LogicalType, p parquet.Type) (schema.Node, error) {
		n, err := schema.NewPrimitiveNodeLogical(name, rep, l, p, -1, -1)
		return n, err
	}
	switch t.Kind {
	case String:
		return logical(schema.StringLogicalType{}, parquet.Types.ByteArray)
	case Binary:
		return plain(parquet.Types.ByteArray)
	case Boolean:
		return plain(parquet.Types.Boolean)
	case Byte:
		return logical(schema.NewIntLogicalType(8, true), parquet.Types.Int32)
	case Short:
		return logical(schema.NewIntLogicalType(16, true), parquet.Types.Int32)
	case Integer:
		return plain(parquet.Types.Int32)
	case Long:
		return plain(parquet.Types.Int64)
	case Float:
		return plain(parquet.Types.Float)
	case Double:
		return plain(parquet.Types.Double)
	case Date:
		return logical(schema.DateLogicalType{}, parquet.Types.Int32)
	case Timestamp:
		return logical(schema.NewTimestampLogicalTypeForce(true, schema.TimeUnitMicros), parquet.Types.Int64)
	case Decimal:
		p := parquet.Types.Int64
		if t.Precision <= 9 {
			p = parquet.Types.Int32
		}
		return logical(schema.NewDecimalLogicalType(int32(t.Precision), int32(t.Scale)), p)
	}
	return nil, fmt.Errorf("column %s: kind %d is no flat column", name, t.Kind)
}

// narrow reports whether values are stored in 32 bits.
func (t Type) narrow() bool {
	switch t.Kind {
	case Byte, Short, Integer, Date:
		return true
	case Decimal:
		return t.Precision <= 9
	}
	return false
}
