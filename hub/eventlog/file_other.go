//go:build !linux

package eventlog

// Sync makes the file durable.
func (f diskFile) Sync() error { return f.File.Sync() }
