package kafka

import (
	"errors"

	"spate/hub"
	"spate/hub/eventlog"
)

// Error codes of the protocol that are used here.
const (
	codeUnknown            int16 = -1
	codeNone               int16 = 0
	codeOffsetOutOfRange   int16 = 1
	codeCorrupt            int16 = 2
	codeUnknownTopic       int16 = 3
	codeTooLarge           int16 = 10
	codeInvalidAcks        int16 = 21
	codeTopicAuth          int16 = 29
	codeUnsupportedSASL    int16 = 33
	codeSASLState          int16 = 34
	codeUnsupportedVersion int16 = 35
	codeInvalidRequest     int16 = 42
	codePolicyViolation    int16 = 44
	codeSequence           int16 = 45
	codeFenced             int16 = 47
	codeTransactionalAuth  int16 = 53
	codeStorage            int16 = 56
	codeSASLFailed         int16 = 58
	codeFetchSession       int16 = 70
	codeFencedEpoch        int16 = 74
	codeUnknownEpoch       int16 = 75
	codeCompression        int16 = 76
	codeInvalidRecord      int16 = 87
	codeUnknownTopicID     int16 = 100
	codeRebootstrap        int16 = 129
)

// codeOf maps the log's errors.
func codeOf(err error) int16 {
	switch {
	case err == nil:
		return codeNone
	case errors.Is(err, hub.ErrOffsetOutOfRange):
		return codeOffsetOutOfRange
	case errors.Is(err, hub.ErrTooLarge):
		return codeTooLarge
	case errors.Is(err, hub.ErrBadCodec):
		return codeCompression
	case errors.Is(err, hub.ErrBadRecord):
		return codeInvalidRecord
	case errors.Is(err, hub.ErrReservedProducer):
		return codeInvalidRequest
	case errors.Is(err, hub.ErrBadBatch):
		return codeCorrupt
	case errors.Is(err, hub.ErrSequence):
		return codeSequence
	case errors.Is(err, hub.ErrFenced):
		return codeFenced
	case errors.Is(err, hub.ErrDeleted), errors.Is(err, hub.ErrNotFound):
		return codeUnknownTopic
	case errors.Is(err, hub.ErrOffline), errors.Is(err, hub.ErrDiskFull), errors.Is(err, hub.ErrDescriptors), errors.Is(err, hub.ErrClosed),
		errors.Is(err, eventlog.ErrDamaged):
		return codeStorage
	}
	return codeUnknown
}
