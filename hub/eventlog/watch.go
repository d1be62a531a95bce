package eventlog

import "sync"

// Watch tells one reader of many partitions which of them have grown. It costs no
// goroutine.
type Watch struct {
	wake chan struct{} // has room for one

	mu    sync.Mutex // guards the field below and watched.told; no lock is taken behind it
	grown []*watched
}

// watched is one partition of a Watch.
type watched struct {
	key  int
	told bool // since the last Grown
}

// NewWatch returns a Watch of no partition.
func NewWatch() *Watch { return &Watch{wake: make(chan struct{}, 1)} }

// Wake fires when Grown has something to say.
func (w *Watch) Wake() <-chan struct{} { return w.wake }

// Grown appends to dst the keys of the partitions that have got more records since the
// last call, or an error for readers.
func (w *Watch) Grown(dst []int) []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.grown {
		x.told = false
		dst = append(dst, x.key)
	}
	w.grown = w.grown[:0]
	return dst
}

func (w *Watch) tell(x *watched) {
	w.mu.Lock()
	if !x.told {
		x.told = true
		w.grown = append(w.grown, x)
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Watch has w tell of the partition, by key, whenever it grows: for the first time now, if
// there is something at offset from, or an error. A Watch has a partition once.
func (p *Partition) Watch(w *Watch, key int, from int64) {
	p.tailMu.Lock()
	defer p.tailMu.Unlock()
	if p.watches == nil {
		p.watches = make(map[*Watch]*watched)
	}
	x := &watched{key: key}
	p.watches[w] = x
	if p.readErr != nil || from != p.next {
		w.tell(x)
	}
}

// Unwatch ends Watch.
func (p *Partition) Unwatch(w *Watch) {
	p.tailMu.Lock()
	defer p.tailMu.Unlock()
	delete(p.watches, w)
}
