package blob

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// renameNoReplace wraps errors.ErrUnsupported where the kernel or the file system cannot
// rename without replacing.
func renameNoReplace(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	switch {
	case err == nil:
		return nil
	case err == unix.ENOSYS || err == unix.EINVAL || err == unix.EPERM: // EPERM: some sandboxes for calls that they do not know
		err = errors.ErrUnsupported
	}
	return &os.LinkError{Op: "renameat2", Old: from, New: to, Err: err}
}
