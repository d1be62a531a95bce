package exec

import (
	"encoding/binary"
	"fmt"

	"spate/column"
	"spate/stream/state"
)

// The state of an aggregation has an entry for each group of each pane:
//
//	key    window (1 byte), end of the pane (8 bytes, in order of time), encoded keys
//	value  the keys of the first row as they print, its position, the accumulators
//
// and one that every shard gets: a version, and the time before which windows are done.

const aggregateVersion = 1

func paneKey(dst []byte, window int, end column.Ticks) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byte(window)), uint64(end)^1<<63)
}

// frozenPane is a copy of the groups of a pane that have changed.
type frozenPane struct {
	window int
	end    column.Ticks
	ids    []int32
	first  []column.Position
	forms  []uint32
	accs   []accumulators
}

// Freeze implements Operator.
func (f *Finisher) Freeze() (state.Frozen, error) {
	ranges := f.freezeLost()
	var panes []frozenPane
	for _, p := range f.changed {
		p.listed = false
		if !p.gone {
			panes = append(panes, p.freeze())
		}
	}
	f.changed = nil
	if panes == nil && ranges == nil && f.done == f.frozen {
		return nil, nil
	}
	f.frozen = f.done
	done, keys := f.done, f.dict.view()
	return func(s *state.Section) {
		for _, r := range ranges {
			s.DeleteRange(r[0], r[1])
		}
		s.Put(0, []byte{state.EveryShard}, appendTicks([]byte{aggregateVersion}, done))
		for i := range panes {
			panes[i].put(s, keys)
		}
	}, nil
}

// freezeLost returns the ranges of keys of the panes that have gone: per window all
// before the first that is left.
func (f *Finisher) freezeLost() [][2][]byte {
	var out [][2][]byte
	for i := range f.windows {
		w := &f.windows[i]
		if !w.lost {
			continue
		}
		w.lost = false
		first := w.waiting.least()
		if r := w.rolling; r != nil && len(r.inside) > 0 {
			first = r.inside[0].end
		}
		to := []byte{byte(i + 1)}
		if first != column.EndOfTime {
			to = paneKey(nil, i, first)
		}
		out = append(out, [2][]byte{{byte(i)}, to})
	}
	return out
}

func (p *pane) freeze() frozenPane {
	slots := p.take(len(p.ids))
	p.saved = true
	z := frozenPane{window: p.window, end: p.end, ids: pick(p.ids, slots), first: pick(p.first, slots)}
	if p.forms != nil {
		for _, s := range slots {
			z.forms = append(z.forms, p.forms[int(s)*p.keys:int(s+1)*p.keys]...)
		}
	}
	for _, a := range p.accs {
		z.accs = append(z.accs, a.clone(slots))
	}
	return z
}

func (z *frozenPane) put(s *state.Section, keys *keysView) {
	n := len(keys.values)
	var key, value []byte
	for i, id := range z.ids {
		key = paneKey(key[:0], z.window, z.end)
		head := len(key)
		key = keys.appendKey(key, id)
		value = value[:0]
		for k := range n {
			form := uint32(0)
			if z.forms != nil {
				form = z.forms[i*n+k]
			}
			value = column.AppendBinary(value, keys.key(id, k, form))
		}
		value = appendPosition(value, z.first[i])
		for _, a := range z.accs {
			value = a.appendTo(value, int32(i))
		}
		s.Put(state.Group(state.Hash(0, key[head:])), key, value)
	}
}

// Load implements Operator.
func (f *Finisher) Load(e state.Entry) error {
	r := &stateReader{b: e.Value}
	if len(e.Key) == 1 && e.Key[0] == state.EveryShard {
		if v := r.byte(); v != aggregateVersion && r.err == nil {
			return fmt.Errorf("reading the state of an aggregation: version %d, want %d", v, aggregateVersion)
		}
		f.done = r.ticks()
		f.frozen = f.done
		f.awaitAll()
		return r.done()
	}
	if len(e.Key) < 9 || int(e.Key[0]) >= len(f.windows) {
		return errState
	}
	window, end := int(e.Key[0]), column.Ticks(binary.BigEndian.Uint64(e.Key[1:])^1<<63)
	p := f.loading
	if p == nil || p.window != window || p.end != end {
		p = f.windows[window].waiting.byEnd[end]
	}
	if p == nil {
		p = f.newPane(window, end)
		p.saved = true
		f.put(p)
	}
	f.loading = p
	tuple := make([]column.Value, len(f.keys))
	for k := range tuple {
		tuple[k] = r.value()
	}
	at := r.position()
	if r.err != nil {
		return r.err
	}
	id := f.dict.id(tuple)
	s, fresh := p.slot(id, f.dict.groups)
	if !fresh {
		return errState
	}
	f.live++
	p.room()
	p.first[s] = at
	for k := range tuple {
		p.setForm(s, k, f.dict.form(id, k, tuple[k]))
	}
	for _, a := range p.accs {
		a.readFrom(r, s)
	}
	return r.done()
}

// awaitAll looks at all panes again: they were loaded before it was known which
// windows are done.
func (f *Finisher) awaitAll() {
	f.next = column.EndOfTime
	for i := range f.windows {
		w := &f.windows[i]
		w.next = column.EndOfTime
		for _, p := range w.waiting.byEnd {
			f.await(p)
		}
	}
}

func appendPosition(dst []byte, p column.Position) []byte {
	dst = appendTicks(appendTicks(dst, p.Time), p.Arrived)
	return binary.AppendVarint(binary.AppendVarint(dst, p.Seq), p.Index)
}

func (r *stateReader) position() column.Position {
	return column.Position{Time: r.ticks(), Arrived: r.ticks(), Seq: r.varint(), Index: r.varint()}
}
