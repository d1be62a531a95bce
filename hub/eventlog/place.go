package eventlog

import "encoding/binary"

// placeOf is 16 bits of an entry's place: hub, partition, segment and position. An event may
// hold what looks like an entry, a segment that somebody sent as an event for example; by its
// place it is not one. 0 is none: entries had no place once.
func (p *Partition) placeOf(base, pos int64) uint16 {
	var b [36]byte
	be := binary.BigEndian
	copy(b[:], p.log.o.ID[:])
	be.PutUint32(b[16:], uint32(p.id))
	be.PutUint64(b[20:], uint64(base))
	be.PutUint64(b[28:], uint64(pos))
	sum := crcOf(b[:])
	return max(uint16(sum^sum>>16), 1)
}
