package kafka

import "sync"

// queue holds the requests of a connection that are under way, in order. It is bounded by
// number and by what they hold: a client that does not read its answers is not read from.
type queue struct {
	mu     sync.Mutex // guards the fields below
	change sync.Cond  // of mu
	list   []*pending
	cost   int // of those in list, and of the one that is being answered
	ended  bool
	gone   bool       // nobody answers any more
	used   []*pending // for the reader
}

// push adds p, waiting for room. False: nobody answers any more.
func (q *queue) push(p *pending) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.gone && (len(q.list) >= queueLength || q.cost > 0 && q.cost+p.cost > queueCost) {
		q.change.Wait()
	}
	if q.gone {
		return false
	}
	q.list = append(q.list, p)
	q.cost += p.cost
	q.change.Broadcast()
	return true
}

// busy reports whether requests wait.
func (q *queue) busy() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.list) > 0
}

// pop takes the next request; with wait it waits for one. nil: there is none, or none
// will come.
func (q *queue) pop(wait bool) *pending {
	q.mu.Lock()
	defer q.mu.Unlock()
	for wait && len(q.list) == 0 && !q.ended && !q.gone {
		q.change.Wait()
	}
	if len(q.list) == 0 || q.gone {
		return nil
	}
	p := q.list[0]
	q.list[0] = nil
	if q.list = q.list[1:]; len(q.list) == 0 {
		q.list = nil
	}
	return p
}

// done is called for a request that was popped, when its answer is written.
func (q *queue) done(p *pending) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.cost -= p.cost
	if len(q.used) < keptRequests {
		p.reset()
		q.used = append(q.used, p)
	}
	q.change.Broadcast()
}

// fresh returns a request to fill.
func (q *queue) fresh() *pending {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.used); n > 0 {
		p := q.used[n-1]
		q.used[n-1] = nil
		q.used = q.used[:n-1]
		return p
	}
	return new(pending)
}

// end says that no more requests come.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.change.Broadcast()
}

// abandon says that no more answers are written, and returns the requests that get none.
func (q *queue) abandon() []*pending {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := q.list
	q.list, q.gone = nil, true
	q.change.Broadcast()
	return left
}
