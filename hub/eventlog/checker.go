package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

const (
	// maxBatchPlain is what the records of a compressed batch may take plain: a reader
	// needs that much memory for it. Producers that gather by compressed size, as the
	// Java client does, split a batch that is refused for its size.
	maxBatchPlain = 64 << 20
	// maxBatchRecords is how many records a batch may hold: readers keep some bytes of
	// each besides its own.
	maxBatchRecords = 1 << 20

	checkWindow = 128 << 10 // plain bytes that are looked at at a time
	// zstdWindow is the window that is held for streaming: what RFC 8878 asks of every
	// decoder. Batches with a larger one are decompressed whole, one at a time.
	zstdWindow = 8 << 20
	// snappyRatio bounds what a byte of snappy stands for: 64 bytes are copied by 3.
	snappyRatio = 22
)

// checkers look into compressed batches before they are stored, as many at a time as
// there are processors. Their number bounds what is held for batches of strangers.
type checkers struct {
	free  chan *checker // nil: not made yet
	whole sync.Mutex    // held while a batch with a large window is decompressed
}

func newCheckers() *checkers {
	cs := &checkers{free: make(chan *checker, runtime.GOMAXPROCS(0))}
	for range cap(cs.free) {
		cs.free <- nil
	}
	return cs
}

// check looks into a batch with the head e, which is compressed. limit is what a record
// may take plain.
func (cs *checkers) check(batch []byte, e *entry, limit int) error {
	src := batch[batchRecords:]
	wide := e.codec == 4 && wideWindow(src)
	if wide {
		cs.whole.Lock()
		defer cs.whole.Unlock()
	}
	c := <-cs.free
	if c == nil {
		c = new(checker)
	}
	defer func() { cs.free <- c }()
	if wide {
		return c.checkWhole(src, e.count, limit)
	}
	r, err := c.open(e.codec, src)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadBatch, err)
	}
	defer c.close()
	return c.walk(r, e.count, limit)
}

// wideWindow reports whether zstd needs a larger window than is held.
func wideWindow(src []byte) bool {
	var h zstd.Header
	return h.Decode(src) == nil && (h.WindowSize > zstdWindow || h.SingleSegment && h.FrameContentSize > zstdWindow)
}

// checker is what one look into a batch needs. It is reused.
type checker struct {
	in     bytes.Reader
	buf    []byte // the part of the plain records in hand
	gzip   *gzip.Reader
	lz4    *lz4.Reader
	zstd   *zstd.Decoder
	snappy unsnapper
}

// open returns the plain form of src, which is valid until the next call.
func (c *checker) open(codec uint8, src []byte) (io.Reader, error) {
	c.in.Reset(src)
	switch codec {
	case 1:
		var err error
		if c.gzip == nil {
			c.gzip, err = gzip.NewReader(&c.in)
		} else {
			err = c.gzip.Reset(&c.in)
		}
		return c.gzip, err
	case 2:
		c.snappy.reset(src)
		return &c.snappy, nil
	case 3:
		if c.lz4 == nil {
			c.lz4 = lz4.NewReader(nil)
		}
		c.lz4.Reset(&c.in)
		return c.lz4, nil
	}
	if c.zstd == nil {
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderMaxMemory(maxBatchPlain))
		if err != nil {
			return nil, err
		}
		c.zstd = z
	}
	return c.zstd, c.zstd.Reset(&c.in)
}

// close lets go of the batch, which is the caller's, and of the blocks of lz4.
func (c *checker) close() {
	c.in.Reset(nil)
	c.snappy.reset(nil)
	if c.lz4 != nil {
		c.lz4.Reset(nil)
	}
}

// checkWhole is for zstd with a window that is not held.
func (c *checker) checkWhole(src []byte, count, limit int) error {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBatchPlain))
	if err != nil {
		return fmt.Errorf("zstd: %w", err)
	}
	defer z.Close()
	plain, err := z.DecodeAll(src, nil)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return tooMuchPlain()
	}
	if err != nil {
		return fmt.Errorf("%w: zstd: %w", ErrBadBatch, err)
	}
	return c.walk(bytes.NewReader(plain), count, limit)
}

func tooMuchPlain() error {
	return fmt.Errorf("%w: more than %d bytes when decompressed", ErrTooLarge, maxBatchPlain)
}

