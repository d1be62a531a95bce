package spate

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spate/access"
	"spate/config"
	"spate/config/configtest"
	"spate/pipeline"
)

// Every key of the pipeline file is changed while a pipeline runs and between two starts,
// and is taken over or refused as its declaration says.
func TestEveryKeyChanges(t *testing.T) {
	if testing.Short() { // CI and the README run without -short
		t.Skip("opens hundreds of pipelines")
	}
	certs := certificate(t)
	for _, c := range configtest.Cases() {
		t.Run(c.Path, func(t *testing.T) {
			t.Parallel()
			if c.Path == "server.ports" {
				t.Skip("fixed ports may be taken")
			}
			dir := t.TempDir()
			for name, text := range configtest.Files() {
				data, ok := certs[name]
				if !ok {
					data = []byte(text)
				}
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before, after := load(t, dir, c.Before), load(t, dir, c.After)
			changeRunning(t, c, before, after)
			if c.Key.Change == config.ChangeGrow {
				return
			}
			changeStopped(t, c, before, after)
		})
	}
}

func load(t *testing.T, dir, text string) pipeline.Options {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "spate.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := config.Load(config.Source{Path: dir})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	p.Options.Log = slog.New(slog.DiscardHandler)
	return p.Options
}

// certificate makes the files that cases name.
func certificate(t *testing.T) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	if _, err := access.InitCerts(dir, nil); err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]byte)
	for name, made := range map[string]string{"cert.pem": "server.pem", "key.pem": "server-key.pem"} {
		data, err := os.ReadFile(filepath.Join(dir, made))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = data
	}
	return out
}

// changeRunning changes a key of a running pipeline.
func changeRunning(t *testing.T, c configtest.Case, before, after pipeline.Options) {
	t.Helper()
	p, err := Open(t.Context(), before)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	until(t, "the pipeline", func() bool { return p.Jobs().Running() && p.simulation.running() })
	did, err := p.Reload(ctx, after)
	switch c.Key.Change {
	case config.ChangeLive, config.ChangeGrow:
		if err != nil || len(did) == 0 {
			t.Errorf("while it runs: %v, %v; want it taken over", did, err)
		}
	case config.ChangeStart, config.ChangeNever:
		refused(t, "while it runs", c, err)
	default:
		if err != nil {
			t.Errorf("while it runs: %v", err)
		}
	}
	if c.Key.Change == config.ChangeGrow {
		_, err := p.Reload(ctx, before)
		refused(t, "back", c, err)
	}
	if problems := p.problems(); len(problems) > 0 {
		t.Errorf("the pipeline is not healthy: %v", problems)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// changeStopped changes a key between two starts, and back.
func changeStopped(t *testing.T, c configtest.Case, before, after pipeline.Options) {
	t.Helper()
	for when, o := range []pipeline.Options{after, before} {
		p, err := Open(t.Context(), o)
		if c.Key.Change == config.ChangeNever && when == 0 {
			refused(t, "at a start", c, err)
			continue
		}
		if err != nil {
			t.Errorf("start %d: %v", when, err)
			continue
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

func refused(t *testing.T, when string, c configtest.Case, err error) {
	t.Helper()
	if err == nil || c.Key.Refusal == "" || !strings.Contains(err.Error(), c.Key.Refusal) {
		t.Errorf("%s: %v, want a refusal that names %q", when, err, c.Key.Refusal)
	}
}
