package eventlog

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// remembered is how many batches of a producer are known again when repeated.
// Source: event-hubs.md 5.4.
const remembered = 5

// producerLife is how long a client's producer is known after its last batch.
const producerLife = 24 * time.Hour

// maxProducers is how many producers a partition knows, about 200 bytes each. A client
// that takes a new id for each batch makes others forgotten, the longest silent first;
// a forgotten one goes on writing, only an old repeat of it is not known again.
const maxProducers = 10_000

// producer is what a partition knows of one idempotent producer.
type producer struct {
	epoch    int16
	amqp     bool
	lastTime int64 // append time of its last batch
	n        int   // of batches in use
	batches  [remembered]sequences
}

type sequences struct {
	first, last int32
	base        int64
}

// producers are a partition's, by producer id.
type producers map[int64]*producer

// verdict says what to do with a batch of an idempotent producer.
type verdict struct {
	duplicate bool
	base      int64 // of the first time; -1: not known any more
	err       error
}

// lastSequence is the sequence of the last of count records.
func lastSequence(first int32, count int) int32 {
	return int32((int64(first) + int64(count) - 1) & 0x7fffffff)
}

func nextSequence(last int32) int32 { return int32((int64(last) + 1) & 0x7fffffff) }

// check decides on a client's batch. fresh: the partition never held a record.
// Source: event-hubs.md 5.4.
func (ps producers) check(e *entry, now int64, fresh bool) verdict {
	gap := func(want int32) verdict {
		return verdict{err: fmt.Errorf("%w: producer %d sent %d, want %d", ErrSequence, e.producer, e.sequence, want)}
	}
	p := ps[e.producer]
	if p == nil || now-p.lastTime > producerLife.Milliseconds() {
		if fresh && e.sequence != 0 {
			return gap(0)
		}
		return verdict{}
	}
	switch {
	case e.prodEpoch < p.epoch:
		return verdict{err: fmt.Errorf("%w: producer %d has epoch %d, sent %d", ErrFenced, e.producer, p.epoch, e.prodEpoch)}
	case e.prodEpoch > p.epoch:
		if e.sequence != 0 {
			return gap(0)
		}
		return verdict{}
	}
	last := lastSequence(e.sequence, e.count)
	for _, b := range p.batches[:p.n] {
		if b.first == e.sequence && b.last == last {
			return verdict{duplicate: true, base: b.base}
		}
	}
	if want := nextSequence(p.batches[p.n-1].last); e.sequence != want {
		return gap(want)
	}
	return verdict{}
}

// checkJob decides on a batch of a job's own output: what is at or below the
// last sequence is stored already, however long ago.
// Source: engine.md 8.4.
func (ps producers) checkJob(e *entry) verdict {
	want := ps.next(e.producer)
	behind := int64(want-e.sequence) & 0x7fffffff
	switch {
	case behind == 0:
		return verdict{}
	case behind < 1<<30 && behind >= int64(e.count):
		v := verdict{duplicate: true, base: -1}
		if p := ps[e.producer]; p != nil {
			for _, b := range p.batches[:p.n] {
				if b.first == e.sequence {
					v.base = b.base
				}
			}
		}
		return v
	}
	return verdict{err: fmt.Errorf("%w: job producer %d sent %d to %d, want %d",
		ErrSequence, e.producer, e.sequence, lastSequence(e.sequence, e.count), want)}
}

// claims are the epochs of job producers, by producer id: of each that its newest life
// has. They are in memory alone. A log belongs to one process, so a life that they
// must keep out ends with them.
type claims map[int64]int16

// check refuses a batch of an older life than the newest.
func (c claims) check(e *entry) error {
	if epoch, ok := c[e.producer]; ok && e.prodEpoch != epoch {
		return fmt.Errorf("%w: job producer %d has epoch %d, sent %d", ErrFenced, e.producer, epoch, e.prodEpoch)
	}
	return nil
}

// next is the sequence that producer id writes next.
func (ps producers) next(id int64) int32 {
	p := ps[id]
	if p == nil || p.n == 0 {
		return 0
	}
	return nextSequence(p.batches[p.n-1].last)
}

// apply takes note of a stored batch.
func (ps producers) apply(e *entry) {
	p := ps[e.producer]
	if p == nil {
		if len(ps) >= maxProducers {
			ps.forget()
		}
		p = &producer{epoch: e.prodEpoch}
		ps[e.producer] = p
	}
	follows := p.n > 0 && nextSequence(p.batches[p.n-1].last) == e.sequence
	if e.prodEpoch != p.epoch || !follows {
		p.n = 0 // a new life of the producer: older batches mean nothing to it
	}
	p.epoch, p.lastTime, p.amqp = e.prodEpoch, e.appendTime, e.flags&flagAMQPIdem != 0
	if p.n == remembered {
		copy(p.batches[:], p.batches[1:])
		p.n--
	}
	p.batches[p.n] = sequences{first: e.sequence, last: lastSequence(e.sequence, e.count), base: e.base}
	p.n++
}

