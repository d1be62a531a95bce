package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"spate/internal/near"
	"spate/sql/syntax"
)

// Session runs the queries of one person. It is used by one goroutine.
type Session struct {
	Catalog  Catalog
	Engine   *Engine
	Dialect  syntax.Dialect   // syntax.Spark, or else T-SQL
	Database string           // current database, "default" if empty; USE changes it
	Now      func() time.Time // time.Now if nil; every statement reads it once
	Params   map[string]Param // by name without @, lower case
	Tables   Tables           // carries out statements on tables; nil: they are refused
	Force    bool             // allows VACUUM to keep less than the table says
	MaxFiles int              // refuse a query that opens more; 0: no limit
	// WarnFiles is the number of opened files from which a result carries a warning, default 200.
	WarnFiles int

	vars map[string]Param // of DECLARE, until the text that declared them ends
}

// Param is the value of a parameter.
type Param struct {
	Type  Type
	Value Value
}

// TextParam is a parameter of type nvarchar, which converts to other types as
// T-SQL converts texts.
func TextParam(s string) Param {
	return Param{Type: Type{ID: NVarChar, Size: 4000}, Value: textValue(KindText, s)}
}

// IntParam is a parameter of type bigint.
func IntParam(i int64) Param { return Param{Type: Type{ID: BigInt}, Value: intValue(i)} }

// Run runs a text that holds exactly one query. The caller closes the result.
func (s *Session) Run(ctx context.Context, sql string) (*Result, error) {
	stmts, err := s.parse(sql)
	if err != nil {
		return nil, err
	}
	defer func() { s.vars = nil }()
	var out *Result
	for _, st := range stmts {
		if q, ok := st.(*syntax.QueryStmt); ok && out == nil {
			if out, err = s.query(ctx, q); err != nil {
				return nil, err
			}
			continue
		} else if ok {
			out.Close()
			return nil, errorf(102, q.Loc(), "Incorrect syntax: a second query, where one is expected.")
		}
		r, err := s.command(ctx, st)
		if err == nil && r != nil && out != nil {
			r.Close()
			err = errorf(102, st.Loc(), "Incorrect syntax: a second statement with a result, where one is expected.")
		}
		if err != nil {
			if out != nil {
				out.Close()
			}
			return nil, err
		}
		if r != nil {
			out = r
		}
	}
	if out == nil {
		return nil, &Error{Number: 102, Class: 15, Message: "Incorrect syntax: there is no query in the text."}
	}
	return out, nil
}

