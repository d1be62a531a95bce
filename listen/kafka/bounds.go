package kafka

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// What one connection may hold, whatever its client sends. Before a key is shown the sum
// is below 4 MiB, behind it below 64 MiB: a request, an answer to a fetch and what waits
// in the queue. docs/limits.md has the table.
const (
	maxUnknownRequest = 64 << 10  // before a key
	maxSmallRequest   = 256 << 10 // of requests but produce: decoding makes up to 100 bytes of each
	maxRequest        = 36 << 20  // of a produce request: 32 partitions, the largest batch for each
	maxNames          = 8192      // topics and partitions in one request: 256 hubs of 32
	maxFetch          = 12 << 20  // of one answer; clients ask again for the rest
	maxPartFetch      = 8 << 20   // of one partition in it
	queueLength       = 64        // requests under way
	queueCost         = 4 << 20   // bytes that they and their answers hold
	keptRequests      = 16        // used ones, for the next
)

// What all connections hold is asked of Options.Answers.
const (
	freeCost     = 4 << 10         // the first request under way is not counted if it holds less, nor is a produce request
	pendingCost  = 256             // what each holds
	crowded      = 64 << 20        // of Answers taken: from there on answers to fetches are small
	crowdedFetch = 1 << 20         // which is one batch at least
	memoryWait   = 5 * time.Second // for it; after as long without progress a slow reader goes
)

// Buffers.
const (
	readerBytes = 4 << 10  // for reading; what is larger goes past it
	smallBytes  = 4 << 10  // a buffer that a connection keeps
	directBytes = 16 << 10 // parts of an answer that are written as they lie
	flushBytes  = 64 << 10 // of answers gathered before a write
	keptBytes   = 32 << 20 // of buffers without use, for all connections
	keptBatches = 1024     // of scratch
	stepBytes   = 1 << 20  // read or written within one deadline
	readAhead   = 36 << 10 // that the log reads beyond what is asked for
	maxWait     = 5 * time.Minute
)

// names counts what a request asks about: answers grow with it.
func names(req kmsg.Request) int {
	n := 0
	switch req := req.(type) {
	case *kmsg.FetchRequest:
		for i := range req.Topics {
			n += 1 + len(req.Topics[i].Partitions)
		}
	case *kmsg.MetadataRequest:
		n = len(req.Topics)
	case *kmsg.ListOffsetsRequest:
		for i := range req.Topics {
			n += 1 + len(req.Topics[i].Partitions)
		}
	case *kmsg.OffsetForLeaderEpochRequest:
		for i := range req.Topics {
			n += 1 + len(req.Topics[i].Partitions)
		}
	case *kmsg.OffsetCommitRequest:
		for i := range req.Topics {
			n += 1 + len(req.Topics[i].Partitions)
		}
	case *kmsg.OffsetFetchRequest:
		n = len(req.Groups)
		for i := range req.Topics {
			n += 1 + len(req.Topics[i].Partitions)
		}
	case *kmsg.FindCoordinatorRequest:
		n = len(req.CoordinatorKeys)
	case *kmsg.DescribeGroupsRequest:
		n = len(req.Groups)
	case *kmsg.CreateTopicsRequest:
		n = len(req.Topics)
	case *kmsg.DescribeConfigsRequest:
		n = len(req.Resources)
	}
	return n
}
