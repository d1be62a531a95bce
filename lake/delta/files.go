package delta

// fileSet is the set of live files and tombstones of a snapshot. It is a chain:
// each commit puts a layer on its parent, so that a commit costs what it changes
// and not what the table holds; after maxLayers, or when the layers have become
// larger than the base, a new base is made.
type fileSet struct {
	parent *fileSet
	depth  int
	size   int // files of the base, changes of all layers
	over   int // changes of all layers
	adds   []*Add
	rems   []*Remove

	index map[string]int     // base only: position of each key in adds
	tombs map[string]*Remove // base only: tombstones that no checkpoint below holds
	older *checkpoint        // base only: holds the other tombstones; nil: there are none
}

const maxLayers = 64

// fileKey tells files apart: by path and deletion vector.
func fileKey(root, path string, dv *DeletionVector) string {
	p := filePath(root, path)
	if dv == nil {
		return p
	}
	return p + "\x00" + dv.id()
}

func newBase(root string, adds []*Add, tombs map[string]*Remove, older *checkpoint) *fileSet {
	b := &fileSet{adds: adds, size: len(adds), index: make(map[string]int, len(adds)), tombs: tombs, older: older}
	for i, a := range adds {
		b.index[fileKey(root, a.Path, a.DeletionVector)] = i
	}
	return b
}

// with returns the set after one more commit.
func (f *fileSet) with(root string, adds []*Add, rems []*Remove) *fileSet {
	if len(adds) == 0 && len(rems) == 0 {
		return f
	}
	n := len(adds) + len(rems)
	next := &fileSet{parent: f, depth: f.depth + 1, size: f.size + n, over: f.over + n, adds: adds, rems: rems}
	if next.depth >= maxLayers || next.over > next.size/2+maxLayers {
		live, tombs := next.resolve(root)
		return newBase(root, live, tombs, next.base().older)
	}
	return next
}

func (f *fileSet) base() *fileSet {
	for f.parent != nil {
		f = f.parent
	}
	return f
}

// settled returns the set with those tombstones left to a checkpoint that it holds since
// the set saved was written there.
func (f *fileSet) settled(root string, saved *fileSet, at *checkpoint) *fileSet {
	live, tombs := f.resolve(root)
	_, there := saved.resolve(root)
	left := make(map[string]*Remove)
	for k, r := range tombs {
		if there[k] != r {
			left[k] = r
		}
	}
	return newBase(root, live, left, at)
}

// resolve returns the live files, oldest first, and the tombstones that no checkpoint
// holds. Neither may be changed.
func (f *fileSet) resolve(root string) ([]*Add, map[string]*Remove) {
	if f.parent == nil {
		return f.adds, f.tombs
	}
	var layers []*fileSet
	base := f
	for ; base.parent != nil; base = base.parent {
		layers = append(layers, base)
	}
	type last struct {
		add *Add
		rem *Remove
	}
	changed := make(map[string]last)
	for i := len(layers) - 1; i >= 0; i-- {
		for _, r := range layers[i].rems {
			changed[fileKey(root, r.Path, r.DeletionVector)] = last{rem: r}
		}
		for _, a := range layers[i].adds {
			changed[fileKey(root, a.Path, a.DeletionVector)] = last{add: a}
		}
	}
	gone := make(map[int]bool)
	tombs := make(map[string]*Remove, len(base.tombs))
	for k, r := range base.tombs {
		tombs[k] = r
	}
	for k, c := range changed {
		if i, ok := base.index[k]; ok {
			gone[i] = true
		}
		if c.rem != nil {
			tombs[k] = c.rem
		} else {
			delete(tombs, k)
		}
	}
	live := make([]*Add, 0, len(base.adds)+len(changed))
	if len(gone) == 0 {
		live = append(live, base.adds...)
	} else {
		for i, a := range base.adds {
			if !gone[i] {
				live = append(live, a)
			}
		}
	}
	for i := len(layers) - 1; i >= 0; i-- {
		for _, a := range layers[i].adds {
			if changed[fileKey(root, a.Path, a.DeletionVector)].add == a {
				live = append(live, a)
			}
		}
	}
	return live, tombs
}
