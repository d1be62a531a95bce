package datafolder

import (
	"os"
	"path/filepath"
)

// identity is which folder a folder is: a copy of it is another one, but not the same
// folder under another path, on another machine or after a restart of this one. The number
// of the device is no part of it, because it changes then.
type identity struct {
	Path  string `json:"path"`
	Inode uint64 `json:"inode,omitempty"` // 0: there is none that lasts, and the path has to do
	Born  int64  `json:"born,omitempty"`  // Unix nanoseconds; 0: unknown. The number of a folder that was removed is given out again
}

// identityOf is the identity of a folder that is there.
func identityOf(dir string) (identity, error) {
	path, err := filepath.Abs(dir)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return identity{}, err
	}
	st, err := os.Stat(path)
	if err != nil {
		return identity{}, err
	}
	i := identity{Path: path}
	i.Inode, i.Born = inodeOf(path, st)
	return i, nil
}

func (i identity) same(j identity) bool {
	if i.Inode == 0 || j.Inode == 0 {
		return i.Path == j.Path
	}
	return i.Inode == j.Inode && (i.Born == j.Born || i.Born == 0 || j.Born == 0)
}
