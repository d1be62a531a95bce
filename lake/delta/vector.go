package delta

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"spate/blob"
)

// maxVector bounds the bytes of one deletion vector: a bitmap of 8 billion rows.
const maxVector = 1 << 30

// DeletedRows reads the positions of the rows that a deletion vector takes out of a file,
// from 0, in order.
func (s *Snapshot) DeletedRows(ctx context.Context, store blob.Store, dv *DeletionVector) ([]int64, error) {
	rows, err := s.deletedRows(ctx, store, dv)
	if err != nil {
		return nil, fmt.Errorf("deletion vector %s: %w", dv.id(), err)
	}
	return rows, nil
}

func (s *Snapshot) deletedRows(ctx context.Context, store blob.Store, dv *DeletionVector) ([]int64, error) {
	if dv.SizeInBytes < 0 || dv.SizeInBytes > maxVector {
		return nil, fmt.Errorf("%d bytes, want 0 to %d: %w", dv.SizeInBytes, maxVector, ErrDamaged)
	}
	data, err := s.vectorBytes(ctx, store, dv)
	if err != nil {
		return nil, err
	}
	rows, err := decodeVector(data, dv.Cardinality)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrDamaged)
	}
	return rows, nil
}

// vectorBytes finds the serialized bitmap of a vector.
func (s *Snapshot) vectorBytes(ctx context.Context, store blob.Store, dv *DeletionVector) ([]byte, error) {
	if dv.StorageType == "i" {
		data, err := decodeZ85(dv.PathOrInlineDv)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", err, ErrDamaged)
		}
		if int64(len(data)) < dv.SizeInBytes || int64(len(data)) > dv.SizeInBytes+3 {
			return nil, fmt.Errorf("%d bytes, the log says %d: %w", len(data), dv.SizeInBytes, ErrDamaged)
		}
		return data[:dv.SizeInBytes], nil
	}
	file := dv.file(s.root)
	if file == "" {
		return nil, fmt.Errorf("storage type %q and %q name no file: %w", dv.StorageType, dv.PathOrInlineDv, ErrDamaged)
	}
	key := path.Join(s.prefix, file)
	if dv.StorageType == "p" {
		var err error
		if key, err = s.Locate(dv.PathOrInlineDv); err != nil {
			return nil, err
		}
	}
	at := int64(0)
	if dv.Offset != nil {
		at = *dv.Offset
	}
	if at < 0 {
		return nil, fmt.Errorf("offset %d: %w", at, ErrDamaged)
	}
	// One byte of version, then vectors: size, data, CRC.
	head, err := readRange(ctx, store, key, 0, 1)
	if err != nil {
		return nil, err
	}
	if head[0] != 1 {
		return nil, fmt.Errorf("%s: version %d, want 1: %w", key, head[0], ErrUnsupported)
	}
	framed, err := readRange(ctx, store, key, at, dv.SizeInBytes+8)
	if err != nil {
		return nil, err
	}
	if n := binary.BigEndian.Uint32(framed); int64(n) != dv.SizeInBytes {
		return nil, fmt.Errorf("%s, offset %d: %d bytes, the log says %d: %w", key, at, n, dv.SizeInBytes, ErrDamaged)
	}
	data := framed[4 : 4+dv.SizeInBytes]
	if want, got := binary.BigEndian.Uint32(framed[4+dv.SizeInBytes:]), crc32.ChecksumIEEE(data); want != got {
		return nil, fmt.Errorf("%s, offset %d: crc %08x, stored %08x: %w", key, at, got, want, ErrDamaged)
	}
	return data, nil
}

func readRange(ctx context.Context, store blob.Store, key string, at, n int64) ([]byte, error) {
	r, err := store.Open(ctx, key, at, n)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, fmt.Errorf("the file is gone, VACUUM may have removed it: %w", err)
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer // grows as the bytes come, so that a wrong length costs no memory
	if _, err := io.CopyN(&b, r, n); err != nil {
		return nil, fmt.Errorf("%s, bytes %d to %d: %w: %w", key, at, at+n, ErrDamaged, err)
	}
	return b.Bytes(), nil
}

