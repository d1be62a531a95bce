package delta

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Type is a column type: the name of a primitive as Delta writes it ("string",
// "decimal(10,2)"), or the JSON text of a struct, array or map.
type Type string

// The primitive types. See also Decimal.
const (
	String       Type = "string"
	Long         Type = "long"
	Integer      Type = "integer"
	Short        Type = "short"
	Byte         Type = "byte"
	Float        Type = "float"
	Double       Type = "double"
	Boolean      Type = "boolean"
	Binary       Type = "binary"
	Date         Type = "date"
	Timestamp    Type = "timestamp"
	TimestampNTZ Type = "timestamp_ntz"
	Void         Type = "void"
	Variant      Type = "variant"
)

// Decimal returns the type decimal(precision,scale).
func Decimal(precision, scale int) Type {
	return Type(fmt.Sprintf("decimal(%d,%d)", precision, scale))
}

// DecimalParts returns precision and scale if t is a decimal.
func (t Type) DecimalParts() (precision, scale int, ok bool) {
	s, found := strings.CutPrefix(string(t), "decimal(")
	s, closed := strings.CutSuffix(s, ")")
	p, q, both := strings.Cut(s, ",")
	if !found || !closed || !both {
		return 0, 0, false
	}
	precision, err1 := strconv.Atoi(strings.TrimSpace(p))
	scale, err2 := strconv.Atoi(strings.TrimSpace(q))
	return precision, scale, err1 == nil && err2 == nil
}

// Nested reports whether t is a struct, array or map.
func (t Type) Nested() bool { return strings.HasPrefix(string(t), "{") }

// Known reports whether t is a type of the protocol.
func (t Type) Known() bool {
	switch t {
	case String, Long, Integer, Short, Byte, Float, Double, Boolean, Binary, Date, Timestamp, TimestampNTZ, Void, Variant:
		return true
	}
	p, s, ok := t.DecimalParts()
	return t.Nested() || ok && p >= 1 && p <= 38 && s >= 0 && s <= p
}

// Column is one column of a table.
type Column struct {
	Name     string
	Type     Type
	Nullable bool
	Comment  string
	// Metadata holds the other keys of the field's metadata as they stand in the
	// schema, unknown ones included.
	Metadata map[string]json.RawMessage

	// Of the columns of a snapshot whose table maps columns: what the column is called in
	// files, partition values and statistics, and its id in files.
	Physical string
	ID       int
}

// FileName is what the column is called in files, partition values and statistics.
func (c *Column) FileName() string { return cmp.Or(c.Physical, c.Name) }

// GenerationKey is the key of the metadata of a generated column.
const GenerationKey = "delta.generationExpression"

// Field metadata keys.
const (
	metaComment    = "comment"
	metaGeneration = GenerationKey
	metaPhysical   = "delta.columnMapping.physicalName"
	metaID         = "delta.columnMapping.id"
	metaChanges    = "delta.typeChanges"
)

type schemaJSON struct {
	Type   string      `json:"type"`
	Fields []fieldJSON `json:"fields"`
}

type fieldJSON struct {
	Name     string                     `json:"name"`
	Type     json.RawMessage            `json:"type"`
	Nullable bool                       `json:"nullable"`
	Metadata map[string]json.RawMessage `json:"metadata"`
}

// ParseSchema reads a schemaString.
func ParseSchema(text string) ([]Column, error) {
	var s schemaJSON
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	if s.Type != "struct" {
		return nil, fmt.Errorf("schema: type %q, want struct", s.Type)
	}
	cols := make([]Column, len(s.Fields))
	for i, f := range s.Fields {
		c := Column{Name: f.Name, Nullable: f.Nullable, Metadata: f.Metadata}
		var name string
		switch {
		case json.Unmarshal(f.Type, &name) == nil:
			c.Type = Type(name)
		default:
			var b bytes.Buffer
			if err := json.Compact(&b, f.Type); err != nil {
				return nil, fmt.Errorf("schema: column %s: %w", f.Name, err)
			}
			c.Type = Type(b.String())
		}
		if raw, ok := f.Metadata[metaComment]; ok && json.Unmarshal(raw, &c.Comment) == nil {
			c.Metadata = without(f.Metadata, metaComment)
		}
		if len(c.Metadata) == 0 {
			c.Metadata = nil
		}
		cols[i] = c
	}
	return cols, checkNames(cols)
}

func without(m map[string]json.RawMessage, key string) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(m))
	for k, v := range m {
		if k != key {
			out[k] = v
		}
	}
	return out
}

// SchemaString is the opposite of ParseSchema.
func SchemaString(cols []Column) (string, error) {
	if err := checkNames(cols); err != nil {
		return "", err
	}
	s := schemaJSON{Type: "struct", Fields: make([]fieldJSON, len(cols))}
	for i, c := range cols {
		if !c.Type.Known() {
			return "", fmt.Errorf("schema: column %s: unknown type %q", c.Name, c.Type)
		}
		f := fieldJSON{Name: c.Name, Nullable: c.Nullable, Metadata: map[string]json.RawMessage{}}
		for k, v := range c.Metadata {
			f.Metadata[k] = v
		}
		if c.Comment != "" {
			f.Metadata[metaComment] = jsonText(c.Comment)
		}
		if c.Type.Nested() {
			f.Type = json.RawMessage(c.Type)
		} else {
			f.Type = jsonText(string(c.Type))
		}
		s.Fields[i] = f
	}
	return string(marshal(s)), nil
}

func checkNames(cols []Column) error {
	seen := make(map[string]string, len(cols))
	for _, c := range cols {
		low := strings.ToLower(c.Name)
		if other, ok := seen[low]; ok {
			return fmt.Errorf("schema: columns %s and %s differ only in case", other, c.Name)
		}
		seen[low] = c.Name
	}
	return nil
}

// FindColumn returns the column of that name ignoring case, or nil.
func FindColumn(cols []Column, name string) *Column {
	for i := range cols {
		if strings.EqualFold(cols[i].Name, name) {
			return &cols[i]
		}
	}
	return nil
}

// marshal is json.Marshal without the escapes meant for HTML. The values of
// this package always marshal.
func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("delta: marshal %T: %v", v, err))
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

func jsonText(s string) json.RawMessage { return marshal(s) }
