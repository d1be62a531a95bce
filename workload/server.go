package workload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"spate"
	"spate/blob"
	"spate/internal/process"
	"spate/lake/delta"
	"spate/workload/ingest"
)

// server is a running `spate up`.
type server struct {
	*process.Process
	dir     string // of the pipeline
	url     string // of the console
	tables  map[string]*delta.Table
	counted lineCount
	began   time.Time     // of the load
	idle    time.Duration // CPU time before it
}

func startServer(ctx context.Context, exe, dir string) (*server, error) {
	p, i, err := ingest.StartSpate(ctx, exe, dir)
	if err != nil {
		return nil, err
	}
	return &server{Process: p, dir: dir, url: "http://" + i.Addresses["console"],
		tables: make(map[string]*delta.Table), counted: lineCount{path: filepath.Join(dir, "alerts.jsonl")}}, nil
}

func (s *server) status(ctx context.Context, into *spate.Status) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/status", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking the server for its status: %w", err)
	}
	defer resp.Body.Close()
	*into = spate.Status{}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("asking the server for its status: %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("reading the server's status: %w", err)
	}
	return nil
}

// rows is how many rows the newest version of a table has, by its log.
func (s *server) rows(ctx context.Context, name string) (int64, error) {
	t := s.tables[name]
	if t == nil {
		found, err := filepath.Glob(filepath.Join(s.dir, "data", "lake", "*", "*", "delta", name))
		if err != nil || len(found) != 1 {
			return 0, fmt.Errorf("looking for table %s: %d folders, %w", name, len(found), err)
		}
		if t, err = delta.Open(ctx, blob.NewLocal(filepath.Dir(found[0])), name); err != nil {
			return 0, err
		}
		s.tables[name] = t
	}
	snap, err := t.Snapshot(ctx)
	if err != nil {
		return 0, fmt.Errorf("counting the rows of %s: %w", name, err)
	}
	var n int64
	for _, a := range snap.Files() {
		var st struct{ NumRecords int64 }
		if err := json.Unmarshal([]byte(a.Stats), &st); err != nil {
			return 0, fmt.Errorf("counting the rows of %s: %w", name, err)
		}
		n += st.NumRecords
	}
	return n, nil
}

// lineCount counts the lines of a growing file, each once.
type lineCount struct {
	path  string
	at, n int64
}

func (l *lineCount) count() (int64, error) {
	f, err := os.Open(l.path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Seek(l.at, io.SeekStart); err != nil {
		return 0, err
	}
	buf := make([]byte, 1<<16)
	for {
		k, err := f.Read(buf)
		l.at, l.n = l.at+int64(k), l.n+int64(bytes.Count(buf[:k], []byte{'\n'}))
		if err == io.EOF {
			return l.n, nil
		}
		if err != nil {
			return 0, err
		}
	}
}
