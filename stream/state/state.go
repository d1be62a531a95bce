// Package state is the form in which a job keeps what its steps remember: sorted
// entries of bytes, one file per checkpoint, each file with only what changed.
//
// # Entries
//
// The state of a job is a map from (step, key) to a value. A step is named by the
// fingerprint of the plan below it, so that its state survives a change of the
// script elsewhere. A key is what the step chooses; keys order as bytes. Every entry
// is of one of Groups key groups: entries that must lie in one shard are of one
// group, so that a job may be restored into any number of shards.
//
// # Files
//
// A file holds, per step, the entries that were put and the ranges that were
// deleted since the file before it. Of several files the newest that knows a key
// decides; a range deletes what older files hold, not what its own does. Scan reads
// a list of files as one map, in key order, and so does Merge, which makes one file
// of several. Neither holds more than a block per file in memory. The layout is in
// docs/format/state.md.
//
// Stability: importable, not promised before 1.0.
package state

import "math/bits"

// Groups is the number of key groups.
const Groups = 128

// EveryShard is the first byte of the keys of entries that are about a step as a
// whole: every shard gets them.
const EveryShard = 0xff

// Group is the key group of a hash.
func Group(hash uint64) uint8 { return uint8(hash >> 57) }

// ShardOf is the shard, of n, that holds a key group.
func ShardOf(group uint8, n int) int { return int(group) * n / Groups }

// Hash mixes the bytes of a key with the seed of a job. It is part of the format:
// the same in every process.
func Hash(seed uint64, key []byte) uint64 {
	h := seed ^ uint64(len(key))*mixA
	for len(key) >= 8 {
		h = mix(h^le64(key), mixB)
		key = key[8:]
	}
	var last uint64
	for i, c := range key {
		last |= uint64(c) << (8 * uint(i))
	}
	return mix(mix(h^last, mixB)^mixA, mixB)
}

const (
	mixA = 0x9e3779b97f4a7c15
	mixB = 0xd6e8feb86659fd93
)

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^mixA, b)
	return hi ^ lo
}

func le64(b []byte) uint64 {
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// Entry is one entry of a step's state. Its bytes live until the next entry is read.
type Entry struct {
	Key   []byte
	Group uint8
	Value []byte
}

// Frozen writes what a step held when it was frozen. It may run beside the step,
// on another goroutine, and runs once.
type Frozen func(*Section)
