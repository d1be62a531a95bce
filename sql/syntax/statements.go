package syntax

// CreateTable is CREATE TABLE of every dialect: the declaration of an input's
// types (ASA) or a table with USING, LOCATION and the like.
type CreateTable struct {
	Span
	OrReplace     bool
	IfNotExists   bool
	Name          *Name
	Columns       []ColumnDef
	Using         string // upper case; empty: none
	Location      string
	PartitionedBy []Partitioning
	ClusterBy     []Expr
	Comment       string
	Properties    []Property
	As            *Query // nil: none
}

// ColumnDef is a column of a CREATE TABLE.
type ColumnDef struct {
	Span
	Name      Ident
	Type      *TypeName
	NotNull   bool
	Generated Expr // GENERATED ALWAYS AS (e); nil: none
	Default   Expr // nil: none
	Comment   string
}

// Partitioning is one entry of PARTITIONED BY: an expression, or a column that
// it declares.
type Partitioning struct {
	Span
	Expr   Expr       // nil if Column is set
	Column *ColumnDef // nil if Expr is set
}

// Property is one pair of TBLPROPERTIES or of SET.
type Property struct {
	Span
	Key, Value string
}

// CreateDatabase is CREATE DATABASE or CREATE SCHEMA.
type CreateDatabase struct {
	Span
	IfNotExists bool
	Name        *Name
	Comment     string
	Location    string
}

// Drop is DROP TABLE, VIEW, DATABASE or SCHEMA, as Kind says.
type Drop struct {
	Span
	Kind     string
	IfExists bool
	Cascade  bool
	Names    []*Name
}

// Use is USE database.
type Use struct {
	Span
	Name *Name
}

// Set is SET: a variable (@v = e), an option (NOCOUNT ON) or, in Spark, a
// setting (k = v). Words holds an option's tokens: words in upper case (in
// Spark as written), strings and quoted names in their quotes.
type Set struct {
	Span
	Variable string // with its @; empty: an option
	Expr     Expr   // of a variable
	Words    []string
}

// Declare is DECLARE @v type [= e], ...
type Declare struct {
	Span
	Vars []DeclareVar
}

// DeclareVar is one variable of a DECLARE.
type DeclareVar struct {
	Span
	Name string // with its @
	Type *TypeName
	Init Expr // nil: none
}

// Print is PRINT e.
type Print struct {
	Span
	Expr Expr
}

// Exec is EXEC procedure args, or EXEC ('text').
type Exec struct {
	Span
	Name *Name // nil: Text
	Text Expr
	Args []ExecArg
}

// ExecArg is an argument of EXEC.
type ExecArg struct {
	Name   string // @name =; empty: by position
	Value  Expr   // nil: DEFAULT
	Output bool
}

// Transaction is BEGIN, COMMIT, ROLLBACK or SAVE TRANSACTION, as Verb says.
type Transaction struct {
	Span
	Verb string
	Name string
}

// If is IF cond then [ELSE else].
type If struct {
	Span
	Cond       Expr
	Then, Else Stmt // Else is nil if there is none
}

// Block is BEGIN ... END.
type Block struct {
	Span
	Stmts []Stmt
}

// Optimize is OPTIMIZE t [FULL] [WHERE e] [ZORDER BY (cols)].
type Optimize struct {
	Span
	Name   *Name
	Full   bool
	Where  Expr
	ZOrder []*Path
}

// Vacuum is VACUUM t [FULL|LITE] [RETAIN n HOURS] [DRY RUN].
type Vacuum struct {
	Span
	Name   *Name
	Lite   bool
	Retain Expr // hours; nil: the table's
	DryRun bool
}

// Analyze is ANALYZE TABLE t COMPUTE STATISTICS [FOR ...].
type Analyze struct {
	Span
	Name       *Name
	NoScan     bool
	AllColumns bool
	Columns    []*Path
}

