package simulator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"spate/access"
)

// What NewKafka and NewAMQP may find.
var (
	ErrUnauthorized = errors.New("the namespace refuses the key")
	ErrNoHub        = errors.New("there is no such hub")
)

// Connection says where a remote target is.
type Connection struct {
	String string // Event Hubs connection string
	Hub    string // default: the string's EntityPath

	// Brokers are the addresses of Kafka. Default: the endpoint's host, with port
	// 9093 and TLS, or 9092 and none if the string says UseDevelopmentEmulator.
	Brokers []string

	// Plain speaks without TLS, which UseDevelopmentEmulator does as well.
	Plain bool

	TLS *tls.Config // default: the system's roots
}

func (c Connection) parse() (access.ConnectionString, string, error) {
	cs, err := access.ParseConnectionString(c.String)
	if err != nil {
		return cs, "", err
	}
	hub := c.Hub
	if hub == "" {
		hub = cs.EntityPath
	}
	if hub == "" {
		return cs, "", errors.New("neither the connection string nor the options name a hub")
	}
	return cs, hub, nil
}

// Kafka is a Target that sends over the Kafka protocol: one batch goes to one
// partition, the next one to the next; the properties become headers.
type Kafka struct {
	client  *kgo.Client
	turns   *turns
	records []kgo.Record
	list    []*kgo.Record
}

// delivery is how long a batch is tried.
const delivery = 30 * time.Second

// NewKafka connects; it fails when the hub cannot be reached.
func NewKafka(ctx context.Context, c Connection) (*Kafka, error) {
	cs, hub, err := c.parse()
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	host, _ := cs.Host()
	secure, port := true, "9093"
	if c.Plain || cs.Emulator {
		secure, port = false, "9092"
	}
	brokers := c.Brokers
	if len(brokers) == 0 {
		brokers = []string{net.JoinHostPort(host, port)}
	}
	t := new(turns)
	opts := []kgo.Opt{
		kgo.SeedBrokers(brokers...),
		kgo.DefaultProduceTopic(hub),
		kgo.ClientID("spate-simulator"),
		kgo.ProducerBatchCompression(kgo.NoCompression()), // small batches; and a real namespace may not take others
		kgo.ProducerBatchMaxBytes(1_000_000),
		kgo.RecordPartitioner(t),
		// A target that is gone fails the batch; a run that is stopped waits for no answer.
		// What failed so may have arrived: it is not sent again.
		kgo.RecordDeliveryTimeout(delivery),
		kgo.AllowIdempotentProduceCancellation(),
		kgo.SASL(plain.Auth{User: "$ConnectionString", Pass: c.String}.AsMechanism()),
	}
	if secure {
		config := c.TLS
		if config == nil {
			config = new(tls.Config)
		}
		opts = append(opts, kgo.DialTLSConfig(config.Clone()))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	if err := client.Ping(ctx); err != nil {
		client.Close()
		if errors.Is(err, kerr.SaslAuthenticationFailed) {
			err = fmt.Errorf("%w: %w", ErrUnauthorized, err)
		}
		return nil, fmt.Errorf("simulator: reach Kafka at %v: %w", brokers, err)
	}
	return &Kafka{client: client, turns: t}, nil
}

// turns gives the partitions their turn: one with each batch, and with every so many bytes
// of a large one.
type turns struct {
	mu    sync.Mutex // guards the fields below
	turn  int
	bytes int
}

const turnBytes = 64 << 10

// next begins a batch.
func (t *turns) next() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn, t.bytes = t.turn+1, 0
}

// ForTopic implements kgo.Partitioner.
func (t *turns) ForTopic(string) kgo.TopicPartitioner { return t }

// RequiresConsistency implements kgo.TopicPartitioner.
func (t *turns) RequiresConsistency(*kgo.Record) bool { return false }

// Partition implements kgo.TopicPartitioner.
func (t *turns) Partition(r *kgo.Record, n int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bytes += len(r.Value); t.bytes > turnBytes {
		t.turn, t.bytes = t.turn+1, len(r.Value)
	}
	return t.turn % n
}

// Send produces events and waits for the acknowledgements.
func (k *Kafka) Send(ctx context.Context, events []Event) (int, error) {
	if cap(k.records) < len(events) {
		k.records = make([]kgo.Record, len(events))
	}
	k.records, k.list = k.records[:len(events)], k.list[:0]
	for i, e := range events {
		r := &k.records[i]
		*r = kgo.Record{
			Value: e.Body, Timestamp: e.Time,
			Headers: append(r.Headers[:0],
				kgo.RecordHeader{Key: "DeviceType", Value: []byte(e.Type)},
				kgo.RecordHeader{Key: "Location", Value: []byte(e.Location)}),
		}
		k.list = append(k.list, r)
	}
	k.turns.next()
	sent := 0
	var first error
	for _, r := range k.client.ProduceSync(ctx, k.list...) {
		if r.Err == nil {
			sent++
		} else if first == nil {
			first = r.Err
		}
	}
	if errors.Is(first, kerr.UnknownTopicOrPartition) {
		first = fmt.Errorf("%w: %w", ErrNoHub, first)
	}
	if first != nil {
		return sent, fmt.Errorf("produce to %s: %w", k.client.OptValue(kgo.DefaultProduceTopic), first)
	}
	return sent, nil
}

// Close closes the client.
func (k *Kafka) Close() error {
	k.client.Close()
	return nil
}
