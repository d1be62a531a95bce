package workload

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// fileSystem is the magic number of the file system that dir lies on; empty if it is
// not known.
func fileSystem(dir string) string {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return ""
	}
	return fmt.Sprintf("0x%x", st.Type)
}

// peakMemory is the most that an ended process has held, in bytes.
func peakMemory(p *os.ProcessState) int64 {
	if u, ok := p.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10 // Linux counts KiB
	}
	return 0
}

// syncData waits until the disk has what was written.
func syncData(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }
