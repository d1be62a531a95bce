//go:build cgo && !noduck

package duckdb

// Version names the engine that is linked.
const Version = "DuckDB 1.5.6"
