package eventlog

import "sync"

// syncWorkers is how many partitions write and sync at once.
const syncWorkers = 8

// Syncer flushes the partitions of all logs of a process. While a partition's
// flush runs, what is appended to it gathers for the next one: the slower the
// disk, the larger the groups; an idle partition waits for nothing.
type Syncer struct {
	checks *checkers // of all logs, too

	mu      sync.Mutex
	queue   []*Partition
	running int
}

// NewSyncer returns a syncer without work.
func NewSyncer() *Syncer { return &Syncer{checks: newCheckers()} }

// add queues a partition. It never blocks for long: callers hold locks.
func (s *Syncer) add(p *Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, p)
	if s.running < syncWorkers {
		s.running++
		go s.work()
	}
}

// work flushes until nothing is queued. A log's Close waits for the flushes of
// its partitions, so no worker outlives the logs by more than its last step.
func (s *Syncer) work() {
	for {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.running--
			s.mu.Unlock()
			return
		}
		p := s.queue[0]
		s.queue = s.queue[1:]
		s.mu.Unlock()
		if p.flush() {
			s.mu.Lock()
			s.queue = append(s.queue, p)
			s.mu.Unlock()
		}
	}
}
