package exec

import (
	"strings"

	"spate/column"
	"spate/sql/plan"
)

// recordOf makes records of rows with the columns cols, as a row prints.
func recordOf(cols []plan.Column) func([]column.Value) (column.Value, error) {
	names := make([]string, 0, len(cols))
	plain := true
	for _, c := range cols {
		plain = plain && !c.Star && !taken(names, c.Name)
		names = append(names, c.Name)
	}
	if plain {
		return func(a []column.Value) (column.Value, error) {
			return column.RecordOf(&column.RecordValue{Names: names, Values: append([]column.Value(nil), a...)}), nil
		}
	}
	return func(a []column.Value) (column.Value, error) {
		r := &column.RecordValue{}
		for i, c := range cols {
			if !c.Star {
				if !taken(r.Names, c.Name) {
					r.Names, r.Values = append(r.Names, c.Name), append(r.Values, a[i])
				}
				continue
			}
			of := a[i].Record()
			if of == nil {
				continue
			}
			left := len(r.Names)
			for k, name := range of.Names {
				if !taken(r.Names[:left], name) {
					r.Names, r.Values = append(r.Names, name), append(r.Values, of.Values[k])
				}
			}
		}
		return column.RecordOf(r), nil
	}
}

// taken reports whether a name is, ignoring case, among others.
func taken(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}
