//go:build !cgo || noduckdb

package duckdb

import (
	"bufio"
	"context"
	"errors"
	"io"

	"spate/lake/query"
)

// Version names the engine that is linked: none.
const Version = ""

// Main answers every request with an error: this program was built without cgo
// or with the tag noduckdb, and so without the engine.
func Main(stdin io.Reader, stdout io.Writer) int {
	r := bufio.NewReader(stdin)
	for {
		if _, err := query.ReadRequest(r); err != nil {
			return 0
		}
		text := query.Raised(40510, "This program was built without DuckDB, which answers queries: build it with a C compiler (CGO_ENABLED=1) and without the tag noduckdb.")
		if query.WriteFrame(stdout, query.FrameError, []byte(text)) != nil {
			return 1
		}
	}
}

// Plain is the engine as it comes: there is none.
type Plain struct{}

// NewPlain says that there is no engine.
func NewPlain(context.Context) (*Plain, error) {
	return nil, errors.New("this program was built without DuckDB")
}

// Run runs nothing.
func (*Plain) Run(context.Context, string) (int64, error) { return 0, nil }

// Close ends nothing.
func (*Plain) Close() error { return nil }
