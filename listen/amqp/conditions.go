package amqp

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"spate/access"
	"spate/hub"
	wire "spate/wire/amqp"
)

// Error conditions. Which one is sent is chosen by what the SDKs do with it.
const (
	condDecode        wire.Symbol = "amqp:decode-error"
	condFraming       wire.Symbol = "amqp:connection:framing-error"
	condForced        wire.Symbol = "amqp:connection:forced"
	condNotAllowed    wire.Symbol = "amqp:not-allowed"
	condHandleInUse   wire.Symbol = "amqp:session:handle-in-use"
	condUnattached    wire.Symbol = "amqp:session:unattached-handle"
	condDetachForced  wire.Symbol = "amqp:link:detach-forced"
	condStolen        wire.Symbol = "amqp:link:stolen"
	condTooLarge      wire.Symbol = "amqp:link:message-size-exceeded"
	condTransferLimit wire.Symbol = "amqp:link:transfer-limit-exceeded"
	condUnauthorized  wire.Symbol = "amqp:unauthorized-access"
	condNotFound      wire.Symbol = "amqp:not-found"
	condNotBuilt      wire.Symbol = "amqp:not-implemented"
	condLimit         wire.Symbol = "amqp:resource-limit-exceeded"
	condInternal      wire.Symbol = "amqp:internal-error"
	condInvalidField  wire.Symbol = "amqp:invalid-field"
	condPartition     wire.Symbol = "com.microsoft:argument-out-of-range"
	condArgument      wire.Symbol = "com.microsoft:argument-error"
	condBusy          wire.Symbol = "com.microsoft:server-busy"
	condTimeout       wire.Symbol = "com.microsoft:timeout"
)

func fault(cond wire.Symbol, format string, args ...any) *wire.Error {
	return &wire.Error{Condition: cond, Description: fmt.Sprintf(format, args...)}
}

// tail is what the service ends its texts with, and people search for.
func (s *Server) tail(a *address) string {
	var id [16]byte
	rand.Read(id[:])
	where := s.o.Host
	if a != nil && a.hub != "" {
		where += a.entity()
	}
	return fmt.Sprintf(" TrackingId:%x, SystemTracker:%s, Timestamp:%s", id, where,
		s.o.Clock().UTC().Format("2006-01-02T15:04:05"))
}

// withTail returns e with the tail; e itself may be shared.
func (s *Server) withTail(e *wire.Error, a *address) *wire.Error {
	if e == nil {
		return nil
	}
	return &wire.Error{Condition: e.Condition, Description: e.Description + s.tail(a)}
}

// notFound is the sentence that makes the condition final in three SDKs.
func (s *Server) notFound(a *address) *wire.Error {
	return fault(condNotFound, "The messaging entity '%s' could not be found.", s.o.Host+a.entity())
}

func badPartition(n int) *wire.Error {
	return fault(condPartition, "The specified partition is invalid for an EventHub partition sender or receiver. It should be between 0 and %d.", n-1)
}

func missingClaim(right access.Rights) *wire.Error {
	return fault(condUnauthorized, "Unauthorized access. '%s' claim(s) are required to perform this operation.", right)
}

// ofHub turns an error of the hub into what the client is told.
func ofHub(err error) *wire.Error {
	switch {
	case errors.Is(err, hub.ErrDiskFull):
		return fault(condLimit, "The disk of the namespace is full.")
	case errors.Is(err, hub.ErrDescriptors):
		return fault(condBusy, "The namespace has no file descriptor left.")
	case errors.Is(err, hub.ErrTooLarge):
		return fault(condTooLarge, "The message is larger than a hub can store.")
	case errors.Is(err, hub.ErrDeleted):
		return fault(condDetachForced, "The event hub was deleted.")
	case errors.Is(err, hub.ErrClosed):
		return fault(condInternal, "The namespace is stopping.")
	case errors.Is(err, hub.ErrOffline):
		return fault(condInternal, "The partition is offline.")
	}
	return fault(condInternal, "The partition could not be used.")
}

// count records how a request ended; nil is success.
func (c *requestCounters) count(e *wire.Error) {
	c.incoming.Add(1)
	switch {
	case e == nil:
		c.ok.Add(1)
	case e.Condition == condBusy:
		c.throttled.Add(1)
	case e.Condition == condLimit:
		c.quota.Add(1)
	case e.Condition == condInternal || e.Condition == condTimeout || e.Condition == condDetachForced:
		c.server.Add(1)
	default:
		c.user.Add(1)
	}
}

// neverTime is 0001-01-01 in milliseconds since the Unix epoch: the time of the
// last event of a partition that has none.
var neverTime = time.Time{}.UnixMilli()
