package interop

import "syscall"

// mountSmall makes dir a disk of 48 MiB; it takes a right that not everybody has.
func mountSmall(dir string) (unmount func() error, err error) {
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=48m"); err != nil {
		return nil, err
	}
	return func() error { return syscall.Unmount(dir, 0) }, nil
}
