package query

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"spate/lake/parquetfile"
)

// EngineOptions says how child processes are made.
type EngineOptions struct {
	Command []string // program and arguments that run lake/duckdb's Main; required
	Env     []string // environment of the child; nothing of this process's is handed on
	Workers int      // children at one time, default 2; more queries wait
	Limits  Limits   // of each query; with SpillDir files may be written there
	Log     *slog.Logger
}

// Engine runs emitted queries in child processes and keeps idle ones for the
// next query. Its methods may be called concurrently.
type Engine struct {
	o     EngineOptions
	slots chan struct{} // one token per running query
	write time.Duration // limit of a request that writes rows
	none  string        // a file without rows; empty if there is no folder for it

	mu     sync.Mutex // guards the fields below
	idle   []*process
	closed bool
}

// NewEngine returns an engine; it starts no child before the first query.
func NewEngine(o EngineOptions) (*Engine, error) {
	if len(o.Command) == 0 {
		return nil, errors.New("query engine: Command is required")
	}
	if o.Workers <= 0 {
		o.Workers = 2
	}
	if o.Limits.MemoryBytes <= 0 {
		o.Limits.MemoryBytes = 1 << 30
	}
	if o.Limits.Threads <= 0 {
		o.Limits.Threads = runtime.NumCPU()
	}
	write := o.Limits.Timeout
	if o.Limits.Timeout <= 0 {
		// Who asks waits; who has rows written has them written.
		o.Limits.Timeout, write = 5*time.Minute, 24*time.Hour
	}
	if o.Limits.SpillBytes == 0 {
		o.Limits.SpillBytes = 16 << 30
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{o: o, slots: make(chan struct{}, o.Workers), write: write}
	if o.Limits.SpillDir != "" {
		e.none = filepath.Join(o.Limits.SpillDir, "none.parquet")
		if err := writeNone(e.none); err != nil {
			return nil, fmt.Errorf("query engine: %w", err)
		}
	}
	return e, nil
}

// writeNone makes a Parquet file without rows.
func writeNone(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w, err := parquetfile.NewWriter(f, []parquetfile.Column{{Name: "none", Type: parquetfile.Type{Kind: parquetfile.Long}}}, parquetfile.Options{})
	if err == nil {
		_, err = w.Close()
	}
	return errors.Join(err, f.Close())
}

// Close ends the idle children. Running queries keep theirs until they end.
func (e *Engine) Close() error {
	e.mu.Lock()
	idle := e.idle
	e.idle, e.closed = nil, true
	e.mu.Unlock()
	for _, p := range idle {
		p.end()
	}
	return nil
}

// process is one child.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	errs *tail
	buf  []byte
}

// tail keeps the last bytes that the child wrote to standard error.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - 4096; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}

func (e *Engine) start() (*process, error) {
	cmd := exec.Command(e.o.Command[0], e.o.Command[1:]...)
	cmd.Env = append([]string{}, e.o.Env...)
	p := &process{cmd: cmd, errs: new(tail)}
	cmd.Stderr = p.errs
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start query process: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start query process: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start query process: %w", err)
	}
	p.in, p.out = in, bufio.NewReaderSize(out, 1<<16)
	if err := confine(cmd.Process.Pid, e.fileBytes()); err != nil {
		p.end()
		return nil, fmt.Errorf("limit query process: %w", err)
	}
	return p, nil
}

// end kills the child and waits for it.
func (p *process) end() error {
	p.in.Close()
	p.cmd.Process.Kill()
	return p.cmd.Wait()
}

// fileBytes is how large a file may be that a child writes.
func (e *Engine) fileBytes() int64 {
	if e.o.Limits.SpillDir == "" {
		return 0
	}
	if n := e.o.Limits.SpillBytes; n > maxFile {
		return n
	}
	return maxFile
}

// maxFile is how large a file of Copy may be in any case.
const maxFile = 1 << 40

// Folder is where the files of Copy may lie; empty if there is no place for any.
func (e *Engine) Folder() string { return e.o.Limits.SpillDir }

func (e *Engine) take() (*process, error) {
	e.mu.Lock()
	if n := len(e.idle); n > 0 {
		p := e.idle[n-1]
		e.idle = e.idle[:n-1]
		e.mu.Unlock()
		return p, nil
	}
	e.mu.Unlock()
	return e.start()
}

