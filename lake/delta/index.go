package delta

import (
	"iter"
	"math"
)

// Index shows planners the live files of a snapshot, without an action in memory for
// each of them.
type Index struct{ chunks []chunkRef }

// Index returns the index of the snapshot. It costs no more than the files of the newest
// commits.
func (s *Snapshot) Index() *Index {
	s.indexOnce.Do(func() {
		x := &Index{chunks: s.files.live.chunks}
		if tail := s.files.live.tail; len(tail) > 0 {
			b := newChunkBuilder(s.root, s.stats)
			for _, a := range tail {
				b.add(a)
			}
			x.chunks = append(x.chunks[:len(x.chunks):len(x.chunks)], chunkRef{chunk: b.take(), live: len(tail)})
		}
		s.index = x
	})
	return s.index
}

// Len is the number of files.
func (x *Index) Len() int {
	n := 0
	for i := range x.chunks {
		n += x.chunks[i].live
	}
	return n
}

// Files yields the files, those committed first first.
func (x *Index) Files() iter.Seq[FileRef] {
	return func(yield func(FileRef) bool) {
		for i := range x.chunks {
			c := &x.chunks[i]
			for row := range c.n {
				if !c.isDead(row) && !yield(FileRef{c.chunk, int32(row)}) {
					return
				}
			}
		}
	}
}

// FileRef is a file of an Index.
type FileRef struct {
	c   *chunk
	row int32
}

// IsZero reports whether f is no file.
func (f FileRef) IsZero() bool { return f.c == nil }

// Path is the path as the log has it, see Add.
func (f FileRef) Path() string { return f.c.pathOf(int(f.row)) }

// Size is the number of bytes.
func (f FileRef) Size() int64 { return f.c.size[f.row] }

// Modified is the file's time in ms.
func (f FileRef) Modified() int64 { return f.c.modified[f.row] }

// PartitionValues must not be changed.
func (f FileRef) PartitionValues() map[string]*string { return f.c.partitions[f.c.partition[f.row]] }

// DeletionVector is nil if no row is deleted.
func (f FileRef) DeletionVector() *DeletionVector { return f.c.vector(int(f.row)) }

// Action is the add action of the file.
func (f FileRef) Action() *Add { return f.c.action(int(f.row)) }

// Rows is the number of rows, those that a deletion vector removes among them.
func (f FileRef) Rows() (n int64, ok bool) { return f.c.rows[f.row], f.c.rows[f.row] >= 0 }

// Tight reports whether bounds and counts are those of the rows that are left, and not
// of the rows that were written.
func (f FileRef) Tight() bool {
	tight, ok := f.c.tight[uint16(f.row)]
	return !ok || tight
}

// Bound is a bound of a column.
type Bound struct {
	Kind  BoundKind
	Int   int64
	Float float64
	Text  string
}

// Bounds are what the statistics of a file tell of a column. The kind of a bound goes by
// the type that the column had when the file came.
type Bounds struct {
	Min, Max   Bound // NoBound: not known
	Nulls      int64
	NullsKnown bool
}

// Bounds returns the statistics of a column, by its physical name. ok is false when
// there are none.
func (f FileRef) Bounds(name string) (b Bounds, ok bool) {
	for i := range f.c.columns {
		k := &f.c.columns[i]
		if k.name != name {
			continue
		}
		has := k.has[f.row]
		if has&hasMin != 0 {
			b.Min = f.c.bound(k, k.low(int(f.row)))
		}
		if has&hasMax != 0 {
			b.Max = f.c.bound(k, k.high(int(f.row)))
		}
		if has&hasNulls != 0 {
			b.Nulls, b.NullsKnown = k.nullsOf(int(f.row)), true
		}
		return b, has != 0
	}
	return b, false
}

func (c *chunk) bound(k *chunkColumn, v int64) Bound {
	b := Bound{Kind: k.kind}
	switch k.kind {
	case FloatBound:
		b.Float = math.Float64frombits(uint64(v))
	case TextBound, DecimalBound:
		b.Text = c.textOf(v)
	default:
		b.Int = v
	}
	return b
}

// Has reports whether the statistics tell anything of a column: writers name the columns
// that a file has.
func (f FileRef) Has(name string) bool {
	k := f.c.column(name)
	return k != nil && k.has[f.row]&(hasMin|hasNulls|hasOther) != 0
}

// RefOf is a file of its own, for planners that have no snapshot.
func RefOf(columns []Column, a *Add) FileRef {
	b := newChunkBuilder("", statColumnsOf(columns))
	b.add(a)
	return FileRef{b.take(), 0}
}
