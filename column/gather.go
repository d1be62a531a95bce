package column

// Gatherer makes batches of rows that stand in several other batches. One goroutine
// uses it; the batches it returns are as immutable as all others.
type Gatherer struct {
	schema *Schema
	from   []*Batch // by the number that Open gave
	src    []int32  // per row of the batch to come: number of the batch it stands in
	row    []int32  // and its place there
	dicts  []codeMap
	turn   uint64 // counts the batches made, from 1

	// Scratch, by number of the batch: a slice of the column under way.
	ints   [][]int64
	floats [][]float64
	codes  [][]uint32
	remaps [][]uint32
	anys   [][]Value
	bits   [][]uint64
}

// NewGatherer returns a gatherer of batches of that schema.
func NewGatherer(schema *Schema) *Gatherer { return &Gatherer{schema: schema, turn: 1} }

// Open gives b the number by which Add knows it. It is good until Batch is called.
func (g *Gatherer) Open(b *Batch) int32 {
	g.from = append(g.from, b)
	return int32(len(g.from) - 1)
}

// Turn is the number of the batch under way, from 1: a number that Open gave is good
// for one turn.
func (g *Gatherer) Turn() uint64 { return g.turn }

// Add appends a row of the batch that has that number.
func (g *Gatherer) Add(number, row int32) {
	g.src, g.row = append(g.src, number), append(g.row, row)
}

// Rows is the number of rows added since the last Batch.
func (g *Gatherer) Rows() int { return len(g.src) }

// Batch returns the rows added, in that order, and begins anew.
func (g *Gatherer) Batch() *Batch {
	var out *Batch
	if len(g.from) == 1 {
		out = g.from[0].Gather(g.row)
		out.Schema = g.schema
	} else {
		out = g.gather()
	}
	clear(g.from)
	g.from, g.src, g.row = g.from[:0], g.src[:0], g.row[:0]
	g.turn++
	return out
}

func (g *Gatherer) gather() *Batch {
	n := len(g.src)
	out := &Batch{Schema: g.schema, Rows: n, Time: make([]Ticks, n), Cols: make([]Vector, len(g.schema.Fields))}
	arrived, seq, index := false, false, false
	for _, b := range g.from {
		arrived, seq, index = arrived || b.Arrived != nil, seq || b.Seq != nil, index || b.Index != nil
	}
	row := g.row[:n]
	for k, s := range g.src {
		out.Time[k] = g.from[s].Time[row[k]]
	}
	if arrived {
		out.Arrived = make([]Ticks, n)
		for k, s := range g.src {
			if a := g.from[s].Arrived; a != nil {
				out.Arrived[k] = a[row[k]]
			} else {
				out.Arrived[k] = out.Time[k]
			}
		}
	}
	if seq {
		out.Seq = make([]int64, n)
		for k, s := range g.src {
			if q := g.from[s].Seq; q != nil {
				out.Seq[k] = q[row[k]]
			}
		}
	}
	if index {
		out.Index = make([]int64, n)
		for k, s := range g.src {
			if x := g.from[s].Index; x != nil {
				out.Index[k] = x[row[k]]
			}
		}
	}
	for c := range out.Cols {
		out.Cols[c] = g.column(c)
	}
	return out
}

// column gathers column c: by its slices where the kinds are equal, value by value
// where they are not.
func (g *Gatherer) column(c int) Vector {
	kind := g.from[0].Cols[c].Kind
	coded := true
	for _, b := range g.from {
		v := &b.Cols[c]
		if v.Kind != kind {
			return g.mixed(c)
		}
		coded = coded && v.Codes != nil
	}
	out := Vector{Kind: kind}
	switch {
	case kind == Any:
		g.anys = g.anys[:0]
		for _, b := range g.from {
			g.anys = append(g.anys, b.Cols[c].Anys)
		}
		out.Anys = pick(g.anys, g.src, g.row)
		clear(g.anys)
		return out
	case kind == Float64:
		g.floats, g.bits = g.floats[:0], g.bits[:0]
		for _, b := range g.from {
			g.floats, g.bits = append(g.floats, b.Cols[c].Floats), append(g.bits, b.Cols[c].Whole)
		}
		out.Floats = pick(g.floats, g.src, g.row)
		out.Whole = g.pickBits(false)
		clear(g.floats)
	case kind == Text && coded:
		out.Codes, out.Dict = g.pickCodes(c)
	case kind == Text:
		out.Bytes, out.Ends = g.pickTexts(c)
	default:
		g.ints = g.ints[:0]
		for _, b := range g.from {
			g.ints = append(g.ints, b.Cols[c].Ints)
		}
		out.Ints = pick(g.ints, g.src, g.row)
		clear(g.ints)
	}
	g.bits = g.bits[:0]
	for _, b := range g.from {
		g.bits = append(g.bits, b.Cols[c].Valid)
	}
	out.Valid = g.pickBits(true)
	return out
}

