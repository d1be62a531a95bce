package exec

import (
	"bytes"
	"hash/maphash"
	"math"
	"math/bits"

	"spate/column"
	"spate/column/compute"
)

// A key of one text or one number is nearly every key. Where all rows of a table have such
// keys, in the form that JOINKEY leaves alone, groups are found by the value itself, and
// values that are found are equal as "=" has it. Values of two columns that have one type
// need no form.

// probe finds groups by values: a hash table with open addressing.
type probe struct {
	slots []probeSlot
	shift uint

	typed bool // both sides have the type of the keys
	seed  maphash.Seed
	texts []byte

	numbers []float64 // of groups, instead of texts
}

// probeSlot is a group by its value. Of a text it says where the bytes are.
type probeSlot struct {
	hash     uint32
	group    int32 // + 1; 0: free
	from, to uint32
}

// probed is what a Lookup remembers of the codes of dictionaries: the group of each in one
// probe.
type probed struct {
	of    *probe
	form  joinKey
	codes column.Translation
	hash  []uint64 // of the keys under way
}

// Numbers of codes that have no group.
const (
	codeNotThere = 1
	codeNoForm   = 2 // JOINKEY may give the text another form
	firstCode    = 3 // group 0
)

// inForm reports whether JOINKEY leaves a value alone, and no other value of another kind or
// spelling is equal to it but a number of the same size.
func inForm(v column.Value, typed bool) bool {
	switch v.Kind {
	case column.Text:
		return typed || formedText([]byte(v.Text()))
	case column.Int64:
		return exact(v.Int())
	}
	return v.Kind == column.Float64
}

// newProbe makes the probe of keys in their form, one for each group: all texts, or all
// numbers. Nil: there are none.
func newProbe(keys []column.Value, typed bool) *probe {
	if len(keys) == 0 {
		return nil
	}
	size := uint(bits.Len(uint(2*len(keys) - 1)))
	p := &probe{typed: typed, seed: maphash.MakeSeed(), slots: make([]probeSlot, 1<<size), shift: 64 - size}
	for g, k := range keys {
		s := probeSlot{group: int32(g + 1), from: uint32(len(p.texts))}
		var h uint64
		switch k.Kind {
		case column.Text:
			p.texts = append(p.texts, k.Text()...)
			s.to = uint32(len(p.texts))
			h = maphash.String(p.seed, k.Text())
		case column.Int64:
			p.numbers = append(p.numbers, float64(k.Int()))
			h = hashOf(float64(k.Int()))
		default:
			p.numbers = append(p.numbers, k.Float())
			h = hashOf(k.Float())
		}
		i := h >> p.shift
		for p.slots[i].group != 0 {
			i = (i + 1) & uint64(len(p.slots)-1)
		}
		s.hash = uint32(h)
		p.slots[i] = s
	}
	return p
}

// exact reports whether a bigint is one float and no other is.
func exact(n int64) bool { return n <= 1<<53 && n >= -(1<<53) }

func hashOf(f float64) uint64 {
	if f == 0 {
		f = 0 // not -0
	}
	h := math.Float64bits(f) * 0x9e3779b97f4a7c15
	h ^= h >> 32
	return h * 0x9e3779b97f4a7c15
}

func (p *probe) text(s []byte) int32 {
	h := maphash.Bytes(p.seed, s)
	for i := h >> p.shift; ; i = (i + 1) & uint64(len(p.slots)-1) {
		switch x := &p.slots[i]; {
		case x.group == 0:
			return notThere
		case x.hash == uint32(h) && bytes.Equal(p.texts[x.from:x.to], s):
			return x.group - 1
		}
	}
}

func (p *probe) number(f float64) int32 {
	h := hashOf(f)
	for i := h >> p.shift; ; i = (i + 1) & uint64(len(p.slots)-1) {
		switch x := &p.slots[i]; {
		case x.group == 0:
			return notThere
		case x.hash == uint32(h) && p.numbers[x.group-1] == f:
			return x.group - 1
		}
	}
}

// find writes the groups of some rows to groups[row], and reports whether it can: whether
// all of the keys are in the form that the probe is of.
func (d *probed) find(p *probe, key compute.Operand, rows []int32, groups []int32) bool {
	v := key.Vec
	if v == nil || p.numbers != nil && v.Kind == column.Text || p.numbers == nil && v.Kind != column.Text {
		return false
	}
	if p != d.of {
		d.of = p
		d.codes.Reset()
	}
	if v.Codes != nil {
		return d.coded(v, rows, groups)
	}
	if !(p.typed && v.Kind == column.Text) && !d.form.formed(v, compute.Rows{N: v.Len(), Live: rows}) {
		return false
	}
	switch v.Kind {
	case column.Text:
		d.texts(v, rows, groups)
	case column.Float64:
		if v.Whole != nil { // some are bigints: which, does not matter where all are exact
			for _, i := range rows {
				if column.Bit(v.Whole, int(i)) && !exact(int64(v.Floats[i])) {
					return false
				}
			}
		}
		for _, i := range rows {
			groups[i] = notThere
			if !v.IsNull(int(i)) {
				groups[i] = p.number(v.Floats[i])
			}
		}
	case column.Int64:
		for _, i := range rows {
			groups[i] = notThere
			if !v.IsNull(int(i)) {
				groups[i] = p.number(float64(v.Ints[i]))
			}
		}
	default:
		return false
	}
	return true
}

// texts finds texts, each step for all rows before the next one: so the memory that one row
// waits for comes together with that of the others.
func (d *probed) texts(v *column.Vector, rows []int32, groups []int32) {
	p := d.of
	d.hash = grown(d.hash, len(rows))
	for k, i := range rows {
		d.hash[k] = maphash.Bytes(p.seed, v.TextAt(int(i)))
	}
	last := uint64(len(p.slots) - 1)
	for k, i := range rows {
		h := d.hash[k]
		at := h >> p.shift
		for p.slots[at].group != 0 && p.slots[at].hash != uint32(h) {
			at = (at + 1) & last
		}
		d.hash[k], groups[i] = at, p.slots[at].group-1
	}
	for k, i := range rows {
		if groups[i] < 0 || v.IsNull(int(i)) {
			groups[i] = notThere
			continue
		}
		s, x := v.TextAt(int(i)), &p.slots[d.hash[k]]
		if !bytes.Equal(p.texts[x.from:x.to], s) {
			groups[i] = p.text(s) // two texts of one hash
		}
	}
}

// coded is find for codes of a dictionary: each text is looked for once.
func (d *probed) coded(v *column.Vector, rows []int32, groups []int32) bool {
	to := d.codes.Of(v.Dict)
	for _, i := range rows {
		c := v.Codes[i]
		if c == 0 {
			groups[i] = notThere
			continue
		}
		if to[c] == 0 {
			to[c] = d.numberOf(v.Dict.At(c))
		}
		switch n := to[c]; n {
		case codeNotThere:
			groups[i] = notThere
		case codeNoForm:
			return false
		default:
			groups[i] = int32(n - firstCode)
		}
	}
	return true
}

func (d *probed) numberOf(s []byte) uint32 {
	if !d.of.typed && !formedText(s) {
		return codeNoForm
	}
	if g := d.of.text(s); g != notThere {
		return uint32(g) + firstCode
	}
	return codeNotThere
}
