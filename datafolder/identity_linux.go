package datafolder

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// passing are file systems that may number a file anew whenever they are mounted.
var passing = map[uint32]bool{
	unix.FUSE_SUPER_MAGIC: true, // virtiofs and the folders of desktop containers too
	unix.V9FS_MAGIC:       true,
	unix.SMB_SUPER_MAGIC:  true,
	unix.SMB2_SUPER_MAGIC: true,
	unix.CIFS_SUPER_MAGIC: true,
	0x786f4256:            true, // vboxsf
	0xbacbacbc:            true, // vmhgfs
}

// inodeOf is the number of a folder and when it was made, as far as they last.
func inodeOf(path string, st fs.FileInfo) (inode uint64, born int64) {
	sys, ok := st.Sys().(*syscall.Stat_t)
	var of unix.Statfs_t
	if !ok || unix.Statfs(path, &of) != nil || passing[uint32(of.Type)] {
		return 0, 0
	}
	var x unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BTIME, &x) == nil && x.Mask&unix.STATX_BTIME != 0 {
		born = x.Btime.Sec*1e9 + int64(x.Btime.Nsec)
	}
	return sys.Ino, born
}
