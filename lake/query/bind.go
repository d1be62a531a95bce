package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"spate/sql/syntax"
)

// binder turns one statement's tree into SQL of the engine. Fragments are
// built bottom-up: names are generated (t1.c1), literals are written again
// from their values.
type binder struct {
	ctx      context.Context
	catalog  Catalog
	database string
	dialect  syntax.Dialect
	now      time.Time // UTC
	params   map[string]Param

	none     string // see scan
	plans    []Scan // of the scans that finish has emitted
	ids      int
	depth    int
	aliasing int               // aliases within aliases
	work     int               // expressions bound, repeated ones included
	tables   map[string]*Table // by resolved name and version, so that a statement sees one snapshot
	scans    []*scan
	ctes     []string // emitted WITH entries, in order
}

// Limits of one statement. Some rewrites name an operand more than once, and
// keys of GROUP BY are looked for by binding again: without a limit a small text
// could become a large query.
const (
	maxDepth = 200       // nesting of queries and expressions
	maxWork  = 2_000_000 // expressions bound
	maxText  = 2 << 20   // bytes of one emitted expression
)

func tooComplex(at syntax.Span) error {
	return errorf(8623, at, "The query processor ran out of internal resources and could not produce a query plan: the query is too complex.")
}

// relation is a bound query: SQL whose columns are named c1, c2, ...
type relation struct {
	sql  string
	cols []relColumn
}

type relColumn struct {
	name string
	typ  Type
	src  *columnRef // the table column it passes on unchanged; nil: none
}

// cte is a common table expression. It is emitted once, if it is named.
type cte struct {
	relation
	id   string
	used bool
}

// columnRef is a column of a scanned table.
type columnRef struct {
	scan  *scan
	index int
}

// env is what names mean at a place: the common table expressions in sight and
// the enclosing queries.
type env struct {
	outer *env // enclosing query, for correlation and expressions around
	ctes  map[string]*cte
	// The fields below belong to one SELECT.
	sources []*source
	phase   phase
	groups  []*node  // keys of GROUP BY as expressions of a row
	keys    []string // the same as emitted behind GROUP BY
	values  []string // the same as values of a group
	windows []syntax.NamedWindow
	// noAgg explains why an aggregate may not stand here; empty: it may.
	noAgg     string
	sawWindow bool                   // a window function was bound
	aliases   map[string]syntax.Expr // what names of the select list mean where no column has them (Spark)
}

// phase says what a column means in a SELECT.
type phase uint8

const (
	rowPhase   phase = iota // a row of FROM
	groupPhase              // a group: keys and aggregates only
)

// source is one table-like thing in FROM.
type source struct {
	alias string   // what qualifies its columns, without regard to case
	path  []string // full name of a table without alias: database and schema may qualify too
	cols  []sourceColumn
	scan  *scan // nil unless a plain table
}

type sourceColumn struct {
	name string
	typ  Type
	sql  string
	src  *columnRef
}

// node is a bound expression.
type node struct {
	sql  string
	typ  Type
	pred bool // a condition, not a value
	null bool // the literal NULL
	con  *Value
	src  *columnRef
	key  string // of a key of GROUP BY: as emitted there; empty: it is none
	// implied are comparisons of table columns with constants that hold wherever
	// the condition holds; comparisons are never true for NULL.
	implied []bound
	// holds and fails are what the columns fulfil where the condition is true, or false.
	holds, fails *filter
	at           syntax.Span
}

// bound says that column op value.
type bound struct {
	col   columnRef
	op    string // "=", "<", "<=", ">", ">="
	value Value
}

func (b *binder) id(prefix string) string {
	b.ids++
	return fmt.Sprintf("%s%d", prefix, b.ids)
}

// enter guards the nesting depth; call the result on the way out.
func (b *binder) enter(at syntax.Span) (func(), error) {
	if b.depth++; b.depth > maxDepth {
		return nil, errorf(191, at, "Some part of your SQL statement is nested too deeply.")
	}
	return func() { b.depth-- }, nil
}

// statement binds a query that stands alone.
func (b *binder) statement(q *syntax.Query) (*relation, error) {
	return b.query(q, &env{}, queryUse{top: true})
}

// finish chooses files and puts the scans into the SQL.
func (b *binder) finish(sql string, req *Request, stats *Stats) (string, error) {
	if len(b.ctes) > 0 {
		sql = "WITH " + strings.Join(b.ctes, ", ") + " " + sql
	}
	for _, s := range b.scans {
		if !strings.Contains(sql, s.marker()) {
			continue // in a common table expression that nothing names
		}
		s.none = b.none
		text, err := s.emit(b.ctx, req, stats)
		if err != nil {
			return "", err
		}
		sql = strings.ReplaceAll(sql, s.marker(), text)
		b.plans = append(b.plans, s.plan)
	}
	return sql, nil
}

// lower is how names are compared.
func lower(s string) string { return strings.ToLower(s) }

func sameName(a, b string) bool { return strings.EqualFold(a, b) }
