package state

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sort"
)

// magic begins every file; its last byte is the version.
const magic = "SPATEST\x02"

// blockBytes is about how much one frame holds.
const blockBytes = 32 << 10

// maxFrame bounds a frame that is read: a block ends behind the entry that filled it,
// and no entry is larger than an event may make it.
const maxFrame = 1 << 30

// Kinds of frames.
const (
	frameStep    = 'S' // a step begins: its id, then the ranges it deleted
	frameEntries = 'E' // entries of the step, in key order
	frameEnd     = 'Z' // nothing follows
)

// Kinds of entries in a frame.
const (
	entryPut  = 0
	entryGone = 1
)

// ErrDamaged: a file is cut short, or its checksum does not match.
var ErrDamaged = errors.New("the state is cut short or damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fileWriter writes frames.
type fileWriter struct {
	w     *bufio.Writer
	head  [8]byte
	block []byte
	err   error
}

func newFileWriter(w io.Writer) *fileWriter {
	f := &fileWriter{w: bufio.NewWriterSize(w, 64<<10)}
	_, f.err = f.w.WriteString(magic)
	return f
}

func (f *fileWriter) frame(payload []byte) {
	if f.err != nil {
		return
	}
	binary.LittleEndian.PutUint32(f.head[:4], uint32(len(payload)))
	binary.LittleEndian.PutUint32(f.head[4:], crc32.Checksum(payload, castagnoli))
	if _, f.err = f.w.Write(f.head[:]); f.err == nil {
		_, f.err = f.w.Write(payload)
	}
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func (f *fileWriter) step(id string, ranges []keyRange) {
	f.flush()
	b := appendBytes([]byte{frameStep}, []byte(id))
	b = binary.AppendUvarint(b, uint64(len(ranges)))
	for _, r := range ranges {
		b = appendBytes(append(b, r.first, r.last), r.from)
		if r.to == nil {
			b = append(b, 0)
			continue
		}
		b = appendBytes(append(b, 1), r.to)
	}
	f.frame(b)
}

func (f *fileWriter) entry(c *change) {
	if len(f.block) == 0 {
		f.block = append(f.block, frameEntries)
	}
	if c.gone {
		f.block = appendBytes(append(f.block, entryGone), c.key)
	} else {
		f.block = appendBytes(append(f.block, entryPut, c.group), c.key)
		f.block = appendBytes(f.block, c.value)
	}
	if len(f.block) >= blockBytes {
		f.flush()
	}
}

func (f *fileWriter) flush() {
	if len(f.block) > 0 {
		f.frame(f.block)
		f.block = f.block[:0]
	}
}

func (f *fileWriter) close() error {
	f.flush()
	f.frame([]byte{frameEnd})
	if f.err != nil {
		return f.err
	}
	return f.w.Flush()
}

// WriteTo writes what was gathered as one file, steps and entries in order. The
// writer must not be used afterwards.
func (w *Writer) WriteTo(to io.Writer) (int64, error) {
	n := &counted{to: to}
	f := newFileWriter(n)
	ids := make([]string, 0, len(w.sections))
	for id := range w.sections {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, id := range ids {
		s := w.sections[id]
		s.finish()
		if len(s.entries) == 0 && len(s.ranges) == 0 {
			continue
		}
		f.step(id, s.ranges)
		for i := range s.entries {
			f.entry(&s.entries[i])
		}
	}
	err := f.close()
	return n.bytes, err
}

type counted struct {
	to    io.Writer
	bytes int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.bytes += int64(n)
	return n, err
}

// fileReader reads a file step by step and entry by entry.
type fileReader struct {
	r      *bufio.Reader
	name   string // for errors; may be empty
	frame  []byte // rest of the frame under way
	buf    []byte
	step   string // of the section under way; "" before the first and behind the last
	ranges []keyRange
	next   change // valid if more
	more   bool   // next is an entry of step
	ended  bool
}

func openFile(r io.Reader) (*fileReader, error) {
	f := &fileReader{r: bufio.NewReaderSize(r, 64<<10)}
	if n, ok := r.(interface{ Name() string }); ok {
		f.name = n.Name()
	}
	if err := f.readMagic(); err != nil {
		return nil, f.failed(err)
	}
	return f, f.nextStep()
}

func (f *fileReader) readMagic() error {
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(f.r, head); err != nil {
		return cut(err)
	}
	if n := len(magic) - 1; string(head[:n]) == magic[:n] && head[n] != magic[n] {
		return fmt.Errorf("version %d of the state is not known to this program", head[n])
	}
	if string(head) != magic {
		return ErrDamaged
	}
	return nil
}

// failed names the file of an error.
func (f *fileReader) failed(err error) error {
	if err == nil || f.name == "" {
		return err
	}
	return fmt.Errorf("%s: %w", f.name, err)
}

// cut is the error of a read that did not get all: the end of the file comes too early,
// or the store failed, which is no damage.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrDamaged
	}
	return err
}

// readFrame reads the next frame into f.frame, its kind taken off.
func (f *fileReader) readFrame() (byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return 0, cut(err)
	}
	n := binary.LittleEndian.Uint32(head[:4])
	if n == 0 || n > maxFrame {
		return 0, ErrDamaged
	}
	// Memory grows as the bytes arrive, so that a damaged length costs nothing.
	if int(n) <= cap(f.buf) {
		f.buf = f.buf[:n]
		if _, err := io.ReadFull(f.r, f.buf); err != nil {
			return 0, cut(err)
		}
	} else {
		var b bytes.Buffer
		if _, err := io.CopyN(&b, f.r, int64(n)); err != nil {
			return 0, cut(err)
		}
		f.buf = b.Bytes()
	}
	if crc32.Checksum(f.buf, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return 0, ErrDamaged
	}
	f.frame = f.buf[1:]
	return f.buf[0], nil
}

