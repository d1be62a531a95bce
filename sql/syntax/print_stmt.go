package syntax

import "strings"

func (p *printer) stmt(s Stmt) {
	switch s := s.(type) {
	case *QueryStmt:
		p.query(s.Query)
	case *CreateTable:
		p.createTable(s)
	case *CreateDatabase:
		p.put("CREATE DATABASE ")
		if s.IfNotExists {
			p.put("IF NOT EXISTS ")
		}
		p.name(s.Name)
		p.text(" COMMENT ", s.Comment)
		p.text(" LOCATION ", s.Location)
	case *Drop:
		p.put("DROP ", s.Kind, " ")
		if s.IfExists {
			p.put("IF EXISTS ")
		}
		p.commas(len(s.Names), func(i int) { p.name(s.Names[i]) })
		if s.Cascade {
			p.put(" CASCADE")
		}
	case *Use:
		p.put("USE ")
		p.name(s.Name)
	case *Set:
		p.put("SET ")
		if s.Variable != "" {
			p.put(s.Variable, " = ")
			p.expr(s.Expr, bindOr)
		}
		p.put(strings.Join(s.Words, " "))
	case *Declare:
		p.put("DECLARE ")
		p.commas(len(s.Vars), func(i int) {
			p.put(s.Vars[i].Name, " ")
			p.typeName(s.Vars[i].Type)
			if s.Vars[i].Init != nil {
				p.put(" = ")
				p.expr(s.Vars[i].Init, bindOr)
			}
		})
	case *Print:
		p.put("PRINT ")
		p.expr(s.Expr, bindOr)
	case *Exec:
		p.exec(s)
	case *Transaction:
		p.put(s.Verb, " TRANSACTION")
		if s.Name != "" {
			p.put(" ")
			if s.Name[0] == '@' {
				p.put(s.Name)
			} else {
				p.word(s.Name)
			}
		}
	case *If:
		p.put("IF ")
		p.expr(s.Cond, bindOr)
		p.nested(s.Then)
		if s.Else != nil {
			p.line()
			p.put("ELSE")
			p.nested(s.Else)
		}
	case *Block:
		p.put("BEGIN")
		for _, inner := range s.Stmts {
			p.nested(inner)
			p.put(";")
		}
		p.line()
		p.put("END")
	case *Explain:
		p.put("EXPLAIN ")
		p.stmt(s.Stmt)
	default:
		p.lakeStmt(s)
	}
}

func (p *printer) nested(s Stmt) {
	p.indent++
	p.line()
	p.stmt(s)
	p.indent--
}

// text writes a clause with a string unless the string is empty.
func (p *printer) text(word, s string) {
	if s != "" {
		p.put(word)
		p.str(s)
	}
}

func (p *printer) exec(s *Exec) {
	p.put("EXEC ")
	if s.Name == nil {
		p.put("(")
		p.expr(s.Text, bindOr)
		p.put(")")
		return
	}
	p.name(s.Name)
	p.commas(len(s.Args), func(i int) {
		a := s.Args[i]
		if i == 0 {
			p.put(" ")
		}
		if a.Name != "" {
			p.put(a.Name, " = ")
		}
		switch path, ok := a.Value.(*Path); {
		case a.Value == nil:
			p.put("DEFAULT")
		case ok && leftmost(path) == "DEFAULT":
			p.put("(")
			p.expr(path, bindOr)
			p.put(")")
		default:
			p.guarded(a.Value, bindCompare+1)
		}
		if a.Output {
			p.put(" OUTPUT")
		}
	})
}

