package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxPlain bounds what one batch may grow to when it is read. It is more than may be
// stored: a log of before may hold such batches.
const maxPlain = 256 << 20

var errPlainTooLarge = fmt.Errorf("batch grows beyond %d bytes", maxPlain)

// decompressor undoes the codecs of Kafka and keeps their tables between calls.
type decompressor struct {
	in   bytes.Reader
	gzip *gzip.Reader
	lz4  *lz4.Reader
	zstd *zstd.Decoder
}

// decompress appends the plain form of src to dst, which grows by maxPlain at
// most. What it allocates is in proportion to the result, however often it is
// called with the same dst.
func (d *decompressor) decompress(dst []byte, codec uint8, src []byte) ([]byte, error) {
	d.in.Reset(src)
	switch codec {
	case 1:
		var err error
		if d.gzip == nil {
			d.gzip, err = gzip.NewReader(&d.in)
		} else {
			err = d.gzip.Reset(&d.in)
		}
		if err != nil {
			return dst, fmt.Errorf("gzip: %w", err)
		}
		return readAll(dst, d.gzip)
	case 2:
		return unsnappy(dst, src)
	case 3:
		if d.lz4 == nil {
			d.lz4 = lz4.NewReader(nil)
		}
		d.lz4.Reset(&d.in)
		return readAll(dst, d.lz4)
	case 4:
		if d.zstd == nil {
			z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPlain))
			if err != nil {
				return dst, fmt.Errorf("zstd: %w", err)
			}
			d.zstd = z
		}
		// The decoder counts what it is given against its limit, and moves all of it
		// when there is no room: so it gets the room alone.
		at := len(dst)
		out, err := d.zstd.DecodeAll(src, dst[at:at:cap(dst)])
		if err != nil {
			return dst, fmt.Errorf("zstd: %w", err)
		}
		if len(out) <= cap(dst)-at && (len(out) == 0 || &out[0] == &dst[:at+1][at]) {
			return dst[:at+len(out)], nil
		}
		return append(dst, out...), nil
	}
	return dst, fmt.Errorf("codec %d is unknown", codec)
}

func readAll(dst []byte, r io.Reader) ([]byte, error) {
	limit := len(dst) + maxPlain
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, make([]byte, max(4096, len(dst)))...)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
		if len(dst) > limit {
			return dst, errPlainTooLarge
		}
	}
}

// xerial is how Java clients begin snappy: magic, two versions, then blocks of
// a big-endian length and that many bytes.
var xerial = []byte("\x82SNAPPY\x00")

func unsnappy(dst, src []byte) ([]byte, error) {
	limit := len(dst) + maxPlain
	if !bytes.HasPrefix(src, xerial) || len(src) < 16 {
		return unsnappyBlock(dst, src, limit)
	}
	src = src[16:]
	for len(src) > 0 {
		if len(src) < 4 {
			return dst, errors.New("snappy: cut short")
		}
		n := binary.BigEndian.Uint32(src)
		src = src[4:]
		if uint64(n) > uint64(len(src)) {
			return dst, errors.New("snappy: cut short")
		}
		var err error
		if dst, err = unsnappyBlock(dst, src[:n], limit); err != nil {
			return dst, err
		}
		src = src[n:]
	}
	return dst, nil
}

// unsnappyBlock appends one block; the result is limit bytes long at most.
func unsnappyBlock(dst, src []byte, limit int) ([]byte, error) {
	n, err := snappy.DecodedLen(src)
	if err != nil {
		return dst, fmt.Errorf("snappy: %w", err)
	}
	if n > limit-len(dst) {
		return dst, errPlainTooLarge
	}
	at := len(dst)
	if cap(dst)-at < n {
		dst = append(dst, make([]byte, n)...)
	}
	dst = dst[:at+n]
	out, err := snappy.Decode(dst[at:], src)
	if err != nil {
		return dst[:at], fmt.Errorf("snappy: %w", err)
	}
	return dst[:at+len(out)], nil
}
