package exec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// ranked are Collect, CollectTop and TopOne. A state is a list of rows in the order of the
// keys, rows of equal keys in the order in which they stand: for Collect all rows of the
// group, for the others the first so many. Of rows that stand in one place the order is
// that of their bytes, so that a list is a function of its rows.
type ranked struct {
	agg   *aggregate
	lists []rankedList
}

// rankedList is the rows of one state.
type rankedList struct {
	rows    []rankedRow
	classes []uint8 // TopOne and CollectTop: by key, the classes that have come; nil: no row
	loose   bool    // rows are not in order; Collect alone
}

// rankedRow is a row: for Collect its value, else an array of that and the keys.
type rankedRow struct {
	value column.Value
	at    column.Position
}

// limit is how many rows a list keeps; 0: all.
func (s *ranked) limit() int {
	if s.agg.spec.Func == plan.TopOne {
		return 1
	}
	return s.agg.spec.Top
}

func (s *ranked) compare(x, y *rankedRow) int {
	if s.agg.order != nil {
		if c := s.agg.compareKeys(x.value.Array()[1:], y.value.Array()[1:]); c != 0 {
			return c
		}
	}
	switch {
	case x.at.Before(y.at):
		return -1
	case y.at.Before(x.at):
		return 1
	}
	return bytes.Compare(column.AppendBinary(nil, x.value), column.AppendBinary(nil, y.value))
}

func (s *ranked) grow(n int) { s.lists = lengthened(s.lists, n) }

func (s *ranked) reserve(n int) { s.lists = reserved(s.lists, n) }

func (s *ranked) addRows(ids []int32, arg compute.Operand, b *column.Batch, rows compute.Rows) {
	for j := range rows.Len() {
		i := rows.Row(j)
		s.add(ids[i], arg.At(i), column.PositionOf(b, i))
	}
}

func (s *ranked) add(g int32, v column.Value, p column.Position) {
	l := &s.lists[g]
	if s.agg.order == nil {
		if !v.IsNull() {
			s.append(l, rankedRow{v, p})
		}
		return
	}
	if l.classes == nil {
		l.classes = make([]uint8, len(s.agg.order))
	}
	for k, key := range v.Array()[1:] {
		l.classes[k] |= keyClass(key.Kind)
	}
	s.insert(l, rankedRow{v, p})
}

// append puts a row behind the others.
func (s *ranked) append(l *rankedList, r rankedRow) {
	if n := len(l.rows); n > 0 && !l.loose {
		l.loose = s.compare(&r, &l.rows[n-1]) < 0
	}
	l.rows = append(l.rows, r)
}

// insert puts a row into its place, if it is one of the first.
func (s *ranked) insert(l *rankedList, r rankedRow) {
	n, limit := len(l.rows), s.limit()
	if n == limit && s.compare(&r, &l.rows[n-1]) >= 0 {
		return
	}
	i := sort.Search(n, func(i int) bool { return s.compare(&r, &l.rows[i]) < 0 })
	if n == limit {
		l.rows = l.rows[:n-1]
	}
	l.rows = slices.Insert(l.rows, i, r)
}

// settle brings the rows of a list in order.
func (s *ranked) settle(l *rankedList) {
	if l.loose {
		slices.SortFunc(l.rows, func(x, y rankedRow) int { return s.compare(&x, &y) })
		l.loose = false
	}
}

func (s *ranked) remove(g int32, v column.Value, p column.Position) {
	if !v.IsNull() {
		s.without(&s.lists[g], []rankedRow{{v, p}})
	}
}

// without takes rows, which are in order and all there, out of a list. They are the oldest
// as a rule.
func (s *ranked) without(l *rankedList, gone []rankedRow) {
	s.settle(l)
	first := 0
	for first < len(gone) && s.same(l.rows, first, &gone[first]) {
		first++
	}
	clear(l.rows[:first])
	l.rows, gone = l.rows[first:], gone[first:]
	if len(gone) == 0 {
		if len(l.rows) == 0 {
			l.rows = nil
		}
		return
	}
	kept := l.rows[:0]
	for i := range l.rows {
		if len(gone) > 0 && s.same(l.rows, i, &gone[0]) {
			gone = gone[1:]
			continue
		}
		kept = append(kept, l.rows[i])
	}
	clear(l.rows[len(kept):])
	l.rows = kept
}

