//go:build !linux && !darwin

package datafolder

// free is how many bytes may still be written below dir.
func free(string) (n int64, ok bool) { return 0, false }
