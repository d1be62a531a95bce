package syntax

import "spate/column"

// Declared are the columns of the CREATE TABLE of an input, in its order; nil if a script has
// none.
func Declared(script, input string) (names []string) {
	parsed, _ := Parse(script, ASA)
	if parsed == nil {
		return nil
	}
	for _, s := range parsed.Stmts {
		if t, ok := s.(*CreateTable); ok && column.EqualNames(t.Name.Last().Name, input) {
			for _, c := range t.Columns {
				names = append(names, c.Name.Name)
			}
		}
	}
	return names
}
