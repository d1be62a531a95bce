package syntax

// Expr is an expression.
type Expr interface {
	Node
	expr()
}

// LiteralKind is a kind of literal.
type LiteralKind uint8

// Literals.
const (
	NullLit    LiteralKind = iota
	IntLit                 // digits
	DecimalLit             // digits with a point
	FloatLit               // with an exponent
	MoneyLit               // $1.50; Text without the $
	StringLit
	NationalLit // N'..'
	BinaryLit   // Text: hex digits, as written behind 0x
	BoolLit     // TRUE, FALSE (Spark)
)

// Literal is a constant. Text holds the characters of a string, decoded, and
// the number as it was written. Suffix is the letter of its type behind a number of
// Spark, in upper case: 1L.
type Literal struct {
	Span
	Kind   LiteralKind
	Text   string
	Suffix string
}

// Interval is INTERVAL 1 DAY 2 HOURS (Spark). Without a unit the text of the only part
// has numbers and units.
type Interval struct {
	Span
	Parts []IntervalPart
}

// IntervalPart is a count with its unit; the unit is in upper case, as written.
type IntervalPart struct {
	Count Expr
	Unit  string
}

// Path is a name in an expression: a column, perhaps qualified, perhaps with a
// path into a record. In the ASA dialect one part in double quotes may be a
// string or a column; the scope decides.
type Path struct {
	Span
	Parts []Ident
}

// Variable is @name or @@name, Name with its @.
type Variable struct {
	Span
	Name string
}

// Param is a `?`, Index counting from 0.
type Param struct {
	Span
	Index int
}

// Star is `*` as an argument.
type Star struct{ Span }

// Unary is "+", "-", "~" or "NOT".
type Unary struct {
	Span
	Op string
	X  Expr
}

// Binary is an operator with two sides: "+" "-" "*" "/" "%" "&" "|" "^" "||"
// "DIV" "=" "<>" "<" "<=" ">" ">=" "<=>" "AND" "OR". != is read as <>, !< as
// >=, !> as <=, == as =.
type Binary struct {
	Span
	Op   string
	L, R Expr
}

// IsNull is x IS [NOT] NULL.
type IsNull struct {
	Span
	X   Expr
	Not bool
}

// IsDistinct is l IS [NOT] DISTINCT FROM r.
type IsDistinct struct {
	Span
	L, R Expr
	Not  bool
}

// Between is x [NOT] BETWEEN lo AND hi.
type Between struct {
	Span
	X, Lo, Hi Expr
	Not       bool
}

// In is x [NOT] IN (list) or x [NOT] IN (query).
type In struct {
	Span
	X     Expr
	List  []Expr
	Query *Query // nil: List
	Not   bool
}

// Like is x [NOT] LIKE pattern [ESCAPE e]; Regex is Spark's RLIKE.
type Like struct {
	Span
	X, Pattern Expr
	Escape     Expr // nil: none
	Not, Regex bool
}

// Exists is EXISTS (query).
type Exists struct {
	Span
	Query *Query
}

// Quantified is l op ANY|ALL (query).
type Quantified struct {
	Span
	Op    string
	L     Expr
	All   bool
	Query *Query
}

// Subquery is a query as a value.
type Subquery struct {
	Span
	Query *Query
}

// Case is CASE. Operand is nil for a searched CASE.
type Case struct {
	Span
	Operand Expr
	Whens   []When
	Else    Expr // nil: none
}

// When is one branch of a Case.
type When struct{ Cond, Then Expr }

// Cast is CAST, TRY_CAST, CONVERT, TRY_CONVERT, PARSE or TRY_PARSE, as Func
// says.
type Cast struct {
	Span
	Func  string
	X     Expr
	Type  *TypeName
	Style Expr // third argument of CONVERT, or USING culture of PARSE; nil: none
}

// Call is a function call. Name may have a prefix, as in System.Timestamp().
type Call struct {
	Span
	Name        *Name
	Distinct    bool
	All         bool
	Args        []Expr
	WithinGroup []OrderItem
	Nulls       string // "IGNORE", "RESPECT" or empty
	Over        *Over  // nil: none
}

// Over is an OVER clause. Only Name is set for OVER name.
type Over struct {
	Span
	Name        *Ident
	PartitionBy []Expr
	OrderBy     []OrderItem
	Frame       *Frame
	Limit       *Duration // LIMIT DURATION(unit, n); nil: none
	When        Expr      // nil: none
}

// BoundKind is a kind of frame bound.
type BoundKind uint8

// Frame bounds.
const (
	UnboundedPreceding BoundKind = iota
	Preceding
	CurrentRow
	Following
	UnboundedFollowing
)

// Frame is a window frame. Unit is "ROWS" or "RANGE".
type Frame struct {
	Span
	Unit     string
	From, To Bound
}

// Bound is a frame bound; N is nil except for Preceding and Following.
type Bound struct {
	Kind BoundKind
	N    Expr
}

// Field reads a field of a value that is no plain path: f(x).part.
type Field struct {
	Span
	X    Expr
	Name Ident
}

// Index is x[i] (Spark).
type Index struct {
	Span
	X, I Expr
}

// AtTimeZone is x AT TIME ZONE zone.
type AtTimeZone struct {
	Span
	X, Zone Expr
}

// Collate is x COLLATE name.
type Collate struct {
	Span
	X    Expr
	Name Ident
}

// Grouping is GROUPING SETS, ROLLUP or CUBE in GROUP BY, as Kind says. For
// ROLLUP and CUBE every set is one element.
type Grouping struct {
	Span
	Kind string
	Sets [][]Expr
}

func (*Literal) expr()    {}
func (*Interval) expr()   {}
func (*Path) expr()       {}
func (*Variable) expr()   {}
func (*Param) expr()      {}
func (*Star) expr()       {}
func (*Unary) expr()      {}
func (*Binary) expr()     {}
func (*IsNull) expr()     {}
func (*IsDistinct) expr() {}
func (*Between) expr()    {}
func (*In) expr()         {}
func (*Like) expr()       {}
func (*Exists) expr()     {}
func (*Quantified) expr() {}
func (*Subquery) expr()   {}
func (*Case) expr()       {}
func (*Cast) expr()       {}
func (*Call) expr()       {}
func (*Field) expr()      {}
func (*Index) expr()      {}
func (*AtTimeZone) expr() {}
func (*Collate) expr()    {}
func (*Grouping) expr()   {}
