package delta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"spate/blob"
)

func TestInlineDeletionVectors(t *testing.T) {
	s := &Snapshot{}
	dv := &DeletionVector{StorageType: "i", PathOrInlineDv: "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", SizeInBytes: 44, Cardinality: 6}
	rows, err := s.DeletedRows(t.Context(), blob.NewMemory(), dv)
	if want := []int64{3, 4, 7, 11, 18, 29}; err != nil || !slices.Equal(rows, want) {
		t.Errorf("%v (%v), want %v", rows, err, want)
	}
	f := func(change func(*DeletionVector), want string) {
		t.Helper()
		bad := *dv
		change(&bad)
		if rows, err := s.DeletedRows(t.Context(), blob.NewMemory(), &bad); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v (%v), want an error that says %q", rows, err, want)
		}
	}
	// The example of the protocol text is in the format of an old library, which nobody reads.
	f(func(d *DeletionVector) {
		d.PathOrInlineDv, d.SizeInBytes = "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", 40
	}, "magic 3503503716")
	f(func(d *DeletionVector) { d.Cardinality = 5 }, "more than the 5 rows")
	f(func(d *DeletionVector) { d.Cardinality = 7 }, "6 rows, the log says 7")
	f(func(d *DeletionVector) { d.SizeInBytes = 40 }, "44 bytes, the log says 40")
	f(func(d *DeletionVector) { d.PathOrInlineDv = "~" + d.PathOrInlineDv[1:] }, "character '~'")
	f(func(d *DeletionVector) { d.PathOrInlineDv = d.PathOrInlineDv[1:] }, "54 characters")
	f(func(d *DeletionVector) { d.StorageType = "x" }, "name no file")
}

// vectorOf is a bitmap as writers serialize it.
func vectorOf(rows ...int64) []byte {
	buckets := map[uint32]*roaring.Bitmap{}
	var keys []uint32
	for _, row := range rows {
		key := uint32(row >> 32)
		if buckets[key] == nil {
			buckets[key] = roaring.New()
			keys = append(keys, key)
		}
		buckets[key].Add(uint32(row))
	}
	slices.Sort(keys)
	b := binary.LittleEndian.AppendUint32(nil, vectorMagic)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(keys)))
	for _, k := range keys {
		b = binary.LittleEndian.AppendUint32(b, k)
		data, err := buckets[k].ToBytes()
		if err != nil {
			panic(err)
		}
		b = append(b, data...)
	}
	return b
}

func TestDeletionVectorsInFiles(t *testing.T) {
	store := blob.NewMemory()
	s := &Snapshot{prefix: "t"}
	var many []int64
	for i := range int64(5000) {
		many = append(many, i*41)
	}
	lists := [][]int64{{0}, {}, many, {1, 1<<32 + 5, 1<<33 + 7}}
	file := []byte{1}
	var vectors []*DeletionVector
	for _, list := range lists {
		data, at := vectorOf(list...), int64(len(file))
		vectors = append(vectors, &DeletionVector{StorageType: "u", PathOrInlineDv: "ab^-aqEH.-t@S}K{vb[*k^", Offset: &at, SizeInBytes: int64(len(data)), Cardinality: int64(len(list))})
		file = binary.BigEndian.AppendUint32(file, uint32(len(data)))
		file = append(file, data...)
		file = binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(data))
	}
	const key = "t/ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin"
	if _, err := store.Create(t.Context(), key, bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	for i, dv := range vectors {
		if rows, err := s.DeletedRows(t.Context(), store, dv); err != nil || !slices.Equal(rows, lists[i]) {
			t.Errorf("vector %d: %d rows (%v), want %d", i, len(rows), err, len(lists[i]))
		}
	}
	// A flipped bit is found wherever it is, and so is a file that ends.
	at := *vectors[2].Offset
	for _, flip := range []int64{at, at + 4, at + 100, at + 4 + vectors[2].SizeInBytes} {
		bad := slices.Clone(file)
		bad[flip] ^= 4
		if _, err := store.Replace(t.Context(), key, bytes.NewReader(bad)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.DeletedRows(t.Context(), store, vectors[2]); !errors.Is(err, ErrDamaged) {
			t.Errorf("a bit of byte %d is wrong: %v", flip, err)
		}
	}
	if _, err := store.Replace(t.Context(), key, bytes.NewReader(file[:at+10])); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeletedRows(t.Context(), store, vectors[2]); !errors.Is(err, ErrDamaged) {
		t.Errorf("the file ends: %v", err)
	}
	if err := store.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeletedRows(t.Context(), store, vectors[2]); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("the file is gone: %v", err)
	}
}

func FuzzDeletionVector(f *testing.F) {
	f.Add(vectorOf(0, 5, 1<<40), int64(3))
	f.Add(vectorOf(), int64(0))
	var run []int64
	for i := range int64(70_000) {
		run = append(run, i)
	}
	f.Add(vectorOf(run...), int64(len(run)))
	f.Fuzz(func(t *testing.T, data []byte, n int64) {
		rows, err := decodeVector(data, min(n, 1<<20))
		if err != nil {
			return
		}
		if int64(len(rows)) != min(n, 1<<20) {
			t.Errorf("%d rows, want %d", len(rows), n)
		}
		for i := 1; i < len(rows); i++ {
			if rows[i] <= rows[i-1] {
				t.Fatal(fmt.Errorf("row %d behind %d", rows[i], rows[i-1]))
			}
		}
	})
}
