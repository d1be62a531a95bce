// Package bind gives a parsed script its meaning: it resolves names, static
// types, windows and analytic functions, reports every mistake with its place,
// and produces the plan that the engine runs.
//
// What the language has and the engine does not run is refused here, by name and at its
// place.
package bind

import (
	"cmp"
	"fmt"
	"sort"
	"strings"
	"time"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// InputKind tells where an input's events come from.
type InputKind uint8

// Kinds of inputs. Events of a hub carry system columns; a file has only the
// fields of its events.
const (
	EventHub InputKind = iota
	File
)

// InputInfo describes an input that a script may read.
type InputInfo struct {
	Name      string
	Kind      InputKind
	Reference bool // reference data
}

// Options says what stands around a script.
type Options struct {
	Inputs      []InputInfo   // nil: any name that is no step is an event hub
	Outputs     []string      // nil: any name is an output
	MaxDuration time.Duration // longest window or duration; default 7 days
	Elsewhere   []string      // codes of warnings that others give: to acknowledge them is not idle
	Steps       bool          // every step is also an output, named step:NAME
	Functions   []*plan.Function
	References  []string   // inputs of reference data, beside those of Inputs
	Level       plan.Level // compatibility level; the zero value is the newest
	JoinElapsed bool       // DATEDIFF between the sources of a JOIN is the time that passes, not a count of boundaries
}

// Warning is advice about a script that is bound all the same. Code is the
// number under which the pipeline checks list it.
type Warning struct {
	Span syntax.Span
	Code string
	Msg  string
}

// String returns "line:column: message (code)".
func (w Warning) String() string {
	return fmt.Sprintf("%d:%d: %s (%s)", w.Span.From.Line, w.Span.From.Col, w.Msg, w.Code)
}

// Codes of warnings. IdleAcknowledgement is another.
const (
	severalWith = "W507"
	quotedText  = "W513"
	notPortable = "W518"
	neverTrue   = "W526"
	keyKinds    = "W527"
	unreadStep  = "W528"
	keyPerEvent = "W529"
)

// WarningCodes are the codes of warnings that may be acknowledged.
var WarningCodes = []string{severalWith, quotedText, notPortable, neverTrue, keyKinds, unreadStep, keyPerEvent}

// binder holds what is known of the whole script.
type binder struct {
	opts     Options
	src      string
	errs     syntax.Errors
	warnings []Warning
	warned   map[Warning]bool

	inputs   map[string]*inputDecl // by lower-case name
	streams  map[string]*stream    // by input and TIMESTAMP BY
	steps    map[string]*step      // by lower-case name
	stepList []*step
	later    map[string]syntax.Span // of the steps of the script, by lower-case name: where each is defined
	inStep   string                 // the step that is being bound, in lower case; empty: none
	selects  *syntax.Select         // whose FROM is being bound; nil: none

	columns []boundColumn // by colID
	made    map[plan.Node][]colID
	applied map[*plan.Apply]*source // what each makes
}

// inputDecl is an input with its declared columns.
type inputDecl struct {
	info     InputInfo
	declared map[string]column.Kind // by lower-case name; nil: no CREATE TABLE
	order    []string               // declared names as written
	streams  int                    // different TIMESTAMP BY so far
}

// step is a query with a name.
type step struct {
	name  string
	where syntax.Span
	node  plan.Node // nil: it has a mistake
	read  bool      // by a query
}

// Job binds a script of the ASA dialect; src is its text. With errors the plan
// is nil. At levels that take any prefix it takes prefixes out of the script.
func Job(script *syntax.Script, src string, opts Options) (*plan.Job, syntax.Errors, []Warning) {
	b := newBinder(src, opts)
	if opts.Level.AnyPrefix() {
		dropPrefixes(script)
	}
	for _, s := range script.Stmts {
		switch s := s.(type) {
		case *syntax.CreateTable:
			b.declare(s)
		case *syntax.QueryStmt:
			if s.Query.With != nil {
				for _, st := range s.Query.With.Steps {
					b.later[strings.ToLower(st.Name.Name)] = st.Name.Span
				}
			}
		}
	}
	job := &plan.Job{Source: src, Level: opts.Level}
	groups := 0
	for _, s := range script.Stmts {
		switch s := s.(type) {
		case *syntax.QueryStmt:
			if w := s.Query.With; w != nil {
				if groups++; groups == 2 {
					b.warn(w.Span, severalWith, "several WITH clauses in one script: no public example on the real service")
				}
			}
			if out := b.statement(s); out != nil {
				job.Outputs = append(job.Outputs, out)
			}
		case *syntax.CreateTable:
		default:
			b.fail(s.Loc(), "", "this statement is not part of the Stream Analytics language")
		}
	}
	if len(b.errs) == 0 && len(job.Outputs) == 0 {
		b.fail(syntax.Span{From: syntax.Pos{Line: 1, Col: 1}, To: syntax.Pos{Line: 1, Col: 1}}, "write SELECT ... INTO output FROM input", "the script has no SELECT statement")
	}
	for _, st := range b.stepList {
		if st.node == nil {
			continue
		}
		job.Steps = append(job.Steps, plan.Step{Name: st.name, Node: st.node, Where: st.where})
		if opts.Steps && !isReference(st.node) {
			job.Outputs = append(job.Outputs, &plan.Output{Name: "step:" + st.name, In: st.node, Where: st.where})
		}
	}
	if len(b.errs) == 0 {
		b.unread()
	}
	b.acknowledge()
	sort.SliceStable(b.warnings, func(i, j int) bool {
		return b.warnings[i].Span.From.Offset < b.warnings[j].Span.From.Offset
	})
	if len(b.errs) > 0 {
		b.errs.Sort()
		return nil, b.errs, b.warnings
	}
	b.settle(job)
	finish(job)
	if b.substreams(job); len(b.errs) > 0 {
		b.errs.Sort()
		return nil, b.errs, b.warnings
	}
	return job, nil, b.warnings
}

func newBinder(src string, opts Options) *binder {
	if opts.MaxDuration == 0 {
		opts.MaxDuration = 7 * 24 * time.Hour
	}
	b := &binder{opts: opts, src: src, inputs: map[string]*inputDecl{}, streams: map[string]*stream{}, steps: map[string]*step{}, later: map[string]syntax.Span{}}
	for _, in := range opts.Inputs {
		b.inputs[strings.ToLower(in.Name)] = &inputDecl{info: in}
	}
	for _, name := range opts.References {
		b.inputs[strings.ToLower(name)] = &inputDecl{info: InputInfo{Name: name, Reference: true}}
	}
	return b
}

// Script parses and binds a text.
func Script(src string, opts Options) (*plan.Job, syntax.Errors, []Warning) {
	script, errs := syntax.Parse(src, syntax.ASA)
	if len(errs) > 0 {
		return nil, errs, nil
	}
	return Job(script, src, opts)
}

// Expression binds a scalar expression over given columns, as the output maps
// of a pipeline file hold them.
func Expression(src string, cols []plan.Column) (plan.Expr, syntax.Errors) {
	e, errs := syntax.ParseExpr(src, syntax.ASA)
	if len(errs) > 0 {
		return nil, errs
	}
	b := &binder{src: src}
	row := stepSource("", syntax.Span{}, nil, cols)
	q := &query{b: b, from: &scope{sources: []*source{row}}, clause: "an output column"}
	bound := q.expr(e)
	if len(b.errs) > 0 {
		b.errs.Sort()
		return nil, b.errs
	}
	b.settler().expr(&bound, row.layout())
	return bound, nil
}

func (b *binder) fail(at syntax.Span, hint, format string, args ...any) {
	b.errs = append(b.errs, &syntax.Error{Span: at, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

func (b *binder) warn(at syntax.Span, code, format string, args ...any) {
	w := Warning{at, code, fmt.Sprintf(format, args...)}
	if !b.warned[w] { // HAVING binds what it names again
		if b.warned == nil {
			b.warned = make(map[Warning]bool)
		}
		b.warned[w] = true
		b.warnings = append(b.warnings, w)
	}
}

// text is the piece of the script at a span, on one line.
func (b *binder) text(at syntax.Span) string {
	from, to := at.From.Offset, at.To.Offset
	if from < 0 || to > len(b.src) || from > to {
		return ""
	}
	return strings.Join(strings.Fields(b.src[from:to]), " ")
}

// statement binds one SELECT ... INTO.
func (b *binder) statement(s *syntax.QueryStmt) *plan.Output {
	if s.Query.With != nil {
		for _, st := range s.Query.With.Steps {
			b.step(st)
		}
	}
	at := s.Query.Body.Loc()
	out := &plan.Output{Name: "output", Where: syntax.Span{From: at.From, To: at.From}}
	if into := b.into(s.Query.Body, nil); into != nil {
		out.Name, out.Where = into.Last().Name, into.Span
		if len(into.Parts) > 1 {
			b.fail(into.Span, "write the last part alone, or all in brackets if the name holds a dot", "the name of an output has one part")
		}
	}
	if b.opts.Outputs != nil {
		out.Name = b.outputName(out)
	}
	out.In = b.body(s.Query.Body)
	if out.In == nil {
		return nil
	}
	if isReference(out.In) {
		b.fail(at, "join it with a stream: FROM stream s JOIN reference r ON s.k = r.k", "a statement writes rows of streams, and this one reads reference data alone")
		return nil
	}
	return out
}

// outputName is the name as the job spells it.
func (b *binder) outputName(out *plan.Output) string {
	for _, name := range b.opts.Outputs {
		if strings.EqualFold(name, out.Name) {
			return name
		}
	}
	b.fail(out.Where, b.outputHint(out), "the job has no output [%s]", out.Name)
	return out.Name
}

func (b *binder) outputHint(out *plan.Output) string {
	switch {
	case out.Where.From == out.Where.To:
		return "write INTO: without it the rows go to an output named output"
	case strings.HasPrefix(out.Name, "#"):
		return "use a step: WITH name AS (SELECT ...) before the SELECT that reads it"
	}
	return cmp.Or(nearest(out.Name, b.opts.Outputs), theyAre("outputs", b.opts.Outputs))
}

// theyAre lists a few names.
func theyAre(what string, names []string) string {
	if len(names) == 0 || len(names) > 8 {
		return ""
	}
	return "the " + what + " are [" + strings.Join(names, "], [") + "]"
}

// into finds the INTO of a statement, which any member of a UNION may hold.
func (b *binder) into(body syntax.QueryBody, found *syntax.Name) *syntax.Name {
	switch body := body.(type) {
	case *syntax.Query:
		return b.into(body.Body, found)
	case *syntax.SetOp:
		return b.into(body.Right, b.into(body.Left, found))
	case *syntax.Select:
		if body.Into != nil {
			if found != nil {
				b.fail(body.Into.Span, "leave the second INTO out, or write a statement for each output", "a statement has one INTO")
			}
			return body.Into
		}
	}
	return found
}

// step binds a step of a WITH clause, visible from here to the end.
func (b *binder) step(s *syntax.Step) {
	key := strings.ToLower(s.Name.Name)
	if _, ok := b.steps[key]; ok {
		b.fail(s.Name.Span, "", "step %s is already defined", s.Name.Name)
	} else if in, ok := b.inputs[key]; ok && b.opts.Inputs != nil {
		b.warn(s.Name.Span, notPortable, "step %s hides the input of this name", in.info.Name)
	}
	if s.Columns != nil {
		b.fail(s.Name.Span, "use AS in the SELECT list", "a step has no column list")
	}
	outer := b.inStep
	b.inStep = key
	st := &step{name: s.Name.Name, where: s.Name.Span, node: b.inner(s.Query)}
	b.inStep = outer
	if s.Columns != nil {
		st.node = nil
	}
	b.steps[key] = st
	b.stepList = append(b.stepList, st)
}

// inner binds a query that is no statement: a step or a sub-query.
func (b *binder) inner(q *syntax.Query) plan.Node {
	if q.With != nil {
		b.fail(q.With.Span, "move the steps to the WITH of the statement", "WITH inside a query")
		return nil
	}
	if into := b.into(q.Body, nil); into != nil {
		b.fail(into.Span, "write it in the SELECT that reads the step", "INTO stands only in a statement, not in a step or a sub-query")
	}
	return b.body(q.Body)
}

// declare reads CREATE TABLE.
func (b *binder) declare(c *syntax.CreateTable) {
	name := c.Name.Last().Name
	in := b.input(name)
	if in == nil {
		b.unknownSource(c.Name.Span, name)
		return
	}
	if in.declared != nil {
		b.fail(c.Span, "", "input %s has two CREATE TABLE statements", name)
		return
	}
	in.declared = map[string]column.Kind{}
	for _, col := range c.Columns {
		kind, ok := b.kindOf(col.Type)
		if !ok {
			continue
		}
		key := strings.ToLower(col.Name.Name)
		if _, twice := in.declared[key]; twice {
			b.fail(col.Span, "", "column %s is declared twice", col.Name.Name)
		}
		in.declared[key] = kind
		in.order = append(in.order, col.Name.Name)
	}
}

// input finds an input by name; nil if the job has none.
func (b *binder) input(name string) *inputDecl {
	key := strings.ToLower(name)
	in, ok := b.inputs[key]
	if !ok && b.opts.Inputs == nil {
		in = &inputDecl{info: InputInfo{Name: name}}
		b.inputs[key] = in
	}
	return in
}

func (b *binder) unknownSource(at syntax.Span, name string) {
	var names []string
	for _, in := range b.opts.Inputs {
		names = append(names, in.Name)
	}
	names = append(names, b.opts.References...)
	for _, st := range b.stepList {
		names = append(names, st.name)
	}
	b.fail(at, b.sourceHint(name, names), "there is no input or step [%s]", name)
}

func (b *binder) sourceHint(name string, names []string) string {
	where, defined := b.later[strings.ToLower(name)]
	switch {
	case strings.EqualFold(name, b.inStep):
		return "a step does not read itself"
	case defined:
		return "a step is visible behind its definition, which stands at " + place(where) + ": move it up"
	}
	return cmp.Or(nearest(name, names), theyAre("inputs and steps", names))
}

// kinds are the types of the language.
var kinds = map[string]column.Kind{
	"BIGINT": column.Int64, "FLOAT": column.Float64, "NVARCHAR": column.Text, "DATETIME": column.Time,
	"BIT": column.Bool, "RECORD": column.Record, "ARRAY": column.Array,
}

var kindNames = []string{"bigint", "float", "nvarchar(max)", "datetime", "bit", "record", "array"}

// kindHints are types of other dialects.
var kindHints = map[string]string{
	"INT": "bigint", "INTEGER": "bigint", "SMALLINT": "bigint", "TINYINT": "bigint", "LONG": "bigint",
	"REAL": "float", "DOUBLE": "float", "DECIMAL": "float", "NUMERIC": "float", "MONEY": "float",
	"VARCHAR": "nvarchar(max)", "CHAR": "nvarchar(max)", "NCHAR": "nvarchar(max)", "TEXT": "nvarchar(max)", "STRING": "nvarchar(max)",
	"DATE": "datetime", "DATETIME2": "datetime", "TIMESTAMP": "datetime", "DATETIMEOFFSET": "datetime",
	"BOOLEAN": "bit", "BOOL": "bit",
}

func (b *binder) kindOf(t *syntax.TypeName) (column.Kind, bool) {
	k, ok := kinds[t.Name]
	switch {
	case !ok && kindHints[t.Name] != "":
		b.fail(t.Span, "use "+kindHints[t.Name], "there is no type %s", strings.ToLower(t.Name))
	case !ok && nearest(t.Name, kindNames) != "":
		b.fail(t.Span, nearest(t.Name, kindNames), "there is no type %s", strings.ToLower(t.Name))
	case !ok:
		b.fail(t.Span, "the types are bigint, float, nvarchar(max), datetime, bit, record and array", "there is no type %s", strings.ToLower(t.Name))
	case k == column.Text && (len(t.Args) != 1 || t.Args[0] != "MAX"):
		b.fail(t.Span, "use nvarchar(max)", "nvarchar has no length but max")
		return k, false
	case k != column.Text && t.Args != nil:
		b.fail(t.Span, "leave the length out", "type %s takes no length", strings.ToLower(t.Name))
		return k, false
	}
	return k, ok
}
