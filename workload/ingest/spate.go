package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"spate/console"
	"spate/internal/process"
)

// startTime is how long a server may take to open its ports.
const startTime = 30 * time.Second

// StartSpate runs the pipeline in dir, whose data folder is dir/data, on ports of its
// own, and waits until they are open.
func StartSpate(ctx context.Context, exe, dir string) (*process.Process, *console.Instance, error) {
	p, err := process.Start(exec.Command(exe, "up", dir, "--ports", "auto", "--quiet"))
	if err != nil {
		return nil, nil, fmt.Errorf("starting %s: %w", exe, err)
	}
	var i *console.Instance
	err = p.Poll(ctx, startTime, func() (bool, error) {
		var err error
		i, err = console.ReadInstance(filepath.Join(dir, "data"))
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("starting %s: %w", exe, err), p.Stop())
	}
	return p, i, nil
}

// hubName is the hub that the producers send to.
const hubName = "events"

// StartHub is StartSpate with nothing but one hub, in a new folder dir, and the target
// that sends to it.
func StartHub(ctx context.Context, exe, dir string, partitions int) (*process.Process, Target, error) {
	text := fmt.Sprintf(`version: 1
name: ingest
server: { health: { enabled: false } }
namespace:
  name: ingest-ns
  eventHubs:
    %s: { partitionCount: %d }
storage: { path: ./data }
`, hubName, partitions)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, Target{}, err
	}
	if err := os.WriteFile(filepath.Join(dir, "spate.yaml"), []byte(text), 0o644); err != nil {
		return nil, Target{}, err
	}
	p, i, err := StartSpate(ctx, exe, dir)
	if err != nil {
		return nil, Target{}, err
	}
	return p, Target{Address: i.Addresses["kafka"], Connection: i.ConnectionStrings["emulator"], Hub: hubName, Partitions: partitions}, nil
}
