package query

import "fmt"

// TypeID names a T-SQL type family.
type TypeID uint8

// The T-SQL types that a query can give. Unknown is the type of a bare NULL.
const (
	Unknown TypeID = iota
	Bit
	TinyInt
	SmallInt
	Int
	BigInt
	Decimal
	Real
	Float
	Date
	Time
	DateTime
	DateTime2
	DateTimeOffset
	VarChar
	NVarChar
	VarBinary
	UniqueIdentifier
	String // of Spark: compared byte by byte, of any length
)

// Max is the Size of varchar(max), nvarchar(max) and varbinary(max).
const Max = -1

// Type is a T-SQL type with its length or precision.
type Type struct {
	ID    TypeID
	Size  int // characters or bytes; Max for (max)
	Prec  int // digits of a decimal
	Scale int // digits behind the point, of a decimal or of seconds
}

// String is the type as T-SQL writes it.
func (t Type) String() string {
	size := func(name string) string {
		if t.Size == Max {
			return name + "(max)"
		}
		return fmt.Sprintf("%s(%d)", name, t.Size)
	}
	switch t.ID {
	case Bit:
		return "bit"
	case TinyInt:
		return "tinyint"
	case SmallInt:
		return "smallint"
	case Int, Unknown:
		return "int"
	case BigInt:
		return "bigint"
	case Decimal:
		return fmt.Sprintf("decimal(%d,%d)", t.Prec, t.Scale)
	case Real:
		return "real"
	case Float:
		return "float"
	case Date:
		return "date"
	case Time:
		return fmt.Sprintf("time(%d)", t.Scale)
	case DateTime:
		return "datetime"
	case DateTime2:
		return fmt.Sprintf("datetime2(%d)", t.Scale)
	case DateTimeOffset:
		return fmt.Sprintf("datetimeoffset(%d)", t.Scale)
	case VarChar:
		return size("varchar")
	case NVarChar:
		return size("nvarchar")
	case VarBinary:
		return size("varbinary")
	case UniqueIdentifier:
		return "uniqueidentifier"
	case String:
		return "string"
	}
	return "unknown"
}

// isInteger, isNumber, isText, isTime sort the types into families.
func (t Type) isInteger() bool { return t.ID >= TinyInt && t.ID <= BigInt }
func (t Type) isNumber() bool  { return t.ID >= Bit && t.ID <= Float }
func (t Type) isText() bool    { return t.padded() || t.ID == String }
func (t Type) isTime() bool    { return t.ID >= Date && t.ID <= DateTimeOffset }

// padded reports whether blanks at the end of a text count for nothing in comparisons.
func (t Type) padded() bool { return t.ID == VarChar || t.ID == NVarChar }

// hasDate reports whether a calendar date is part of the type.
func (t Type) hasDate() bool { return t.isTime() && t.ID != Time }

// engine is the DuckDB type that holds values of t.
func (t Type) engine() string {
	switch t.ID {
	case Bit:
		return "BOOLEAN"
	case TinyInt:
		return "UTINYINT"
	case SmallInt:
		return "SMALLINT"
	case Int, Unknown:
		return "INTEGER"
	case BigInt:
		return "BIGINT"
	case Decimal:
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Prec, t.Scale)
	case Real:
		return "FLOAT"
	case Float:
		return "DOUBLE"
	case Date:
		return "DATE"
	case Time:
		return "TIME"
	case DateTime, DateTime2, DateTimeOffset:
		return "TIMESTAMP"
	case VarBinary:
		return "BLOB"
	case UniqueIdentifier:
		return "UUID"
	}
	return "VARCHAR"
}

// kind is the form in which values of t leave the child process.
func (t Type) kind() Kind {
	switch t.ID {
	case Bit:
		return KindBool
	case TinyInt, SmallInt, Int, BigInt, Unknown:
		return KindInt
	case Decimal:
		return KindDecimal
	case Real, Float:
		return KindFloat
	case Date:
		return KindDate
	case Time:
		return KindTimeOfDay
	case DateTime, DateTime2, DateTimeOffset:
		return KindTime
	case VarBinary:
		return KindBinary
	}
	return KindText
}

// rank orders types for implicit conversion: the higher one wins
// (sql-endpoint.md 7.2, SQ-C01).
func (t Type) rank() int {
	switch t.ID {
	case VarBinary:
		return 1
	case VarChar:
		return 2
	case NVarChar:
		return 3
	case String:
		return 4
	case UniqueIdentifier:
		return 5
	case Bit:
		return 6
	case TinyInt:
		return 7
	case SmallInt:
		return 8
	case Int:
		return 9
	case BigInt:
		return 10
	case Decimal:
		return 11
	case Real:
		return 12
	case Float:
		return 13
	case Time:
		return 14
	case Date:
		return 15
	case DateTime:
		return 16
	case DateTime2:
		return 17
	case DateTimeOffset:
		return 18
	}
	return 0
}

// asDecimal is the decimal type that an integer becomes beside a decimal
// (SQ-A08).
func (t Type) asDecimal() Type {
	switch t.ID {
	case Decimal:
		return t
	case Bit:
		return Type{ID: Decimal, Prec: 1}
	case TinyInt:
		return Type{ID: Decimal, Prec: 3}
	case SmallInt:
		return Type{ID: Decimal, Prec: 5}
	case BigInt:
		return Type{ID: Decimal, Prec: 19}
	}
	return Type{ID: Decimal, Prec: 10}
}

// common is the type that CASE, UNION, COALESCE and comparison give two
// operands.
func common(a, b Type) Type {
	if a.ID == Unknown {
		return b
	}
	if b.ID == Unknown {
		return a
	}
	hi, lo := a, b
	if b.rank() > a.rank() {
		hi, lo = b, a
	}
	switch hi.ID {
	case Decimal:
		if lo.isNumber() {
			x, y := hi.asDecimal(), lo.asDecimal()
			scale := max(x.Scale, y.Scale)
			whole := max(x.Prec-x.Scale, y.Prec-y.Scale)
			return decimalOf(whole+scale, scale)
		}
	case VarChar, NVarChar, String, VarBinary:
		if lo.ID == VarChar || lo.ID == NVarChar || lo.ID == VarBinary {
			hi.Size = longer(hi.Size, lo.Size)
		}
	case Time, DateTime2, DateTimeOffset:
		if lo.isTime() {
			hi.Scale = max(hi.Scale, lo.Scale)
		}
	}
	return hi
}

func longer(a, b int) int {
	if a == Max || b == Max {
		return Max
	}
	return max(a, b)
}

// decimalOf cuts a decimal type to 38 digits, whole digits first (SQ-A07).
func decimalOf(prec, scale int) Type {
	if prec > 38 {
		scale = max(0, scale-(prec-38))
		prec = 38
	}
	return Type{ID: Decimal, Prec: prec, Scale: scale}
}
