package main

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Garbage that may lie around before a collection: at least minGarbage bytes, so
// that a small live heap is not collected all the time, and half of a large one.
const (
	minGarbage      = 24 << 20
	minGarbageShare = 50 // percent
)

// tuneCollector keeps the collector's pace to that rule as the live heap changes.
func tuneCollector() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	now := 0
	for {
		metrics.Read(sample)
		if want := collectorPercent(sample[0].Value.Uint64()); want > now*5/4 || want < now*4/5 {
			now = want
			debug.SetGCPercent(now)
		}
		time.Sleep(250 * time.Millisecond)
	}
}

// collectorPercent is the growth over the live heap at which to collect. Below
// 4 MiB the runtime counts 4 MiB.
func collectorPercent(live uint64) int {
	return max(minGarbageShare, int(minGarbage*100/max(live, 4<<20)))
}
