package delta

import (
	"path"
	"slices"
	"strings"
)

// fileSet is the set of live files and tombstones of a snapshot. It is immutable and
// shares what did not change with the set of the version before: a commit costs what it
// changes, and the list of chunks.
type fileSet struct {
	live, gone rowList
	bytes      int64 // of the live files
}

// rowList is a list of files: sealed chunks, and the newest as they came. Of a removed
// file an Add holds what its Remove says (see asAdd).
type rowList struct {
	chunks []chunkRef
	tail   []*Add
	n      int // files that are there
}

type chunkRef struct {
	*chunk
	dead *[chunkRows / 64]uint64 // nil: none
	live int
}

func (r *chunkRef) isDead(row int) bool { return r.dead != nil && r.dead[row/64]&(1<<(row%64)) != 0 }

// fileKey tells files apart: by path and deletion vector.
func fileKey(root, path string, dv *DeletionVector) string {
	p := filePath(root, path)
	if dv == nil {
		return p
	}
	return p + "\x00" + dv.id()
}

// asAdd holds a tombstone like a file. Its time is when it was removed.
func (r *Remove) asAdd() *Add {
	return &Add{Path: r.Path, PartitionValues: r.PartitionValues, Size: r.Size, ModificationTime: r.DeletionTimestamp, DataChange: r.DataChange, Tags: r.Tags,
		DeletionVector: r.DeletionVector, BaseRowID: r.BaseRowID, DefaultRowCommitVersion: r.DefaultRowCommitVersion, extended: r.ExtendedFileMetadata}
}

func (a *Add) asRemove() *Remove {
	return &Remove{Path: a.Path, DeletionTimestamp: a.ModificationTime, DataChange: a.DataChange, ExtendedFileMetadata: a.extended, PartitionValues: a.PartitionValues,
		Size: a.Size, Tags: a.Tags, DeletionVector: a.DeletionVector, BaseRowID: a.BaseRowID, DefaultRowCommitVersion: a.DefaultRowCommitVersion}
}

// with returns the set after one more commit. forget is the time, in ms, up to which
// tombstones are not needed any more.
func (f *fileSet) with(root string, columns []statColumn, adds []*Add, rems []*Remove, forget int64) *fileSet {
	if len(adds) == 0 && len(rems) == 0 {
		return f
	}
	next := *f
	live, gone := edit{rowList: &next.live, root: root}, edit{rowList: &next.gone, root: root}
	// An add and a remove of one path with different vectors do not touch each other.
	for _, r := range rems {
		next.bytes -= live.kill(r.Path, r.DeletionVector)
		gone.kill(r.Path, r.DeletionVector)
		gone.push(r.asAdd())
	}
	for _, a := range adds {
		next.bytes -= live.kill(a.Path, a.DeletionVector)
		gone.kill(a.Path, a.DeletionVector)
		live.push(a)
		next.bytes += a.Size
	}
	live.seal(columns)
	if gone.seal(nil) {
		gone.drop(forget)
	}
	return &next
}

// edit changes a list that was copied from another: it copies before it writes.
type edit struct {
	*rowList
	root         string
	ownsTail     bool
	ownsChunks   bool
	ownedDead    map[int]bool
	fresh        map[string][]int // places in the tail by path, once there are many
	indexedUntil int
}

func (e *edit) ownTail() {
	if !e.ownsTail {
		e.tail, e.ownsTail = append(make([]*Add, 0, len(e.tail)+8), e.tail...), true
	}
}

func (e *edit) ownChunks() {
	if !e.ownsChunks {
		e.chunks, e.ownsChunks, e.ownedDead = append(make([]chunkRef, 0, len(e.chunks)+1), e.chunks...), true, map[int]bool{}
	}
}

func (e *edit) push(a *Add) {
	e.ownTail()
	e.tail = append(e.tail, a)
	e.n++
}

