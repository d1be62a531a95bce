package eventlog

import (
	"errors"
	"fmt"
	"time"
)

// group is what one flush makes durable: the appends that came while the one
// before it ran.
type group struct {
	done  chan struct{}
	err   error // set before done is closed
	buf   []byte
	parts []part
	undo  []undo

	count     int   // records
	bytes     int64 // payload, for metrics
	firstTime int64 // append time of the first and the last entry
	lastTime  int64
	sync      bool // to the disk, whatever the policy
}

// part is a run of entries for one segment: buf[from:to] goes to at.
type part struct {
	seg      *segment
	at       int64
	from, to int
	begun    bool   // something of it may be in the file
	after    extent // of seg, when this is written
	index    []indexEntry

	// A part that begins a segment.
	create    bool
	sealed    *segment // the one before
	producers []byte   // snapshot as of the new segment's base
}

// undo is a producer's state before an append.
type undo struct {
	id    int64
	known bool
	was   producer
}

// Append stores events in order as one batch. They are copied.
func (p *Partition) Append(origin Origin, events []Event) *Ticket {
	return p.appendEvents(origin, -1, -1, -1, events)
}

// AppendOnce stores events of a job's own output, whose producer id is
// FirstJobProducer or above and whose first sequence is firstSeq.
func (p *Partition) AppendOnce(producer int64, firstSeq int32, events []Event) *Ticket {
	if producer < FirstJobProducer || firstSeq < 0 {
		return refused(fmt.Errorf("%s: producer %d with sequence %d is no job's", p.where(), producer, firstSeq))
	}
	return p.appendEvents(Internal, producer, 0, firstSeq, events)
}

// AppendFenced is AppendOnce for a life of the job that Claim has given an epoch;
// once a later life has one it fails with ErrFenced. notBefore, in Unix milliseconds,
// is a time that neither this append nor a later one lies before.
func (p *Partition) AppendFenced(producer int64, epoch int16, firstSeq int32, notBefore int64, events []Event) *Ticket {
	if producer < FirstJobProducer || epoch < 0 || firstSeq < 0 {
		return refused(fmt.Errorf("%s: producer %d with epoch %d and sequence %d is no job's", p.where(), producer, epoch, firstSeq))
	}
	p.NotBefore(notBefore)
	return p.appendEvents(Internal, producer, epoch, firstSeq, events)
}

// AppendIdempotent is Append for a client that numbers its events, as AMQP's
// idempotent publishing does: the rules are those of AppendBatch.
func (p *Partition) AppendIdempotent(origin Origin, producer int64, epoch int16, firstSeq int32, events []Event) *Ticket {
	switch {
	case producer >= FirstJobProducer:
		return refused(fmt.Errorf("%s: %w: %d", p.where(), ErrReservedProducer, producer))
	case producer < 0 || epoch < 0 || firstSeq < 0:
		return refused(fmt.Errorf("%s: %w: producer %d with epoch %d and sequence %d", p.where(), ErrBadBatch, producer, epoch, firstSeq))
	}
	return p.appendEvents(origin, producer, epoch, firstSeq, events)
}

func (p *Partition) appendEvents(origin Origin, producer int64, epoch int16, seq int32, events []Event) *Ticket {
	if len(events) == 0 {
		return refused(fmt.Errorf("%s: append of no events", p.where()))
	}
	var size, payload int64 = minEntry, 0
	for i := range events {
		n := int64(len(events[i].Key) + len(events[i].Body) + len(events[i].AMQP))
		payload += n
		size += n + 32
	}
	if size > maxEntry {
		return refused(fmt.Errorf("%s: %w: %d bytes, an append holds %d", p.where(), ErrTooLarge, size, maxEntry))
	}
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	if err := p.admit(size); err != nil {
		return refused(err)
	}
	e := entry{flags: eventsFlags(origin, events), count: len(events), base: p.tail.end,
		producer: producer, prodEpoch: epoch, sequence: seq}
	e.appendTime = p.appendTime()
	if producer >= 0 {
		v := verdict{}
		if producer >= FirstJobProducer {
			if v.err = p.claims.check(&e); v.err == nil {
				v = p.known.checkJob(&e)
			}
		} else {
			v = p.known.check(&e, e.appendTime, p.tail.end == 0)
			e.flags |= flagAMQPIdem
		}
		if v.err != nil || v.duplicate {
			return p.repeated(v)
		}
	}
	e.maxTime = e.appendTime
	g := p.stage()
	at := len(g.buf)
	g.buf = appendEvents(g.buf, events, e.appendTime, producer, epoch, seq)
	e.length = len(g.buf) - at
	return p.commit(g, at, &e, payload)
}

