package query

import (
	"syscall"
	"unsafe"
)

// confine takes from a child what it never needs: files larger than it may write, which are
// none where nothing is spilled or written, and leaving a core. It is the wall behind the
// engine's own settings.
func confine(pid int, fileBytes int64) error {
	const rlimitFsize, rlimitCore = 1, 4
	for resource, limit := range map[uintptr]syscall.Rlimit{rlimitFsize: {Cur: uint64(fileBytes), Max: uint64(fileBytes)}, rlimitCore: {}} {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), resource, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
		if errno != 0 {
			return errno
		}
	}
	return nil
}
