//go:build cgo && !noduckdb

package duckdb

// Version names the engine that is linked; empty: none.
const Version = "DuckDB 1.5.6"
