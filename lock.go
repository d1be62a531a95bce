package spate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrLocked is returned by Open when another process runs on the data folder.
var ErrLocked = errors.New("the data folder is in use")

// lockFolder takes the lock of the data folder. The lock is the kernel's: it is
// gone with the process that held it, however that ended.
func lockFolder(dir string) (*os.File, error) {
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
	return f, nil
}
