//go:build unix

// Package cputime says how much time of the processors this process has used.
package cputime

import (
	"time"

	"golang.org/x/sys/unix"
)

// Used is user and system time.
func Used() (time.Duration, error) {
	var r unix.Rusage
	err := unix.Getrusage(unix.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), err
}
