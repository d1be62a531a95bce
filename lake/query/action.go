package query

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"spate/sql/syntax"
)

// Tables carries out statements that act on tables, or tell of them.
type Tables interface {
	Do(ctx context.Context, a *Action) (*Result, error)
}

// ActionKind is a kind of statement.
type ActionKind string

// Statements on tables.
const (
	Insert          ActionKind = "INSERT"
	InsertOverwrite ActionKind = "INSERT OVERWRITE"
	Delete          ActionKind = "DELETE"
	Update          ActionKind = "UPDATE"
	Truncate        ActionKind = "TRUNCATE"
	CreateDatabase  ActionKind = "CREATE DATABASE"
	CreateTable     ActionKind = "CREATE TABLE"
	AlterTable      ActionKind = "ALTER TABLE"
	Drop            ActionKind = "DROP"
	Analyze         ActionKind = "ANALYZE TABLE"

	Optimize      ActionKind = "OPTIMIZE"
	Vacuum        ActionKind = "VACUUM"
	Restore       ActionKind = "RESTORE"
	Describe      ActionKind = "DESCRIBE"
	DescribeFull  ActionKind = "DESCRIBE EXTENDED"
	Detail        ActionKind = "DESCRIBE DETAIL"
	History       ActionKind = "DESCRIBE HISTORY"
	ShowDatabases ActionKind = "SHOW DATABASES"
	ShowTables    ActionKind = "SHOW TABLES"
	ShowColumns   ActionKind = "SHOW COLUMNS"
	ShowCreate    ActionKind = "SHOW CREATE TABLE"
	ShowProps     ActionKind = "SHOW TBLPROPERTIES"
	ShowParts     ActionKind = "SHOW PARTITIONS"
)

// Action is a statement with its names and constants resolved.
type Action struct {
	Kind     ActionKind
	Database string
	Table    string // empty: the statement is of a database

	// Of OPTIMIZE. Where is nil for the whole table; its argument are the texts of partition
	// values as the log has them.
	Where     func(partition map[string]*string) bool
	WhereText string
	ZOrderBy  []string

	// Of VACUUM.
	Retain time.Duration // negative: the table's
	Force  bool
	DryRun bool
	Lite   bool

	Change *Change // of the statements that change rows

	Statement syntax.Stmt // of those that make, alter and drop tables and databases, as it is written
	Drop      []Named     // tables of DROP TABLE

	To    AsOf // of RESTORE
	Limit int  // of DESCRIBE HISTORY; 0: all

	at syntax.Span
}

// Named is a table in a statement.
type Named struct {
	Database, Table string
	At              syntax.Span
}

// action resolves a statement on tables; nil if it is none, or if there is nobody to carry it
// out.
func (s *Session) action(ctx context.Context, st syntax.Stmt) (*Action, error) {
	if s.Tables == nil {
		return nil, nil
	}
	b := s.binder(ctx)
	switch st := st.(type) {
	case *syntax.Optimize:
		a, err := b.on(Optimize, st.Name, st.Span)
		if err != nil {
			return nil, err
		}
		if st.Full {
			return nil, unsupported(st.Loc(), "OPTIMIZE ... FULL, of clustered tables,")
		}
		for _, p := range st.ZOrder {
			if len(p.Parts) != 1 {
				return nil, unsupported(p.Loc(), "ZORDER BY a field of a column")
			}
			a.ZOrderBy = append(a.ZOrderBy, p.Parts[0].Name)
		}
		if st.Where != nil {
			t, err := s.Catalog.Table(ctx, a.Database, a.Table, AsOf{})
			if err != nil {
				return nil, b.catalogError(err, st.Loc(), a.name())
			}
			if a.Where, err = b.partitionFilter(st.Where, t); err != nil {
				return nil, err
			}
			a.WhereText = syntax.FormatExpr(st.Where, syntax.Spark)
		}
		return a, nil
	case *syntax.Vacuum:
		a, err := b.on(Vacuum, st.Name, st.Span)
		if err != nil {
			return nil, err
		}
		a.DryRun, a.Lite, a.Retain, a.Force = st.DryRun, st.Lite, -1, s.Force
		if st.Retain != nil {
			hours, err := b.constant(st.Retain, Type{ID: Float}, "the hours of RETAIN")
			if err != nil {
				return nil, err
			}
			if h := hours.Float(); h >= 0 && h < 1e6 {
				a.Retain = time.Duration(h * float64(time.Hour))
			} else {
				return nil, errorf(50000, st.Retain.Loc(), "RETAIN takes hours, from 0 to a million.")
			}
		}
		return a, nil
	case *syntax.CreateDatabase:
		return &Action{Kind: CreateDatabase, Database: st.Name.Last().Name, Statement: st, at: st.Span}, nil
	case *syntax.CreateTable:
		a, err := b.on(CreateTable, st.Name, st.Span)
		if err == nil {
			if a.Statement = st; st.As != nil {
				a.Change = &Change{s: s, name: st.Name, query: st.As}
			}
		}
		return a, err
	case *syntax.AlterTable:
		a, err := b.on(AlterTable, st.Name, st.Span)
		if err == nil {
			a.Statement = st
		}
		return a, err
	case *syntax.Analyze:
		a, err := b.on(Analyze, st.Name, st.Span)
		if err == nil {
			a.Statement = st
		}
		return a, err
	case *syntax.Drop:
		a := &Action{Kind: Drop, Statement: st, at: st.Span}
		switch st.Kind {
		case "VIEW":
			return nil, unsupported(st.Loc(), "DROP VIEW")
		case "TABLE":
			for _, name := range st.Names {
				one, err := b.on(Drop, name, st.Span)
				if err != nil {
					return nil, err
				}
				a.Drop = append(a.Drop, Named{one.Database, one.Table, one.at})
			}
		default:
			if len(st.Names) != 1 {
				return nil, unsupported(st.Loc(), "DROP DATABASE of several databases")
			}
			a.Database = st.Names[0].Last().Name
		}
		return a, nil
	case *syntax.Insert:
		kind := Insert
		if st.Overwrite {
			kind = InsertOverwrite
		}
		a, err := b.on(kind, st.Name, st.Span)
		if err == nil {
			a.Change = &Change{s: s, name: st.Name, query: st.Query, columns: st.Columns}
		}
		return a, err
	case *syntax.Delete:
		a, err := b.on(Delete, st.Name, st.Span)
		if err == nil {
			a.Change = &Change{s: s, name: st.Name, alias: st.Alias, where: st.Where, All: st.Where == nil}
			a.where(st.Where)
		}
		return a, err
	case *syntax.Truncate:
		a, err := b.on(Truncate, st.Name, st.Span)
		if err == nil {
			a.Change = &Change{s: s, name: st.Name, All: true}
		}
		return a, err
	case *syntax.Update:
		a, err := b.on(Update, st.Name, st.Span)
		if err == nil {
			a.Change = &Change{s: s, name: st.Name, alias: st.Alias, where: st.Where, set: st.Set}
			a.where(st.Where)
		}
		return a, err
	case *syntax.Restore:
		a, err := b.on(Restore, st.Name, st.Span)
		if err != nil {
			return nil, err
		}
		a.To, err = b.asOf(st.To)
		return a, err
	case *syntax.Describe:
		kind := map[string]ActionKind{"": Describe, "EXTENDED": DescribeFull, "DETAIL": Detail, "HISTORY": History}[st.Kind]
		if kind == "" {
			return nil, unsupported(st.Loc(), "DESCRIBE "+st.Kind)
		}
		a, err := b.on(kind, st.Name, st.Span)
		if err != nil || st.Limit == nil {
			return a, err
		}
		if kind != History {
			return nil, errorf(102, st.Limit.Loc(), "Incorrect syntax: only DESCRIBE HISTORY has a LIMIT.")
		}
		n, err := b.constant(st.Limit, Type{ID: BigInt}, "LIMIT")
		if err != nil {
			return nil, err
		}
		if n.Int() < 1 || n.Int() > 1e9 {
			return nil, errorf(50000, st.Limit.Loc(), "LIMIT takes a number above 0.")
		}
		a.Limit = int(n.Int())
		return a, nil
	case *syntax.Show:
		return b.show(st)
	}
	return nil, nil
}

