package eventlog

import (
	"encoding/binary"
	"fmt"
	"sort"
)

// Index file: event-hubs.md 14.6. An index is written when a segment is sealed
// and, for the active one, at an orderly close.
const (
	idxMagic  = "SPATEIDX"
	idxHeader = 96
	idxRow    = 24
	idxSuffix = ".idx"

	indexEvery = 32 << 10
)

// indexEntry leads to one entry of a segment.
type indexEntry struct {
	rel       uint32 // offset - base
	pos       uint32 // in the file
	time      int64  // append time
	maxBefore int64  // maximum record timestamp of all earlier entries of the segment, -1: none
}

// encodeIndex returns the index file of a segment.
func encodeIndex(hub [16]byte, partition int, base int64, x *extent, index []indexEntry) []byte {
	be := binary.BigEndian
	b := make([]byte, idxHeader+idxRow*len(index))
	copy(b, idxMagic)
	be.PutUint16(b[8:], 1)
	be.PutUint16(b[10:], idxHeader)
	copy(b[16:], hub[:])
	be.PutUint32(b[32:], uint32(partition))
	be.PutUint32(b[36:], uint32(len(index)))
	be.PutUint64(b[40:], uint64(base))
	be.PutUint64(b[48:], uint64(x.end))
	be.PutUint64(b[56:], uint64(x.length))
	be.PutUint64(b[64:], uint64(x.firstTime))
	be.PutUint64(b[72:], uint64(x.lastTime))
	be.PutUint64(b[80:], uint64(x.maxTime))
	be.PutUint64(b[88:], uint64(x.entries))
	for i, ix := range index {
		r := b[idxHeader+idxRow*i:]
		be.PutUint32(r, ix.rel)
		be.PutUint32(r[4:], ix.pos)
		be.PutUint64(r[8:], uint64(ix.time))
		be.PutUint64(r[16:], uint64(ix.maxBefore))
	}
	be.PutUint32(b[12:], crcOf(b[16:]))
	return b
}

// parseIndex reads an index file of a segment that is length bytes long. x has
// what the segment's header says.
func parseIndex(b []byte, hub [16]byte, partition int, base, length int64, x extent) (extent, []indexEntry, error) {
	be := binary.BigEndian
	if len(b) < idxHeader || string(b[:8]) != idxMagic || be.Uint16(b[8:]) != 1 || be.Uint16(b[10:]) != idxHeader {
		return x, nil, fmt.Errorf("no index: %w", ErrDamaged)
	}
	n := int(be.Uint32(b[36:]))
	if crcOf(b[16:]) != be.Uint32(b[12:]) || len(b) != idxHeader+idxRow*n || [16]byte(b[16:32]) != hub ||
		int(be.Uint32(b[32:])) != partition || int64(be.Uint64(b[40:])) != base || int64(be.Uint64(b[56:])) != length {
		return x, nil, fmt.Errorf("index does not check: %w", ErrDamaged)
	}
	x.end, x.length = int64(be.Uint64(b[48:])), length
	x.firstTime, x.lastTime = int64(be.Uint64(b[64:])), int64(be.Uint64(b[72:]))
	x.maxTime, x.entries = int64(be.Uint64(b[80:])), int64(be.Uint64(b[88:]))
	index := make([]indexEntry, n)
	for i := range index {
		r := b[idxHeader+idxRow*i:]
		index[i] = indexEntry{rel: be.Uint32(r), pos: be.Uint32(r[4:]), time: int64(be.Uint64(r[8:])), maxBefore: int64(be.Uint64(r[16:]))}
	}
	if n > 0 {
		x.indexAt = int64(index[n-1].pos) + indexEvery
	}
	return x, index, nil
}

// before returns the place of the last index entry that is not behind what
// beyond looks for: beyond is false for a prefix of the entries. Without one it
// is the first entry of the segment.
func before(index []indexEntry, beyond func(ix *indexEntry) bool) int64 {
	i := sort.Search(len(index), func(i int) bool { return beyond(&index[i]) })
	if i == 0 {
		return segHeader
	}
	return int64(index[i-1].pos)
}
