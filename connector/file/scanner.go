package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"spate/connector"
)

// blockBytes is how much is read at once.
const blockBytes = 256 << 10

// cutter finds messages.
type cutter interface {
	// cut finds the next message in b, whose first byte is the first that is not cut. ok
	// is false if b ends before the message does, and b is not the end of the file; the
	// next call gets the same bytes and more. An empty message is none.
	cut(b []byte, last bool) (m message, next int, ok bool)
	// prefix stands before each message.
	prefix() []byte
}

// message is b[from:to], which is number n of its file.
type message struct {
	from, to int
	n        int64
}

// scanner cuts the files of an input into messages, one after the other.
type scanner struct {
	o     Options
	parts []part
	spool bool        // what is read of a file that can be read once is kept for a second scanner
	begun func(place) // told of each file; may be nil

	at   int // number of the open file
	r    io.Reader
	file io.Closer // nil: none is open
	cut  cutter
	buf  []byte // read and not yet cut: buf[from:]
	from int
	last bool  // the file is read to its end
	long bool  // what follows in buf is too long
	left int64 // bytes that a file still had when it was opened, and that were not read
	base int64 // offset before the first message of the file
	n    int64 // of its last message
}

func newScanner(o Options, parts []part) *scanner {
	return &scanner{o: o, parts: parts, base: o.Base}
}

// next fills c with the next messages, at least one and at most limit (0: a block's).
func (s *scanner) next(c *connector.Chunk, limit int) error {
	for {
		if s.cut == nil {
			if s.at == len(s.parts) {
				return io.EOF
			}
			if err := s.open(); err != nil {
				return err
			}
		}
		long := s.fill(c, limit)
		if c.Len() > 0 {
			c.Data = append(c.Data, slack[:]...)
			return nil
		}
		if long {
			return s.tooLong()
		}
		if s.last && s.from == len(s.buf) {
			if err := s.end(); err != nil {
				return err
			}
			continue
		}
		if err := s.read(); err != nil {
			return err
		}
	}
}

// fill cuts what is in the buffer, up to a message that is too long.
func (s *scanner) fill(c *connector.Chunk, limit int) (long bool) {
	if s.long {
		return true
	}
	prefix := s.cut.prefix()
	for s.from < len(s.buf) && (limit == 0 || c.Len() < limit) {
		m, next, ok := s.cut.cut(s.buf[s.from:], s.last)
		if !ok {
			return false
		}
		if m.to-m.from > MaxMessage {
			s.long = true
			return true
		}
		if m.to > m.from {
			if prefix == nil {
				prefix = s.cut.prefix()
			}
			s.n = m.n
			c.Starts = append(c.Starts, uint32(len(c.Data)))
			c.Data = append(append(c.Data, prefix...), s.buf[s.from+m.from:s.from+m.to]...)
			c.Ends = append(c.Ends, uint32(len(c.Data)))
			c.Offsets = append(c.Offsets, s.base+m.n)
			c.Arrivals = append(c.Arrivals, 0)
		}
		s.n = max(s.n, m.n)
		s.from += next
	}
	return false
}

func (s *scanner) tooLong() error {
	return &Error{s.parts[s.at].name, s.n + 1, fmt.Sprintf("longer than %d bytes, which no event is", MaxMessage)}
}

// read brings more bytes behind those that are not yet cut.
func (s *scanner) read() error {
	rest := copy(s.buf, s.buf[s.from:])
	s.buf, s.from = s.buf[:rest], 0
	if rest > MaxMessage+2 { // an end of line among them
		return s.tooLong()
	}
	if cap(s.buf)-rest < blockBytes {
		grown := make([]byte, rest, max(2*cap(s.buf), rest+blockBytes))
		copy(grown, s.buf)
		s.buf = grown
	}
	// A long message needs as much again; a short one behind it no more than a block.
	n, err := s.r.Read(s.buf[rest:min(cap(s.buf), rest+max(blockBytes, rest))])
	s.buf = s.buf[:rest+n]
	s.left -= int64(n)
	if errors.Is(err, io.EOF) && s.left > 0 {
		err = fmt.Errorf("the file became %d bytes shorter while it was read", s.left)
	}
	if errors.Is(err, io.EOF) {
		s.last = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s behind line %d: %w", s.parts[s.at].name, s.n, err)
	}
	return nil
}

// open begins the next file.
func (s *scanner) open() error {
	p := &s.parts[s.at]
	s.file, s.last, s.n, s.left, s.buf, s.from = nil, false, 0, 0, s.buf[:0], 0
	switch {
	case p.reader == nil:
		f, err := openFile(p.name)
		if err != nil {
			return err
		}
		s.r, s.file = f, f
		st, err := f.Stat()
		if err != nil {
			return cannotOpen(p.name, err)
		}
		s.left = st.Size()
	case s.spool:
		kept, err := temporary()
		if err != nil {
			return err
		}
		s.r = io.TeeReader(p.reader, kept)
		p.reader = &again{kept: kept, rest: p.reader}
	default:
		s.r = p.reader
		if a, ok := p.reader.(io.Closer); ok {
			s.file = a
		}
	}
	if s.begun != nil {
		s.begun(place{s.base, p.name})
	}
	for len(s.buf) < sniffBytes && !s.last {
		if err := s.read(); err != nil {
			return err
		}
	}
	if reason := wrongFormat(s.buf, s.o.Cut); reason != "" {
		return &Error{File: p.name, Reason: reason}
	}
	if len(s.buf) >= 3 && string(s.buf[:3]) == "\xef\xbb\xbf" {
		s.from = 3
	}
	switch s.o.Cut {
	case JSON:
		s.cut = &jsonCutter{}
	case CSV:
		s.cut = &csvCutter{delimiter: s.o.Delimiter, noHeader: s.o.NoHeader, names: s.o.Names}
	default:
		s.cut = &lineCutter{}
	}
	return nil
}

// openFile opens a file of the input.
func openFile(name string) (*os.File, error) {
	f, err := os.Open(name)
	return f, cannotOpen(name, err)
}

// cannotOpen says which file is not there, or must not be read.
func cannotOpen(name string, err error) error {
	if err == nil {
		return nil
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return &Error{File: name, Reason: "cannot be opened: " + err.Error()}
}

// end closes the file that is read.
func (s *scanner) end() error {
	s.base += s.n
	s.at++
	s.cut = nil
	return s.close()
}

func (s *scanner) close() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}

// again reads what a first scanner has read of a stream, then the rest.
type again struct {
	kept *os.File
	at   int64
	rest io.Reader
}

// Read implements io.Reader.
func (a *again) Read(b []byte) (int, error) {
	n, err := a.kept.ReadAt(b, a.at)
	a.at += int64(n)
	switch {
	case n > 0: // at its end ReadAt says so at once
		return n, nil
	case !errors.Is(err, io.EOF):
		return 0, err
	}
	return a.rest.Read(b)
}

// Close implements io.Closer. The stream itself is the caller's.
func (a *again) Close() error { return a.kept.Close() }

// temporary makes a file that is gone with the process.
func temporary() (*os.File, error) {
	f, err := os.CreateTemp("", "spate-")
	if err != nil {
		return nil, fmt.Errorf("making a temporary file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("making a temporary file: %w", err)
	}
	return f, nil
}
