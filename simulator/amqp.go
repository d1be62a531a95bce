package simulator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

// AMQP is a Target that sends with the Event Hubs SDK, as the seed's producer does.
type AMQP struct {
	client *azeventhubs.ProducerClient
}

// NewAMQP connects; it fails when the hub cannot be reached.
func NewAMQP(ctx context.Context, c Connection) (*AMQP, error) {
	cs, hub, err := c.parse()
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	given := hub
	if cs.EntityPath != "" { // the SDK refuses a second name
		given = ""
		if cs.EntityPath != hub {
			return nil, fmt.Errorf("simulator: the connection string is for hub %s, not %s", cs.EntityPath, hub)
		}
	}
	secure := c.TLS.Clone()
	if host, _ := cs.Host(); secure == nil {
		secure = &tls.Config{ServerName: host} // the SDK would check the certificate for host:port
	} else if secure.ServerName == "" {
		secure.ServerName = host
	}
	opts := &azeventhubs.ProducerClientOptions{ApplicationID: "spate-simulator", TLSConfig: secure}
	client, err := azeventhubs.NewProducerClientFromConnectionString(c.String, given, opts)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	if _, err := client.GetEventHubProperties(ctx, nil); err != nil {
		switch text := err.Error(); {
		case strings.Contains(text, "status code 401"):
			err = fmt.Errorf("%w: %w", ErrUnauthorized, err)
		case strings.Contains(text, "status code 404"):
			err = fmt.Errorf("%w: %w", ErrNoHub, err)
		}
		return nil, errors.Join(fmt.Errorf("simulator: reach hub %s over AMQP: %w", hub, err), client.Close(context.WithoutCancel(ctx)))
	}
	return &AMQP{client: client}, nil
}

// Send puts events into as few batches as they need.
func (a *AMQP) Send(ctx context.Context, events []Event) (int, error) {
	batch, err := a.client.NewEventDataBatch(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("new batch: %w", err)
	}
	sent := 0
	flush := func() error {
		if batch.NumEvents() == 0 {
			return nil
		}
		if err := a.client.SendEventDataBatch(ctx, batch, nil); err != nil {
			return fmt.Errorf("send a batch: %w", err)
		}
		sent += int(batch.NumEvents())
		return nil
	}
	for i := range events {
		e := &events[i]
		data := &azeventhubs.EventData{Body: e.Body, Properties: map[string]any{"DeviceType": e.Type, "Location": e.Location}}
		err := batch.AddEventData(data, nil)
		if errors.Is(err, azeventhubs.ErrEventDataTooLarge) && batch.NumEvents() > 0 {
			if err := flush(); err != nil {
				return sent, err
			}
			if batch, err = a.client.NewEventDataBatch(ctx, nil); err == nil {
				err = batch.AddEventData(data, nil)
			}
		}
		if err != nil {
			return sent, fmt.Errorf("add an event of %s: %w", e.Device, err)
		}
	}
	err = flush()
	return sent, err
}

// Close closes the connection.
func (a *AMQP) Close() error { return a.client.Close(context.Background()) }