// kill takes a file out and returns its size; 0 if it is not there.
func (e *edit) kill(path string, dv *DeletionVector) int64 {
	p := filePath(e.root, path)
	id := dv.id()
	// What one commit adds can be many: then the tail has an index of its own.
	if len(e.tail) > 64 {
		if e.fresh == nil {
			e.fresh = make(map[string][]int, len(e.tail))
		}
		for ; e.indexedUntil < len(e.tail); e.indexedUntil++ {
			if a := e.tail[e.indexedUntil]; a != nil {
				k := filePath(e.root, a.Path)
				e.fresh[k] = append(e.fresh[k], e.indexedUntil)
			}
		}
		for _, i := range e.fresh[p] {
			if a := e.tail[i]; a != nil && a.DeletionVector.id() == id {
				return e.killTail(i)
			}
		}
	} else {
		for i, a := range e.tail {
			if a != nil && a.DeletionVector.id() == id && filePath(e.root, a.Path) == p {
				return e.killTail(i)
			}
		}
	}
	hash := pathHash("", p)
	for i := range e.chunks {
		for row := range e.chunks[i].find(e.root, p, hash) {
			if e.chunks[i].isDead(row) || e.chunks[i].vector(row).id() != id {
				continue
			}
			e.ownChunks()
			c := &e.chunks[i]
			if !e.ownedDead[i] {
				var bits [chunkRows / 64]uint64
				if c.dead != nil {
					bits = *c.dead
				}
				c.dead, e.ownedDead[i] = &bits, true
			}
			c.dead[row/64] |= 1 << (row % 64)
			c.live--
			e.n--
			return c.size[row]
		}
	}
	return 0
}

func (e *edit) killTail(i int) int64 {
	e.ownTail()
	size := e.tail[i].Size
	e.tail[i] = nil // seal takes the hole out
	e.n--
	return size
}

// seal moves a full tail into chunks, and makes the chunks new when most of what they
// hold is dead.
func (e *edit) seal(columns []statColumn) (sealed bool) {
	if e.ownsTail {
		kept := e.tail[:0]
		for _, a := range e.tail {
			if a != nil {
				kept = append(kept, a)
			}
		}
		clear(e.tail[len(kept):])
		e.tail = kept
	}
	if len(e.tail) >= chunkRows {
		e.ownChunks()
		b := newChunkBuilder(e.root, columns)
		whole := len(e.tail) / chunkRows * chunkRows
		for _, a := range e.tail[:whole] {
			if b.add(a); b.full() {
				e.chunks = append(e.chunks, chunkRef{chunk: b.take(), live: chunkRows})
			}
		}
		e.tail = append(make([]*Add, 0, 8), e.tail[whole:]...)
		sealed = true
	}
	slots := 0
	for i := range e.chunks {
		slots += e.chunks[i].n
	}
	alive := e.n - len(e.tail)
	if e.ownsChunks && (slots > 2*alive+4*chunkRows || alive == 0) {
		e.rebuild(columns)
	}
	return sealed
}

// rebuild leaves the dead out.
func (e *edit) rebuild(columns []statColumn) {
	b := newChunkBuilder(e.root, columns)
	var chunks []chunkRef
	for i := range e.chunks {
		c := &e.chunks[i]
		for row := range c.n {
			if c.isDead(row) {
				continue
			}
			if b.add(c.action(row)); b.full() {
				chunks = append(chunks, chunkRef{chunk: b.take(), live: chunkRows})
			}
		}
	}
	if n := b.c.n; n > 0 {
		chunks = append(chunks, chunkRef{chunk: b.take(), live: n})
	}
	e.chunks, e.ownsChunks = chunks, true
}

// drop leaves chunks out whose files were all removed before a time.
func (e *edit) drop(until int64) {
	kept := e.chunks[:0:0]
	for _, c := range e.chunks {
		newest := int64(-1 << 62)
		for _, ms := range c.modified {
			newest = max(newest, ms)
		}
		if newest <= until {
			e.n -= c.live
			continue
		}
		kept = append(kept, c)
	}
	e.chunks = kept
}

