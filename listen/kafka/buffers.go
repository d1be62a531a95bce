package kafka

import (
	"math/bits"
	"sync"
)

// buffers are those that no connection uses at the moment: connections come and go, and
// a busy one would make its large buffers anew for each request.
type buffers struct {
	mu   sync.Mutex // guards the fields below
	free map[int][][]byte
	size int
}

// class is the capacity of a buffer for n bytes: a power of two, or whole MiB.
func class(n int) int {
	if n > 1<<20 {
		return (n + 1<<20 - 1) &^ (1<<20 - 1)
	}
	return max(smallBytes, 1<<bits.Len(uint(n-1)))
}

// get returns an empty buffer for n bytes.
func (s *buffers) get(n int) []byte {
	k := class(max(n, 1))
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.free[k]; len(have) > 0 {
		b := have[len(have)-1]
		s.free[k] = have[:len(have)-1]
		s.size -= k
		return b
	}
	return make([]byte, 0, k)
}

// put takes back a buffer, or one that it grew to.
func (s *buffers) put(b []byte) {
	k := cap(b)
	if k == 0 || k > keptBytes/2 || class(k) != k {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size+k > keptBytes || s.free == nil { // of other sizes than are asked for now
		s.free, s.size = make(map[int][][]byte), 0
	}
	s.free[k] = append(s.free[k], b[:0])
	s.size += k
}
