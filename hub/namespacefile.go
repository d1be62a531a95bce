package hub

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"spate/hub/eventlog"
)

// The namespace file leads from names to hubs. Its first line is namespaceHead
// and 8 hex digits, the CRC-32C of the rest; the rest is JSON.
const (
	namespaceFile = "namespace"
	namespaceHead = "spate-namespace 1 "
)

// described is a hub as the namespace file lists it.
type described struct {
	Name    string    `json:"name"`
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Groups  []string  `json:"groups,omitempty"`
}

// load reads the namespace file; a new folder has none.
func (n *Namespace) load() ([]described, error) {
	path := filepath.Join(n.o.Dir, namespaceFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	head, body, ok := bytes.Cut(b, []byte("\n"))
	if !ok || string(head) != checkLine(body) {
		return nil, fmt.Errorf("read %s: first line %q does not fit the rest: %w", path, head, eventlog.ErrDamaged)
	}
	var list struct {
		Hubs []described `json:"hubs"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return list.Hubs, nil
}

// save writes the namespace file. The caller holds n.mu.
func (n *Namespace) save() error { return n.write(n.described()) }

// described needs n.mu.
func (n *Namespace) described() []described {
	list := []described{}
	for _, h := range n.hubs {
		h.mu.RLock()
		list = append(list, described{Name: h.name, ID: hex.EncodeToString(h.id[:]), Created: h.created, Groups: h.groups})
		h.mu.RUnlock()
	}
	return list
}

func (n *Namespace) write(list []described) error { return writeList(n.o.Dir, list) }

func writeList(dir string, list []described) error {
	body, err := json.MarshalIndent(struct {
		Hubs []described `json:"hubs"`
	}{list}, "", " ")
	if err != nil {
		return err
	}
	body = append(body, '\n')
	return eventlog.ReplaceFile(filepath.Join(dir, namespaceFile), append([]byte(checkLine(body)+"\n"), body...))
}

func checkLine(body []byte) string {
	return fmt.Sprintf("%s%08x", namespaceHead, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

// checkFolders finishes deletions, removes hubs whose creation did not get as
// far as the namespace file, and refuses folders with records that no name leads
// to. It returns the hubs that are there.
func (n *Namespace) checkFolders(list []described) ([]described, error) {
	dirs, err := os.ReadDir(filepath.Join(n.o.Dir, "hubs"))
	if err != nil {
		return nil, err
	}
	for _, e := range dirs {
		named := func(d described) bool { return d.ID == strings.TrimSuffix(e.Name(), deletedSuffix) }
		path := filepath.Join(n.o.Dir, "hubs", e.Name())
		switch {
		case strings.HasSuffix(e.Name(), deletedSuffix):
			list = slices.DeleteFunc(list, named)
			if err := n.write(list); err != nil {
				return nil, err
			}
		case slices.ContainsFunc(list, named):
			continue
		default:
			full, err := eventlog.HoldsRecords(path)
			if err != nil {
				return nil, err
			}
			if full {
				return nil, fmt.Errorf("folder %s holds records but the file %s does not name it: %w", path, namespaceFile, eventlog.ErrDamaged)
			}
		}
		if err := os.RemoveAll(path); err != nil {
			return nil, err
		}
	}
	return list, nil
}
