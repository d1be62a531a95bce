package hub

import (
	"context"
	"time"

	"spate/hub/eventlog"
)

// Partition is one ordered log of a hub. All methods may be called concurrently.
type Partition struct {
	hub *Hub
	log *eventlog.Partition
	id  int
}

// ID is the partition's number.
func (p *Partition) ID() int { return p.id }

// Hub is the hub that the partition belongs to.
func (p *Partition) Hub() *Hub { return p.hub }

// Append stores events in order as one batch. The events are copied before it
// returns. It does not wait for the disk unless a lot is waiting already, which
// is how a slow disk slows senders.
func (p *Partition) Append(origin eventlog.Origin, events []Event) *Ticket {
	return p.log.Append(origin, events)
}

// AppendBatch stores one Kafka RecordBatch v2 as it is, but for base offset and
// leader epoch. It checks CRC, records and the idempotent producer's sequence;
// a repeat within the producer's last five batches succeeds with the offset of
// the first time. The batch is copied.
func (p *Partition) AppendBatch(batch []byte) *Ticket { return p.log.AppendBatch(batch) }

// AppendOnce stores events of a job's own output. Anything at or below the
// producer's last sequence is taken as stored already and succeeds. producer is
// eventlog.FirstJobProducer or above; the events carry the sequences firstSeq,
// firstSeq+1, ... which wrap to 0 behind 2^31-1.
func (p *Partition) AppendOnce(producer int64, firstSeq int32, events []Event) *Ticket {
	return p.log.AppendOnce(producer, firstSeq, events)
}

// Claim begins a new life of a job's producer: AppendFenced takes its appends under the
// epoch returned alone.
func (p *Partition) Claim(producer int64) (epoch int16) { return p.log.Claim(producer) }

// AppendFenced is AppendOnce for the life of a job that Claim gave the epoch; it fails
// with ErrFenced once there is a later one. The append time is not before notBefore, in
// Unix milliseconds.
func (p *Partition) AppendFenced(producer int64, epoch int16, firstSeq int32, notBefore int64, events []Event) *Ticket {
	return p.log.AppendFenced(producer, epoch, firstSeq, notBefore, events)
}

// NotBefore makes sure that no later append gets a time, in Unix milliseconds, before
// ms.
func (p *Partition) NotBefore(ms int64) { p.log.NotBefore(ms) }

// AppendIdempotent is Append for a client that numbers its events (AMQP
// idempotent publishing), with the rules of AppendBatch.
func (p *Partition) AppendIdempotent(origin eventlog.Origin, producer int64, epoch int16, firstSeq int32, events []Event) *Ticket {
	return p.log.AppendIdempotent(origin, producer, epoch, firstSeq, events)
}

// Producer is the epoch and the last sequence of a client's idempotent
// producer; known is false if the partition has nothing of it.
func (p *Partition) Producer(id int64) (epoch int16, lastSeq int32, known bool) {
	return p.log.Producer(id)
}

// ProducerNext is the sequence that comes next for a producer of AppendOnce, 0
// if it never wrote here.
func (p *Partition) ProducerNext(producer int64) int32 { return p.log.ProducerNext(producer) }

// Bounds says where the log begins and ends for readers.
func (p *Partition) Bounds() Bounds { return p.log.Bounds() }

// Epoch is the leader epoch: it grows with every start that was not preceded
// by an orderly end.
func (p *Partition) Epoch() int32 { return p.log.Epoch() }

// EpochEnd is the first offset of a later epoch than e, Next if there is none.
func (p *Partition) EpochEnd(e int32) int64 { return p.log.EpochEnd(e) }

// OffsetAt is the first offset whose append time is t or later, Next if there is none.
func (p *Partition) OffsetAt(t time.Time) (int64, error) { return p.log.OffsetAt(t) }

// OffsetAtRecordTime is the first offset whose record timestamp is ms (Unix
// milliseconds) or later, and that timestamp; -1 and -1 if there is none.
func (p *Partition) OffsetAtRecordTime(ms int64) (offset, recordMs int64, err error) {
	return p.log.OffsetAtRecordTime(ms)
}

// MaxRecordTime is the highest record timestamp and the first offset that has
// it; -1 and -1 if the log is empty.
func (p *Partition) MaxRecordTime() (offset, recordMs int64, err error) {
	return p.log.MaxRecordTime()
}

// Promise is a time that no record behind the readable end will lie before.
// What became readable since then may: use PromiseFrom with a position.
func (p *Partition) Promise() time.Time { return p.log.Promise() }

// PromiseFrom is a time, in Unix milliseconds, that no record at or behind
// offset next will lie before; 0 if nothing can be promised.
func (p *Partition) PromiseFrom(next int64) int64 { return p.log.PromiseFrom(next) }

// Read resets c and fills it with record batches from offset from on, about
// maxBytes of them and one at least; the first may begin before from. It waits
// while there are none, until wake fires (c is empty then) or ctx ends. Readers
// see durable batches only.
func (p *Partition) Read(ctx context.Context, from int64, maxBytes int, c *eventlog.Chunk, wake <-chan struct{}) error {
	return p.log.Read(ctx, from, maxBytes, c, wake)
}

// Watch has w tell of the partition, by key, whenever it grows: for the first time now, if
// there is something at offset from, or an error. A Watch has a partition once.
func (p *Partition) Watch(w *Watch, key int, from int64) { p.log.Watch(w, key, from) }

// Unwatch ends Watch.
func (p *Partition) Unwatch(w *Watch) { p.log.Unwatch(w) }

// TrimTo moves the log's start up to offset (Kafka DeleteRecords); whole
// segments below it are removed.
func (p *Partition) TrimTo(offset int64) error { return p.log.TrimTo(offset) }

// Refusal is why appends are refused for now, nil if they are not. It passes by itself.
func (p *Partition) Refusal() error { return p.log.Refusal() }

// Err is why the partition takes no appends, nil if it does.
func (p *Partition) Err() error { return p.log.Err() }
