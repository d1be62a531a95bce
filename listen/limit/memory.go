package limit

import (
	"container/list"
	"context"
	"sync"
)

// Memory is what answers may hold together while they wait for clients that read
// slowly. Whoever waits is served in the order of arrival. A nil Memory has no limit.
type Memory struct {
	total int64

	mu    sync.Mutex // guards the fields below
	taken int64
	queue list.List // of *claim
}

type claim struct {
	n     int64
	given chan struct{} // closed when n is taken
}

// NewMemory returns a Memory of total bytes.
func NewMemory(total int64) *Memory { return &Memory{total: total} }

// Take waits until n bytes are there, or for the end of ctx. More than the total is there
// when nobody else holds anything.
func (m *Memory) Take(ctx context.Context, n int64) error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	if m.queue.Len() == 0 && m.fits(n) {
		m.taken += n
		m.mu.Unlock()
		return nil
	}
	c := &claim{n: n, given: make(chan struct{})}
	at := m.queue.PushBack(c)
	m.mu.Unlock()
	select {
	case <-c.given:
		return nil
	case <-ctx.Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-c.given: // it came in the same moment
		return nil
	default:
	}
	m.queue.Remove(at)
	m.serve() // those behind it may want less
	return ctx.Err()
}

// TryTake takes n bytes if they are there and nobody waits.
func (m *Memory) TryTake(n int64) bool {
	if m == nil {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.queue.Len() > 0 || !m.fits(n) {
		return false
	}
	m.taken += n
	return true
}

// Give gives back n bytes that were taken, in parts if need be.
func (m *Memory) Give(n int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken -= n
	m.serve()
}

// Taken is what is held now.
func (m *Memory) Taken() int64 {
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.taken
}

func (m *Memory) fits(n int64) bool { return m.taken == 0 || m.taken+n <= m.total }

// serve gives those that wait what there is. mu is held.
func (m *Memory) serve() {
	for at := m.queue.Front(); at != nil; at = m.queue.Front() {
		c := at.Value.(*claim)
		if !m.fits(c.n) {
			return
		}
		m.taken += c.n
		m.queue.Remove(at)
		close(c.given)
	}
}
