package query

import (
	"errors"
	"fmt"
	"strings"

	"spate/sql/syntax"
)

// informationSchema binds INFORMATION_SCHEMA.TABLES and COLUMNS of a database
// as rows that are known when the query is bound.
func (b *binder) informationSchema(ref *syntax.TableRef, in *env) (string, error) {
	lister, ok := b.catalog.(Lister)
	view := strings.ToUpper(ref.Name.Last().Name)
	if !ok || view != "TABLES" && view != "COLUMNS" {
		return "", unsupported(ref.Name.Loc(), "The system view "+nameText(ref.Name))
	}
	database := b.database
	if len(ref.Name.Parts) == 3 {
		database = ref.Name.Parts[0].Name
	}
	tables, err := lister.List(b.ctx)
	if err != nil {
		return "", fmt.Errorf("list tables: %w", err)
	}
	text, number := Type{ID: NVarChar, Size: 128}, Type{ID: Int}
	rel := &relation{cols: []relColumn{{name: "TABLE_CATALOG", typ: text}, {name: "TABLE_SCHEMA", typ: text}, {name: "TABLE_NAME", typ: text}}}
	if view == "TABLES" {
		rel.cols = append(rel.cols, relColumn{name: "TABLE_TYPE", typ: text})
	} else {
		rel.cols = append(rel.cols, relColumn{name: "COLUMN_NAME", typ: text}, relColumn{name: "ORDINAL_POSITION", typ: number}, relColumn{name: "DATA_TYPE", typ: text},
			relColumn{name: "CHARACTER_MAXIMUM_LENGTH", typ: number}, relColumn{name: "NUMERIC_PRECISION", typ: number}, relColumn{name: "NUMERIC_SCALE", typ: number})
	}
	var rows []string
	for _, t := range tables {
		if !sameName(t.Database, database) {
			continue
		}
		head := Quote(t.Database) + ", 'dbo', " + Quote(t.Name)
		if view == "TABLES" {
			rows = append(rows, "("+head+", 'BASE TABLE')")
			continue
		}
		table, err := b.catalog.Table(b.ctx, t.Database, t.Name, AsOf{})
		if errors.Is(err, ErrNotWritten) {
			continue // nothing has been written to it
		}
		if err != nil {
			return "", b.catalogError(err, ref.Name.Loc(), t.Database+"."+t.Name)
		}
		for i, c := range table.Columns {
			name, _, _ := strings.Cut(c.Type.String(), "(")
			rows = append(rows, fmt.Sprintf("(%s, %s, %d, %s, %s)", head, Quote(c.Name), i+1, Quote(name), typeNumbers(c.Type)))
		}
	}
	names := make([]string, len(rel.cols))
	casts := make([]string, len(rel.cols))
	for i, c := range rel.cols {
		names[i] = fmt.Sprintf("c%d", i+1)
		casts[i] = fmt.Sprintf("CAST(c%d AS %s) AS c%d", i+1, c.typ.engine(), i+1)
	}
	end := ""
	if len(rows) == 0 {
		rows = []string{"(" + strings.TrimSuffix(strings.Repeat("NULL, ", len(names)), ", ") + ")"}
		end = " WHERE false"
	}
	rel.sql = "SELECT " + strings.Join(casts, ", ") + " FROM (VALUES " + strings.Join(rows, ", ") + ") AS " + b.id("v") + "(" + strings.Join(names, ", ") + ")" + end
	alias := ref.Name.Last().Name
	if ref.Alias != nil {
		alias = ref.Alias.Name
	}
	id, err := b.addRelation(rel, alias, ref.Columns, in, ref.Loc())
	if err != nil {
		return "", err
	}
	return "(" + rel.sql + ") AS " + id, nil
}

// typeNumbers are length, precision and scale of a type.
func typeNumbers(t Type) string {
	switch {
	case t.isText() || t.ID == VarBinary:
		return fmt.Sprintf("%d, NULL, NULL", t.Size)
	case t.ID == Decimal:
		return fmt.Sprintf("NULL, %d, %d", t.Prec, t.Scale)
	}
	return "NULL, NULL, NULL"
}
