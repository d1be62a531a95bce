package parquetfile

import (
	"bytes"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// Field is one field of nested rows. A Struct has its members in Fields, a List
// its element, a Map its key and its value.
//
// Values are nil, bool, int64 (Byte to Long, Decimal, Date, Timestamp), float64,
// string and, for Binary, []byte; a Struct is a map[string]any, a List a []any,
// a Map with text keys a map[string]any.
type Field struct {
	Name     string
	Type     Type
	Fields   []Field
	Required bool
}

// node is a field with its place in the Parquet schema.
type node struct {
	Field
	def    int16 // definition level at which the field is there
	rep    int16 // List, Map: repetition level of their elements
	leaf   int   // index of the first leaf below
	leaves int
	kids   []*node
	node   schema.Node
}

func (n *node) repeated() bool { return n.Type.Kind == List || n.Type.Kind == Map }

// leafData holds one leaf of a row group: a level pair for each entry, and the
// values of those that are there.
type leafData struct {
	name   string
	defs   []int16
	reps   []int16
	max    int16
	next   int // entry that is read next
	values any // slice of the physical type
	taken  int
	text   bool
}

// WriteRows writes rows to w as one row group.
func WriteRows(w io.Writer, fields []Field, rows []map[string]any, o Options) error {
	o.RowGroupRows = 0
	out, err := NewRowWriter(w, fields, o)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := out.Append(row); err != nil {
			return err
		}
	}
	return out.Close()
}

type rowSchema struct{ leaves []*leafData }

// add makes the schema node of f below a place with these levels.
func (b *rowSchema) add(f Field, def, rep int16) (*node, error) {
	n := &node{Field: f, leaf: len(b.leaves), def: def}
	r := parquet.Repetitions.Required
	if !f.Required {
		r, n.def = parquet.Repetitions.Optional, def+1
	}
	kid := func(k Field, def, rep int16) (schema.Node, error) {
		kn, err := b.add(k, def, rep)
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, kn)
		return kn.node, nil
	}
	var list schema.FieldList
	for i, k := range f.Fields {
		kdef, krep := n.def, rep
		if n.repeated() {
			kdef, krep = n.def+1, rep+1
			k.Name = "element"
			if f.Type.Kind == Map {
				k.Name, k.Required = []string{"key", "value"}[i], i == 0 || k.Required
			}
		}
		kn, err := kid(k, kdef, krep)
		if err != nil {
			return nil, err
		}
		list = append(list, kn)
	}
	n.leaves = len(b.leaves) - n.leaf
	var err error
	switch f.Type.Kind {
	case Struct:
		n.node, err = schema.NewGroupNode(f.Name, r, list, -1)
	case List, Map:
		n.rep = rep + 1
		var inner schema.Node
		name, logical := "list", schema.LogicalType(schema.NewListLogicalType())
		if f.Type.Kind == Map {
			name, logical = "key_value", schema.MapLogicalType{}
		}
		if inner, err = schema.NewGroupNode(name, parquet.Repetitions.Repeated, list, -1); err == nil {
			n.node, err = schema.NewGroupNodeLogical(f.Name, r, schema.FieldList{inner}, logical, -1)
		}
	default:
		n.node, err = f.Type.node(f.Name, r)
		b.leaves = append(b.leaves, &leafData{name: f.Name, max: n.def})
		n.leaves = 1
	}
	if err != nil {
		return nil, fmt.Errorf("field %s: %w", f.Name, err)
	}
	return n, nil
}