func pick[T any](from [][]T, src, row []int32) []T {
	out := make([]T, len(src))
	row = row[:len(src)]
	for k, s := range src {
		out[k] = from[s][row[k]]
	}
	return out
}

// pickBits gathers g.bits; absent is what a bitmap that is nil stands for. Nil if
// all are.
func (g *Gatherer) pickBits(absent bool) []uint64 {
	some := false
	for _, m := range g.bits {
		some = some || m != nil
	}
	if !some {
		return nil
	}
	out := make([]uint64, Words(len(g.src)))
	for k, s := range g.src {
		m := g.bits[s]
		if m == nil && absent || m != nil && Bit(m, int(g.row[k])) {
			SetBit(out, k)
		}
	}
	clear(g.bits)
	return out
}

// pickCodes gathers coded texts: as they are if one dictionary is behind all, else
// translated into a dictionary of the gatherer.
func (g *Gatherer) pickCodes(c int) ([]uint32, *DictView) {
	g.codes = g.codes[:0]
	view := g.from[0].Cols[c].Dict
	one := true
	for _, b := range g.from {
		v := &b.Cols[c]
		g.codes = append(g.codes, v.Codes)
		one = one && v.Dict.Owner() == view.Owner()
		if v.Dict.Len() > view.Len() {
			view = v.Dict
		}
	}
	defer clear(g.codes)
	if one {
		return pick(g.codes, g.src, g.row), view
	}
	if g.dicts == nil {
		g.dicts = make([]codeMap, len(g.schema.Fields))
	}
	m := &g.dicts[c]
	m.begin()
	for _, b := range g.from {
		m.reach(b.Cols[c].Dict)
	}
	g.remaps = g.remaps[:0]
	for _, b := range g.from {
		g.remaps = append(g.remaps, m.of[b.Cols[c].Dict.Owner()])
	}
	out := make([]uint32, len(g.src))
	for k, s := range g.src {
		code := g.codes[s][g.row[k]]
		to := g.remaps[s][code]
		if to == unmapped {
			to = m.dict.CodeOf(g.from[s].Cols[c].Dict.StringAt(code))
			g.remaps[s][code] = to
		}
		out[k] = to
	}
	clear(g.remaps)
	return out, m.dict.View()
}

const unmapped = ^uint32(0)

// Limits of the dictionary that a gatherer keeps for a column, and of the
// dictionaries it knows the translation of.
const (
	mapEntries = 1 << 16
	mapOwners  = 256
)

// codeMap translates the codes of several dictionaries into those of one.
type codeMap struct {
	dict *Dict
	of   map[*Dict][]uint32 // by owner: code to code of dict, or unmapped
}

// begin starts anew if the dictionary or the list of owners is full: owners come and
// go as decoders begin new dictionaries.
func (m *codeMap) begin() {
	if m.dict == nil || m.dict.Len() > mapEntries || len(m.of) > mapOwners {
		m.dict, m.of = NewDict(), make(map[*Dict][]uint32)
	}
}

// reach makes place for the codes of a view.
func (m *codeMap) reach(v *DictView) {
	codes := m.of[v.Owner()]
	if len(codes) >= v.Len() {
		return
	}
	known := len(codes)
	for len(codes) < v.Len() {
		codes = append(codes, unmapped)
	}
	if known == 0 {
		codes[0] = 0
	}
	m.of[v.Owner()] = codes
}

func (g *Gatherer) pickTexts(c int) ([]byte, []uint32) {
	size := 0
	for k, s := range g.src {
		size += len(g.from[s].Cols[c].TextAt(int(g.row[k])))
	}
	bytes, ends := make([]byte, 0, size), make([]uint32, len(g.src))
	for k, s := range g.src {
		bytes = append(bytes, g.from[s].Cols[c].TextAt(int(g.row[k]))...)
		ends[k] = uint32(len(bytes))
	}
	return bytes, ends
}

func (g *Gatherer) mixed(c int) Vector {
	b := NewBuilder(nil)
	for k, s := range g.src {
		b.Append(g.from[s].Cols[c].At(int(g.row[k])))
	}
	return b.Vector()
}
