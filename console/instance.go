package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Instance is what a running instance tells other processes, in run/instance.json of
// its data folder (mode 0600). Closed listeners are absent.
type Instance struct {
	Version           int               `json:"version"` // 1
	PID               int               `json:"pid"`
	StartedAt         time.Time         `json:"startedAt"`
	Token             string            `json:"token,omitempty"`
	Addresses         map[string]string `json:"addresses"`         // amqp, amqps, kafka, console, health
	ConnectionStrings map[string]string `json:"connectionStrings"` // emulator, tls
	CAFile            string            `json:"caFile,omitempty"`
}

func instancePath(dir string) string { return filepath.Join(dir, "run", "instance.json") }

// WriteInstance replaces the instance file. It is called when all listeners accept.
func WriteInstance(dir string, i Instance) error {
	i.Version = 1
	data, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	path := instancePath(dir)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the instance file: %w", err)
	}
	return os.Rename(tmp, path)
}

// RemoveInstance is called at an orderly stop.
func RemoveInstance(dir string) error {
	if err := os.Remove(instancePath(dir)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// ReadInstance returns the instance file of a data folder; fs.ErrNotExist if there is
// none. The file stays behind when a process is killed: its addresses may be dead.
func ReadInstance(dir string) (*Instance, error) {
	data, err := os.ReadFile(instancePath(dir))
	if err != nil {
		return nil, err
	}
	i := &Instance{}
	if err := json.Unmarshal(data, i); err != nil {
		return nil, fmt.Errorf("reading the instance file: %w", err)
	}
	return i, nil
}
