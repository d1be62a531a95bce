//go:build !linux

package workload

import "os"

func fileSystem(string) string { return "" }

func peakMemory(*os.ProcessState) int64 { return 0 }

func syncData(f *os.File) error { return f.Sync() }
