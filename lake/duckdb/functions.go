//go:build cgo && !noduckdb

package duckdb

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"spate/lake/query"
)

// macros are the engine's own side of functions that emitted SQL calls.
var macros = []string{}

// registerFunctions adds the scalar functions that lake/query computes in Go and a query calls:
// all of them would take longer than most queries.
func registerFunctions(conn *sql.Conn, text string) error {
	for _, f := range query.Scalars() {
		if !strings.Contains(text, f.Name+"(") {
			continue
		}
		if err := duckdb.RegisterScalarUDF(conn, f.Name, scalar{f}); err != nil {
			return fmt.Errorf("register function %s: %w", f.Name, err)
		}
	}
	return nil
}

// scalar lets the engine call a query.Scalar. A NULL argument gives NULL.
type scalar struct{ f query.Scalar }

// Config implements duckdb.ScalarFunc.
func (s scalar) Config() duckdb.ScalarFuncConfig {
	c := duckdb.ScalarFuncConfig{ResultTypeInfo: typeInfo(s.f.Result)}
	for _, k := range s.f.Args {
		c.InputTypeInfos = append(c.InputTypeInfos, typeInfo(k))
	}
	return c
}

// Executor implements duckdb.ScalarFunc.
func (s scalar) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{RowExecutor: func(values []driver.Value) (any, error) {
		args := make([]any, len(values))
		for i, v := range values {
			args[i] = v
		}
		return s.f.Call(args)
	}}
}

func typeInfo(k query.Kind) duckdb.TypeInfo {
	t := duckdb.TYPE_VARCHAR
	switch k {
	case query.KindBool:
		t = duckdb.TYPE_BOOLEAN
	case query.KindInt:
		t = duckdb.TYPE_BIGINT
	case query.KindFloat:
		t = duckdb.TYPE_DOUBLE
	case query.KindBinary:
		t = duckdb.TYPE_BLOB
	case query.KindTime:
		t = duckdb.TYPE_TIMESTAMP
	}
	info, err := duckdb.NewTypeInfo(t)
	if err != nil {
		panic(err) // simple types only
	}
	return info
}
