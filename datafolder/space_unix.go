//go:build linux || darwin

package datafolder

import "syscall"

// free is how many bytes may still be written below dir.
func free(dir string) (n int64, ok bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}
