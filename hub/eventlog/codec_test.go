package eventlog

import (
	"bytes"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// packed is plain in each codec.
func packed(t *testing.T, plain []byte) map[uint8][]byte {
	t.Helper()
	var g, l bytes.Buffer
	gz, lz := gzip.NewWriter(&g), lz4.NewWriter(&l)
	gz.Write(plain)
	lz.Write(plain)
	if gz.Close() != nil || lz.Close() != nil {
		t.Fatal("packing went wrong")
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[uint8][]byte{1: g.Bytes(), 2: snappy.Encode(nil, plain), 3: l.Bytes(), 4: z.EncodeAll(plain, nil)}
}

func TestABatchIsDecompressedBehindHoweverMuchIsThere(t *testing.T) {
	plain := bytes.Repeat([]byte("abc"), 500)
	for codec, src := range packed(t, plain) {
		var d decompressor
		// With room behind it and without: the first is never touched, so it costs no memory.
		roomy := make([]byte, maxPlain-10, maxPlain+1<<16)
		for name, dst := range map[string][]byte{"room": roomy, "no room": []byte("before")} {
			out, err := d.decompress(dst, codec, src)
			if err != nil || !bytes.Equal(out[len(dst):], plain) || len(dst) < 10 && string(out[:6]) != "before" {
				t.Errorf("codec %d, %s: %v, %d bytes behind %d", codec, name, err, len(out)-len(dst), len(dst))
			}
		}
	}
}
