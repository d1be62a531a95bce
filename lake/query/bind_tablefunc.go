package query

import (
	"strconv"
	"strings"

	"spate/sql/syntax"
)

// tableFunc binds STRING_SPLIT and GENERATE_SERIES.
func (b *binder) tableFunc(f *syntax.TableFunc, in, sees *env) (string, error) {
	name := strings.ToUpper(nameText(f.Call.Name))
	if name != "STRING_SPLIT" && name != "GENERATE_SERIES" { // before its arguments, which may be of another language
		return "", unsupported(f.Loc(), "The table function "+name)
	}
	e := &env{outer: sees, ctes: in.ctes, noAgg: "as an argument in FROM"}
	var args []*node
	for _, a := range f.Call.Args {
		n, err := b.value(a, e)
		if err != nil {
			return "", err
		}
		args = append(args, n)
	}
	alias := strings.ToLower(name)
	if f.Alias != nil {
		alias = f.Alias.Name
	}
	rel := &relation{}
	switch {
	case name == "STRING_SPLIT" && len(args) == 2 && f.With == nil:
		s, err := b.toText(args[0])
		if err != nil {
			return "", err
		}
		sep, err := b.toText(args[1])
		if err != nil {
			return "", err
		}
		rel.sql = "SELECT unnest(string_split(" + s.sql + ", " + sep.sql + ")) AS c1"
		rel.cols = []relColumn{{name: "value", typ: s.typ}}
	case name == "GENERATE_SERIES" && (len(args) == 2 || len(args) == 3) && f.With == nil:
		var texts []string
		typ := Type{ID: Int}
		for _, a := range args {
			if !a.typ.isInteger() {
				return "", unsupported(f.Loc(), "GENERATE_SERIES over "+a.typ.String())
			}
			typ = b.common(typ, a.typ)
			texts = append(texts, "CAST("+a.sql+" AS BIGINT)")
		}
		if len(texts) == 2 {
			texts = append(texts, "CASE WHEN "+texts[0]+" > "+texts[1]+" THEN -1 ELSE 1 END")
		}
		rel.sql = "SELECT CAST(unnest(generate_series(" + strings.Join(texts, ", ") + ")) AS " + typ.engine() + ") AS c1"
		rel.cols = []relColumn{{name: "value", typ: typ}}
	default:
		return "", unsupported(f.Loc(), "This form of "+name)
	}
	id, err := b.addRelation(rel, alias, f.Columns, in, f.Loc())
	if err != nil {
		return "", err
	}
	return "(" + rel.sql + ") AS " + id, nil
}

// values binds VALUES (..), (..) with the types that its columns have in common.
func (b *binder) values(v *syntax.Values, in, sees *env) (*relation, error) {
	e := &env{outer: sees, ctes: in.ctes, noAgg: "in VALUES"}
	var rows [][]*node
	var types []Type
	for _, r := range v.Rows {
		if types == nil {
			types = make([]Type, len(r))
		}
		if len(r) != len(types) {
			return nil, errorf(10709, v.Loc(), "The number of columns for each row in a table value constructor must be the same.")
		}
		var row []*node
		for i, x := range r {
			n, err := b.value(x, e)
			if err != nil {
				return nil, err
			}
			types[i] = b.common(types[i], n.typ)
			row = append(row, n)
		}
		rows = append(rows, row)
	}
	rel := &relation{}
	for _, t := range types {
		rel.cols = append(rel.cols, relColumn{typ: t})
	}
	var lines []string
	for _, row := range rows {
		items := make([]string, len(row))
		for i, n := range row {
			n, err := b.convert(n, types[i], castImplicit, n.at)
			if err != nil {
				return nil, err
			}
			items[i] = "CAST(" + n.sql + " AS " + types[i].engine() + ")"
		}
		lines = append(lines, "("+strings.Join(items, ", ")+")")
	}
	id := b.id("v")
	names := make([]string, len(types))
	for i := range names {
		names[i] = "c" + strconv.Itoa(i+1)
	}
	rel.sql = "SELECT * FROM (VALUES " + strings.Join(lines, ", ") + ") AS " + id + "(" + strings.Join(names, ", ") + ")"
	return rel, nil
}
