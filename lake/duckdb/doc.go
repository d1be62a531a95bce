// Package duckdb is the child process that runs emitted queries, one after the
// other, in DuckDB. It is the only package that links DuckDB; cmd/spate starts
// it behind a hidden verb, and everything else talks to it through lake/query,
// whose frames both sides share.
//
// Every query gets a database of its own in memory, fenced to the files that
// the request names: no other file, no network, no extension, no change of a
// setting. The parent stops a query by killing the process.
//
// Stability: importable, not promised before 1.0.
package duckdb
