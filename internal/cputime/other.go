//go:build !unix

// Package cputime says how much time of the processors this process has used.
package cputime

import (
	"errors"
	"time"
)

// Used is user and system time.
func Used() (time.Duration, error) {
	return 0, errors.New("the time that a process used is not read on this system")
}