func (f *fileReader) bytes() ([]byte, error) {
	n, w := binary.Uvarint(f.frame)
	if w <= 0 || n > uint64(len(f.frame)-w) {
		return nil, ErrDamaged
	}
	b := f.frame[w : w+int(n)]
	f.frame = f.frame[w+int(n):]
	return b, nil
}

func (f *fileReader) byte() (byte, error) {
	if len(f.frame) == 0 {
		return 0, ErrDamaged
	}
	b := f.frame[0]
	f.frame = f.frame[1:]
	return b, nil
}

// nextStep goes to the next section. Entries of the present one must be read.
func (f *fileReader) nextStep() error { return f.failed(f.toStep()) }

func (f *fileReader) toStep() error {
	f.step, f.ranges, f.more = "", nil, false
	if f.ended {
		return nil
	}
	if len(f.frame) == 0 {
		kind, err := f.readFrame()
		switch {
		case err != nil:
			return err
		case kind == frameEnd:
			f.ended = true
			return nil
		case kind != frameStep:
			return ErrDamaged
		}
	}
	return f.readStep()
}

func (f *fileReader) readStep() error {
	id, err := f.bytes()
	if err != nil {
		return err
	}
	f.step = string(id)
	n, w := binary.Uvarint(f.frame)
	if w <= 0 || n > uint64(len(f.frame)) {
		return ErrDamaged
	}
	f.frame = f.frame[w:]
	for range n {
		var r keyRange
		var err error
		if r.first, err = f.byte(); err != nil {
			return err
		}
		if r.last, err = f.byte(); err != nil {
			return err
		}
		from, err := f.bytes()
		if err != nil {
			return err
		}
		r.from = bytes.Clone(from)
		bounded, err := f.byte()
		if err != nil {
			return err
		}
		if bounded == 1 {
			to, err := f.bytes()
			if err != nil {
				return err
			}
			r.to = append([]byte{}, to...)
		}
		f.ranges = append(f.ranges, r)
	}
	if len(f.frame) != 0 {
		return ErrDamaged
	}
	return f.toEntry()
}

// advance reads the next entry of the step into next; more is false behind the
// last.
func (f *fileReader) advance() error { return f.failed(f.toEntry()) }

func (f *fileReader) toEntry() error {
	f.more = false
	if len(f.frame) == 0 {
		kind, err := f.readFrame()
		switch {
		case err != nil:
			return err
		case kind == frameEnd:
			f.ended, f.frame = true, nil
			return nil
		case kind == frameStep:
			return nil // nextStep finds the frame
		case kind != frameEntries:
			return ErrDamaged
		}
	}
	kind, err := f.byte()
	if err != nil {
		return err
	}
	c := change{gone: kind == entryGone}
	if kind > entryGone {
		return ErrDamaged
	}
	if !c.gone {
		if c.group, err = f.byte(); err != nil {
			return err
		}
	}
	if c.key, err = f.bytes(); err != nil {
		return err
	}
	if !c.gone {
		if c.value, err = f.bytes(); err != nil {
			return err
		}
	}
	f.next, f.more = c, true
	return nil
}
