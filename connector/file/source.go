// Package file reads files as inputs of a job, in blocks and never whole: lines, the
// events of JSON arrays, rows of CSV.
//
// One scanner cuts the files of an input into messages. With one partition its reader
// is the scanner. With several, the reader that has nothing left makes the scanner go
// on, and what belongs to others waits in their queues: in memory, then in a temporary
// file. So no reader waits for another, however the job holds them back and however
// uneven the partitions are.
//
// Stability: importable, not promised before 1.0.
package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"spate/column"
	"spate/connector"
)

// Cut says how a file is cut into messages.
type Cut uint8

// Kinds of cuts.
const (
	Lines Cut = iota // a message is a line that is not blank
	JSON             // an element of an array, or an object among others
	CSV              // the header and one row
)

// Options of a Source.
type Options struct {
	Files  []string  // read one after the other
	Reader io.Reader // read instead; Files holds its name
	Cut    Cut

	Delimiter byte     // CSV; default a comma
	NoHeader  bool     // CSV: the first line is a row
	Names     []string // CSV without a header: names of the first columns; the others are column1, column2, ...

	Partitions int    // default 1
	Base       int64  // is added to all offsets
	Name       string // of the input, a part of the identity of its messages
	Batch      int    // messages of one Read at most; 0: what a block holds

	// Route, if set, sees all messages in their order before the readers do: it sets the
	// partition of each, and may set their arrivals and rewrite them. parts has one element
	// per message, all zero; with one partition it is nil.
	Route func(c *connector.Chunk, parts []int32) error
}

// Error is a file that cannot be read as what it is said to be.
type Error struct {
	File   string
	Line   int64 // from 1; of JSON the number of the event; 0: the file as a whole
	Reason string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Reason
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

// MaxMessage bounds a message: the largest event of a dedicated namespace.
// Source: Event Hubs quotas, large message support.
const MaxMessage = 20 << 20

// Source is a bounded connector.Source over files. The offset of a message is Base and
// the number of its line, counted through all files; of JSON it is that of the event.
type Source struct {
	o     Options
	parts []part

	mu     sync.Mutex // guards the fields below
	scan   *scanner   // nil before the first read
	places []place
	queues []*queue // with several partitions
	block  connector.Chunk
	routes []int32
	err    error // what the scanner ended with
}

// part is one file. reader is set if it can be read only once.
type part struct {
	name   string
	reader io.Reader
}

// place says where the messages of a file begin.
type place struct {
	first int64 // offset before that of line 1
	name  string
}

// Open looks whether the files are there and returns their source. Close it.
func Open(o Options) (*Source, error) {
	o.Partitions = max(o.Partitions, 1)
	o.Delimiter = cmp.Or(o.Delimiter, ',')
	s := &Source{o: o}
	if o.Reader != nil {
		s.parts = []part{{o.Files[0], o.Reader}}
	} else {
		for _, name := range o.Files {
			st, err := os.Stat(name)
			if err != nil {
				return nil, cannotOpen(name, err)
			}
			p := part{name: name}
			if !st.Mode().IsRegular() {
				f, err := openFile(name)
				if err != nil {
					return nil, err
				}
				p.reader = f
			}
			s.parts = append(s.parts, p)
		}
	}
	for range o.Partitions {
		s.queues = append(s.queues, &queue{limit: max(queueBytes/o.Partitions, 64<<10)})
	}
	return s, nil
}

// Peek shows the first messages, chunk by chunk, until see wants no more. The readers
// get them all the same. It comes before the first reader is opened.
func (s *Source) Peek(see func(c *connector.Chunk) (more bool, err error)) error {
	sc := newScanner(s.o, s.parts)
	sc.spool = true
	defer sc.close()
	var c connector.Chunk
	for {
		c.Reset()
		err := sc.next(&c, 64)
		if errors.Is(err, io.EOF) {
			return nil
		}
		var bad *Error
		if errors.As(err, &bad) {
			return nil // the run will come to it, behind the messages before it
		}
		if err != nil {
			return err
		}
		if more, err := see(&c); !more || err != nil {
			return err
		}
	}
}

// Place is where a message stands.
func (s *Source) Place(offset int64) (name string, line int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.place(offset)
}

// place is Place while mu is held.
func (s *Source) place(offset int64) (name string, line int64) {
	i := sort.Search(len(s.places), func(i int) bool { return s.places[i].first >= offset })
	if i == 0 {
		return s.o.Files[0], offset - s.o.Base
	}
	return s.places[i-1].name, offset - s.places[i-1].first
}

// Partitions implements connector.Source.
func (s *Source) Partitions(context.Context) (int, error) { return s.o.Partitions, nil }

// OpenReader implements connector.Source. A run over files begins at their beginning.
func (s *Source) OpenReader(_ context.Context, partition int, from connector.Start) (connector.Reader, error) {
	if from.Mode != connector.Oldest {
		return nil, fmt.Errorf("opening partition %d of %s: files are read from their beginning", partition, s.o.Files[0])
	}
	return &reader{s, partition, from.Facts}, nil
}

// Close closes the files. It comes behind the last Read.
func (s *Source) Close() error {
	var errs []error
	if s.scan != nil {
		errs = append(errs, s.scan.close())
	}
	for _, q := range s.queues {
		errs = append(errs, q.close())
	}
	return errors.Join(errs...)
}

// reader reads one partition.
type reader struct {
	s         *Source
	partition int
	facts     []connector.Fact
}

// Read implements connector.Reader.
func (r *reader) Read(ctx context.Context, c *connector.Chunk, _ <-chan struct{}) error {
	c.Reset()
	if err := ctx.Err(); err != nil {
		return err
	}
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queues) == 1 {
		err := s.next(c, nil)
		s.tell(c, r.facts)
		return err
	}
	for s.queues[r.partition].empty() {
		if s.err == nil {
			s.err = s.pump()
			continue
		}
		return s.err
	}
	err := s.queues[r.partition].pop(c, s.o.Batch)
	c.Data = append(c.Data, slack[:]...)
	s.tell(c, r.facts)
	return err
}

