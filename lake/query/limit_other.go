//go:build !linux

package query

// confine has nothing to set on this system.
func confine(int, int64) error { return nil }
