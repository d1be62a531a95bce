package hub

import (
	"errors"

	"spate/hub/eventlog"
)

// Errors that callers branch on; what each means is said in eventlog. They
// come wrapped with the place and the reason.
var (
	ErrOffline          = eventlog.ErrOffline
	ErrDiskFull         = eventlog.ErrDiskFull
	ErrDescriptors      = eventlog.ErrDescriptors
	ErrTooLarge         = eventlog.ErrTooLarge
	ErrBadBatch         = eventlog.ErrBadBatch
	ErrBadRecord        = eventlog.ErrBadRecord
	ErrBadCodec         = eventlog.ErrBadCodec
	ErrReservedProducer = eventlog.ErrReservedProducer
	ErrSequence         = eventlog.ErrSequence
	ErrFenced           = eventlog.ErrFenced
	ErrOffsetOutOfRange = eventlog.ErrOffsetOutOfRange
	ErrDeleted          = eventlog.ErrDeleted
	ErrClosed           = eventlog.ErrClosed

	// ErrNotFound: no hub has the name.
	ErrNotFound = errors.New("hub not found")
)

// Words of the log that callers of a hub use.
type (
	Event  = eventlog.Event
	Header = eventlog.Header
	Ticket = eventlog.Ticket
	Chunk  = eventlog.Chunk
	Batch  = eventlog.Batch
	Record = eventlog.Record
	Bounds = eventlog.Bounds
	Watch  = eventlog.Watch
)
