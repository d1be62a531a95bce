package stream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/connector/file"
	"spate/internal/panics"
	"spate/stream"
)

// mad is a source, a sink and a store that panics at one place.
type mad struct {
	at string
	connector.Source
	table
	*blob.Memory
}

func (m *mad) panics(at string) {
	if m.at == at {
		panic("mad at " + at)
	}
}

func (m *mad) OpenReader(ctx context.Context, part int, from connector.Start) (connector.Reader, error) {
	if part == 1 {
		m.panics("opening a reader")
	}
	r, err := m.Source.OpenReader(ctx, part, from)
	return &madReader{m, r, part}, err
}

type madReader struct {
	m *mad
	connector.Reader
	part int
}

func (r *madReader) Read(ctx context.Context, c *connector.Chunk, wake <-chan struct{}) error {
	if r.part == 1 {
		r.m.panics("reading")
	}
	return r.Reader.Read(ctx, c, wake)
}

func (m *mad) OpenWriter(ctx context.Context, s connector.Shard) (connector.Writer, error) {
	w, err := m.table.OpenWriter(ctx, s)
	return &madWriter{m, w}, err
}

type madWriter struct {
	m *mad
	connector.Writer
}

func (w *madWriter) Write(ctx context.Context, b *column.Batch) ([]connector.BadRow, error) {
	w.m.panics("writing")
	return w.Writer.Write(ctx, b)
}

func (w *madWriter) Prepare(ctx context.Context, e connector.Epoch) (connector.Prepared, error) {
	w.m.panics("preparing")
	return w.Writer.Prepare(ctx, e)
}

func (m *mad) Commit(ctx context.Context, e connector.Epoch, p []connector.Prepared) error {
	m.panics("committing")
	return m.table.Commit(ctx, e, p)
}

func (m *mad) Create(ctx context.Context, key string, body io.Reader) (blob.Info, error) {
	if strings.Contains(key, "/state/") {
		m.panics("saving state")
	}
	return m.Memory.Create(ctx, key, body)
}

// A panic in any goroutine of a job is the job's error, with its stack in the log, and the
// others of its goroutines end.
func TestAPanicEndsTheJobAlone(t *testing.T) {
	const script = "SELECT n, LAG(n) OVER (PARTITION BY n LIMIT DURATION(hour, 1)) AS was INTO o FROM i"
	for _, at := range []string{"opening a reader", "reading", "writing", "preparing", "committing", "saving state", ""} {
		t.Run(at, func(t *testing.T) {
			var log bytes.Buffer
			m := &mad{at: at, Memory: blob.NewMemory()}
			o := options(t, script, nil, m, nil)
			o.Parallelism = 2
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
			m.Source = file.NewSource(messages(5000), 2, 10)
			o.Inputs["i"] = stream.Input{Source: m}
			o.Outputs["o"] = m
			err := run(t, o)
			var p *panics.Error
			if at == "" {
				if err != nil || log.Len() > 0 {
					t.Errorf("%v, log %s", err, log.String())
				}
				return
			}
			if !errors.As(err, &p) || !strings.Contains(err.Error(), "panic: mad at "+at) {
				t.Errorf("the job ended with %v", err)
			}
			if !strings.Contains(log.String(), "(*mad).panics") {
				t.Errorf("no stack in the log: %s", log.String())
			}
		})
	}
}
