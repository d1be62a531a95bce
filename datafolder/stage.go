package datafolder

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"spate/blob"
)

// Stage is a folder below a data folder in which a running instance gathers, by hard
// links, the files that it has at one moment. Whoever makes the backup owns it: what it
// leaves behind when it is killed goes with the next start or backup.
type Stage struct {
	data, name string
	lock       *os.File
}

// ErrBackingUp: another process makes a backup of the data folder.
var ErrBackingUp = errors.New("another backup of the data folder is under way")

const (
	gatheredDir = "files"
	lengthsName = "lengths.json"
)

func stagesDir(data string) string { return filepath.Join(data, runName, "backup") }

// NewStage makes an empty stage; there is one at a time.
func NewStage(data string) (*Stage, error) {
	if err := os.MkdirAll(stagesDir(data), 0o700); err != nil {
		return nil, fmt.Errorf("beginning a backup: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(stagesDir(data), lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("beginning a backup: %w", err)
	}
	if held, err := lockFile(f); held || err != nil {
		f.Close()
		if held {
			err = ErrBackingUp
		}
		return nil, fmt.Errorf("beginning a backup of %s: %w", data, err)
	}
	s := &Stage{data: data, lock: f}
	err = s.clear()
	var id [8]byte
	rand.Read(id[:])
	s.name = hex.EncodeToString(id[:])
	if err == nil {
		err = os.MkdirAll(filepath.Join(stagesDir(data), s.name, gatheredDir), 0o700)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("beginning a backup of %s: %w", data, err)
	}
	return s, nil
}

// Name is what the instance is told.
func (s *Stage) Name() string { return s.name }

// clear removes what stages have left. It needs the lock.
func (s *Stage) clear() error {
	entries, err := os.ReadDir(stagesDir(s.data))
	for _, e := range entries {
		if e.Name() != lockName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(stagesDir(s.data), e.Name())))
		}
	}
	return err
}

// Close removes the stage.
func (s *Stage) Close() error { return errors.Join(s.clear(), s.lock.Close()) }

// ClearStages removes what backups have left that were killed.
func ClearStages(data string) error {
	if _, err := os.Stat(stagesDir(data)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s, err := NewStage(data)
	if errors.Is(err, ErrBackingUp) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Close()
}

// gathered is where the files are, and how long those are that go on growing.
func (s *Stage) gathered() (dir string, lengths map[string]int64, err error) {
	dir = filepath.Join(stagesDir(s.data), s.name)
	b, err := os.ReadFile(filepath.Join(dir, lengthsName))
	if err == nil {
		err = json.Unmarshal(b, &lengths)
	}
	return filepath.Join(dir, gatheredDir), lengths, err
}

// Gathering is the side of the running instance.
type Gathering struct {
	data, stage, dir string
	lengths          map[string]int64
}

var stageName = regexp.MustCompile(`^[0-9a-f]{16}$`)

// Gather begins to fill the stage of that name.
func Gather(data, name string) (*Gathering, error) {
	stage := filepath.Join(stagesDir(data), name)
	g := &Gathering{data: data, stage: stage, dir: filepath.Join(stage, gatheredDir), lengths: make(map[string]int64)}
	if !stageName.MatchString(name) {
		return nil, fmt.Errorf("%q is no stage of a backup", name)
	}
	entries, err := os.ReadDir(g.dir)
	if err == nil && len(entries) > 0 {
		err = errors.New("it has been filled")
	}
	if err != nil {
		return nil, fmt.Errorf("the stage %s of a backup: %w", name, err)
	}
	return g, nil
}

// Path is where a path below the data folder is to be gathered.
func (g *Gathering) Path(path string) string { return filepath.Join(g.dir, filepath.FromSlash(path)) }

// Note says how many bytes of a gathered file belong to the backup.
func (g *Gathering) Note(path string, bytes int64) {
	if rel, err := filepath.Rel(g.dir, path); err == nil {
		g.lengths[filepath.ToSlash(rel)] = bytes
	}
}

// Link gathers what lies below the data folder under these names; what is not there is
// left out.
func (g *Gathering) Link(names ...string) error {
	for _, name := range names {
		st, err := os.Lstat(filepath.Join(g.data, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = g.link(name, st.Mode())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Others gathers everything of the instance but these names.
func (g *Gathering) Others(but ...string) error {
	entries, err := os.ReadDir(g.data)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		if ofInstance(e.Name()) && !slices.Contains(but, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return g.Link(names...)
}

// link gathers a file, or a folder in the order of its names, but the log of a table before
// its files: what a version names was there before it, whoever wrote it.
func (g *Gathering) link(path string, mode fs.FileMode) error {
	from, to := filepath.Join(g.data, filepath.FromSlash(path)), g.Path(path)
	if mode.IsDir() {
		st, err := os.Stat(from)
		if err != nil {
			return err
		}
		if err := makeFolder(to, st.Mode().Perm()); err != nil {
			return err
		}
		entries, err := os.ReadDir(from)
		if err != nil {
			return err
		}
		slices.SortStableFunc(entries, func(a, b fs.DirEntry) int { return rank(a) - rank(b) })
		for _, e := range entries {
			if child := path + "/" + e.Name(); ofInstance(child) {
				if err := g.link(child, e.Type()); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := regular(from, mode); err != nil {
		return err
	}
	err := os.Link(from, to)
	if errors.Is(err, fs.ErrNotExist) { // gone since its folder was read
		return nil
	}
	if err != nil {
		return err
	}
	st, err := os.Stat(to)
	if err != nil {
		return err
	}
	g.Note(to, st.Size())
	return nil
}

// NoLinks says of an error that the file system has no hard links, or that a part of the
// data folder lies on another one: what a running instance has cannot be held then.
func NoLinks(err error) bool { return errors.Is(err, syscall.EXDEV) || blob.UnsupportedLink(err) }

func rank(e fs.DirEntry) int {
	if strings.EqualFold(e.Name(), "_delta_log") {
		return 0
	}
	return 1
}

// Done says that all is gathered.
func (g *Gathering) Done() error {
	b, err := json.Marshal(g.lengths)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(g.stage, lengthsName), b, 0o600)
}
