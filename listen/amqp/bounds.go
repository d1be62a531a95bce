package amqp

import (
	"time"

	wire "spate/wire/amqp"
)

// What we announce.
const (
	ourMaxFrame = 65536
	ourChannels = 4999 // highest channel
	ourHandles  = 255  // highest handle
	ourWindow   = 5000 // frames
)

// What one connection may hold, whatever its client sends. Before a key is shown the
// sum is below 4 MiB, behind it below 64 MiB; docs/limits.md has the table.
const (
	unknownSessions = 32
	unknownLinks    = 64
	unknownHeld     = 1 << 20  // bytes of what hold counts
	knownHeld       = 24 << 20 // or twice the largest message
	unknownOut      = 256 << 10
	knownOut        = 2 << 20 // bytes waiting to be written at which the reader stops

	maxRequest  = 64 << 10 // bytes of a message to a node
	maxQueued   = 1000     // answers of a node that wait for credit on a link
	maxPending  = 4096     // deliveries that wait for their append
	maxTokens   = 1000
	maxAudience = 1024
	maxSlots    = 2 // receivers that hold events from the log at a time

	sessionBytes  = 512 // what a session counts for
	linkBytes     = 1 << 10
	receiverBytes = 16 << 10 // and one that events are sent on, besides
)

// Buffers.
const (
	smallBuffer  = 4 << 10         // for reading, of a client that sends little
	largeBuffer  = 2 * ourMaxFrame // of one that sends much
	openFrame    = 16 << 10        // the largest frame before open
	ownOut       = 16 << 10        // bytes waiting to be written that do not count for Answers
	outStep      = 256 << 10       // what is taken from Answers at a time
	softOut      = 1 << 20         // bytes waiting to be written at which pumps stop
	readBytes    = 256 << 10       // taken from the log at once
	slotBytes    = 1 << 20         // what a slot counts for in Answers
	maxUnpacking = 2               // slots of a server with compressed batches
	idleSlots    = 8               // of a server
	keptEvents   = 4096            // of scratch
	restAfter    = 5 * time.Second // of silence until large buffers go
)

// hold counts n bytes that stay until free; false: that would be too many.
func (c *conn) hold(n int) bool {
	limit := unknownHeld
	if c.shown {
		limit = max(knownHeld, 2*c.s.o.MaxMessageBytes)
	}
	if c.held+n > limit {
		return false
	}
	c.held += n
	return true
}

func (c *conn) free(n int) { c.held -= n }

// tooMuch is what a client is told when hold refuses.
func tooMuch() *wire.Error {
	return fault(condLimit, "The sessions, links and unfinished messages of the connection hold too much.")
}
