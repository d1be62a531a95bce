// Package datafolder holds what a data folder is to those who share it: one process at
// a time, by a lock, and hubs that can be read while no pipeline runs there.
//
// Stability: importable, not promised before 1.0.
package datafolder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrLocked: another process runs on the data folder.
var ErrLocked = errors.New("the data folder is in use")

// Lock is the lock of a data folder.
type Lock struct{ f *os.File }

// Take takes the lock of a data folder. The lock is the kernel's: it is gone with the
// process that held it, however that ended.
func Take(dir string) (*Lock, error) {
	path := filepath.Join(dir, "LOCK")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the data folder: %w", err)
	}
	if held, err := lockFile(f); held || err != nil {
		owner, _ := os.ReadFile(path)
		f.Close()
		if held {
			return nil, fmt.Errorf("locking the data folder %s: %w by process %s", dir, ErrLocked, strings.TrimSpace(string(owner)))
		}
		return nil, fmt.Errorf("locking the data folder %s: %w", dir, err)
	}
	if err := f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("writing the lock of the data folder %s: %w", dir, err)
		}
	}
	return &Lock{f}, nil
}

// Close releases the lock.
func (l *Lock) Close() error { return l.f.Close() }
