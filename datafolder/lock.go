// Package datafolder holds what a data folder is to those who share it: one process at
// a time, by a lock, hubs that can be read while no pipeline runs there, and backups.
//
// Stability: importable, not promised before 1.0.
package datafolder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

var (
	// ErrLocked: another process runs on the data folder.
	ErrLocked = errors.New("the data folder is in use")
	// ErrCopied: the data folder is a copy of one that was in use.
	ErrCopied = errors.New("the data folder is a copy of one that was in use")
	// ErrBackup: the folder is a backup, or one that was not finished.
	ErrBackup = errors.New("the folder is a backup")
)

const lockName = "LOCK"

// Lock is the lock of a data folder.
type Lock struct {
	f    *os.File
	held record
}

// record is what stands in the file of the lock.
type record struct {
	Version int      `json:"version"` // 1
	PID     int      `json:"pid"`
	InUse   bool     `json:"inUse"` // the process has not ended in order
	Folder  identity `json:"folder"`
}

// Take takes the lock of a data folder. The lock is the kernel's: it is gone with the
// process that held it, however that ended. A copy of a folder that was in use is refused:
// whoever copies files one by one while they change gets a set that never was.
func Take(dir string) (*Lock, error) { return take(dir, false) }

// TakeCopy is Take for a folder of which somebody says that it may be used, copy or not.
func TakeCopy(dir string) (*Lock, error) { return take(dir, true) }

func take(dir string, accept bool) (*Lock, error) {
	if err := checkNoBackup(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the data folder: %w", err)
	}
	if held, err := lockFile(f); held || err != nil {
		owner, _ := os.ReadFile(path)
		f.Close()
		if held {
			return nil, fmt.Errorf("locking the data folder %s: %w by process %s", dir, ErrLocked, ownerOf(owner))
		}
		return nil, fmt.Errorf("locking the data folder %s: %w", dir, err)
	}
	l := &Lock{f: f}
	if err := l.begin(dir, accept); err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

// begin writes whose the folder is, if what stands there does not say that it is a copy.
func (l *Lock) begin(dir string, accept bool) error {
	text, err := io.ReadAll(l.f)
	if err != nil {
		return fmt.Errorf("reading the lock of the data folder %s: %w", dir, err)
	}
	now, err := identityOf(dir)
	if err != nil {
		return fmt.Errorf("locking the data folder %s: %w", dir, err)
	}
	before, known := parseRecord(text)
	if known && before.InUse && !before.Folder.same(now) && !accept {
		return fmt.Errorf(`%w: %s was copied from %s while process %d ran there, or after that had been killed; files that were copied while they changed do not go together, and events or rows would be missing or come twice.
Of a running instance 'spate backup FOLDER' makes a copy, and 'spate restore FOLDER --data NEW' a data folder of that.
If nothing ran there while the copy was made, or the folder was moved as a whole, say so once: spate up --accept-copy`, ErrCopied, dir, before.Folder.Path, before.PID)
	}
	l.held = record{Version: 1, PID: os.Getpid(), InUse: true, Folder: now}
	if err := l.write(); err != nil {
		return fmt.Errorf("writing the lock of the data folder %s: %w", dir, err)
	}
	return nil
}

// write makes the record durable, whole: a start after a crash believes it.
func (l *Lock) write() error {
	b, err := json.Marshal(l.held)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if _, err = l.f.WriteAt(b, 0); err == nil {
		err = l.f.Truncate(int64(len(b)))
	}
	if err == nil {
		err = l.f.Sync()
	}
	return err
}

// parseRecord reads the first value of the file: a crash may have left the end of an older,
// longer one behind it.
func parseRecord(text []byte) (r record, ok bool) {
	err := json.NewDecoder(bytes.NewReader(text)).Decode(&r)
	return r, err == nil && r.Version == 1
}

// ownerOf is the process that a lock is of.
func ownerOf(text []byte) string {
	if r, ok := parseRecord(text); ok {
		return strconv.Itoa(r.PID)
	}
	return strings.TrimSpace(string(text))
}

// Close says that the folder is at rest, so that it may be copied, and releases the lock.
// Nothing is written to the folder any more.
func (l *Lock) Close() error {
	l.held.InUse = false
	return errors.Join(l.write(), l.f.Close())
}
