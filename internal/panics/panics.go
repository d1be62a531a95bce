// Package panics makes an error of a panic, for goroutines whose end must not be that of
// the process.
package panics

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// Error is a panic.
type Error struct {
	Value any
	Stack []byte
}

func (e *Error) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// StackOf is the stack of the panic that err is; empty: it is none.
func StackOf(err error) string {
	if e := new(Error); errors.As(err, &e) {
		return string(e.Stack)
	}
	return ""
}

// Caught runs f and returns its error, or the panic that ended it.
func Caught(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Error{v, debug.Stack()}
		}
	}()
	return f()
}