// show resolves SHOW.
func (b *binder) show(st *syntax.Show) (*Action, error) {
	switch words := strings.Join(st.Words, " "); words {
	case "DATABASES", "SCHEMAS":
		if st.In != nil {
			return nil, unsupported(st.In.Loc(), "SHOW "+words+" IN")
		}
		return &Action{Kind: ShowDatabases, at: st.Span}, nil
	case "TABLES":
		a := &Action{Kind: ShowTables, Database: b.database, at: st.Span}
		if st.In != nil {
			a.Database = st.In.Last().Name
			if !b.catalog.HasDatabase(a.Database) {
				return nil, errorf(911, st.In.Loc(), "Database '%s' does not exist. Make sure that the name is entered correctly.", a.Database)
			}
		}
		return a, nil
	case "COLUMNS", "PARTITIONS", "TBLPROPERTIES", "CREATE TABLE":
		if st.In == nil {
			return nil, errorf(102, st.Loc(), "Incorrect syntax: SHOW %s needs the name of a table.", words)
		}
		return b.on(ActionKind("SHOW "+words), st.In, st.Span)
	default:
		return nil, unsupported(st.Loc(), "SHOW "+words)
	}
}

// on is an action on the table of that name.
func (b *binder) on(kind ActionKind, name *syntax.Name, at syntax.Span) (*Action, error) {
	a := &Action{Kind: kind, Database: b.database, Table: name.Last().Name, at: name.Span}
	switch len(name.Parts) {
	case 1:
	case 2:
		if db := name.Parts[0].Name; !strings.EqualFold(db, "dbo") {
			a.Database = db
		}
	case 3:
		if db := name.Parts[0].Name; db != "" {
			a.Database = db
		}
	default:
		return nil, errorf(117, at, "The object name '%s' has more than three parts.", syntax.FormatName(name))
	}
	return a, nil
}

// where notes a condition for the history of the table.
func (a *Action) where(e syntax.Expr) {
	if e != nil {
		a.WhereText = syntax.FormatExpr(e, syntax.Spark)
	}
}

func (a *Action) name() string { return a.Database + "." + a.Table }

// constant computes a constant.
func (b *binder) constant(e syntax.Expr, t Type, what string) (Value, error) {
	n, err := b.value(e, &env{})
	if err != nil {
		return Value{}, err
	}
	if n, err = b.convert(n, t, castImplicit, e.Loc()); err != nil {
		return Value{}, err
	}
	if n.con == nil || n.con.IsNull() {
		return Value{}, unsupported(e.Loc(), "An expression other than a constant as "+what)
	}
	return *n.con, nil
}

// actionError gives an error of a statement its number and place.
func (s *Session) actionError(ctx context.Context, err error, a *Action) error {
	var mistake *Error
	switch {
	case err == nil || errors.As(err, &mistake):
		return err
	case errors.Is(err, ErrNoTable), errors.Is(err, ErrNoDatabase), errors.Is(err, ErrNotWritten):
		return s.binder(ctx).catalogError(err, a.at, a.name())
	}
	return fmt.Errorf("%s: %w", a.Kind, err)
}
