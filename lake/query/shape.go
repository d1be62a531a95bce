package query

import (
	"fmt"
	"strings"

	"spate/lake/delta"
)

// engineShape is the engine's type of what files have: fields have their physical names.
func engineShape(s *delta.Shape) string {
	switch {
	case s.Fields != nil:
		fields := make([]string, len(s.Fields))
		for i := range s.Fields {
			fields[i] = quoteName(s.Fields[i].Physical) + " " + engineShape(&s.Fields[i].Shape)
		}
		return "STRUCT(" + strings.Join(fields, ", ") + ")"
	case s.Element != nil:
		return engineShape(s.Element) + "[]"
	case s.Key != nil:
		return "MAP(" + engineShape(s.Key) + ", " + engineShape(s.Value) + ")"
	}
	switch s.Primitive {
	case delta.Long:
		return "BIGINT"
	case delta.Integer:
		return "INTEGER"
	case delta.Short:
		return "SMALLINT"
	case delta.Byte:
		return "TINYINT"
	case delta.Float:
		return "FLOAT"
	case delta.Double:
		return "DOUBLE"
	case delta.Boolean:
		return "BOOLEAN"
	case delta.Binary:
		return "BLOB"
	case delta.Date:
		return "DATE"
	case delta.Timestamp:
		return "TIMESTAMPTZ"
	case delta.TimestampNTZ:
		return "TIMESTAMP"
	}
	if p, scale, ok := s.Primitive.DecimalParts(); ok {
		return fmt.Sprintf("DECIMAL(%d,%d)", p, scale)
	}
	return "VARCHAR"
}

// otherNames reports whether a field has another name in files than in the table.
func otherNames(s *delta.Shape) bool {
	switch {
	case s.Fields != nil:
		for i := range s.Fields {
			if f := &s.Fields[i]; f.Name != f.Physical || otherNames(&f.Shape) {
				return true
			}
		}
	case s.Element != nil:
		return otherNames(s.Element)
	case s.Key != nil:
		return otherNames(s.Key) || otherNames(s.Value)
	}
	return false
}

// logical gives the fields of a stored value the names of the table. depth tells the
// variables of nested lambdas apart.
func logical(s *delta.Shape, sql string, depth int) string {
	if !otherNames(s) {
		return sql
	}
	v := fmt.Sprintf("v%d", depth)
	switch {
	case s.Fields != nil:
		fields := make([]string, len(s.Fields))
		for i := range s.Fields {
			f := &s.Fields[i]
			fields[i] = quoteName(f.Name) + " := " + logical(&f.Shape, "struct_extract("+sql+", "+Quote(f.Physical)+")", depth)
		}
		return "CASE WHEN " + sql + " IS NOT NULL THEN struct_pack(" + strings.Join(fields, ", ") + ") END"
	case s.Element != nil:
		return "list_transform(" + sql + ", lambda " + v + ": " + logical(s.Element, v, depth+1) + ")"
	}
	return "map_from_entries(list_transform(map_entries(" + sql + "), lambda " + v + ": struct_pack(k := " +
		logical(s.Key, v+".key", depth+1) + ", v := " + logical(s.Value, v+".value", depth+1) + ")))"
}

// FieldIDs writes the ids that files of mapped columns have, as the engine takes them; empty
// if no column has one.
func FieldIDs(cols []RowColumn) (string, error) {
	var list []string
	for _, c := range cols {
		if c.ID == 0 {
			continue
		}
		shape, err := c.Type.Shape()
		if err != nil {
			return "", err
		}
		list = append(list, quoteName(c.Name)+": "+idsOf(&shape, c.ID))
	}
	if len(list) == 0 {
		return "", nil
	}
	return "{" + strings.Join(list, ", ") + "}", nil
}

func idsOf(s *delta.Shape, id int) string {
	var parts []string
	if id > 0 {
		parts = append(parts, fmt.Sprintf("__duckdb_field_id: %d", id))
	}
	part := func(name string, s *delta.Shape, id int) {
		if text := idsOf(s, id); text != "" {
			parts = append(parts, name+": "+text)
		}
	}
	switch {
	case s.Fields != nil:
		for i := range s.Fields {
			part(quoteName(s.Fields[i].Physical), &s.Fields[i].Shape, s.Fields[i].ID)
		}
	case s.Element != nil:
		part("element", s.Element, 0)
	case s.Key != nil:
		part("key", s.Key, 0)
		part("value", s.Value, 0)
	case id > 0:
		return fmt.Sprint(id)
	}
	if len(parts) == 0 {
		return ""
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
