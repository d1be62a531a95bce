//go:build !linux

package workload

import (
	"errors"
	"os"
)

func fileSystem(string) string { return "" }

func cpuTime() (int64, error) {
	return 0, errors.New("the time that a process used is read on Linux alone")
}

func peakMemory(*os.ProcessState) int64 { return 0 }
