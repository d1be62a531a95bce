package ingest

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Stored asks over Kafka how many events a hub has taken.
func Stored(ctx context.Context, t *Target) (int64, error) {
	client, err := kgo.NewClient(t.options()...)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = t.Hub
	for i := range t.Partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = int32(i), -1 // the end
		topic.Partitions = append(topic.Partitions, p)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.Topics = -1, []kmsg.ListOffsetsRequestTopic{topic}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return 0, fmt.Errorf("asking for the ends of hub %s: %w", t.Hub, err)
	}
	var sum int64
	n := 0
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return 0, fmt.Errorf("asking for the end of hub %s partition %d: %w", t.Hub, p.Partition, err)
			}
			sum += p.Offset
			n++
		}
	}
	if n != t.Partitions {
		return 0, fmt.Errorf("asking for the ends of hub %s: %d answers for %d partitions", t.Hub, n, t.Partitions)
	}
	return sum, nil
}

// CheckStored compares what is stored with what was acknowledged. What readers read, they
// have counted.
func (o *Outcome) CheckStored(stored int64) error {
	if o.Batches > 0 && stored != o.Events+o.First {
		return fmt.Errorf("%d events are stored, and %d were acknowledged", stored, o.Events+o.First)
	}
	return nil
}
