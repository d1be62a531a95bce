package blob

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory is a Store that lives as long as the process.
type Memory struct {
	mu    sync.Mutex // guards blobs
	blobs map[string]memoryBlob
}

type memoryBlob struct {
	body     []byte // never changed
	modified time.Time
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{blobs: make(map[string]memoryBlob)} }

// Create implements Store.
func (m *Memory) Create(ctx context.Context, key string, body io.Reader) (Info, error) {
	return m.put(ctx, "create", key, body, false)
}

// Replace implements Store.
func (m *Memory) Replace(ctx context.Context, key string, body io.Reader) (Info, error) {
	return m.put(ctx, "replace", key, body, true)
}

func (m *Memory) put(ctx context.Context, doing, key string, body io.Reader, replace bool) (Info, error) {
	data, err := io.ReadAll(body)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return Info{}, fmt.Errorf("%s %s: %w", doing, key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.blobs[key]; ok && !replace {
		return Info{}, fmt.Errorf("%s %s: %w", doing, key, ErrExists)
	}
	b := memoryBlob{body: data, modified: time.Now()}
	m.blobs[key] = b
	return b.info(key), nil
}

func (b memoryBlob) info(key string) Info {
	return Info{Key: key, Size: int64(len(b.body)), Modified: b.modified}
}

func (m *Memory) get(doing, key string) (memoryBlob, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[key]
	if !ok {
		return b, fmt.Errorf("%s %s: %w", doing, key, ErrNotFound)
	}
	return b, nil
}

// Open implements Store.
func (m *Memory) Open(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	b, err := m.get("open", key)
	if err != nil {
		return nil, err
	}
	body := b.body[min(max(off, 0), int64(len(b.body))):]
	if n >= 0 {
		body = body[:min(n, int64(len(body)))]
	}
	return io.NopCloser(bytes.NewReader(body)), nil
}

// Stat implements Store.
func (m *Memory) Stat(ctx context.Context, key string) (Info, error) {
	b, err := m.get("stat", key)
	if err != nil {
		return Info{}, err
	}
	return b.info(key), nil
}

// List implements Store.
func (m *Memory) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		m.mu.Lock()
		keys := slices.Sorted(maps.Keys(m.blobs))
		m.mu.Unlock()
		for _, key := range keys {
			if !strings.HasPrefix(key, prefix) || key <= after {
				continue
			}
			b, err := m.get("list", key)
			if err != nil { // deleted meanwhile
				continue
			}
			if !yield(b.info(key), nil) {
				return
			}
		}
	}
}

// Delete implements Store.
func (m *Memory) Delete(ctx context.Context, keys ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.blobs, key)
	}
	return nil
}