func (p *printer) createTable(s *CreateTable) {
	p.put("CREATE ")
	if s.OrReplace {
		p.put("OR REPLACE ")
	}
	p.put("TABLE ")
	if s.IfNotExists {
		p.put("IF NOT EXISTS ")
	}
	p.name(s.Name)
	if s.Columns != nil {
		p.put(" (")
		p.indent++
		for i := range s.Columns {
			if i > 0 {
				p.put(",")
			}
			p.line()
			p.columnDef(&s.Columns[i])
		}
		p.indent--
		p.line()
		p.put(")")
	}
	if s.Using != "" {
		p.line()
		p.put("USING ")
		p.word(s.Using)
	}
	if s.PartitionedBy != nil {
		p.line()
		p.put("PARTITIONED BY (")
		p.commas(len(s.PartitionedBy), func(i int) { p.partitioning(&s.PartitionedBy[i]) })
		p.put(")")
	}
	if s.ClusterBy != nil {
		p.line()
		p.put("CLUSTER BY (")
		p.exprs(s.ClusterBy)
		p.put(")")
	}
	p.text(" LOCATION ", s.Location)
	p.text(" COMMENT ", s.Comment)
	if s.Properties != nil {
		p.line()
		p.put("TBLPROPERTIES (")
		p.properties(s.Properties)
		p.put(")")
	}
	if s.As != nil {
		p.line()
		p.put("AS ")
		p.query(s.As)
	}
}

func (p *printer) columnDef(c *ColumnDef) {
	p.ident(c.Name)
	p.put(" ")
	p.typeName(c.Type)
	if c.Generated != nil {
		p.put(" GENERATED ALWAYS AS (")
		p.expr(c.Generated, bindOr)
		p.put(")")
	}
	if c.Default != nil {
		p.put(" DEFAULT ")
		p.expr(c.Default, bindAdd)
	}
	if c.NotNull {
		p.put(" NOT NULL")
	}
	p.text(" COMMENT ", c.Comment)
}

func (p *printer) partitioning(x *Partitioning) {
	if x.Column != nil {
		p.columnDef(x.Column)
		return
	}
	switch x.Expr.(type) {
	case *Path, *Call, *Literal:
		p.expr(x.Expr, bindOr)
	default: // `a COLLATE b` would be a column
		p.put("(")
		p.expr(x.Expr, bindOr)
		p.put(")")
	}
}

func (p *printer) paths(word string, paths []*Path) {
	p.put(word)
	p.commas(len(paths), func(i int) { p.parts(paths[i].Parts) })
}

// lakeStmt writes the statements that act on tables.
func (p *printer) lakeStmt(s Stmt) {
	switch s := s.(type) {
	case *Optimize:
		p.put("OPTIMIZE ")
		p.name(s.Name)
		if s.Full {
			p.put(" FULL")
		}
		if s.Where != nil {
			p.put(" WHERE ")
			p.expr(s.Where, bindOr)
		}
		if s.ZOrder != nil {
			p.paths(" ZORDER BY (", s.ZOrder)
			p.put(")")
		}
	case *Vacuum:
		p.put("VACUUM ")
		p.name(s.Name)
		if s.Lite {
			p.put(" LITE")
		}
		if s.Retain != nil {
			p.put(" RETAIN ")
			p.expr(s.Retain, bindPostfix+1)
			p.put(" HOURS")
		}
		if s.DryRun {
			p.put(" DRY RUN")
		}
	case *Analyze:
		p.put("ANALYZE TABLE ")
		p.name(s.Name)
		p.put(" COMPUTE STATISTICS")
		switch {
		case s.NoScan:
			p.put(" NOSCAN")
		case s.AllColumns:
			p.put(" FOR ALL COLUMNS")
		case s.Columns != nil:
			p.paths(" FOR COLUMNS ", s.Columns)
		}
	case *Describe:
		p.put("DESCRIBE ")
		if s.Kind != "" {
			p.put(s.Kind, " ")
		} else {
			p.put("TABLE ")
		}
		p.name(s.Name)
		if s.Limit != nil {
			p.put(" LIMIT ")
			p.expr(s.Limit, bindPostfix+1)
		}
	case *Show:
		p.put("SHOW ", strings.Join(s.Words, " "))
		if s.In != nil {
			if last := s.Words[len(s.Words)-1]; last != "TBLPROPERTIES" && last != "TABLE" {
				p.put(" IN")
			}
			p.put(" ")
			p.name(s.In)
		}
	case *Restore:
		p.put("RESTORE TABLE ")
		p.name(s.Name)
		p.put(" TO ")
		p.asOf(s.To)
	case *Insert:
		p.put("INSERT ")
		if s.Overwrite {
			p.put("OVERWRITE ")
		} else {
			p.put("INTO ")
		}
		p.name(s.Name)
		p.put(" ")
		if s.Columns != nil {
			p.idents(s.Columns)
			p.put(" ")
		}
		p.query(s.Query)
	default:
		p.changeStmt(s)
	}
}