// file is where a vector lies, below the table where it does; empty for one in the log, and
// for one whose place is not told in a known way.
func (d *DeletionVector) file(root string) string {
	switch d.StorageType {
	case "p":
		return filePath(root, d.PathOrInlineDv)
	case "u":
		name, _ := vectorFileName(d.PathOrInlineDv)
		return name
	}
	return ""
}

// vectorFileName decodes a random folder, if any, and a UUID in 20 characters of base 85.
func vectorFileName(text string) (string, bool) {
	if len(text) < 20 {
		return "", false
	}
	folder, id := text[:len(text)-20], text[len(text)-20:]
	b, err := decodeZ85(id)
	if err != nil || strings.Contains(folder, "..") {
		return "", false
	}
	return path.Join(folder, fmt.Sprintf("deletion_vector_%x-%x-%x-%x-%x.bin", b[:4], b[4:6], b[6:8], b[8:10], b[10:])), true
}

const z85Digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"

// decodeZ85 reads base 85: five characters are four bytes, big end first.
func decodeZ85(text string) ([]byte, error) {
	if len(text)%5 != 0 {
		return nil, fmt.Errorf("base 85: %d characters", len(text))
	}
	out := make([]byte, 0, len(text)/5*4)
	for i := 0; i < len(text); i += 5 {
		v := uint64(0)
		for _, c := range []byte(text[i : i+5]) {
			d := strings.IndexByte(z85Digits, c)
			if d < 0 {
				return nil, fmt.Errorf("base 85: character %q", c)
			}
			v = v*85 + uint64(d)
		}
		if v > 0xffffffff {
			return nil, fmt.Errorf("base 85: %q is too large", text[i:i+5])
		}
		out = binary.BigEndian.AppendUint32(out, uint32(v))
	}
	return out, nil
}

// vectorMagic begins a bitmap in the portable format of 64-bit Roaring bitmaps.
// Source: delta-lake.md 11.1.
const vectorMagic = 1681511377

// decodeVector reads a bitmap and checks that it has so many rows.
func decodeVector(data []byte, cardinality int64) ([]int64, error) {
	if len(data) < 12 {
		return nil, fmt.Errorf("bitmap of %d bytes", len(data))
	}
	if magic := binary.LittleEndian.Uint32(data); magic != vectorMagic {
		return nil, fmt.Errorf("magic %d, want %d", magic, vectorMagic)
	}
	buckets := binary.LittleEndian.Uint64(data[4:])
	rest := data[12:]
	var rows []int64
	last := int64(-1)
	for i := range buckets {
		if len(rest) < 4 {
			return nil, fmt.Errorf("bucket %d of %d: the bitmap ends", i, buckets)
		}
		key := int64(binary.LittleEndian.Uint32(rest))
		if key <= last || key > 1<<31-1 {
			return nil, fmt.Errorf("bucket %d of %d: key %d behind %d", i, buckets, key, last)
		}
		last = key
		var m roaring.Bitmap
		n, err := m.FromBuffer(rest[4:])
		if err == nil {
			err = m.Validate()
		}
		if err != nil {
			return nil, fmt.Errorf("bucket %d of %d: %w", i, buckets, err)
		}
		if int64(m.GetCardinality()) > cardinality-int64(len(rows)) {
			return nil, fmt.Errorf("more than the %d rows that the log says", cardinality)
		}
		rest = rest[4+n:]
		for it := m.Iterator(); it.HasNext(); {
			rows = append(rows, key<<32|int64(it.Next()))
		}
	}
	if int64(len(rows)) != cardinality {
		return nil, fmt.Errorf("%d rows, the log says %d", len(rows), cardinality)
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes behind the bitmap", len(rest))
	}
	return rows, nil
}
