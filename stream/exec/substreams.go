package exec

import (
	"crypto/sha256"
	"fmt"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
	"spate/stream/state"
)

// mostSubstreams bounds the substreams of one partition that are remembered at one time. A
// sender of ever new keys costs no more memory than that.
const mostSubstreams = 250_000

// longestKey bounds what is kept of a key: of a longer one a digest.
const longestKey = 64

// substreams are the time lines of the keys of TIMESTAMP BY ... OVER in one partition.
//
// Of a key only the largest event time counts. Whatever the key, no event comes with a time
// below the last arrival less the tolerance for late ones: a key whose own watermark is not
// beyond that is as good as new, and forgotten.
type substreams struct {
	exprs []value
	most  int
	keys  [][]byte // of the rows of the batch, by row; nil: it has none

	of   map[string]int32 // slots by key
	list []substream
	free []int32
	due  deadlines // a slot each, by the largest time that it had when it was put there

	changed []int32         // slots that differ from the state
	gone    map[string]bool // keys that are in the state and no more in of
}

type substream struct {
	key     string
	m       column.Ticks // largest event time
	top     int64        // Seq of its row; for reports alone
	changed bool         // is in changed
	saved   bool         // the state has an entry for the key
}

// newSubstreams compiles the keys of an input; nil if it has none.
func newSubstreams(in *plan.Input) (*substreams, error) {
	if len(in.Over) == 0 {
		return nil, nil
	}
	s := &substreams{most: mostSubstreams, of: make(map[string]int32), gone: make(map[string]bool)}
	for _, e := range in.Over {
		v, err := compile(e)
		if err != nil {
			return nil, err
		}
		s.exprs = append(s.exprs, v)
	}
	return s, nil
}

// read makes the keys of the rows of a batch. A row of which one is NULL, or cannot be
// computed, has none.
func (s *substreams) read(b *column.Batch, rows compute.Rows) {
	s.keys = append(s.keys[:0], make([][]byte, b.Rows)...)
	arena := make([]byte, 0, 16*rows.Len())
	for n, e := range s.exprs {
		o, err := e.eval(b, rows)
		for k := range rows.Len() {
			i := rows.Row(k)
			if n > 0 && s.keys[i] == nil {
				continue
			}
			var v column.Value
			switch {
			case err == nil:
				v = o.At(i)
			default:
				if one, err := e.eval(b.Gather([]int32{int32(i)}), compute.Rows{N: 1}); err == nil {
					v = one.At(0)
				}
			}
			if v.IsNull() {
				s.keys[i] = nil
				continue
			}
			from := len(arena)
			arena = column.AppendKey(append(arena, s.keys[i]...), v)
			s.keys[i] = arena[from:len(arena):len(arena)]
		}
	}
	for i, key := range s.keys {
		if len(key) > longestKey {
			h := sha256.Sum256(key)
			s.keys[i] = append([]byte{0}, h[:]...) // which begins as NULL does, and no other key
		}
	}
}

// keyed leaves out the rows without a key.
func (s *substreams) keyed(b *column.Batch, without func(row int)) *column.Batch {
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	s.read(b, rows)
	live := make([]int32, 0, rows.Len())
	for k := range rows.Len() {
		if i := rows.Row(k); s.keys[i] != nil {
			live = append(live, int32(i))
		} else {
			without(i)
		}
	}
	if len(live) == rows.Len() {
		return b
	}
	c := *b
	c.Live = live
	return &c
}

// find is the substream of a key; nil if it is new.
func (s *substreams) find(key []byte) *substream {
	if i, ok := s.of[string(key)]; ok {
		return &s.list[i]
	}
	return nil
}

// reach notes an event time of a key.
func (s *substreams) reach(key []byte, t column.Ticks, seq int64) {
	i, ok := s.of[string(key)]
	if !ok {
		i = s.add(string(key), t)
	}
	x := &s.list[i]
	if ok && t <= x.m {
		return
	}
	x.m, x.top = t, seq
	if !x.changed {
		x.changed = true
		s.changed = append(s.changed, i)
	}
}

// add makes a substream with a largest time.
func (s *substreams) add(key string, m column.Ticks) int32 {
	var i int32
	if n := len(s.free); n > 0 {
		i, s.free = s.free[n-1], s.free[:n-1]
		changed := s.list[i].changed // of the one before it
		s.list[i] = substream{key: key, changed: changed}
	} else {
		i = int32(len(s.list))
		s.list = append(s.list, substream{key: key})
	}
	s.list[i].m = m
	if s.gone[key] {
		delete(s.gone, key)
		s.list[i].saved = true
	}
	s.of[key] = i
	s.due.push(deadline{m, i})
	return i
}

// full reports whether a new key is one too many.
func (s *substreams) full() bool { return len(s.of) >= s.most }

// forget lets go of the keys whose largest time is at or before a time.
func (s *substreams) forget(upTo column.Ticks) {
	for len(s.due) > 0 && s.due[0].at <= upTo {
		i := s.due.pop().session
		x := &s.list[i]
		if x.m > upTo {
			s.due.push(deadline{x.m, i})
			continue
		}
		delete(s.of, x.key)
		if x.saved {
			s.gone[x.key] = true
		}
		x.key, x.saved = "", false
		s.free = append(s.free, i)
	}
}

// Substreams is the state of the keys of a time stage.
type Substreams struct{ s *substreams }

// Substreams returns the keys of the stage; false: it has none.
func (s *TimeStage) Substreams() (Substreams, bool) { return Substreams{s.subs}, s.subs != nil }

// Freeze takes what has changed of the keys.
func (k Substreams) Freeze() (state.Frozen, error) {
	s := k.s
	type entry struct {
		key string
		m   column.Ticks
	}
	var put []entry
	for _, i := range s.changed {
		x := &s.list[i]
		x.changed = false
		if x.key != "" {
			x.saved = true
			put = append(put, entry{x.key, x.m})
		}
	}
	gone := s.gone
	s.changed, s.gone = s.changed[:0], make(map[string]bool)
	if len(put) == 0 && len(gone) == 0 {
		return nil, nil
	}
	return func(to *state.Section) {
		for key := range gone {
			to.Delete([]byte(key))
		}
		for _, e := range put {
			to.Put(0, []byte(e.key), appendTicks(nil, e.m))
		}
	}, nil
}

// Load puts a key back.
func (k Substreams) Load(e state.Entry) error {
	r := &stateReader{b: e.Value}
	m := r.ticks()
	if err := r.done(); err != nil {
		return fmt.Errorf("reading a substream: %w", err)
	}
	i := k.s.add(string(e.Key), m)
	k.s.list[i].saved = true
	return nil
}
