package amqp

import (
	"sync"
	"time"

	"spate/hub"
	wire "spate/wire/amqp"
)

// maxPending bounds the deliveries of one connection that wait for their
// answer; the connection reads no more until there are fewer.
const maxPending = 4096

// pending is a delivery that waits for its answer, or something to do behind
// those that do.
type pending struct {
	link    *link
	id      uint32
	ticket  *hub.Ticket // nil: nothing is waited for
	refused *wire.Error // known already
	settled bool        // the client wants no answer
	since   time.Time
	do      func()
}

// queue holds what waits, in order of arrival.
type queue struct {
	mu     sync.Mutex // guards the fields below
	more   sync.Cond
	room   sync.Cond
	items  []pending
	head   int
	busy   bool // the answerer works on one
	closed bool
}

func (q *queue) init() {
	q.more.L = &q.mu
	q.room.L = &q.mu
}

// push adds p; it waits for room unless p is something to do.
func (q *queue) push(p pending) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for p.do == nil && !q.closed && len(q.items)-q.head >= maxPending {
		q.room.Wait()
	}
	if q.closed {
		return
	}
	q.items = append(q.items, p)
	q.more.Signal()
}

// idle reports that nothing waits.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.head == len(q.items) && !q.busy
}

// pop takes the oldest. Without wait it returns false if there is none; with
// it, only when the queue is closed and empty.
func (q *queue) pop(wait bool) (pending, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.head == len(q.items) {
		if !wait {
			return pending{}, false
		}
		q.busy = false
		if q.closed {
			return pending{}, false
		}
		q.more.Wait()
	}
	p := q.items[q.head]
	q.items[q.head] = pending{}
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	} else if q.head > maxPending {
		q.items = append(q.items[:0], q.items[q.head:]...)
		q.head = 0
	}
	q.busy = true
	q.room.Signal()
	return p, true
}

// close lets pop end when all is taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.more.Broadcast()
	q.room.Broadcast()
}
