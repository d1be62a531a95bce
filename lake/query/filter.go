package query

// filter is what holds for every row that a condition is true for, or false for. It may
// be weaker than the condition, never stronger. A nil filter says nothing.
type filter struct {
	kids []*filter // of or, and of a conjunction
	or   bool
	leaf *bound // if there are no kids
}

// Operators of a bound that compare with nothing.
const (
	isNull  = "IS NULL"
	notNull = "IS NOT NULL"
)

// allOf says that every filter holds.
func allOf(list ...*filter) *filter {
	var kids []*filter
	for _, f := range list {
		if f != nil {
			kids = append(kids, f)
		}
	}
	switch len(kids) {
	case 0:
		return nil
	case 1:
		return kids[0]
	}
	return &filter{kids: kids}
}

// anyOf says that one of the filters holds.
func anyOf(list ...*filter) *filter {
	for _, f := range list {
		if f == nil {
			return nil
		}
	}
	if len(list) == 0 {
		return nil
	}
	return &filter{kids: list, or: true}
}

func leafOf(b bound) *filter { return &filter{leaf: &b} }

func leavesOf(list []bound) *filter {
	var out []*filter
	for _, b := range list {
		out = append(out, leafOf(b))
	}
	return allOf(out...)
}

// comparison is what holds where a comparison is true.
func comparison(op string, l, r *node) *filter {
	if op != "<>" {
		return leavesOf(implies(op, l, r))
	}
	if l.src == nil {
		l, r = r, l
	}
	if l.src == nil || r.con == nil || l.typ.padded() {
		return nil
	}
	return leafOf(bound{*l.src, op, *r.con})
}

var opposite = map[string]string{"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}

// mayPass reports whether a file may hold a row that a filter lets pass. Columns of other
// tables may have any value.
func (s *scan) mayPass(f *chosen, x *filter) bool {
	if x.leaf != nil {
		return x.leaf.col.scan != s || s.may(f, x.leaf)
	}
	for _, k := range x.kids {
		if s.mayPass(f, k) == x.or {
			return x.or
		}
	}
	return !x.or
}

// rejectsNulls reports whether no row passes whose columns of the scan are all NULL, as an
// outer join makes them.
func (x *filter) rejectsNulls(s *scan) bool {
	if x.leaf != nil {
		return x.leaf.col.scan == s && x.leaf.op != isNull
	}
	for _, k := range x.kids {
		if k.rejectsNulls(s) != x.or {
			return !x.or
		}
	}
	return x.or
}

// about reports whether a filter says something of a scan.
func (x *filter) about(s *scan) bool {
	if x.leaf != nil {
		return x.leaf.col.scan == s
	}
	for _, k := range x.kids {
		if k.about(s) {
			return true
		}
	}
	return false
}

// skipBy tells the scans of this SELECT the condition that every row that counts fulfils.
func (in *env) skipBy(x *filter) {
	if x == nil {
		return
	}
	for _, src := range in.sources {
		if s := src.scan; s != nil && x.about(s) && in.owns(s) && (len(in.sources) == 1 || x.rejectsNulls(s)) {
			s.filters = append(s.filters, x)
		}
	}
}
