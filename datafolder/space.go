package datafolder

import "fmt"

// little is how many bytes a pipeline hardly works with: a segment that begins, a checkpoint
// and a file of a table want more.
const little = 16 << 20

// Full says that the disk of a data folder is full, or soon; nil: it is not, or nobody can
// say it here.
func Full(dir string) error {
	if n, ok := free(dir); ok && n < little {
		return fmt.Errorf("the disk is full: %.1f MiB are left in %s", float64(n)/(1<<20), dir)
	}
	return nil
}
