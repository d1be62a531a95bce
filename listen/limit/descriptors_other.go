//go:build !unix

package limit

import "math"

// Descriptors is how many files and connections the process may have open.
func Descriptors() int { return math.MaxInt32 }