// same reports whether r is row i of a list that holds it. Where no other row stands in
// its place, no bytes need be compared.
func (s *ranked) same(rows []rankedRow, i int, r *rankedRow) bool {
	if rows[i].at != r.at {
		return false
	}
	if i+1 == len(rows) || rows[i+1].at != r.at {
		return true
	}
	return s.compare(&rows[i], r) == 0
}

// invertible is true of Collect: what stood behind the first rows is not known.
func (s *ranked) invertible() bool { return s.agg.order == nil }

func (s *ranked) merge(g int32, from accumulators, og int32) {
	l, o := &s.lists[g], &from.(*ranked).lists[og]
	if s.agg.order == nil {
		for _, r := range o.rows {
			s.append(l, r)
		}
		l.loose = l.loose || o.loose
		return
	}
	if l.classes == nil && o.classes != nil {
		l.classes = make([]uint8, len(s.agg.order))
	}
	for k, c := range o.classes {
		l.classes[k] |= c
	}
	for _, r := range o.rows {
		s.insert(l, r)
	}
}

func (s *ranked) unmerge(g int32, from accumulators, og int32) {
	o := from.(*ranked)
	o.settle(&o.lists[og])
	s.without(&s.lists[g], o.lists[og].rows)
}

func (s *ranked) result(g int32) (column.Value, error) {
	l := &s.lists[g]
	s.settle(l)
	for _, c := range l.classes {
		if c == mixedKeys {
			return column.Value{}, fmt.Errorf("ORDER BY of aggregate %s cannot compare datetimes with numbers", s.agg.spec.Func)
		}
	}
	if s.agg.spec.Func == plan.TopOne {
		if len(l.rows) == 0 {
			return column.Value{}, nil
		}
		return l.rows[0].value.Array()[0], nil
	}
	out := make([]column.Value, len(l.rows))
	for i := range l.rows {
		if out[i] = l.rows[i].value; s.agg.order != nil {
			out[i] = column.RecordOf(&column.RecordValue{Names: rankNames, Values: []column.Value{column.IntOf(int64(i + 1)), out[i].Array()[0]}})
		}
	}
	return column.ArrayOf(out), nil
}

// rankNames are the fields of what CollectTop collects.
var rankNames = []string{"rank", "value"}

func (s *ranked) reset(g int32) { s.lists[g] = rankedList{} }

func (s *ranked) clone(groups []int32) accumulators {
	out := &ranked{agg: s.agg, lists: make([]rankedList, len(groups))}
	for i, g := range groups {
		l := &s.lists[g]
		s.settle(l)
		out.lists[i] = rankedList{rows: slices.Clone(l.rows), classes: slices.Clone(l.classes)}
	}
	return out
}

func (s *ranked) appendTo(dst []byte, g int32) []byte {
	l := &s.lists[g]
	s.settle(l)
	if s.agg.order != nil {
		dst = append(binary.AppendUvarint(dst, uint64(len(l.classes))), l.classes...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(l.rows)))
	for i := range l.rows {
		dst = column.AppendBinary(appendPosition(dst, l.rows[i].at), l.rows[i].value)
	}
	return dst
}

func (s *ranked) readFrom(r *stateReader, g int32) {
	l := &s.lists[g]
	if s.agg.order != nil {
		if n := r.count(); n > 0 {
			if n != len(s.agg.order) {
				r.fail()
				return
			}
			l.classes = make([]uint8, n)
			for k := range l.classes {
				l.classes[k] = r.byte()
			}
		}
	}
	for range r.count() {
		p := r.position()
		v := r.value()
		if s.agg.order != nil && len(v.Array()) != 1+len(s.agg.order) {
			r.fail()
		}
		if r.err != nil {
			return
		}
		l.rows = append(l.rows, rankedRow{v, p})
	}
}
