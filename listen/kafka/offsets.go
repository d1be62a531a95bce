package kafka

import (
	"crypto/rand"
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"

	"spate/hub"
	"spate/hub/eventlog"
)

// What a ListOffsets request asks for instead of a time.
const (
	askLatest       = -1
	askEarliest     = -2
	askMaxTime      = -3
	askLocalStart   = -4
	askLatestTiered = -5
)

func (c *conn) listOffsets(req *kmsg.ListOffsetsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	seen := make(map[string]map[int32]bool)
	for _, t := range req.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		if seen[t.Topic] == nil {
			seen[t.Topic] = make(map[int32]bool)
		}
		for _, asked := range t.Partitions {
			a := kmsg.NewListOffsetsResponseTopicPartition()
			a.Partition = asked.Partition
			p, code := c.partition(t.Topic, [16]byte{}, asked.Partition)
			switch {
			case seen[t.Topic][asked.Partition]:
				a.ErrorCode = codeInvalidRequest
			case code != codeNone:
				a.ErrorCode = code
			default:
				if a.ErrorCode = checkEpoch(p, asked.CurrentLeaderEpoch); a.ErrorCode == codeNone {
					offsetFor(&a, p, asked.Timestamp, req.Version)
				}
			}
			seen[t.Topic][asked.Partition] = true
			if req.Version == 0 && a.ErrorCode == codeNone {
				a.OldStyleOffsets = []int64{a.Offset}
			}
			rt.Partitions = append(rt.Partitions, a)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func offsetFor(a *kmsg.ListOffsetsResponseTopicPartition, p *hub.Partition, ask int64, version int16) {
	var err error
	b := p.Bounds()
	switch {
	case ask == askLatest:
		a.Offset = b.Next
	case ask == askEarliest, ask == askLocalStart && version >= 8:
		a.Offset = b.First
	case ask == askMaxTime && version >= 7:
		a.Offset, a.Timestamp, err = p.MaxRecordTime()
	case ask == askLatestTiered && version >= 9:
		a.Offset = -1 // nothing lies elsewhere
	case ask >= 0:
		a.Offset, a.Timestamp, err = p.OffsetAtRecordTime(ask)
		if version == 0 && a.Offset < 0 {
			a.Offset = b.Next
		}
	default:
		a.ErrorCode = codeUnsupportedVersion
	}
	if err != nil {
		a.Offset, a.Timestamp, a.ErrorCode = -1, -1, codeOf(err)
		return
	}
	if a.Offset >= 0 {
		a.LeaderEpoch = p.Epoch()
	}
}

// checkEpoch compares the epoch that a client knows, -1 for none, with ours.
func checkEpoch(p *hub.Partition, epoch int32) int16 {
	switch ours := p.Epoch(); {
	case epoch < 0 || epoch == ours:
		return codeNone
	case epoch < ours:
		return codeFencedEpoch
	}
	return codeUnknownEpoch
}

func (c *conn) offsetForLeaderEpoch(req *kmsg.OffsetForLeaderEpochRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		for _, asked := range t.Partitions {
			a := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			a.Partition = asked.Partition
			p, code := c.partition(t.Topic, [16]byte{}, asked.Partition)
			if code == codeNone {
				code = checkEpoch(p, asked.CurrentLeaderEpoch)
			}
			if a.ErrorCode = code; code == codeNone && asked.LeaderEpoch >= 0 && asked.LeaderEpoch <= p.Epoch() {
				a.LeaderEpoch, a.EndOffset = asked.LeaderEpoch, p.EpochEnd(asked.LeaderEpoch)
			}
			rt.Partitions = append(rt.Partitions, a)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// initProducerID gives a new id to an idempotent producer. Ids are random: two
// equal ones are less likely than a failure of the machine, and nothing has to be
// made durable first.
func (c *conn) initProducerID(req *kmsg.InitProducerIDRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if req.TransactionalID != nil {
		resp.ErrorCode = codeTransactionalAuth
		return resp
	}
	var b [8]byte
	rand.Read(b[:]) // never fails
	resp.ProducerID = int64(binary.BigEndian.Uint64(b[:]) % uint64(eventlog.FirstJobProducer))
	resp.ProducerEpoch = 0
	return resp
}
