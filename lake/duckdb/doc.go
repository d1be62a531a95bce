// Package duckdb is the child process that runs one emitted query at a time
// in DuckDB. It is the only package that links DuckDB; cmd/spate starts it
// behind a hidden verb, and everything else talks to it through lake/query.
//
// Stability: importable, not promised before 1.0.
package duckdb

import _ "github.com/duckdb/duckdb-go/v2"
