package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Tail checkpoint: event-hubs.md 14.8. It says how far the log was durable and
// is not synced by itself.
const (
	tailName  = "tail"
	tailSize  = 8192
	tailSlot  = 64
	tailSlot1 = 4096
	tailMagic = 0x5350544c // SPTL
)

// checkpoint is one slot.
type checkpoint struct {
	sequence uint64
	segment  int64 // base offset
	length   int64 // durable bytes of that file
	next     int64
	time     int64 // last append time
}

// makeTail makes the file of the tail checkpoint where there is none.
func (p *Partition) makeTail() error {
	f, err := p.tailFile()
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("open tail checkpoint: %w", err)
	}
	return nil
}

// tailFile opens the file, which is made if it is not there.
func (p *Partition) tailFile() (file, error) {
	path := filepath.Join(p.dir, tailName)
	f, err := p.log.fs.Open(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if f, err = p.log.fs.Create(path); err != nil {
		return nil, err
	}
	if err := f.Truncate(tailSize); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// write puts the checkpoint into the older of the two slots.
func (c *checkpoint) write(f file) error {
	_, err := f.WriteAt(c.encode(), int64(c.sequence%2)*tailSlot1)
	return errors.Join(err, f.Close())
}

func (c *checkpoint) encode() []byte {
	b := make([]byte, tailSlot)
	be := binary.BigEndian
	be.PutUint32(b, tailMagic)
	be.PutUint64(b[8:], c.sequence)
	be.PutUint64(b[16:], uint64(c.segment))
	be.PutUint64(b[24:], uint64(c.length))
	be.PutUint64(b[32:], uint64(c.next))
	be.PutUint64(b[40:], uint64(c.time))
	be.PutUint32(b[4:], crcOf(b[8:]))
	return b
}

func parseCheckpoint(b []byte) (c checkpoint, ok bool) {
	be := binary.BigEndian
	if len(b) < tailSlot || be.Uint32(b) != tailMagic || be.Uint32(b[4:]) != crcOf(b[8:tailSlot]) {
		return c, false
	}
	return checkpoint{sequence: be.Uint64(b[8:]), segment: int64(be.Uint64(b[16:])), length: int64(be.Uint64(b[24:])),
		next: int64(be.Uint64(b[32:])), time: int64(be.Uint64(b[40:]))}, true
}

// readTail returns the newest valid slot; ok is false if there is none.
func readTail(fsys fileSystem, path string) (c checkpoint, ok bool, err error) {
	b, err := fsys.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	if err != nil {
		return c, false, fmt.Errorf("read tail checkpoint: %w", err)
	}
	for _, at := range []int{0, tailSlot1} {
		if at > len(b) {
			continue
		}
		if s, valid := parseCheckpoint(b[at:]); valid && (!ok || s.sequence > c.sequence) {
			c, ok = s, true
		}
	}
	return c, ok, nil
}
