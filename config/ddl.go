package config

import (
	"fmt"
	"strings"

	"spate/pipeline"
	"spate/sql/syntax"
)

// tableDDL is what one CREATE TABLE ... USING DELTA says.
type tableDDL struct {
	columns     []pipeline.TableColumn
	partitionBy []pipeline.PartitionBy
	location    string
}

// columnTypes maps the type words of Spark SQL to the names of TableColumn.
var columnTypes = map[string]string{
	"STRING": "string", "LONG": "long", "BIGINT": "long", "INT": "int", "INTEGER": "int", "DOUBLE": "double",
	"FLOAT": "float", "REAL": "float", "BOOLEAN": "boolean", "TIMESTAMP": "timestamp", "DATE": "date", "BINARY": "binary",
}

func mistake(at syntax.Span, hint, format string, args ...any) syntax.Errors {
	return syntax.Errors{{Span: at, Msg: fmt.Sprintf(format, args...), Hint: hint}}
}

// parseDDL reads the one CREATE TABLE of Spark SQL in src.
func parseDDL(src string) (*tableDDL, syntax.Errors) {
	script, errs := syntax.Parse(src, syntax.Spark)
	if len(errs) > 0 {
		return nil, errs
	}
	const want = "want CREATE TABLE name (column TYPE, ...) USING DELTA"
	if len(script.Stmts) != 1 {
		return nil, mistake(syntax.Span{From: syntax.Pos{Line: 1, Col: 1}}, want, "%d statements, want one", len(script.Stmts))
	}
	c, ok := script.Stmts[0].(*syntax.CreateTable)
	if !ok {
		return nil, mistake(script.Stmts[0].Loc(), want, "this is not CREATE TABLE")
	}
	if c.Using != "DELTA" {
		return nil, mistake(c.Span, want, "the table is not USING DELTA")
	}
	if len(c.ClusterBy) > 0 || len(c.Properties) > 0 || c.As != nil {
		return nil, mistake(c.Span, "", "CLUSTER BY, TBLPROPERTIES and AS are not supported yet")
	}
	d := &tableDDL{location: c.Location}
	for i := range c.Columns {
		col, errs := ddlColumn(&c.Columns[i], d.columns)
		if errs != nil {
			return nil, errs
		}
		d.columns = append(d.columns, col)
	}
	for _, p := range c.PartitionedBy {
		if p.Column != nil {
			return nil, mistake(p.Span, "declare the column above", "a column declared in PARTITIONED BY is not supported yet")
		}
		by, ok := partitionOf(p.Expr)
		if !ok {
			return nil, mistake(p.Span, "want a column or DATE(column)", "this partition expression is not supported yet")
		}
		if !hasColumn(d.columns, by.Column) {
			return nil, mistake(p.Span, "", "there is no column %s", by.Column)
		}
		d.partitionBy = append(d.partitionBy, by)
	}
	return d, nil
}

func ddlColumn(c *syntax.ColumnDef, before []pipeline.TableColumn) (pipeline.TableColumn, syntax.Errors) {
	if hasColumn(before, c.Name.Name) {
		return pipeline.TableColumn{}, mistake(c.Name.Span, "", "the column %s is there twice", c.Name.Name)
	}
	if c.Generated != nil || c.Default != nil {
		return pipeline.TableColumn{}, mistake(c.Span, "", "generated and default columns are not supported yet")
	}
	typ, ok := columnTypes[c.Type.Name]
	if !ok || len(c.Type.Args) > 0 || len(c.Type.Elems) > 0 {
		return pipeline.TableColumn{}, mistake(c.Type.Span, "types are STRING, LONG, INT, DOUBLE, FLOAT, BOOLEAN, TIMESTAMP, DATE, BINARY",
			"the type %s is not supported yet", c.Type.Name)
	}
	return pipeline.TableColumn{Name: c.Name.Name, Type: typ, NotNull: c.NotNull}, nil
}

// parsePartition reads one entry of partitionBy: column or date(column).
func parsePartition(s string) (pipeline.PartitionBy, bool) {
	e, errs := syntax.ParseExpr(s, syntax.Spark)
	if len(errs) > 0 {
		return pipeline.PartitionBy{}, false
	}
	return partitionOf(e)
}

func partitionOf(e syntax.Expr) (pipeline.PartitionBy, bool) {
	switch e := e.(type) {
	case *syntax.Path:
		if len(e.Parts) == 1 {
			return pipeline.PartitionBy{Column: e.Parts[0].Name}, true
		}
	case *syntax.Call:
		if strings.EqualFold(e.Name.Last().Name, "date") && len(e.Name.Parts) == 1 && len(e.Args) == 1 {
			if by, ok := partitionOf(e.Args[0]); ok && !by.Date {
				return pipeline.PartitionBy{Column: by.Column, Date: true}, true
			}
		}
	}
	return pipeline.PartitionBy{}, false
}

func hasColumn(cols []pipeline.TableColumn, name string) bool {
	for _, c := range cols {
		if strings.EqualFold(c.Name, name) {
			return true
		}
	}
	return false
}
