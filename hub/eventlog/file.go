package eventlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// file is an open file of the log; fileSystem opens them. They exist for the
// tests that lose, tear and refuse writes the way a disk does.
type file interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error // of the data and of the length
	Size() (int64, error)
	Close() error
}

type fileSystem interface {
	Open(path string) (file, error)   // to read and write; it must exist
	Create(path string) (file, error) // empty
	ReadFile(path string) ([]byte, error)
	ReadDir(path string) ([]string, error)
	MkdirAll(path string) error
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(path string) error
}

// disk is the operating system's.
type disk struct{}

type diskFile struct{ *os.File }

func (f diskFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func (disk) Open(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (disk) Create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (disk) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }
func (disk) MkdirAll(path string) error           { return os.MkdirAll(path, 0o755) }
func (disk) Rename(from, to string) error         { return os.Rename(from, to) }
func (disk) Remove(path string) error             { return os.Remove(path) }

func (disk) ReadDir(path string) ([]string, error) {
	list, err := os.ReadDir(path)
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Name()
	}
	return names, err
}

func (disk) SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// replace puts b in the place of path: whole and durable, or not at all.
func replace(fs fileSystem, path string, b []byte) error {
	tmp := path + ".tmp"
	f, err := fs.Create(tmp)
	if err == nil {
		_, err = f.WriteAt(b, 0)
		if err == nil {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close())
	}
	if err == nil {
		err = fs.Rename(tmp, path)
	}
	if err == nil {
		err = fs.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// ReplaceFile puts b in the place of the file: whole and durable, or not at all.
func ReplaceFile(path string, b []byte) error { return replace(disk{}, path, b) }

// HoldsRecords reports whether a hub's folder has a segment in it that is more
// than its header.
func HoldsRecords(dir string) (bool, error) {
	segs, err := filepath.Glob(filepath.Join(dir, "*", "*"+segSuffix))
	if err != nil {
		return false, err
	}
	for _, s := range segs {
		st, err := os.Stat(s)
		if err != nil {
			return false, fmt.Errorf("look into %s: %w", dir, err)
		}
		if st.Size() > segHeader {
			return true, nil
		}
	}
	return false, nil
}

// removeTemporary deletes what an interrupted replace left in dir.
func removeTemporary(fs fileSystem, dir string) error {
	names, err := fs.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if strings.HasSuffix(n, ".tmp") {
			if err := fs.Remove(filepath.Join(dir, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// passing is what an error says that goes away by itself, as files are removed or closed;
// nil: it does not.
func passing(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return ErrDiskFull
	case noDescriptor(err):
		return ErrDescriptors
	}
	return nil
}