func (e *Engine) giveBack(p *process) {
	e.mu.Lock()
	if !e.closed {
		e.idle = append(e.idle, p)
		e.mu.Unlock()
		return
	}
	e.mu.Unlock()
	p.end()
}

// Read gives all rows of a request at once: for answers that are known to be small.
func (e *Engine) Read(ctx context.Context, req *Request) ([][]Value, error) {
	s, err := e.run(ctx, req)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var out [][]Value
	for {
		rows, err := s.next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
}

// Copy writes the rows of a request to its file and returns their number.
func (e *Engine) Copy(ctx context.Context, req *Request) (int64, error) {
	req.Kinds = []Kind{KindInt}
	rows, err := e.Read(ctx, req)
	if err != nil {
		return 0, err
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		return 0, fmt.Errorf("write %s: the query process did not say how many rows there are", req.Write.Path)
	}
	return rows[0][0].Int(), nil
}

// stream is the answer of a running query. One goroutine.
type stream struct {
	e      *Engine
	p      *process
	kinds  []Kind
	ctx    context.Context // of this query: the deadline and the caller's cancellation
	cancel context.CancelFunc
	unhook func() bool
	parent context.Context
	done   bool
	limit  time.Duration
}

// run starts a query. ctx ends it, at any time until close.
func (e *Engine) run(ctx context.Context, req *Request) (*stream, error) {
	select {
	case e.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a query process: %w", ctx.Err())
	}
	req.Limits = e.o.Limits
	if req.Write != nil {
		req.Limits.Timeout = e.write
	}
	for attempt := 0; ; attempt++ {
		s, err := e.try(ctx, req)
		if err == nil {
			return s, nil
		}
		// An idle child may have died since its last query; a new one is asked.
		if attempt == e.o.Workers || !errors.Is(err, ErrWorker) {
			<-e.slots
			return nil, err
		}
	}
}

func (e *Engine) try(parent context.Context, req *Request) (*stream, error) {
	p, err := e.take()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(parent, req.Limits.Timeout)
	s := &stream{e: e, p: p, kinds: req.Kinds, ctx: ctx, cancel: cancel, parent: parent, limit: req.Limits.Timeout}
	s.unhook = context.AfterFunc(ctx, func() { p.cmd.Process.Kill() })
	if err := WriteRequest(p.in, req); err != nil {
		err = s.lost(err)
		s.drop()
		return nil, err
	}
	return s, nil
}

// next returns the next rows; io.EOF behind the last ones.
func (s *stream) next() ([][]Value, error) {
	if s.done {
		return nil, io.EOF
	}
	typ, body, err := ReadFrame(s.p.out, &s.p.buf)
	if err != nil {
		err = s.lost(err)
		s.finish(false)
		return nil, err
	}
	switch typ {
	case FrameBatch:
		rows, err := decodeBatch(body, s.kinds)
		if err != nil {
			s.finish(false)
			return nil, fmt.Errorf("read query result: %w", err)
		}
		return rows, nil
	case FrameDone:
		s.finish(true)
		return nil, io.EOF
	case FrameError:
		err := engineError(string(body))
		s.finish(true)
		return nil, err
	}
	s.finish(false)
	return nil, fmt.Errorf("read query result: frame type %q", typ)
}

// lost explains why the pipe broke.
func (s *stream) lost(err error) error {
	if e := s.parent.Err(); errors.Is(e, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrTimeout, e)
	} else if e != nil {
		return e
	}
	if s.ctx.Err() != nil {
		return fmt.Errorf("%w after %v", ErrTimeout, s.limit)
	}
	waitErr := s.p.end()
	s.e.o.Log.Warn("query process ended", "err", waitErr, "stderr", s.p.errs.String())
	return fmt.Errorf("%w: %v (%v)", ErrWorker, waitErr, err)
}

// finish gives the child back when it is at the end of an answer, or ends it.
func (s *stream) finish(whole bool) {
	if s.done {
		return
	}
	if whole && s.unhook() {
		s.done = true
		s.cancel()
		s.e.giveBack(s.p)
		<-s.e.slots
		return
	}
	s.drop()
	<-s.e.slots
}

func (s *stream) drop() {
	s.done = true
	s.unhook()
	s.cancel()
	s.p.end()
}

// close ends the query wherever it is.
func (s *stream) close() { s.finish(false) }
