package deltatable

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"spate/blob"
	"spate/connector"
)

const killEpochs = 30

// TestKilledJobsWriteEveryRowOnce runs itself as a small job, with manifests as
// a real one has them, and kills it at other moments each time.
func TestKilledJobsWriteEveryRowOnce(t *testing.T) {
	if dir := os.Getenv("DELTATABLE_KILL_DIR"); dir != "" {
		smallJob(t, blob.NewLocal(dir))
		return
	}
	dir := t.TempDir()
	for run := 0; ; run++ {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledJobsWriteEveryRowOnce$")
		cmd.Env = append(os.Environ(), "DELTATABLE_KILL_DIR="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		steps, complete := 0, false
		for sc := bufio.NewScanner(out); sc.Scan(); {
			complete = complete || sc.Text() == "complete"
			if !strings.HasPrefix(sc.Text(), "step") {
				continue
			}
			if steps++; steps > 4+run*5%17 { // each kind of step comes to be the last
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		err = cmd.Wait()
		if complete {
			break
		}
		if run > 60 {
			t.Fatalf("the job does not come to its end: %v", err)
		}
	}
	var all []string
	for e := range killEpochs {
		for k := range 3 {
			all = append(all, fmt.Sprintf("%03d-%d", e+1, k))
		}
	}
	want(t, ids(t, blob.NewLocal(dir)), all...)
}

// smallJob goes on from its newest manifest: prepare, save, commit.
func smallJob(t *testing.T, store blob.Store) {
	ctx := t.Context()
	s := open(t, store)
	last := int64(0)
	commit := func(n int64) {
		r, err := store.Open(ctx, fmt.Sprintf("manifest/%06d", n), 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		raw, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		var shards []connector.Prepared
		if err := json.Unmarshal(raw, &shards); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(ctx, epoch(n), shards); err != nil {
			t.Fatal(err)
		}
	}
	for i, err := range store.List(ctx, "manifest/", "") {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscanf(i.Key, "manifest/%d", &last); err != nil {
			t.Fatal(err)
		}
	}
	if last > 0 {
		commit(last)
	}
	writers := []connector.Writer{writerOf(t, s, 0), writerOf(t, s, 1)}
	for n := last + 1; n <= killEpochs; n++ {
		for k := range 3 {
			put(t, writers[k%2], batch(names, event(fmt.Sprintf("%03d-%d", n, k), day)))
		}
		shards := []connector.Prepared{prepare(t, writers[0], n), prepare(t, writers[1], n)}
		fmt.Println("step prepared", n)
		raw, err := json.Marshal(shards)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Create(ctx, fmt.Sprintf("manifest/%06d", n), strings.NewReader(string(raw))); err != nil && !errors.Is(err, blob.ErrExists) {
			t.Fatal(err)
		}
		fmt.Println("step saved", n)
		commit(n)
		fmt.Println("step committed", n)
	}
	if got := slices.Compact(ids(t, store)); len(got) == 3*killEpochs {
		fmt.Println("complete")
	}
}