// AppendBatch stores a Kafka RecordBatch v2 as it is, but for base offset and
// leader epoch. It is copied. Its records are checked, compressed or not, so that
// readers may trust them: none is larger than MaxBatchBytes, and plain they are
// maxBatchPlain bytes at most.
func (p *Partition) AppendBatch(batch []byte) *Ticket {
	limit := p.log.Settings().MaxBatchBytes
	if len(batch) > limit {
		return refused(fmt.Errorf("%s: %w: %d bytes, the limit is %d", p.where(), ErrTooLarge, len(batch), limit))
	}
	e, err := checkBatch(batch)
	if err == nil && e.codec != 0 {
		err = p.log.o.Syncer.checks.check(batch, &e, limit)
	}
	if err != nil {
		return refused(fmt.Errorf("%s: %w", p.where(), err))
	}
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	if err := p.admit(int64(e.length)); err != nil {
		return refused(err)
	}
	e.base, e.appendTime = p.tail.end, p.appendTime()
	if e.producer >= 0 {
		if v := p.known.check(&e, e.appendTime, p.tail.end == 0); v.err != nil || v.duplicate {
			return p.repeated(v)
		}
	}
	g := p.stage()
	at := len(g.buf)
	var room [entryHead]byte
	g.buf = append(append(g.buf, room[:]...), batch...)
	return p.commit(g, at, &e, int64(len(batch)))
}

// admit waits for room and says whether the partition takes appends.
func (p *Partition) admit(size int64) error {
	for p.err == nil && p.staged != nil && len(p.staged.buf) > 0 && int64(len(p.staged.buf))+size > maxStaged {
		p.room.Wait()
	}
	return p.err
}

// repeated answers an append that stores nothing. One that repeats what is
// still on its way completes with it, or behind it.
func (p *Partition) repeated(v verdict) *Ticket {
	if v.err != nil {
		return refused(fmt.Errorf("%s: %w", p.where(), v.err))
	}
	t := &Ticket{offset: v.base, dup: true, timeMs: p.lastTime}
	if p.staged == nil && p.flushing == nil {
		t.g = finished()
		return t
	}
	t.g = p.stage()
	p.schedule()
	return t
}

// stage returns the group that appends join.
func (p *Partition) stage() *group {
	if p.staged == nil {
		p.staged = &group{done: make(chan struct{}), buf: p.spare[:0]}
		p.spare = nil
	}
	return p.staged
}

// commit completes the entry e that stands at g.buf[at:] and hands the group to
// the syncer.
func (p *Partition) commit(g *group, at int, e *entry, payload int64) *Ticket {
	if p.mustRoll(e) {
		at = p.rollBefore(g, at)
	}
	if n := len(g.parts); n == 0 || g.parts[n-1].seg != p.active {
		g.parts = append(g.parts, part{seg: p.active, at: p.tail.length, from: at, to: at})
	}
	sealEntry(g.buf[at:], e.flags, p.placeOf(p.active.base, p.tail.length), e.appendTime, p.durable.Load(), e.base, p.epoch)
	if ix, ok := p.tail.add(p.active.base, e); ok {
		last := &g.parts[len(g.parts)-1]
		last.index = append(last.index, ix)
	}
	last := &g.parts[len(g.parts)-1]
	last.to, last.after = len(g.buf), p.tail
	if e.producer >= 0 {
		u := undo{id: e.producer}
		if was := p.known[e.producer]; was != nil {
			u.known, u.was = true, *was
		}
		g.undo = append(g.undo, u)
		p.known.apply(e)
	}
	if g.count == 0 {
		g.firstTime = e.appendTime
	}
	g.lastTime, p.lastTime = e.appendTime, e.appendTime
	g.count += e.count
	g.bytes += payload
	p.schedule()
	return &Ticket{g: g, offset: e.base, timeMs: e.appendTime}
}

// mustRoll reports whether e has to begin a new segment: the size is reached,
// or the first entry is older than a 24th of the retention.
func (p *Partition) mustRoll(e *entry) bool {
	s := p.log.Settings()
	if p.tail.entries == 0 {
		return false
	}
	if p.tail.length+int64(e.length) > s.SegmentBytes {
		return true
	}
	age := max(10*time.Minute, s.Retention/24)
	return s.Retention > 0 && e.appendTime-p.tail.firstTime > age.Milliseconds()
}

// rollBefore begins a new segment in front of g.buf[at:] and returns where
// those bytes stand now.
func (p *Partition) rollBefore(g *group, at int) int {
	old := p.active
	base := p.tail.end
	x := emptyExtent(base, p.stamp.millis(), p.tail.lastTime)
	p.known.expire(p.lastTime)
	seg := p.newSegment(base)
	var room [segHeader]byte
	g.buf = append(g.buf, room[:]...)
	copy(g.buf[at+segHeader:], g.buf[at:len(g.buf)-segHeader])
	appendSegmentHeader(g.buf[:at], p.log.o.ID, p.id, p.epoch, base, &x)
	g.parts = append(g.parts, part{seg: seg, create: true, sealed: old, from: at, to: at + segHeader, after: x,
		producers: p.known.snapshot(base, p.id, p.log.o.ID)})
	p.active, p.tail = seg, x
	return at + segHeader
}

// schedule lets the syncer flush the partition.
func (p *Partition) schedule() {
	if !p.queued {
		p.queued = true
		p.log.o.Syncer.add(p)
	}
}

// roll begins a new segment now and waits for it; nothing happens if the active
// one is empty.
func (p *Partition) roll() error {
	p.appendMu.Lock()
	if p.err != nil || p.tail.entries == 0 {
		p.appendMu.Unlock()
		return nil
	}
	g := p.stage()
	p.rollBefore(g, len(g.buf))
	p.schedule()
	p.appendMu.Unlock()
	<-g.done
	if g.err != nil && !errors.Is(g.err, ErrClosed) {
		return g.err
	}
	return nil
}
