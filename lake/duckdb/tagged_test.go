//go:build noduckdb

package duckdb

// tagged says that DuckDB was left out by the tag.
const tagged = true
