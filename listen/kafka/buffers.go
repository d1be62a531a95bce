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

// class is the capacity of a buffer for n bytes. The classes are few, so that what one
// part of an answer leaves serves the next: powers of two and, from 1 MiB on, a MiB more,
// because clients ask for powers of two and the log reads somewhat beyond them. A buffer
// beyond the largest part of an answer is as large as it must be, in whole MiB.
func class(n int) int {
	const mib = 1 << 20
	switch {
	case n <= mib:
		return max(smallBytes, 1<<bits.Len(uint(n-1)))
	case n <= maxPartFetch+mib:
		return max(2*mib, mib+1<<bits.Len(uint(n-mib-1)))
	}
	return (n + mib - 1) &^ (mib - 1)
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
