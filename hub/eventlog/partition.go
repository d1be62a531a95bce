package eventlog

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// maxStaged is how many bytes of a partition may wait for the disk before
// appends wait too.
const maxStaged = 4 << 20

// Partition is one ordered log. All methods may be called concurrently.
type Partition struct {
	log *Log
	id  int
	dir string

	// appendMu orders appends and guards the fields down to tailMu. It is not
	// held during I/O. Lock order: appendMu, then tailMu.
	appendMu sync.Mutex
	room     *sync.Cond // of appendMu: staged bytes were taken, or the flush ended
	stamp    *stamper
	floor    int64    // what was promised: no append time below
	lastTime int64    // append time of the last entry staged
	active   *segment // that the next entry goes to
	tail     extent   // of active, with everything staged
	staged   *group   // waits for the flush; nil: nothing
	flushing *group   // being written; nil: nothing
	spare    []byte   // buffer for the next group
	queued   bool     // the syncer knows of us, or a flush runs
	unsynced *segment // written under a policy that does not wait for the disk
	timer    *time.Timer
	known    producers
	claims   claims
	err      error // why appends are refused
	refusal  error // why the last one was, if the next may succeed
	prober   *time.Timer
	probing  bool // it runs
	epoch    int32

	// tailMu guards the fields below and the readable part of segments. Never held during I/O.
	tailMu  sync.Mutex
	segs    []*segment // by base offset; replaced, never changed in place, when one goes
	start   int64      // log start
	next    int64      // readable end
	last    int64      // append time of the last readable record
	bytes   int64      // of all segments, as far as they are readable
	grown   chan struct{}
	readErr error // ErrClosed or ErrDeleted: readers too are refused
	epochs  []epochStart
	watches map[*Watch]*watched

	durable atomic.Int64 // offsets below it are on disk

	// Used by the flush only.
	check     checkpoint
	checkTime time.Time
	snapshots []int64 // offsets of the producer snapshots on disk
}

// Bounds says where a log begins and ends for readers.
type Bounds struct {
	First        int64     // oldest offset kept
	Next         int64     // readable end: offset of the next record
	LastSequence int64     // offset of the last record ever written, -1 if there never was one
	LastTime     time.Time // append time of that record; zero if there never was one
	Empty        bool      // no record is kept
	Bytes        int64     // on disk
}

// ID is the partition's number.
func (p *Partition) ID() int { return p.id }

// Bounds says where the log begins and ends for readers.
func (p *Partition) Bounds() Bounds {
	p.tailMu.Lock()
	defer p.tailMu.Unlock()
	b := Bounds{First: p.start, Next: p.next, LastSequence: p.next - 1, Empty: p.start == p.next, Bytes: p.bytes}
	if p.last > 0 {
		b.LastTime = time.UnixMilli(p.last).UTC()
	}
	return b
}

// Epoch is the log epoch that new batches are written with.
func (p *Partition) Epoch() int32 {
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	return p.epoch
}

// EpochEnd is the first offset of a later epoch than e, the end if there is none.
func (p *Partition) EpochEnd(e int32) int64 {
	p.tailMu.Lock()
	defer p.tailMu.Unlock()
	for _, s := range p.epochs {
		if s.Epoch > e {
			return s.Start
		}
	}
	return p.next
}

// Err is why the partition takes no appends, nil if it does.
func (p *Partition) Err() error {
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	return p.err
}

// ProducerNext is the sequence that comes next for a job's producer. It counts
// what is staged: a writer asks when its own appends are done.
func (p *Partition) ProducerNext(producer int64) int32 {
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	return p.known.next(producer)
}

// Claim begins a new life of a job's producer: from now on AppendFenced takes its
// appends under the epoch returned alone, which is none that a batch of a life before
// carries.
func (p *Partition) Claim(producer int64) (epoch int16) {
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	old, claimed := p.claims[producer]
	if s := p.known[producer]; s != nil && !claimed {
		old = s.epoch
	}
	epoch = int16((int32(old) + 1) & math.MaxInt16)
	p.claims[producer] = epoch
	return epoch
}

// NotBefore makes sure that no later append gets a time, in Unix milliseconds, before
// ms.
func (p *Partition) NotBefore(ms int64) {
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	p.floor = max(p.floor, ms)
}

// Producer is the epoch and the last sequence of an idempotent producer; known is
// false if the partition has nothing of it.
func (p *Partition) Producer(id int64) (epoch int16, lastSeq int32, known bool) {
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	s := p.known[id]
	if s == nil || s.n == 0 {
		return -1, -1, false
	}
	return s.epoch, s.batches[s.n-1].last, true
}

// Promise is a time that no record behind the readable end will lie before.
func (p *Partition) Promise() time.Time {
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	return time.UnixMilli(p.promise()).UTC()
}

// PromiseFrom is a time, in Unix milliseconds, that no record at or behind
// offset next will lie before; 0 if nothing can be promised, because records
// from next on are readable already.
func (p *Partition) PromiseFrom(next int64) int64 {
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	p.tailMu.Lock()
	behind := next < p.next
	p.tailMu.Unlock()
	if behind {
		return 0
	}
	return p.promise()
}

// promise needs appendMu. What is on its way to the disk has its times already.
func (p *Partition) promise() int64 {
	for _, g := range []*group{p.flushing, p.staged} {
		if g != nil && g.count > 0 {
			return g.firstTime
		}
	}
	p.floor = p.appendTime()
	return p.floor
}

// appendTime needs appendMu.
func (p *Partition) appendTime() int64 {
	return max(p.stamp.millis(), p.lastTime, p.floor)
}

// where names the partition in errors.
func (p *Partition) where() string { return fmt.Sprintf("%s partition %d", p.log.o.Hub, p.id) }

// refuse takes the partition out of service for appends. It needs appendMu.
func (p *Partition) refuse(err error) {
	if p.err == nil || errors.Is(err, ErrDeleted) {
		p.err = fmt.Errorf("%s: %w", p.where(), err)
	}
	p.room.Broadcast()
}

// refuseReaders ends all reads, now and later.
func (p *Partition) refuseReaders(err error) {
	p.tailMu.Lock()
	defer p.tailMu.Unlock()
	if p.readErr == nil {
		p.readErr = fmt.Errorf("%s: %w", p.where(), err)
	}
	p.wake()
}

// wake lets waiting readers look again. It needs tailMu.
func (p *Partition) wake() {
	if p.grown != nil {
		close(p.grown)
		p.grown = nil
	}
	for w, x := range p.watches {
		w.tell(x)
	}
}