// tell adds what is known of messages of files: where they stand.
func (s *Source) tell(c *connector.Chunk, facts []connector.Fact) {
	if len(facts) == 0 {
		return
	}
	c.Tell(facts)
	for _, offset := range c.Offsets {
		for k, f := range facts {
			var v column.Value
			switch f.Kind {
			case connector.Sequence:
				v = column.IntOf(offset - s.o.Base)
			case connector.Identity:
				v = column.TextOf(fmt.Sprintf("file/%s/%d", strings.ToLower(s.o.Name), offset-s.o.Base))
			case connector.FileName:
				if s.o.Reader == nil {
					name, _ := s.place(offset)
					v = column.TextOf(filepath.ToSlash(name))
				}
			}
			c.Facts[k] = append(c.Facts[k], v)
		}
	}
}

// slack is what decoders may read behind the last message.
var slack [16]byte

// Close implements connector.Reader.
func (r *reader) Close() error { return nil }

// next scans and routes.
func (s *Source) next(c *connector.Chunk, parts func(n int) []int32) error {
	if s.scan == nil {
		s.scan = newScanner(s.o, s.parts)
		s.scan.begun = func(p place) { s.places = append(s.places, p) }
	}
	if err := s.scan.next(c, s.o.Batch); err != nil || s.o.Route == nil {
		return err
	}
	var to []int32
	if parts != nil {
		to = parts(c.Len())
	}
	return s.o.Route(c, to)
}

// pump brings one more block of messages to the queues.
func (s *Source) pump() error {
	s.block.Reset()
	err := s.next(&s.block, func(n int) []int32 {
		s.routes = append(s.routes[:0], make([]int32, n)...)
		return s.routes
	})
	if err != nil {
		return err
	}
	for i := range s.block.Starts {
		to := int32(0)
		if s.o.Route != nil {
			to = s.routes[i]
		}
		if err := s.queues[to].push(&s.block, i); err != nil {
			return err
		}
	}
	return nil
}
