package hub

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"spate/hub/eventlog"
	"spate/metric"
)

// DefaultGroup is the consumer group that every hub has.
const DefaultGroup = "$Default"

// Hub is one event hub: a name, partitions, consumer groups.
type Hub struct {
	log     *eventlog.Log
	name    string
	id      [16]byte
	created time.Time
	turn    atomic.Uint32

	outMessages, outBytes *metric.Counter
	skipped               *metric.Counter
	size                  *metric.Gauge

	mu     sync.RWMutex // guards the fields below
	parts  []*Partition
	groups []string
}

// Name is the hub's name as it was created.
func (h *Hub) Name() string { return h.name }

// ID is the hub's identity: the Kafka topic id and the name of its folder.
func (h *Hub) ID() [16]byte { return h.id }

// Created is when the hub was made.
func (h *Hub) Created() time.Time { return h.created }

// Partitions is the number of partitions. It may grow.
func (h *Hub) Partitions() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.parts)
}

// Partition returns partition i, 0 <= i < Partitions.
func (h *Hub) Partition(i int) *Partition {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.parts[i]
}

// PartitionForKey returns the partition that events with the key go to.
func (h *Hub) PartitionForKey(key string) int { return partitionOf(key, h.Partitions()) }

// PartitionForKeyOf is PartitionForKey with the first n partitions alone.
func (h *Hub) PartitionForKeyOf(key string, n int) int { return partitionOf(key, n) }

// NextPartition returns partitions in turn, leaving out those that take no appends.
func (h *Hub) NextPartition() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	n := uint32(len(h.parts))
	first := int((h.turn.Add(1) - 1) % n)
	for k := range int(n) {
		i := (first + k) % int(n)
		if h.parts[i].Err() == nil {
			return i
		}
	}
	return first
}

// ConsumerGroups returns the names of the groups, $Default first.
func (h *Hub) ConsumerGroups() []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return append([]string{DefaultGroup}, h.groups...)
}

// HasConsumerGroup reports whether the hub has the group, ignoring case.
func (h *Hub) HasConsumerGroup(name string) bool {
	if strings.EqualFold(name, DefaultGroup) {
		return true
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, g := range h.groups {
		if strings.EqualFold(g, name) {
			return true
		}
	}
	return false
}

// CountOutgoing records that events were delivered to a reader, remote or local.
func (h *Hub) CountOutgoing(events int, bytes int64) {
	h.outMessages.Add(int64(events))
	h.outBytes.Add(bytes)
}

// CountSkipped records that a reader passed over events that cannot be taken out of
// their batch. None is stored any more; a log of before may hold some.
func (h *Hub) CountSkipped(events int) { h.skipped.Add(int64(events)) }

// Settings returns the settings in force.
func (h *Hub) Settings() eventlog.Settings { return h.log.Settings() }

// Verify checks every readable byte of the hub's log and changes nothing.
func (h *Hub) Verify(ctx context.Context) ([]eventlog.Damage, error) { return h.log.Verify(ctx) }

// Info is what a hub holds.
type Info struct {
	Name       string
	Partitions int
	Events     int64
	Bytes      int64         // on disk
	Retention  time.Duration // 0: everything is kept
	PerSecond  float64       // events, in the minute before
}

// Info says what the hub holds.
func (h *Hub) Info(now time.Time) (Info, error) {
	i := Info{Name: h.name, Partitions: h.Partitions(), Retention: h.Settings().Retention}
	recent := int64(0)
	for k := range i.Partitions {
		p := h.Partition(k)
		from, err := p.OffsetAt(now.Add(-time.Minute))
		if err != nil {
			return i, fmt.Errorf("counting the events of hub %s: %w", h.name, err)
		}
		b := p.Bounds()
		i.Events += b.Next - b.First
		i.Bytes += b.Bytes
		recent += max(0, b.Next-from)
	}
	i.PerSecond = float64(recent) / 60
	return i, nil
}

// Size is the hub's bytes on disk.
func (h *Hub) Size() int64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var n int64
	for _, p := range h.parts {
		n += p.Bounds().Bytes
	}
	return n
}
