// Package format turns bytes into rows and rows into bytes: JSON messages into
// typed columns, and columns into JSON objects and CSV lines.
//
// Decoders own scratch memory and dictionaries and belong to one goroutine. The
// vectors they return are fresh and immutable. The Append functions keep nothing.
//
// Stability: importable, not promised before 1.0.
package format
