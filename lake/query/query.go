// Package query answers one T-SQL query over Delta tables. It parses the text
// with sql/syntax, resolves names against a Catalog, picks the files of each
// table's snapshot that can matter, and has a child process run DuckDB SQL
// that was written from the bound tree. No text of a user reaches the engine:
// names and literals are quoted again, and what the binder does not know is
// refused by name.
//
// The package does not link DuckDB: the child's side is lake/duckdb, and both
// sides share the frames of this package.
//
// Stability: importable, not promised before 1.0.
package query
