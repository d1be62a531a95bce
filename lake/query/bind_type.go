package query

import (
	"strconv"
	"strings"

	"spate/sql/syntax"
)

// typeOf reads a type as the user wrote it.
func typeOf(t *syntax.TypeName) (typ Type, pad bool, err error) {
	arg := func(i, def, lo, hi int) (int, error) {
		if i >= len(t.Args) {
			return def, nil
		}
		n, err := strconv.Atoi(t.Args[i])
		if err != nil || n < lo || n > hi {
			return 0, errorf(1001, t.Loc(), "Length or precision specification %s is invalid.", t.Args[i])
		}
		return n, nil
	}
	size := func(id TypeID, limit int) (Type, error) {
		if len(t.Args) == 1 && strings.EqualFold(t.Args[0], "MAX") {
			return Type{ID: id, Size: Max}, nil
		}
		n, err := arg(0, 30, 1, limit)
		return Type{ID: id, Size: n}, err
	}
	scale := func(id TypeID) (Type, error) {
		n, err := arg(0, 7, 0, 7)
		return Type{ID: id, Scale: n}, err
	}
	switch strings.ToUpper(t.Name) {
	case "BIT":
		typ.ID = Bit
	case "TINYINT":
		typ.ID = TinyInt
	case "SMALLINT":
		typ.ID = SmallInt
	case "INT", "INTEGER":
		typ.ID = Int
	case "BIGINT":
		typ.ID = BigInt
	case "DECIMAL", "NUMERIC", "DEC":
		typ.ID = Decimal
		if typ.Prec, err = arg(0, 18, 1, 38); err == nil {
			typ.Scale, err = arg(1, 0, 0, typ.Prec)
		}
	case "MONEY":
		typ = Type{ID: Decimal, Prec: 19, Scale: 4}
	case "SMALLMONEY":
		typ = Type{ID: Decimal, Prec: 10, Scale: 4}
	case "REAL":
		typ.ID = Real
	case "FLOAT", "DOUBLE", "DOUBLE PRECISION":
		n := 53
		if n, err = arg(0, 53, 1, 53); n <= 24 {
			typ.ID = Real
		} else {
			typ.ID = Float
		}
	case "DATE":
		typ.ID = Date
	case "TIME":
		typ, err = scale(Time)
	case "DATETIME":
		typ.ID = DateTime
	case "DATETIME2":
		typ, err = scale(DateTime2)
	case "DATETIMEOFFSET":
		typ, err = scale(DateTimeOffset)
	case "VARCHAR", "CHAR", "CHARACTER":
		typ, err = size(VarChar, 8000)
		pad = strings.EqualFold(t.Name, "CHAR")
	case "NVARCHAR", "NCHAR":
		typ, err = size(NVarChar, 4000)
		pad = strings.EqualFold(t.Name, "NCHAR")
	case "SYSNAME":
		typ = Type{ID: NVarChar, Size: 128}
	case "VARBINARY", "BINARY":
		typ, err = size(VarBinary, 8000)
		if strings.EqualFold(t.Name, "BINARY") {
			return typ, false, unsupported(t.Loc(), "The type binary")
		}
	case "UNIQUEIDENTIFIER":
		typ.ID = UniqueIdentifier
	case "SMALLDATETIME":
		return typ, false, unsupported(t.Loc(), "The type smalldatetime")
	default:
		return typ, false, errorf(243, t.Loc(), "Type %s is not a defined system type.", strings.ToLower(t.Name))
	}
	return typ, pad, err
}
