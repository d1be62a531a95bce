package syntax

// Node is a part of a syntax tree.
type Node interface {
	// Loc is the piece of the source that the node was read from.
	Loc() Span
}

// Loc implements Node for every type that embeds a Span.
func (s Span) Loc() Span { return s }

// Script is a parsed source text.
type Script struct {
	Dialect Dialect
	Stmts   []Stmt
}

// Stmt is a statement: *QueryStmt, *CreateTable or one of those in
// statements.go.
type Stmt interface {
	Node
	stmt()
}

// Ident is one name. Quote is 0 for a bare name, else the quote it was written
// with: '[', '"', '`', or '\” for a column alias written as a string.
type Ident struct {
	Span
	Name  string
	Quote byte
}

// Name is a name of several parts, from the outside in. A part that was left
// out (`db..table`) is empty.
type Name struct {
	Span
	Parts []Ident
}

// Last is the innermost part.
func (n *Name) Last() Ident { return n.Parts[len(n.Parts)-1] }

// QueryStmt is a query that stands as a statement.
type QueryStmt struct {
	Span
	Query *Query
}

// Query is a query with what may stand around its body.
type Query struct {
	Span
	With    *With // nil: none
	Body    QueryBody
	OrderBy []OrderItem
	Offset  Expr // OFFSET n ROWS or LIMIT .. OFFSET n; nil: none
	Limit   Expr // FETCH NEXT n ROWS ONLY or LIMIT n; nil: none
}

// With is a WITH clause.
type With struct {
	Span
	Steps []*Step
}

// Step is one named query of a WITH clause.
type Step struct {
	Span
	Name    Ident
	Columns []Ident // column list; nil: none
	Query   *Query
}

// QueryBody is *Select, *SetOp, *Values, or a *Query in parentheses.
type QueryBody interface {
	Node
	queryBody()
}

// SetKind is a set operator.
type SetKind uint8

// Set operators.
const (
	Union SetKind = iota
	UnionAll
	Except
	Intersect
)

// SetOp combines two queries.
type SetOp struct {
	Span
	Kind        SetKind
	Left, Right QueryBody
}

// Values is VALUES (..), (..).
type Values struct {
	Span
	Rows [][]Expr
}

// Select is one SELECT.
type Select struct {
	Span
	Distinct bool
	Top      *Top
	Items    []Item
	Into     *Name    // nil: none
	From     []Source // several: comma join; nil: no FROM
	Where    Expr
	GroupBy  []Expr // may hold *Grouping
	Having   Expr
	Windows  []NamedWindow
}

// Top is TOP (n) [PERCENT] [WITH TIES].
type Top struct {
	Span
	Count    Expr
	Percent  bool
	WithTies bool
}

// Item is one entry of a select list: `*`, `path.*`, or an expression.
type Item struct {
	Span
	Star   bool
	Of     *Path  // path.*; nil for `*`
	Expr   Expr   // nil if Star
	Alias  *Ident // nil: none
	Assign string // SELECT @v = expr: the variable with its @
}

// NamedWindow is one entry of a WINDOW clause.
type NamedWindow struct {
	Name Ident
	Over *Over
}

// OrderItem is one key of an ORDER BY.
type OrderItem struct {
	Span
	Expr  Expr
	Desc  bool
	Nulls string // "FIRST", "LAST" or empty
}

// Source is what stands in FROM: *TableRef, *Derived, *TableFunc, *Join or
// *Apply.
type Source interface {
	Node
	source()
}

// Ref is what may follow the name of a source.
type Ref struct {
	Alias     *Ident
	Columns   []Ident      // t(a, b); nil: none
	Timestamp *TimestampBy // nil: none
	Partition *PartitionBy // nil: none
	Match     *MatchRecognize
}

// TableRef names a table, input or step.
type TableRef struct {
	Span
	Name *Name
	AsOf *AsOf // time travel; nil: none
	Ref
}

// AsOf is VERSION AS OF or TIMESTAMP AS OF (also FOR SYSTEM_VERSION and FOR SYSTEM_TIME AS OF).
type AsOf struct {
	Span
	Version bool
	At      Expr
}

// Derived is a sub-query in FROM.
type Derived struct {
	Span
	Query *Query
	Ref
}

// TableFunc is a function call in FROM, such as OPENJSON.
type TableFunc struct {
	Span
	Call *Call
	With []FuncColumn // WITH (...); nil: none
	Ref
}

// FuncColumn is a column of OPENROWSET or OPENJSON ... WITH.
type FuncColumn struct {
	Span
	Name    Ident
	Type    *TypeName
	Ordinal Expr // ordinal or path; nil: none
	AsJSON  bool
}

// TimestampBy is TIMESTAMP BY e [OVER keys].
type TimestampBy struct {
	Span
	Expr Expr
	Over []Expr
}

// PartitionBy is PARTITION BY keys [INTO n] behind an input.
type PartitionBy struct {
	Span
	Keys []Expr
	Into Expr // nil: none
}

// JoinKind is a kind of join.
type JoinKind uint8

// Joins.
const (
	InnerJoin JoinKind = iota
	LeftJoin
	RightJoin
	FullJoin
	CrossJoin
	SemiJoin // of Spark, and AntiJoin: rows of the left side that have a partner, or none
	AntiJoin
)

// Join joins two sources. On is nil for a cross join.
type Join struct {
	Span
	Kind        JoinKind
	Left, Right Source
	On          Expr
}

// Apply is CROSS APPLY or OUTER APPLY.
type Apply struct {
	Span
	Outer       bool
	Left, Right Source
}

// MatchRecognize is a MATCH_RECOGNIZE clause.
type MatchRecognize struct {
	Span
	Limit       *Duration
	PartitionBy []Expr
	Measures    []Item
	Pattern     *Pattern
	Define      []Item // alias: the variable
	Alias       *Ident
}

// PatternKind is a kind of pattern.
type PatternKind uint8

// Patterns.
const (
	PatternVar PatternKind = iota // Name
	PatternAny                    // .
	PatternSeq                    // Parts in turn
	PatternAlt                    // one of Parts
)

// Pattern is the pattern of a MATCH_RECOGNIZE. Quant is empty, "*", "+", "?"
// or "{m,n}" without blanks.
type Pattern struct {
	Span
	Kind  PatternKind
	Name  Ident
	Parts []*Pattern
	Quant string
}

// Duration is DURATION(unit, n) behind LIMIT.
type Duration struct {
	Span
	Unit  Ident
	Count Expr
}

// TypeName is a type as written: name in upper case, and arguments such as
// 10, 2 or MAX. Element types of ARRAY, MAP and STRUCT are in Elems.
type TypeName struct {
	Span
	Name  string
	Args  []string
	Elems []TypeField
}

// TypeField is an element type; Name is empty except in a STRUCT.
type TypeField struct {
	Name Ident
	Type *TypeName
}

func (*QueryStmt) stmt() {}

func (*Select) queryBody() {}
func (*SetOp) queryBody()  {}
func (*Values) queryBody() {}
func (*Query) queryBody()  {}

func (*TableRef) source()  {}
func (*Derived) source()   {}
func (*TableFunc) source() {}
func (*Join) source()      {}
func (*Apply) source()     {}
