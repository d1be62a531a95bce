package delta

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Shape is a type taken apart: exactly one of its parts is set.
type Shape struct {
	Primitive  Type
	Fields     []Field // of a struct; not nil
	Element    *Shape  // of an array
	Key, Value *Shape  // of a map
}

// Field is a column, or a field of a struct.
type Field struct {
	Name     string
	Physical string // its name in files; Name unless columns are mapped
	ID       int    // its id in files, 0 without one
	Shape    Shape
}

// Shape takes the type apart.
func (t Type) Shape() (Shape, error) {
	if !t.Nested() {
		return Shape{Primitive: t}, nil
	}
	return shapeOf(json.RawMessage(t), 0)
}

// Shape is the column as files have it.
func (c *Column) Shape() (Field, error) {
	f := Field{Name: c.Name}
	var err error
	if f.Shape, err = c.Type.Shape(); err != nil {
		return f, fmt.Errorf("column %s: %w", c.Name, err)
	}
	return f, f.mapped(c.Metadata)
}

// mapped reads the physical name and the id of a field's metadata.
func (f *Field) mapped(metadata map[string]json.RawMessage) error {
	f.Physical = f.Name
	if raw, ok := metadata[metaPhysical]; ok {
		if err := json.Unmarshal(raw, &f.Physical); err != nil {
			return fmt.Errorf("column %s: physical name: %w", f.Name, err)
		}
	}
	if raw, ok := metadata[metaID]; ok {
		if err := json.Unmarshal(raw, &f.ID); err != nil {
			return fmt.Errorf("column %s: id: %w", f.Name, err)
		}
	}
	return nil
}

func shapeOf(raw json.RawMessage, depth int) (Shape, error) {
	if depth > 100 {
		return Shape{}, fmt.Errorf("a type of more than 100 levels")
	}
	var name string
	if json.Unmarshal(raw, &name) == nil {
		return Shape{Primitive: Type(name)}, nil
	}
	var n struct {
		Type    string          `json:"type"`
		Fields  []fieldJSON     `json:"fields"`
		Element json.RawMessage `json:"elementType"`
		Key     json.RawMessage `json:"keyType"`
		Value   json.RawMessage `json:"valueType"`
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return Shape{}, err
	}
	part := func(raw json.RawMessage) (*Shape, error) {
		s, err := shapeOf(raw, depth+1)
		return &s, err
	}
	var out Shape
	var err error
	switch n.Type {
	case "struct":
		out.Fields = []Field{}
		for _, c := range n.Fields {
			f := Field{Name: c.Name}
			if f.Shape, err = shapeOf(c.Type, depth+1); err != nil {
				return out, err
			}
			if err := f.mapped(c.Metadata); err != nil {
				return out, err
			}
			out.Fields = append(out.Fields, f)
		}
	case "array":
		out.Element, err = part(n.Element)
	case "map":
		if out.Key, err = part(n.Key); err == nil {
			out.Value, err = part(n.Value)
		}
	default:
		return out, fmt.Errorf("type %q", n.Type)
	}
	return out, err
}

// Primitives are the primitive types that a shape is made of.
func (s *Shape) Primitives() []Type {
	switch {
	case s.Fields != nil:
		var out []Type
		for i := range s.Fields {
			out = append(out, s.Fields[i].Shape.Primitives()...)
		}
		return out
	case s.Element != nil:
		return s.Element.Primitives()
	case s.Key != nil:
		return append(s.Key.Primitives(), s.Value.Primitives()...)
	}
	return []Type{s.Primitive}
}

// Mapping is how files name columns.
type Mapping string

// The modes of column mapping.
const (
	MapNone Mapping = "none"
	MapName Mapping = "name" // files have physical names
	MapID   Mapping = "id"   // files have ids
)

// Mapping is the mode of column mapping: the property counts only where the protocol knows it.
func (s *Snapshot) Mapping() Mapping {
	mode := Mapping(strings.ToLower(s.Metadata.Configuration["delta.columnMapping.mode"]))
	if mode == "" || s.Protocol.MinReaderVersion < 2 ||
		s.Protocol.MinReaderVersion >= 3 && !slices.Contains(s.Protocol.ReaderFeatures, "columnMapping") {
		return MapNone
	}
	return mode
}
