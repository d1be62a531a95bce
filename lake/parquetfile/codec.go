package parquetfile

import (
	"fmt"

	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/klauspost/compress/zstd"
)

// codec compresses pages.
type codec struct {
	id       int32                        // CompressionCodec of the format
	compress func(dst, src []byte) []byte // appends to dst, which is empty; nil: pages stay as they are
}

// CodecName returns the name of a codec as it stands in options and in file
// names, or an error that lists the codecs.
func CodecName(name string) (string, error) {
	if _, err := codecOf(name); err != nil {
		return "", err
	}
	switch name {
	case "":
		return "zstd", nil
	case "none":
		return "uncompressed", nil
	}
	return name, nil
}

func codecOf(name string) (compress.Compression, error) {
	switch name {
	case "", "zstd":
		return compress.Codecs.Zstd, nil
	case "snappy":
		return compress.Codecs.Snappy, nil
	case "gzip":
		return compress.Codecs.Gzip, nil
	case "lz4_raw":
		return compress.Codecs.Lz4Raw, nil
	case "uncompressed", "none":
		return compress.Codecs.Uncompressed, nil
	}
	return 0, fmt.Errorf("Parquet codec %q is not supported; there are zstd, snappy, gzip, lz4_raw and uncompressed", name)
}

// codec is the codec of that name, made once.
func (s *Scratch) codec(name string) (*codec, error) {
	if c := s.codecs[name]; c != nil {
		return c, nil
	}
	kind, err := codecOf(name)
	if err != nil {
		return nil, err
	}
	c := &codec{id: int32(kind)}
	switch kind {
	case compress.Codecs.Uncompressed:
	case compress.Codecs.Zstd:
		// A page is compressed at once: a window larger than it would only take memory.
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true),
			zstd.WithWindowSize(pageBytes), zstd.WithAllLitEntropyCompression(true))
		if err != nil {
			return nil, fmt.Errorf("Parquet codec zstd: %w", err)
		}
		c.compress = func(dst, src []byte) []byte { return enc.EncodeAll(src, dst) }
	default:
		lib, err := compress.GetCodec(kind)
		if err != nil {
			return nil, fmt.Errorf("Parquet codec %s: %w", name, err)
		}
		c.compress = func(dst, src []byte) []byte {
			return lib.Encode(sized(dst, int(lib.CompressBound(int64(len(src))))), src)
		}
	}
	if s.codecs == nil {
		s.codecs = make(map[string]*codec)
	}
	s.codecs[name] = c
	return c, nil
}