// put shreds one value into the leaves below n.
func (b *rowSchema) put(n *node, v any, rep, def int16) error {
	if v == nil {
		if n.Required {
			return fmt.Errorf("field %s takes no NULL", n.Name)
		}
		b.missing(n, rep, def)
		return nil
	}
	switch n.Type.Kind {
	case Struct:
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("field %s: %T is no struct", n.Name, v)
		}
		for _, k := range n.kids {
			if err := b.put(k, m[k.Name], rep, n.def); err != nil {
				return err
			}
		}
		return nil
	case List:
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("field %s: %T is no list", n.Name, v)
		}
		if len(list) == 0 {
			b.missing(n, rep, n.def)
		}
		for i, e := range list {
			if i > 0 {
				rep = n.rep
			}
			if err := b.put(n.kids[0], e, rep, n.def+1); err != nil {
				return err
			}
		}
		return nil
	case Map:
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("field %s: %T is no map", n.Name, v)
		}
		if len(m) == 0 {
			b.missing(n, rep, n.def)
		}
		for i, key := range sortedKeys(m) {
			if i > 0 {
				rep = n.rep
			}
			if err := b.put(n.kids[0], key, rep, n.def+1); err != nil {
				return err
			}
			if err := b.put(n.kids[1], m[key], rep, n.def+1); err != nil {
				return err
			}
		}
		return nil
	}
	l := b.leaves[n.leaf]
	l.defs, l.reps = append(l.defs, n.def), append(l.reps, rep)
	return l.add(n, v)
}

// missing records that nothing is there below n, from level def on.
func (b *rowSchema) missing(n *node, rep, def int16) {
	for _, l := range b.leaves[n.leaf : n.leaf+n.leaves] {
		l.defs, l.reps = append(l.defs, def), append(l.reps, rep)
	}
}

// ReadRows reads a whole file. Leaves that keep refuses are left out, and so are
// structs without any; a nil keep takes all. Kinds come back as Field says, times
// and decimals as they are stored.
func ReadRows(data []byte, keep func(path string) bool) ([]map[string]any, error) {
	return ReadGroups(data, keep, func(int) bool { return true })
}