// Describe is DESCRIBE [HISTORY|DETAIL|EXTENDED] t; Kind is empty for a plain
// one. Limit belongs to HISTORY.
type Describe struct {
	Span
	Kind  string
	Name  *Name
	Limit Expr
}

// Show is SHOW TABLES, DATABASES and the like; Words in upper case.
type Show struct {
	Span
	Words []string
	In    *Name
}

// Restore is RESTORE [TABLE] t TO VERSION|TIMESTAMP AS OF e.
type Restore struct {
	Span
	Name *Name
	To   *AsOf
}

// Insert is INSERT INTO t [(columns)] query.
type Insert struct {
	Span
	Overwrite bool
	Name      *Name
	Columns   []Ident
	Query     *Query
}

// Delete is DELETE FROM t [alias] [WHERE e].
type Delete struct {
	Span
	Name  *Name
	Alias *Ident
	Where Expr // nil: every row
}

// Update is UPDATE t [alias] SET c = e, ... [WHERE e].
type Update struct {
	Span
	Name  *Name
	Alias *Ident
	Set   []Assignment
	Where Expr // nil: every row
}

// Assignment is one c = e of an UPDATE.
type Assignment struct {
	Span
	Column *Path
	Value  Expr
}

// Truncate is TRUNCATE TABLE t.
type Truncate struct {
	Span
	Name *Name
}

// AlterTable is ALTER TABLE t, with the fields that its kind needs.
type AlterTable struct {
	Span
	Name       *Name
	Kind       Alteration
	Columns    []ColumnDef // AddColumns
	Drop       []*Path     // DropColumns
	Column     *Path       // of RenameColumn and of those that change a column
	To         Ident       // RenameColumn
	Comment    string      // ColumnComment
	Type       *TypeName   // ColumnType
	Constraint Ident       // AddConstraint, DropConstraint
	Check      Expr        // AddConstraint
	Properties []Property  // SetProperties
	Keys       []string    // UnsetProperties
	IfExists   bool        // DropConstraint, UnsetProperties
}

// Alteration is what an ALTER TABLE does.
type Alteration string

// The kinds of ALTER TABLE.
const (
	AddColumns      Alteration = "ADD COLUMNS"
	DropColumns     Alteration = "DROP COLUMNS"
	RenameColumn    Alteration = "RENAME COLUMN"
	ColumnComment   Alteration = "ALTER COLUMN ... COMMENT"
	SetNotNull      Alteration = "ALTER COLUMN ... SET NOT NULL"
	DropNotNull     Alteration = "ALTER COLUMN ... DROP NOT NULL"
	ColumnType      Alteration = "ALTER COLUMN ... TYPE"
	AddConstraint   Alteration = "ADD CONSTRAINT"
	DropConstraint  Alteration = "DROP CONSTRAINT"
	SetProperties   Alteration = "SET TBLPROPERTIES"
	UnsetProperties Alteration = "UNSET TBLPROPERTIES"
)

// Explain is EXPLAIN statement.
type Explain struct {
	Span
	Stmt Stmt
}

func (*CreateTable) stmt()    {}
func (*CreateDatabase) stmt() {}
func (*Drop) stmt()           {}
func (*Use) stmt()            {}
func (*Set) stmt()            {}
func (*Declare) stmt()        {}
func (*Print) stmt()          {}
func (*Exec) stmt()           {}
func (*Transaction) stmt()    {}
func (*If) stmt()             {}
func (*Block) stmt()          {}
func (*Optimize) stmt()       {}
func (*Vacuum) stmt()         {}
func (*Analyze) stmt()        {}
func (*Describe) stmt()       {}
func (*Show) stmt()           {}
func (*Restore) stmt()        {}
func (*Insert) stmt()         {}
func (*Delete) stmt()         {}
func (*Update) stmt()         {}
func (*Truncate) stmt()       {}
func (*AlterTable) stmt()     {}
func (*Explain) stmt()        {}
