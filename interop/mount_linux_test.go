package interop

import (
	"fmt"
	"syscall"
)

// mountSmall makes dir a disk of so many MiB; it takes a right that not everybody has.
func mountSmall(dir string, size int) (unmount func() error, err error) {
	if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", size)); err != nil {
		return nil, err
	}
	return func() error { return syscall.Unmount(dir, 0) }, nil
}