// ReadGroups is ReadRows for some of the row groups.
func ReadGroups(data []byte, keep func(path string) bool, want func(group int) bool) ([]map[string]any, error) {
	var rows []map[string]any
	err := eachRow(bytes.NewReader(data), keep, want, func(row map[string]any) error {
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// eachRow gives the rows of a file one by one, holding one row group of the leaves that are
// kept. Of the file it reads those alone.
func eachRow(from parquet.ReaderAtSeeker, keep func(path string) bool, want func(group int) bool, use func(row map[string]any) error) (err error) {
	defer func() { // the library panics on some damaged files
		if r := recover(); r != nil {
			err = fmt.Errorf("damaged Parquet file: %v", r)
		}
	}()
	f, err := file.NewParquetReader(from)
	if err != nil {
		return fmt.Errorf("Parquet file: %w", err)
	}
	defer f.Close()
	s := f.MetaData().Schema
	b := &rowReader{schema: s, keep: keep}
	var nodes []*node
	for i := range s.Root().NumFields() {
		n, err := b.add(s.Root().Field(i), 0, 0)
		if err != nil {
			return err
		}
		if n != nil {
			nodes = append(nodes, n)
		}
	}
	for g := range f.NumRowGroups() {
		if !want(g) {
			continue
		}
		group := f.RowGroup(g)
		for i, at := range b.columns {
			cr, err := group.Column(at)
			if err == nil {
				err = b.leaves[i].readFrom(cr)
			}
			if err != nil {
				return fmt.Errorf("row group %d, %s: %w", g, b.leaves[i].name, err)
			}
		}
		for range group.NumRows() {
			row := make(map[string]any, 1)
			for _, n := range nodes {
				v, err := b.take(n)
				if err != nil {
					return fmt.Errorf("row group %d: %w", g, err)
				}
				if v != nil {
					row[n.Name] = v
				}
			}
			if err := use(row); err != nil {
				return err
			}
		}
	}
	return nil
}

type rowReader struct {
	schema  *schema.Schema
	keep    func(string) bool
	leaves  []*leafData
	columns []int // of each leaf in the file
}

func (b *rowReader) add(s schema.Node, def, rep int16) (*node, error) {
	n := &node{Field: Field{Name: s.Name()}, def: def, leaf: len(b.leaves)}
	switch s.RepetitionType() {
	case parquet.Repetitions.Optional:
		n.def = def + 1
	case parquet.Repetitions.Repeated:
		return nil, fmt.Errorf("field %s: a repeated field outside a list is not supported yet", s.Path())
	}
	g, ok := s.(*schema.GroupNode)
	if !ok {
		if b.keep != nil && !b.keep(s.Path()) {
			return nil, nil
		}
		at := b.schema.ColumnIndexByNode(s)
		p := s.(*schema.PrimitiveNode)
		_, text := p.LogicalType().(schema.StringLogicalType)
		text = text || p.ConvertedType() == schema.ConvertedTypes.UTF8
		b.leaves = append(b.leaves, &leafData{name: s.Path(), max: b.schema.Column(at).MaxDefinitionLevel(), text: text})
		b.columns = append(b.columns, at)
		n.Type.Kind, n.leaves = Long, 1
		return n, nil
	}
	kids, kdef, krep := g, n.def, rep
	n.Type.Kind = Struct
	if g.NumFields() == 1 && g.Field(0).RepetitionType() == parquet.Repetitions.Repeated {
		inner, ok := g.Field(0).(*schema.GroupNode)
		if !ok {
			return nil, fmt.Errorf("field %s: a list of two levels is not supported yet", s.Path())
		}
		kids, kdef, krep = inner, n.def+1, rep+1
		n.Type.Kind, n.rep = List, krep
		if inner.NumFields() == 2 && inner.Field(0).Name() == "key" {
			n.Type.Kind = Map
		}
	}
	for i := range kids.NumFields() {
		k, err := b.add(kids.Field(i), kdef, krep)
		if err != nil {
			return nil, err
		}
		if k != nil {
			n.kids = append(n.kids, k)
		}
	}
	if len(n.kids) == 0 {
		return nil, nil
	}
	if n.Type.Kind == Map && len(n.kids) != 2 {
		return nil, fmt.Errorf("field %s: half a map was asked for", s.Path())
	}
	n.leaves = len(b.leaves) - n.leaf
	return n, nil
}

// take assembles the next value of n.
func (b *rowReader) take(n *node) (any, error) {
	first := b.leaves[n.leaf]
	if first.next >= len(first.defs) {
		return nil, fmt.Errorf("%s ends early", first.name)
	}
	def := first.defs[first.next]
	if len(n.kids) == 0 {
		return first.take()
	}
	if def < n.def || n.repeated() && def == n.def {
		for _, l := range b.leaves[n.leaf : n.leaf+n.leaves] {
			l.next++
		}
		switch {
		case def < n.def:
			return nil, nil
		case n.Type.Kind == List:
			return []any{}, nil
		}
		return map[string]any{}, nil
	}
	if n.Type.Kind == Struct {
		m := make(map[string]any, len(n.kids))
		for _, k := range n.kids {
			v, err := b.take(k)
			if err != nil {
				return nil, err
			}
			if v != nil {
				m[k.Name] = v
			}
		}
		return m, nil
	}
	list, entries := []any{}, map[string]any{}
	for {
		v, err := b.take(n.kids[0])
		if err != nil {
			return nil, err
		}
		if n.Type.Kind == Map {
			w, err := b.take(n.kids[1])
			if err != nil {
				return nil, err
			}
			entries[fmt.Sprint(v)] = w
		} else {
			list = append(list, v)
		}
		if first.next >= len(first.reps) || first.reps[first.next] < n.rep {
			break
		}
	}
	if n.Type.Kind == Map {
		return entries, nil
	}
	return list, nil
}

// CountRows returns the number of rows that the footer of a file tells.
func CountRows(data []byte) (n int64, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("damaged Parquet file: %v", r)
		}
	}()
	f, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		return 0, fmt.Errorf("Parquet file: %w", err)
	}
	defer f.Close()
	return f.NumRows(), nil
}
