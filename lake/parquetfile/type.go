// Package parquetfile turns columns into Parquet files and back. It is the only
// package that knows the Parquet library.
//
// Writer is the fast way for flat tables: it takes column vectors, keeps one row
// group of them in memory and encodes it when it is full. WriteRows and ReadRows
// are the general way for nested rows, such as Delta checkpoints.
//
// Stability: importable, not promised before 1.0.
package parquetfile

import (
	"fmt"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
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
	Type     Type
	Nullable bool
	Unique   bool // hardly any value comes twice: no dictionary is tried
}

// Options are the settings of a file.
type Options struct {
	Codec        string // zstd (default), snappy, gzip, lz4_raw, uncompressed
	RowGroupRows int    // a row group ends at so many rows, default 262,144,
	BufferBytes  int64  // or at about so many bytes before encoding, default 64 MiB
	CreatedBy    string
}

// CodecName returns the name of a codec as it stands in options and in file
// names, or an error that lists the codecs.
func CodecName(name string) (string, error) {
	if _, err := codecOf(name); err != nil {
		return "", err
	}
	switch name {
	case "":
		return "zstd", nil
	case "none":
		return "uncompressed", nil
	}
	return name, nil
}

func codecOf(name string) (compress.Compression, error) {
	switch name {
	case "", "zstd":
		return compress.Codecs.Zstd, nil
	case "snappy":
		return compress.Codecs.Snappy, nil
	case "gzip":
		return compress.Codecs.Gzip, nil
	case "lz4_raw":
		return compress.Codecs.Lz4Raw, nil
	case "uncompressed", "none":
		return compress.Codecs.Uncompressed, nil
	}
	return 0, fmt.Errorf("Parquet codec %q is not supported; there are zstd, snappy, gzip, lz4_raw and uncompressed", name)
}

func (t Type) node(name string, rep parquet.Repetition) (schema.Node, error) {
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
		if t.Precision < 1 || t.Precision > 18 || t.Scale < 0 || t.Scale > t.Precision {
			return nil, fmt.Errorf("decimal(%d,%d) in column %s is not supported yet; the precision goes up to 18", t.Precision, t.Scale, name)
		}
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