// Each runs the statements of a text in order and hands the result of every one that
// has one to f, closing it afterwards. The first error ends it.
func (s *Session) Each(ctx context.Context, sql string, f func(*Result) error) error {
	stmts, err := s.parse(sql)
	if err != nil {
		return err
	}
	if len(stmts) == 0 {
		return &Error{Number: 102, Class: 15, Message: "Incorrect syntax: there is no query in the text."}
	}
	defer func() { s.vars = nil }()
	for _, st := range stmts {
		var r *Result
		if q, ok := st.(*syntax.QueryStmt); ok {
			r, err = s.query(ctx, q)
		} else {
			r, err = s.command(ctx, st)
		}
		if err != nil {
			return err
		}
		if r == nil {
			continue
		}
		err = f(r)
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// Creates reports whether a text has a statement that makes something, so that it can be carried
// out where nothing is yet.
func Creates(sql string, d syntax.Dialect) bool {
	stmts, err := (&Session{Dialect: d}).parse(sql)
	return err == nil && slices.ContainsFunc(stmts, func(st syntax.Stmt) bool {
		switch st.(type) {
		case *syntax.CreateTable, *syntax.CreateDatabase:
			return true
		}
		return false
	})
}

func (s *Session) dialect() syntax.Dialect {
	if s.Dialect == syntax.Spark {
		return syntax.Spark
	}
	return syntax.TSQL
}

func (s *Session) parse(sql string) ([]syntax.Stmt, error) {
	if len(sql) > 1<<20 {
		return nil, &Error{Number: 8631, Class: 17, Message: "The text of the query is longer than 1 MB."}
	}
	script, errs := syntax.Parse(sql, s.dialect())
	if len(errs) > 0 {
		e := errs[0]
		return nil, &Error{Number: 102, Class: 15, Message: "Incorrect syntax: " + e.Msg, Pos: e.Span.From, Hint: e.Hint}
	}
	return script.Stmts, nil
}

// command carries out a statement that is no query. The result is nil where it has none.
func (s *Session) command(ctx context.Context, st syntax.Stmt) (*Result, error) {
	switch st := st.(type) {
	case *syntax.Use:
		name := st.Name.Last().Name
		if !s.Catalog.HasDatabase(name) {
			return nil, errorf(911, st.Loc(), "Database '%s' does not exist. Make sure that the name is entered correctly.", name)
		}
		s.Database = name
		return nil, nil
	case *syntax.Set:
		if st.Variable == "" && len(st.Words) > 0 && (s.Dialect == syntax.Spark || strings.EqualFold(st.Words[0], "DIALECT")) {
			return nil, unsupported(st.Loc(), "SET "+strings.Join(st.Words, " "))
		}
		if st.Variable == "" {
			return nil, nil // options such as NOCOUNT change nothing here
		}
		return nil, s.assign(ctx, st)
	case *syntax.Declare:
		return nil, s.declare(ctx, st)
	case *syntax.Explain:
		q, ok := st.Stmt.(*syntax.QueryStmt)
		if !ok {
			return nil, unsupported(st.Loc(), "The plan of another statement than a query")
		}
		r, _, err := s.plan(ctx, q)
		if err != nil {
			return nil, err
		}
		var rows [][]Value
		for _, line := range r.Plan() {
			rows = append(rows, []Value{TextValue(line)})
		}
		return NewResult([]Column{{Name: "plan", Type: Type{ID: NVarChar, Size: Max}}}, rows), nil
	}
	if a, err := s.action(ctx, st); a != nil || err != nil {
		if err != nil {
			return nil, err
		}
		r, err := s.Tables.Do(ctx, a)
		return r, s.actionError(ctx, err, a)
	}
	return nil, errorf(40510, st.Loc(), "Statement '%s' is not supported in this version of Spate's query endpoint.", stmtName(st))
}

func stmtName(st syntax.Stmt) string {
	name := fmt.Sprintf("%T", st)
	return strings.ToUpper(name[strings.LastIndexByte(name, '.')+1:])
}

// query plans and starts one query.
func (s *Session) query(ctx context.Context, q *syntax.QueryStmt) (*Result, error) {
	r, err := s.begin(ctx, q)
	if err == nil {
		r.again = func() (*Result, error) { return s.begin(ctx, q) }
	}
	return r, err
}

func (s *Session) begin(ctx context.Context, q *syntax.QueryStmt) (*Result, error) {
	r, req, err := s.plan(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := r.start(ctx, s.Engine, req); err != nil {
		return nil, err
	}
	return r, nil
}

// Explain plans a text that holds exactly one query and runs nothing: the
// result has no rows, its SQL and Stats say what would be done.
func (s *Session) Explain(ctx context.Context, sql string) (*Result, error) {
	stmts, err := s.parse(sql)
	if err != nil {
		return nil, err
	}
	defer func() { s.vars = nil }()
	for _, st := range stmts {
		if q, ok := st.(*syntax.QueryStmt); ok {
			r, _, err := s.plan(ctx, q)
			return r, err
		}
		if a, err := s.action(ctx, st); err != nil {
			return nil, err
		} else if a != nil {
			return nil, unsupported(st.Loc(), "The plan of a statement on tables")
		}
		if _, err := s.command(ctx, st); err != nil {
			return nil, err
		}
	}
	return nil, &Error{Number: 102, Class: 15, Message: "Incorrect syntax: there is no query in the text."}
}

func (s *Session) binder(ctx context.Context) *binder {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	params := maps.Clone(s.Params)
	if params == nil {
		params = map[string]Param{}
	}
	maps.Copy(params, s.vars)
	none := ""
	if s.Engine != nil {
		none = s.Engine.none
	}
	return &binder{dialect: s.dialect(), none: none, ctx: ctx, catalog: s.Catalog, database: cmp.Or(s.Database, "default"), now: now().UTC(), params: params}
}

func (s *Session) plan(ctx context.Context, q *syntax.QueryStmt) (*Result, *Request, error) {
	b := s.binder(ctx)
	rel, err := b.statement(q.Query)
	if err != nil {
		return nil, nil, err
	}
	r := &Result{}
	r.Stats.Started = b.now
	req := &Request{}
	for _, c := range rel.cols {
		r.Columns = append(r.Columns, Column{Name: c.name, Type: c.typ})
		req.Kinds = append(req.Kinds, c.typ.kind())
	}
	if req.SQL, err = b.finish(rel.sql, req, &r.Stats); err != nil {
		return nil, nil, err
	}
	r.SQL, r.Scans = req.SQL, b.plans
	warn := s.WarnFiles
	if warn <= 0 {
		warn = 200
	}
	if n := r.Stats.FilesOpened; s.MaxFiles > 0 && n > s.MaxFiles {
		return nil, nil, &Error{Number: 50000, Class: 16,
			Message: fmt.Sprintf("SPATE-QUERY-003: the query would open %d files, more than the limit of %d.", n, s.MaxFiles),
			Hint:    "Narrow the query with a predicate on the time or the partition column of its table."}
	} else if n >= warn {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the query opens %d files; a predicate on the time or the partition column of its table would open fewer", n))
	}
	return r, req, nil
}

// catalogError gives a Catalog's error its number and place.
func (b *binder) catalogError(err error, at syntax.Span, name string) error {
	if errors.Is(err, ErrNotWritten) {
		e := errorf(208, at, "Invalid object name '%s'.", name)
		e.Hint = "The table is declared, but nothing has been written to it yet."
		return e
	}
	if errors.Is(err, ErrNoTable) || errors.Is(err, ErrNoDatabase) {
		e := errorf(208, at, "Invalid object name '%s'.", name)
		e.Hint = b.nearestTable(name)
		return e
	}
	return fmt.Errorf("open table %s: %w", name, err)
}

// nearestTable suggests a table whose name differs by little, or is in another
// database.
func (b *binder) nearestTable(name string) string {
	lister, ok := b.catalog.(Lister)
	if !ok {
		return ""
	}
	tables, err := lister.List(b.ctx)
	if err != nil {
		return ""
	}
	last := lower(name[strings.LastIndexByte(name, '.')+1:])
	best, dist := "", 3
	for _, t := range tables {
		if d := near.Distance(last, lower(t.Name)); d < dist && d < len(last) {
			best, dist = t.Database+"."+t.Name, d
		}
	}
	if best == "" {
		return ""
	}
	return "Did you mean '" + best + "'?"
}
