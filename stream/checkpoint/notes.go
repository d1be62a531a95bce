package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sort"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// notesVersion is the version of a file of notes.
const notesVersion = 2

// reader gives a version byte, the notes in the order of their names, and a checksum.
// Notes are large where an output holds back many rows, so they are not copied.
func (s Notes) reader() io.Reader {
	names := make([]string, 0, len(s))
	for n := range s {
		names = append(names, n)
	}
	sort.Strings(names)
	var parts []io.Reader
	sum := uint32(0)
	add := func(b []byte) {
		sum = crc32.Update(sum, castagnoli, b)
		parts = append(parts, bytes.NewReader(b))
	}
	add(binary.AppendUvarint([]byte{notesVersion}, uint64(len(names))))
	for _, n := range names {
		head := append(binary.AppendUvarint(nil, uint64(len(n))), n...)
		add(binary.AppendUvarint(head, uint64(len(s[n]))))
		add(s[n])
	}
	parts = append(parts, bytes.NewReader(binary.BigEndian.AppendUint32(nil, sum)))
	return io.MultiReader(parts...)
}

var errNotes = errors.New("the notes are cut short or damaged")

func decodeNotes(b []byte) (Notes, error) {
	if len(b) < 6 {
		return nil, errNotes
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[len(b)-4:]) || body[0] != notesVersion {
		return nil, errNotes
	}
	body = body[1:]
	next := func() ([]byte, bool) {
		n, w := binary.Uvarint(body)
		if w <= 0 || n > uint64(len(body)-w) {
			return nil, false
		}
		v := body[w : w+int(n)]
		body = body[w+int(n):]
		return v, true
	}
	count, w := binary.Uvarint(body)
	if w <= 0 {
		return nil, errNotes
	}
	body = body[w:]
	s := make(Notes)
	for range count {
		name, ok1 := next()
		value, ok2 := next()
		if !ok1 || !ok2 {
			return nil, errNotes
		}
		s[string(name)] = value
	}
	return s, nil
}
