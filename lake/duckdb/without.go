//go:build !cgo || noduck

package duckdb

import (
	"bufio"
	"io"

	"spate/lake/query"
)

// Version names the engine that is linked.
const Version = "none"

// Main answers every request with an error: this program was built without cgo
// or with the tag noduck, and so without the engine.
func Main(stdin io.Reader, stdout io.Writer) int {
	r := bufio.NewReader(stdin)
	for {
		if _, err := query.ReadRequest(r); err != nil {
			return 0
		}
		text := query.Raised(40510, "This program was built without the query engine: build it with cgo and without the tag noduck.")
		if query.WriteFrame(stdout, query.FrameError, []byte(text)) != nil {
			return 1
		}
	}
}
