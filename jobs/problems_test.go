package jobs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"spate/blob"
	"spate/pipeline"
)

// badStore is a store in which one job cannot save, in the way that its mood says.
type badStore struct {
	blob.Store
	mood atomic.Int32
	held chan struct{} // saving waits for it
}

const (
	well int32 = iota
	fails
	panicking
	stuck
)

func (s *badStore) Create(ctx context.Context, key string, body io.Reader) (blob.Info, error) {
	if strings.HasPrefix(key, "jobs/bad/") {
		switch s.mood.Load() {
		case fails:
			return blob.Info{}, errors.New("no space left")
		case panicking:
			panic("out of its mind")
		case stuck:
			<-s.held
		}
	}
	return s.Store.Create(ctx, key, body)
}

// buffer is a log that several goroutines write.
type buffer struct {
	lock chan struct{}
	b    bytes.Buffer
}

func newBuffer() *buffer { return &buffer{lock: make(chan struct{}, 1)} }

func (b *buffer) Write(p []byte) (int, error) {
	b.lock <- struct{}{}
	defer func() { <-b.lock }()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.lock <- struct{}{}
	defer func() { <-b.lock }()
	return b.b.String()
}

func twoJobs(dir string, log io.Writer) pipeline.Options {
	o := pipeline.Options{Dir: dir, Log: slog.New(slog.NewTextHandler(log, nil)), Tables: []pipeline.Table{{Name: "good"}, {Name: "bad"}}}
	for _, name := range []string{"good", "bad"} {
		o.Jobs = append(o.Jobs, pipeline.Job{Name: name, Script: "SELECT id INTO [out] FROM [in]",
			Inputs: []pipeline.Input{{Alias: "in", Hub: "in"}}, Outputs: []pipeline.Output{{Alias: "out", Table: name}}})
	}
	return o
}

// A panic ends one job, with its stack in the log; the other goes on, and so does the one
// that failed when somebody starts it.
func TestAPanicFailsOneJob(t *testing.T) {
	dir, log := t.TempDir(), newBuffer()
	s := &badStore{Store: blob.NewLocal(dir)}
	p := runOver(t, twoJobs(dir, log), s)
	s.mood.Store(panicking)
	p.send("in", `{"id":1}`)
	until(t, "a failed job", func() bool {
		err := p.health()
		return err != nil && err.Error() == "job bad failed: panic: out of its mind"
	})
	if s := log.String(); strings.Count(s, "(*badStore).Create") != 1 {
		t.Errorf("want the stack once in the log: %s", s)
	}
	p.send("in", `{"id":2}`)
	until(t, "the rows of the other", func() bool { return len(p.rowsOf("good")) == 2 })
	s.mood.Store(well)
	if err := p.Start(t.Context(), "bad", pipeline.JobStart{}); err != nil {
		t.Fatal(err)
	}
	until(t, "its own rows", func() bool { return len(p.rowsOf("bad")) == 2 })
	until(t, "health", func() bool { return p.health() == nil })
}

// A job that has started again is no longer in trouble when it has saved something.
func TestAJobIsInTroubleUntilItSaves(t *testing.T) {
	dir, log := t.TempDir(), newBuffer()
	s := &badStore{Store: blob.NewLocal(dir), held: make(chan struct{})}
	p := runOver(t, twoJobs(dir, log), s)
	s.mood.Store(fails)
	p.send("in", `{"id":1}`)
	until(t, "trouble", func() bool {
		err := p.health()
		return err != nil && strings.Contains(err.Error(), "job bad starts again and again") && strings.Contains(err.Error(), "no space left")
	})
	s.mood.Store(stuck)
	until(t, "another start", func() bool {
		err := p.health()
		return err != nil && strings.Contains(err.Error(), "job bad has started again and saved nothing yet") && strings.Contains(err.Error(), "no space left")
	})
	bad, err := p.find("bad")
	if err != nil {
		t.Fatal(err)
	}
	until(t, "a checkpoint", func() bool { return !bad.current().Saving().IsZero() })
	if err := bad.problem(time.Now().Add(2 * slowCheckpoint)); err == nil || !strings.Contains(err.Error(), "shows nothing new: its checkpoint is under way for 2m0") {
		t.Errorf("a checkpoint that takes two minutes: %v", err)
	}
	s.mood.Store(well)
	close(s.held)
	until(t, "health", func() bool { return p.health() == nil })
	until(t, "the rows", func() bool { return len(p.rowsOf("bad")) == 1 })
}
