package datafolder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Copied is what a backup or a data folder was made of.
type Copied struct {
	Folder  string    `json:"folder"`
	From    string    `json:"from"`
	Made    time.Time `json:"made"`    // the backup
	Running bool      `json:"running"` // an instance ran on the data folder then
	Parts   []Part    `json:"parts"`
}

// Backup makes a backup of a data folder in the folder to, while no instance runs there or
// from what a running one has gathered in stage. The caller holds the lock of the data
// folder, or the stage.
func Backup(ctx context.Context, dir, to string, stage *Stage, program string) (c Copied, err error) {
	from, lengths := dir, map[string]int64(nil)
	if stage != nil {
		if from, lengths, err = stage.gathered(); err != nil {
			return c, fmt.Errorf("backup of %s: %w", dir, err)
		}
	}
	st, err := os.Stat(dir)
	if err != nil {
		return c, fmt.Errorf("backup: %w", err)
	}
	path, undo, err := target(to, dir, st.Mode().Perm())
	if err != nil {
		return c, fmt.Errorf("backup of %s: %w", dir, err)
	}
	m := mark{Made: time.Now().UTC().Truncate(time.Second), Program: program, Of: dir, Running: stage != nil}
	err = m.write(path)
	var list []source
	if err == nil {
		list, err = found(from, lengths, ofInstance)
	}
	if err == nil {
		m.Files, err = copyFiles(ctx, from, path, dir, list, nil)
	}
	if err == nil {
		m.Complete = true
		err = errors.Join(m.write(path), syncFolder(filepath.Dir(path)))
	}
	if err != nil {
		return c, errors.Join(fmt.Errorf("backup of %s: %w", dir, err), undo())
	}
	return Copied{Folder: path, From: dir, Made: m.Made, Running: m.Running, Parts: partsOf(m.Files)}, nil
}

// ErrDamaged: a backup is not what it was when it was made.
var ErrDamaged = errors.New("the backup is damaged")

// Restore makes a data folder of a backup.
func Restore(ctx context.Context, backup, to string) (c Copied, err error) {
	fail := func(err error) (Copied, error) { return Copied{}, fmt.Errorf("restore %s: %w", backup, err) }
	st, err := os.Stat(backup)
	if err != nil {
		return fail(err)
	}
	m, err := readMark(backup)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(fmt.Errorf("%w: there is no %s in it: it is no backup, or one that was not finished", ErrDamaged, markName))
	case err != nil:
		return fail(fmt.Errorf("%w: %w", ErrDamaged, err))
	case !m.Complete:
		return fail(fmt.Errorf("%w: it was not finished", ErrDamaged))
	}
	list, err := m.sources(backup)
	if err != nil {
		return fail(err)
	}
	path, undo, err := target(to, backup, st.Mode().Perm())
	if err != nil {
		return fail(err)
	}
	crcs := make(map[string]string)
	for _, f := range m.Files {
		crcs[f.Path] = f.CRC
	}
	if err = (mark{Of: backup}).write(path); err == nil {
		_, err = copyFiles(ctx, backup, path, backup, list, func(f File) error {
			if f.CRC != crcs[f.Path] {
				return fmt.Errorf("%w: the checksum of %s is %s, it was %s", ErrDamaged, f.Path, f.CRC, crcs[f.Path])
			}
			return nil
		})
	}
	if err == nil {
		err = os.Remove(filepath.Join(path, markName))
	}
	if err == nil {
		err = errors.Join(syncFolder(path), syncFolder(filepath.Dir(path)))
	}
	if err != nil {
		return fail(errors.Join(err, undo()))
	}
	return Copied{Folder: path, From: backup, Made: m.Made, Running: m.Running, Parts: partsOf(m.Files)}, nil
}

// sources are the files of a backup; all of them are there, with their lengths.
func (m mark) sources(backup string) (list []source, err error) {
	for _, f := range m.Files {
		if name := filepath.FromSlash(f.Path); !filepath.IsLocal(name) || !ofInstance(f.Path) || strings.EqualFold(name, markName) {
			return nil, fmt.Errorf("%w: %s lists %q", ErrDamaged, markName, f.Path)
		}
		mode, err := f.permissions()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		st, err := os.Lstat(filepath.Join(backup, filepath.FromSlash(f.Path)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%w: %s is not there", ErrDamaged, f.Path)
		case err != nil:
			return nil, err
		case !st.Mode().IsRegular() || st.Size() != f.Bytes:
			return nil, fmt.Errorf("%w: %s has %d bytes, it had %d", ErrDamaged, f.Path, st.Size(), f.Bytes)
		}
		list = append(list, source{f.Path, f.Bytes, mode})
	}
	return list, nil
}
