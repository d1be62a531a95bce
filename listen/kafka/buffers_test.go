package kafka

import "testing"

// The parts of an answer differ in size from one fetch to the next, and the ends of
// partitions more so: the buffer of one serves the next.
func TestABufferServesPartsOfOtherSizes(t *testing.T) {
	var s buffers
	first := s.get(maxPartFetch + readAhead)
	s.put(first)
	for _, n := range []int{6 << 20, 5<<20 + 1, maxPartFetch, maxPartFetch + readAhead} {
		b := s.get(n)
		if cap(b) < n {
			t.Fatalf("a buffer of %d bytes for %d", cap(b), n)
		}
		if &b[:1][0] != &first[:1][0] {
			t.Errorf("a part of %d bytes got memory of its own", n)
		}
		s.put(b)
	}
}

// A buffer is large enough, is put where it came from, and holds no more than about twice
// what was asked for; a large request costs what it is.
func TestClassesOfBuffers(t *testing.T) {
	for n := 1; n <= maxRequest; n += 1 + n/7 {
		k := class(n)
		if k < n || class(k) != k {
			t.Errorf("%d bytes: class %d, of class %d", n, k, class(k))
		}
		if n > smallBytes && k > 2*n {
			t.Errorf("%d bytes: class %d", n, k)
		}
		if n > maxPartFetch+1<<20 && k-n >= 1<<20 {
			t.Errorf("%d bytes: class %d", n, k)
		}
	}
}
