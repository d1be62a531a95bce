package datafolder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// markName is the file that makes a folder a backup. It is the first file of a backup, and
// of a data folder that is being made of one, and says that they are not finished; what is
// finished has the list of its files in it, or is a data folder and has it no more.
const markName = "backup.json"

const markVersion = 1

// mark is that file.
type mark struct {
	Version  int       `json:"version"`
	Complete bool      `json:"complete"`
	Made     time.Time `json:"made,omitzero"`
	Program  string    `json:"program,omitempty"` // version of Spate
	Of       string    `json:"of,omitempty"`      // path of the data folder
	Running  bool      `json:"running,omitempty"` // an instance ran there
	Files    []File    `json:"files,omitempty"`
	CRC      string    `json:"crc"` // CRC-32C of this text with zeros in its place; it stands last
}

// File is a file of a backup.
type File struct {
	Path  string `json:"path"` // below the folder, with slashes
	Bytes int64  `json:"bytes"`
	Mode  string `json:"mode"` // permissions, octal
	CRC   string `json:"crc"`  // CRC-32C, 8 hex digits
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const noCRC = `"crc": "00000000"`

// write makes the mark durable.
func (m mark) write(dir string) error {
	m.Version, m.CRC = markVersion, "00000000"
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	at := bytes.LastIndex(b, []byte(noCRC))
	copy(b[at:], fmt.Sprintf(`"crc": "%08x"`, crc32.Checksum(b, castagnoli)))
	path := filepath.Join(dir, markName)
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = syncFolder(dir)
	}
	return err
}

// readMark reads the mark of a folder; fs.ErrNotExist if it has none.
func readMark(dir string) (m mark, err error) {
	path := filepath.Join(dir, markName)
	b, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if m.Version != markVersion {
		return m, fmt.Errorf("%s is of version %d, this program reads %d: another version of Spate made it", path, m.Version, markVersion)
	}
	b = bytes.TrimSuffix(b, []byte("\n"))
	at := bytes.LastIndex(b, []byte(`"crc": "`))
	if at < 0 || at+len(noCRC) > len(b) {
		return m, fmt.Errorf("%s is damaged: it has no checksum", path)
	}
	copy(b[at:], noCRC)
	if got := fmt.Sprintf("%08x", crc32.Checksum(b, castagnoli)); got != m.CRC {
		return m, fmt.Errorf("%s is damaged: its checksum is %s, and it says %s", path, got, m.CRC)
	}
	return m, nil
}

// checkNoBackup refuses a folder with a mark.
func checkNoBackup(dir string) error {
	m, err := readMark(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && !m.Complete:
		return fmt.Errorf("%w that was not finished, or a data folder that was not: %s has the mark of it, %s; remove the folder and make it again", ErrBackup, dir, markName)
	}
	return fmt.Errorf("%w: %s stays as it is; make a data folder of it with 'spate restore %s --data FOLDER'", ErrBackup, dir, dir)
}