// walk reads count records from r and nothing behind them. It holds checkWindow bytes, or
// one record.
func (c *checker) walk(r io.Reader, count, limit int) error {
	if c.buf == nil {
		c.buf = make([]byte, checkWindow)
	}
	w := ahead{r: r, buf: c.buf}
	defer func() {
		if c.buf = w.buf; len(c.buf) > 4*checkWindow {
			c.buf = nil
		}
	}()
	var it RecordIter
	for i := range count {
		for {
			size, n := varint(w.buf[w.at:w.end])
			if n < 0 || n > 0 && size < 0 {
				return fmt.Errorf("%w: length of record %d", ErrBadRecord, i)
			}
			if size > int64(limit) {
				return fmt.Errorf("%w: record %d has %d bytes, the limit is %d", ErrTooLarge, i, size, limit)
			}
			if whole := n + int(size); n > 0 && w.end-w.at >= whole {
				it.rest = w.buf[w.at : w.at+whole]
				w.at += whole
				break
			}
			switch err := w.more(n + int(size)); {
			case err == io.EOF:
				return fmt.Errorf("%w: %d records where %d are said to be", ErrBadRecord, i, count)
			case err != nil:
				return err
			}
		}
		if err := it.checkRecord(i); err != nil {
			return err
		}
	}
	if w.at == w.end {
		switch err := w.more(1); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
	return fmt.Errorf("%w: bytes behind the last of %d records", ErrBadRecord, count)
}

// checkRecord reads the record that it.rest consists of.
func (it *RecordIter) checkRecord(i int) error {
	if !it.step() {
		return fmt.Errorf("%w: record %d is cut short", ErrBadRecord, i)
	}
	if it.Record.Offset != int64(i) {
		return fmt.Errorf("%w: record %d has offset delta %d", ErrBadRecord, i, it.Record.Offset)
	}
	b := it.Record.headers
	for range it.Record.nheaders {
		var ok bool
		if _, _, b, ok = nextHeader(b); !ok {
			return fmt.Errorf("%w: headers of record %d are cut short", ErrBadRecord, i)
		}
	}
	if len(b) > 0 {
		return fmt.Errorf("%w: record %d has %d bytes too many", ErrBadRecord, i, len(b))
	}
	return nil
}

// ahead is a part of a stream: buf[at:end] is not used yet.
type ahead struct {
	r       io.Reader
	buf     []byte
	at, end int
	plain   int // bytes read
}

// more reads on, so that a record of size bytes has room. io.EOF: there is nothing more.
func (w *ahead) more(size int) error {
	if w.at > 0 {
		w.end = copy(w.buf, w.buf[w.at:w.end])
		w.at = 0
	}
	if w.end == len(w.buf) {
		buf := make([]byte, max(2*len(w.buf), size))
		copy(buf, w.buf)
		w.buf = buf
	}
	for range 100 {
		n, err := w.r.Read(w.buf[w.end:])
		w.end += n
		w.plain += n
		switch {
		case w.plain > maxBatchPlain:
			return tooMuchPlain()
		case n > 0 || err == io.EOF && n == 0:
			if n > 0 {
				return nil
			}
			return io.EOF
		case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, errPlainTooLarge):
			return tooMuchPlain()
		case err != nil:
			return fmt.Errorf("%w: decompress: %w", ErrBadBatch, err)
		}
	}
	return fmt.Errorf("%w: decompress: %w", ErrBadBatch, io.ErrNoProgress)
}

// unsnapper reads snappy, bare or in the blocks of Java clients. A block is held whole.
type unsnapper struct {
	src     []byte
	blocks  bool
	started bool
	plain   []byte
	left    []byte // of plain
}

func (u *unsnapper) reset(src []byte) {
	if cap(u.plain) > 4*checkWindow {
		u.plain = nil
	}
	*u = unsnapper{src: src, plain: u.plain}
	if u.blocks = bytes.HasPrefix(src, xerial) && len(src) >= 16; u.blocks {
		u.src = src[16:]
	}
}

// Read implements io.Reader.
func (u *unsnapper) Read(p []byte) (int, error) {
	for len(u.left) == 0 {
		if len(u.src) == 0 && (u.started || u.blocks) {
			return 0, io.EOF
		}
		u.started = true
		block := u.src
		if u.blocks {
			if len(u.src) < 4 || uint64(binary.BigEndian.Uint32(u.src)) > uint64(len(u.src)-4) {
				return 0, errors.New("snappy: cut short")
			}
			n := 4 + int(binary.BigEndian.Uint32(u.src))
			block, u.src = u.src[4:n], u.src[n:]
		} else {
			u.src = nil
		}
		n, err := snappy.DecodedLen(block)
		if err != nil {
			return 0, fmt.Errorf("snappy: %w", err)
		}
		if n > snappyRatio*len(block) {
			return 0, fmt.Errorf("snappy: %d bytes cannot stand for %d", len(block), n)
		}
		if n > maxBatchPlain {
			return 0, errPlainTooLarge
		}
		if cap(u.plain) < n {
			u.plain = make([]byte, n)
		}
		if u.left, err = snappy.Decode(u.plain[:cap(u.plain)], block); err != nil {
			return 0, fmt.Errorf("snappy: %w", err)
		}
	}
	n := copy(p, u.left)
	u.left = u.left[n:]
	return n, nil
}