// without returns the list without the files that were removed up to a time.
func (l *rowList) without(root string, until int64) rowList {
	expired := false
	for _, c := range l.chunks {
		for _, ms := range c.modified {
			expired = expired || ms <= until
		}
	}
	for _, a := range l.tail {
		expired = expired || a.ModificationTime <= until
	}
	if !expired {
		return *l
	}
	b := newChunkBuilder(root, nil)
	var out rowList
	l.each(func(a *Add) bool {
		if a.ModificationTime > until {
			out.n++
			if b.add(a); b.full() {
				out.chunks = append(out.chunks, chunkRef{chunk: b.take(), live: chunkRows})
			}
		}
		return true
	})
	if n := b.c.n; n > 0 {
		out.chunks = append(out.chunks, chunkRef{chunk: b.take(), live: n})
	}
	return out
}

// each yields the files that are there, oldest first, until yield returns false.
func (l *rowList) each(yield func(*Add) bool) {
	for i := range l.chunks {
		c := &l.chunks[i]
		for row := range c.n {
			if !c.isDead(row) && !yield(c.action(row)) {
				return
			}
		}
	}
	for _, a := range l.tail {
		if !yield(a) {
			return
		}
	}
}

// has reports whether a file of a path is there.
func (l *rowList) has(root, path string) bool {
	return l.holds(root, path, func(*DeletionVector) bool { return true })
}

// holds reports whether a file of a path is there with a deletion vector that fits.
func (l *rowList) holds(root, path string, fits func(*DeletionVector) bool) bool {
	p := filePath(root, path)
	hash := pathHash("", p)
	for i := range l.chunks {
		for row := range l.chunks[i].find(root, p, hash) {
			if !l.chunks[i].isDead(row) && fits(l.chunks[i].vector(row)) {
				return true
			}
		}
	}
	for _, a := range l.tail {
		if filePath(root, a.Path) == p && fits(a.DeletionVector) {
			return true
		}
	}
	return false
}

// vectorFile reports whether a deletion vector lies in the file of that name.
func (l *rowList) vectorFile(root, file string) bool {
	if !strings.HasPrefix(path.Base(file), "deletion_vector") {
		return false
	}
	lies := func(dv *DeletionVector) bool {
		return dv != nil && dv.file(root) == file
	}
	for i := range l.chunks {
		for row, x := range l.chunks[i].extra {
			if lies(x.DeletionVector) && !l.chunks[i].isDead(int(row)) {
				return true
			}
		}
	}
	return slices.ContainsFunc(l.tail, func(a *Add) bool { return lies(a.DeletionVector) })
}

// setBuilder makes the set of a checkpoint.
type setBuilder struct {
	live, gone *chunkBuilder
	set        *fileSet
}

func newSetBuilder(root string, columns []statColumn) *setBuilder {
	return &setBuilder{newChunkBuilder(root, columns), newChunkBuilder(root, nil), &fileSet{}}
}

func (b *setBuilder) add(a *Add) {
	b.live.add(a)
	b.added(a.Size)
}

// added counts a file that was put into b.live.
func (b *setBuilder) added(size int64) {
	b.set.bytes += size
	b.set.live.n++
	if b.live.full() {
		b.set.live.chunks = append(b.set.live.chunks, chunkRef{chunk: b.live.take(), live: chunkRows})
	}
}

func (b *setBuilder) remove(r *Remove) {
	b.gone.add(r.asAdd())
	b.set.gone.n++
	if b.gone.full() {
		b.set.gone.chunks = append(b.set.gone.chunks, chunkRef{chunk: b.gone.take(), live: chunkRows})
	}
}

// join puts a set behind what the builder has.
func (b *setBuilder) join(s *fileSet) {
	b.flush()
	b.set.bytes += s.bytes
	b.set.live.chunks, b.set.gone.chunks = append(b.set.live.chunks, s.live.chunks...), append(b.set.gone.chunks, s.gone.chunks...)
	b.set.live.n += s.live.n
	b.set.gone.n += s.gone.n
}

func (b *setBuilder) done() *fileSet {
	b.flush()
	return b.set
}

func (b *setBuilder) flush() {
	if n := b.live.c.n; n > 0 {
		b.set.live.chunks = append(b.set.live.chunks, chunkRef{chunk: b.live.take(), live: n})
	}
	if n := b.gone.c.n; n > 0 {
		b.set.gone.chunks = append(b.set.gone.chunks, chunkRef{chunk: b.gone.take(), live: n})
	}
}
