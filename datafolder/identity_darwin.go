package datafolder

import (
	"io/fs"
	"syscall"
)

// inodeOf is the number of a folder and when it was made.
func inodeOf(_ string, st fs.FileInfo) (inode uint64, born int64) {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	return sys.Ino, sys.Birthtimespec.Nano()
}
