//go:build !cgo && !noduckdb

package duckdb

const tagged = false
