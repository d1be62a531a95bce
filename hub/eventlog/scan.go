package eventlog

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// scanWindow is how much of a file a scan reads at a time.
const scanWindow = 1 << 20

// window reads a file through a buffer that moves forward.
type window struct {
	f    file
	size int64 // of the file
	at   int64 // of buf
	buf  []byte
}

// bytes returns n bytes at pos, or as many as the file has. They are valid
// until the next call.
func (w *window) bytes(pos int64, n int) ([]byte, error) {
	n = int(min(int64(n), w.size-pos))
	if n <= 0 {
		return nil, nil
	}
	if pos < w.at || pos+int64(n) > w.at+int64(len(w.buf)) {
		m := int(min(int64(max(n, scanWindow)), w.size-pos))
		if cap(w.buf) < m {
			w.buf = make([]byte, m)
		}
		w.at, w.buf = pos, w.buf[:m]
		if _, err := w.f.ReadAt(w.buf, pos); err != nil {
			w.buf = w.buf[:0]
			return nil, fmt.Errorf("read %d bytes at %d: %w", m, pos, err)
		}
	}
	from := int(pos - w.at)
	return w.buf[from : from+n], nil
}

// scan is one walk over a segment's entries.
type scan struct {
	window
	p     *Partition
	base  int64
	x     extent // grows with every good entry; x.length is the place of the next
	index []indexEntry
	mark  int64
	place bool           // the last good entry has one, and so has what is behind it
	visit func(e *entry) // may be nil
}

// run accepts entries up to the end of the file. bad says why it ended before
// it; err is an error of reading the file.
// Source: event-hubs.md 14.10 step 4.
func (s *scan) run() (bad, err error) {
	for s.x.length < s.size {
		e, bad, err := s.entryAt(s.x.length)
		if bad == nil && err == nil {
			bad = s.fits(e)
		}
		if bad != nil || err != nil {
			return bad, err
		}
		s.mark, s.place = e.mark, e.place != 0
		if ix, ok := s.x.add(s.base, e); ok {
			s.index = append(s.index, ix)
		}
		if s.visit != nil {
			s.visit(e)
		}
	}
	return nil, nil
}

// entryAt reads and checks the entry at pos by itself.
func (s *window) entryAt(pos int64) (e *entry, bad, err error) {
	b, err := s.bytes(pos, minEntry)
	if err != nil {
		return nil, nil, err
	}
	if len(b) < minEntry {
		return nil, fmt.Errorf("%d bytes left at %d: %w", len(b), pos, ErrDamaged), nil
	}
	h, bad := parseHead(b)
	if bad != nil {
		return nil, fmt.Errorf("at %d: %w", pos, bad), nil
	}
	if b, err = s.bytes(pos, h.length); err != nil {
		return nil, nil, err
	}
	if len(b) < h.length {
		return nil, fmt.Errorf("entry at %d is cut short: %w", pos, ErrDamaged), nil
	}
	if bad := h.checkBody(b); bad != nil {
		return nil, fmt.Errorf("at %d: %w", pos, bad), nil
	}
	return &h, nil, nil
}

// fits checks an entry against the ones before it.
func (s *scan) fits(e *entry) error {
	if e.base != s.x.end || e.appendTime < s.x.lastTime || e.mark > e.base || e.mark < s.mark {
		return fmt.Errorf("entry at %d has offset %d, time %d, mark %d behind offset %d, time %d, mark %d: %w",
			s.x.length, e.base, e.appendTime, e.mark, s.x.end, s.x.lastTime, s.mark, ErrDamaged)
	}
	return nil
}

// provesLoss searches behind the first bad entry for one that was written there when
// offsets from next on were durable already.
func (s *scan) provesLoss(next int64) (bool, error) {
	var magic [4]byte
	binary.BigEndian.PutUint32(magic[:], entryMagic)
	for pos := s.x.length + 1; pos+minEntry <= s.size; {
		b, err := s.bytes(pos, scanWindow)
		if err != nil {
			return false, err
		}
		i := bytes.Index(b, magic[:])
		if i < 0 {
			pos += int64(max(1, len(b)-len(magic)+1))
			continue
		}
		pos += int64(i)
		e, bad, err := s.entryAt(pos)
		if err != nil {
			return false, err
		}
		here := bad == nil && (e.place == s.p.placeOf(s.base, pos) || e.place == 0 && !s.place)
		if here && e.mark > next {
			return true, nil
		}
		pos++
		if bad == nil {
			pos += int64(e.length) - 1
		}
	}
	return false, nil
}

// rescan walks the readable part of a segment again. bad says why it ended early.
func (p *Partition) rescan(s *segment, x extent) (sc *scan, bad, err error) {
	f, err := s.use()
	if err != nil {
		return nil, nil, err
	}
	defer s.fileMu.RUnlock()
	sc = &scan{p: p, window: window{f: f, size: x.length}, base: s.base, x: emptyExtent(s.base, x.created, x.floor)}
	bad, err = sc.run()
	if err != nil {
		err = fmt.Errorf("%s: scan %s: %w", p.where(), s.path, err)
	}
	return sc, bad, err
}
