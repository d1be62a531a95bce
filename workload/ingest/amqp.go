package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

type amqpSender struct {
	client *azeventhubs.ProducerClient
}

// DialAMQP is a client of the Event Hubs SDK. It leaves the partition to the hub.
func DialAMQP(_ context.Context, l *Load, _ int) (Sender, error) {
	client, err := azeventhubs.NewProducerClientFromConnectionString(l.Connection, l.Hub, &azeventhubs.ProducerClientOptions{ApplicationID: "spate-bench"})
	if err != nil {
		return nil, err
	}
	return &amqpSender{client}, nil
}

// Send puts events into as few batches as they need.
func (a *amqpSender) Send(ctx context.Context, _ int, bodies [][]byte) error {
	batch, err := a.client.NewEventDataBatch(ctx, nil)
	if err != nil {
		return fmt.Errorf("new batch: %w", err)
	}
	for _, b := range bodies {
		data := &azeventhubs.EventData{Body: b}
		err := batch.AddEventData(data, nil)
		if errors.Is(err, azeventhubs.ErrEventDataTooLarge) && batch.NumEvents() > 0 {
			if err := a.client.SendEventDataBatch(ctx, batch, nil); err != nil {
				return err
			}
			if batch, err = a.client.NewEventDataBatch(ctx, nil); err == nil {
				err = batch.AddEventData(data, nil)
			}
		}
		if err != nil {
			return err
		}
	}
	return a.client.SendEventDataBatch(ctx, batch, nil)
}

func (a *amqpSender) Close() error { return a.client.Close(context.Background()) }