// changeStmt writes the statements that change rows and columns.
func (p *printer) changeStmt(s Stmt) {
	switch s := s.(type) {
	case *Delete:
		p.put("DELETE FROM ")
		p.target(s.Name, s.Alias)
		p.where(s.Where)
	case *Update:
		p.put("UPDATE ")
		p.target(s.Name, s.Alias)
		p.put(" SET ")
		p.commas(len(s.Set), func(i int) {
			p.parts(s.Set[i].Column.Parts)
			p.put(" = ")
			p.expr(s.Set[i].Value, bindOr)
		})
		p.where(s.Where)
	case *Truncate:
		p.put("TRUNCATE TABLE ")
		p.name(s.Name)
	case *AlterTable:
		p.alterTable(s)
	}
}

func (p *printer) target(name *Name, alias *Ident) {
	p.name(name)
	if alias != nil {
		p.put(" AS ")
		p.ident(*alias)
	}
}

func (p *printer) where(e Expr) {
	if e != nil {
		p.put(" WHERE ")
		p.expr(e, bindOr)
	}
}

func (p *printer) alterTable(s *AlterTable) {
	p.put("ALTER TABLE ")
	p.name(s.Name)
	ifExists := func() {
		if s.IfExists {
			p.put("IF EXISTS ")
		}
	}
	column := func(words string) {
		p.put(" ALTER COLUMN ")
		p.parts(s.Column.Parts)
		p.put(words)
	}
	switch s.Kind {
	case AddColumns:
		p.put(" ADD COLUMNS (")
		p.commas(len(s.Columns), func(i int) { p.columnDef(&s.Columns[i]) })
		p.put(")")
	case DropColumns:
		p.paths(" DROP COLUMNS (", s.Drop)
		p.put(")")
	case RenameColumn:
		p.put(" RENAME COLUMN ")
		p.parts(s.Column.Parts)
		p.put(" TO ")
		p.ident(s.To)
	case ColumnComment:
		column(" COMMENT ")
		p.str(s.Comment)
	case SetNotNull:
		column(" SET NOT NULL")
	case DropNotNull:
		column(" DROP NOT NULL")
	case ColumnType:
		column(" TYPE ")
		p.typeName(s.Type)
	case AddConstraint:
		p.put(" ADD CONSTRAINT ")
		p.ident(s.Constraint)
		p.put(" CHECK (")
		p.expr(s.Check, bindOr)
		p.put(")")
	case DropConstraint:
		p.put(" DROP CONSTRAINT ")
		ifExists()
		p.ident(s.Constraint)
	case SetProperties:
		p.put(" SET TBLPROPERTIES (")
		p.properties(s.Properties)
		p.put(")")
	case UnsetProperties:
		p.put(" UNSET TBLPROPERTIES ")
		ifExists()
		p.put("(")
		p.commas(len(s.Keys), func(i int) { p.str(s.Keys[i]) })
		p.put(")")
	}
}

func (p *printer) properties(list []Property) {
	p.commas(len(list), func(i int) {
		p.str(list[i].Key)
		p.put(" = ")
		p.str(list[i].Value)
	})
}
