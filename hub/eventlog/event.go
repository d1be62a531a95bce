package eventlog

import "errors"

// Origin says through which door a batch came.
type Origin uint8

// Origins, as stored in bits 0-2 of an entry's flags.
const (
	Kafka    Origin = 1
	AMQP     Origin = 2
	HTTPS    Origin = 3
	MQTT     Origin = 4
	Internal Origin = 5
)

// Policy says when an append is acknowledged and seen by readers.
type Policy uint8

// Policies.
const (
	Sync     Policy = iota // after fdatasync
	OS                     // after the write to the page cache; never synced by us while the segment is active
	Interval               // after the write; synced every 100 ms
)

// String returns the policy as manifests spell it.
func (p Policy) String() string {
	switch p {
	case OS:
		return "os"
	case Interval:
		return "interval"
	}
	return "sync"
}

// Event is one event to append. A nil Key or Body is stored as null, which is
// not the same as empty.
type Event struct {
	Key  []byte // partition key, at most 128 characters by the listener's rule
	Body []byte
	AMQP []byte // value of the $amqp record header (event-hubs.md 14.5); nil: nothing would be lost without it
}

// Header is one record header.
type Header struct {
	Key   string
	Value []byte // nil: null
}

// AMQPHeader is the name of the record header that keeps what an AMQP event has
// and a Kafka record has not. It means that only in batches with Mapped set.
const AMQPHeader = "$amqp"

// FirstJobProducer is the lowest producer id of Spate's own jobs. A client's
// batch with such an id is refused.
const FirstJobProducer int64 = 1 << 62

// Errors that callers branch on. Each comes wrapped with the place and the reason.
var (
	// ErrOffline: the partition takes no appends until the process restarts or the log is repaired.
	ErrOffline = errors.New("partition is offline")
	// ErrDiskFull: no space; the append left nothing behind and may be tried again.
	ErrDiskFull = errors.New("disk is full")
	// ErrDescriptors: the process has as many files open as it may; the append left nothing
	// behind and may be tried again.
	ErrDescriptors = errors.New("out of file descriptors")
	// ErrTooLarge: the batch, or a record in it, is over the limit.
	ErrTooLarge = errors.New("batch is too large")
	// ErrBadBatch: a Kafka batch fails its checks (CRC, counts, fields), or cannot be decompressed.
	ErrBadBatch = errors.New("bad record batch")
	// ErrBadRecord: the records of a Kafka batch are not what its head says, or the batch
	// is of a kind that producers may not send.
	ErrBadRecord = errors.New("invalid record batch")
	// ErrBadCodec: the batch's compression is unknown.
	ErrBadCodec = errors.New("unknown compression")
	// ErrReservedProducer: a client used a producer id that belongs to jobs.
	ErrReservedProducer = errors.New("reserved producer id")
	// ErrSequence: an idempotent producer's sequence has a gap.
	ErrSequence = errors.New("out of order sequence number")
	// ErrFenced: a newer epoch of the producer has taken over.
	ErrFenced = errors.New("producer epoch is fenced")
	// ErrOffsetOutOfRange: the offset is below the log's start or beyond its end.
	ErrOffsetOutOfRange = errors.New("offset out of range")
	// ErrDeleted: the hub is gone.
	ErrDeleted = errors.New("hub was deleted")
	// ErrClosed: the log is closed or closing.
	ErrClosed = errors.New("log is closed")
	// ErrDamaged: bytes on disk fail their checks.
	ErrDamaged = errors.New("log is damaged")
)