// expire forgets clients that have been silent.
func (ps producers) expire(now int64) {
	for id, p := range ps {
		if id < FirstJobProducer && now-p.lastTime > producerLife.Milliseconds() {
			delete(ps, id)
		}
	}
}

// forget makes room by a tenth: of clients, those that have been silent longest.
func (ps producers) forget() {
	var ids []int64
	for id := range ps {
		if id < FirstJobProducer {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b int64) int {
		return cmp.Or(cmp.Compare(ps[a].lastTime, ps[b].lastTime), cmp.Compare(a, b))
	})
	for _, id := range ids[:min(len(ids), maxProducers/10)] {
		delete(ps, id)
	}
}

// Producer snapshot: event-hubs.md 14.7.
const (
	pidMagic  = "SPATEPID"
	pidHeader = 48
	pidRow    = 104
	pidSuffix = ".pid"

	pidAMQP = 1
	pidJob  = 2
)

// snapshot encodes the state that covers everything below offset. Equal state
// gives equal bytes.
func (ps producers) snapshot(offset int64, partition int, hub [16]byte) []byte {
	ids := make([]int64, 0, len(ps))
	for id := range ps {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	be := binary.BigEndian
	b := make([]byte, pidHeader+pidRow*len(ids))
	copy(b, pidMagic)
	be.PutUint16(b[8:], 1)
	be.PutUint16(b[10:], pidHeader)
	be.PutUint64(b[16:], uint64(offset))
	be.PutUint32(b[24:], uint32(partition))
	be.PutUint32(b[28:], uint32(len(ids)))
	copy(b[32:], hub[:])
	for i, id := range ids {
		p, r := ps[id], b[pidHeader+pidRow*i:]
		be.PutUint64(r, uint64(id))
		be.PutUint16(r[8:], uint16(p.epoch))
		be.PutUint16(r[10:], uint16(p.n))
		var flags uint32
		if p.amqp {
			flags |= pidAMQP
		}
		if id >= FirstJobProducer {
			flags |= pidJob
		}
		be.PutUint32(r[12:], flags)
		be.PutUint64(r[16:], uint64(p.lastTime))
		for k, s := range p.batches[:p.n] {
			q := r[24+16*k:]
			be.PutUint32(q, uint32(s.first))
			be.PutUint32(q[4:], uint32(s.last))
			be.PutUint64(q[8:], uint64(s.base))
		}
	}
	be.PutUint32(b[12:], crcOf(b[16:]))
	return b
}

// parseProducers reads a snapshot.
func parseProducers(b []byte, partition int, hub [16]byte) (ps producers, offset int64, err error) {
	be := binary.BigEndian
	if len(b) < pidHeader || string(b[:8]) != pidMagic || be.Uint16(b[8:]) != 1 || be.Uint16(b[10:]) != pidHeader {
		return nil, 0, fmt.Errorf("no producer snapshot: %w", ErrDamaged)
	}
	n := int(be.Uint32(b[28:]))
	if crcOf(b[16:]) != be.Uint32(b[12:]) || len(b) != pidHeader+pidRow*n ||
		int(be.Uint32(b[24:])) != partition || [16]byte(b[32:48]) != hub {
		return nil, 0, fmt.Errorf("producer snapshot does not check: %w", ErrDamaged)
	}
	ps = make(producers, n)
	for i := range n {
		r := b[pidHeader+pidRow*i:]
		p := &producer{epoch: int16(be.Uint16(r[8:])), n: int(be.Uint16(r[10:])),
			amqp: be.Uint32(r[12:])&pidAMQP != 0, lastTime: int64(be.Uint64(r[16:]))}
		if p.n > remembered {
			return nil, 0, fmt.Errorf("producer with %d batches: %w", p.n, ErrDamaged)
		}
		for k := range p.n {
			q := r[24+16*k:]
			p.batches[k] = sequences{first: int32(be.Uint32(q)), last: int32(be.Uint32(q[4:])), base: int64(be.Uint64(q[8:]))}
		}
		if p.n > 0 {
			ps[int64(be.Uint64(r))] = p
		}
	}
	return ps, int64(be.Uint64(b[16:])), nil
}
