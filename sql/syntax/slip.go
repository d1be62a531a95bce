package syntax

import (
	"strings"

	"spate/internal/near"
)

const clauseForm = "the clauses are SELECT, INTO, FROM, WHERE, GROUP BY, HAVING, in this order"

// A want is what the parser expects where a mistake shows.
const (
	wantStatement = "WITH, SELECT or CREATE TABLE"
	wantFrom      = "',' or FROM"
)

// slip is a place where the parser cannot go on: the token, those around it, and what is
// expected.
type slip struct {
	at, before, earlier, behind token
	want                        string
}

func (p *parser) slip(want string) slip {
	s := slip{at: p.tok(), behind: p.peek(1), want: want}
	if p.pos > 0 {
		s.before = p.toks[p.pos-1]
	}
	if p.pos > 1 {
		s.earlier = p.toks[p.pos-2]
	}
	return s
}

func (t token) isOp(op string) bool { return t.kind == tokOp && t.text == op }

// isClause reports whether a token begins a clause or ends one.
func (s slip) isClause() bool {
	switch s.at.word {
	case "FROM", "INTO", "WHERE", "HAVING", "UNION":
		return true
	case "GROUP":
		return s.behind.word == "BY"
	}
	return s.at.kind == tokEOF || s.at.isOp(")") || s.at.isOp(",")
}

// hint is what somebody means who writes this in a script of Stream Analytics; empty if it
// is not known.
func (s slip) hint() string {
	if s.at.kind == tokBad {
		return badHint(s.at.text)
	}
	for _, find := range [...]func(slip) string{slip.punctuationHint, slip.literalHint, slip.wordHint, slip.clauseHint, slip.misspeltHint} {
		if hint := find(s); hint != "" {
			return hint
		}
	}
	return ""
}

func badHint(text string) string {
	switch {
	case text == "string without end":
		return "close the text with a single quote; a quote inside is written twice"
	case text == "comment without end":
		return "close the comment with */"
	case strings.HasPrefix(text, "name in quotes without end"):
		return "close the name with the quote or bracket that ends it"
	case strings.HasSuffix(text, "runs into a name"):
		return "a name that begins with a digit stands in brackets, a time in single quotes, and a number has decimal digits alone"
	case strings.HasPrefix(text, "unexpected character") && strings.ContainsAny(text, "‘’“”´"):
		return "texts stand in straight single quotes: 'text'"
	}
	return ""
}

// punctuationHint knows operators and comments of other languages, and commas and
// parentheses.
func (s slip) punctuationHint() string {
	glued := s.at.glued
	switch {
	case s.at.isOp("=="):
		return "use ="
	case s.at.isOp("&") && s.before.isOp("&"):
		return "use AND"
	case s.at.isOp("||"):
		return "use OR between conditions, + or CONCAT(a, b) for texts"
	case s.at.isOp("|") && s.before.isOp("|"):
		return "use OR between conditions, + or CONCAT(a, b) for texts"
	case s.at.isOp("!"):
		return "use NOT"
	case s.at.isOp(">") && s.before.isOp("=") && glued:
		return "use >="
	case s.at.isOp("<") && s.before.isOp("=") && glued:
		return "use <="
	case s.at.isOp("::"):
		return "use CAST(x AS type)"
	case s.at.isOp(">") && s.before.isOp("-") && glued, s.at.isOp(":"):
		return "fields of a record stand behind a dot: record.field"
	case s.at.isOp("/") && (s.behind.isOp("/") && s.behind.glued || s.before.isOp("/") && glued), s.at.word == "#":
		return "a comment begins with --"
	case s.at.isOp("-") && glued && s.before.kind == tokName && s.behind.kind == tokName && s.behind.glued:
		return "write the name in brackets: [" + s.before.text + "-" + s.behind.text + "]"
	case s.at.isOp("%") && s.before.word == "LIKE":
		return "write the pattern in single quotes: LIKE '%text%'"
	case s.before.isOp(",") && s.isClause():
		return "leave the comma before it out"
	case s.at.isOp(",") && s.want == "an expression":
		return "leave the comma out"
	case s.at.isOp(",") && s.want == "a statement":
		return "use AND between conditions; a number has no comma inside"
	case s.at.isOp(")") && (s.want == wantFrom || s.want == "a statement"):
		return "this parenthesis closes nothing: leave it out, or open it"
	case s.at.isOp(")") && s.before.isOp("(") && s.earlier.word == "IN":
		return "IN takes at least one value, as in IN ('a', 'b')"
	case s.at.isOp("(") && s.before.word == "WITH":
		return "leave WITH and its parenthesis out: streams have no locks"
	case s.at.isOp("(") && s.before.kind == tokName && s.want == wantFrom:
		return "write a comma before " + s.before.text
	case s.at.kind == tokOp && s.earlier.word == "AS" && s.want == wantFrom:
		return "the alias stands behind AS, the expression before it"
	}
	return ""
}

// literalHint knows texts and numbers of other languages.
func (s slip) literalHint() string {
	switch {
	case s.before.word == "INTERVAL":
		return "use DATEADD(minute, 5, x) for a time, TumblingWindow(minute, 5) for a window"
	case s.at.kind == tokString && s.before.word == "N" && s.at.glued:
		return "leave the N before the text out"
	case s.at.kind == tokString && (s.before.word == "DATE" || s.before.word == "TIMESTAMP" || s.before.word == "DATETIME"):
		return "use CAST('2026-01-05T00:00:00Z' AS datetime)"
	case s.at.kind == tokString && s.before.isOp("(") && s.earlier.word == "DURATION":
		return "write the unit without quotes"
	case s.at.kind == tokString && s.want == "a name":
		return "write the name without quotes, or in brackets"
	case s.before.kind == tokName && s.before.glued && s.earlier.kind == tokString:
		return "a quote inside a text is written twice: 'it''s'"
	case s.before.kind == tokNumber && s.at.kind == tokName && isDatePart(s.at.text):
		return "write the unit first, and a comma behind it: (" + s.at.text + ", " + s.before.text + ")"
	case s.before.kind == tokQuoted && s.before.glued && s.before.text != "" && strings.Trim(s.before.text, "0123456789") == "":
		return "use GetArrayElement(array, 0)"
	}
	return ""
}

func isDatePart(word string) bool {
	_, ok := DatePart(word)
	_, plural := DatePart(strings.TrimSuffix(strings.ToLower(word), "s"))
	return ok || plural
}

// wordHint knows words of other languages, and words that lack another.
func (s slip) wordHint() string {
	switch s.at.word {
	case "INSERT":
		return "use SELECT ... INTO output FROM input"
	case "UPDATE", "DELETE", "MERGE", "TRUNCATE":
		return "events are not changed: write a SELECT whose WHERE keeps the rows that are wanted"
	case "CREATE":
		if s.behind.word == "VIEW" {
			return "use a step: WITH name AS (SELECT ...) before the SELECT that reads it"
		}
		return "a script holds queries and the declarations of inputs, and no other statements"
	case "DROP", "ALTER", "USE", "PRINT", "EXEC", "EXECUTE", "IF", "BEGIN", "WHILE", "RETURN", "SHOW", "DESCRIBE", "GRANT":
		if s.want == wantStatement {
			return "a script holds queries and the declarations of inputs, and no other statements"
		}
	case "GO":
		return "leave GO out: statements need nothing between them"
	case "NATURAL", "USING":
		return "write JOIN b ON a.key = b.key AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5"
	case "OVER":
		return "OVER stands behind a call, with parentheses: OVER (PARTITION BY key LIMIT DURATION(minute, 5))"
	case "DURATION":
		return "write LIMIT DURATION(minute, 5) behind PARTITION BY, without a comma"
	case "ILIKE":
		return "use LIKE, over LOWER(x) to ignore case"
	case "REGEXP", "RLIKE", "SIMILAR":
		return "use REGEXMATCH(x, 'pattern') = 1"
	case "ISNULL":
		return "use IS NULL"
	case "NOTNULL":
		return "use IS NOT NULL"
	case "NOT":
		if s.behind.word == "NULL" && s.want == wantStatement {
			return "use IS NOT NULL"
		}
	case "EMIT":
		return "leave EMIT out: a window gives its rows when it ends"
	case "CASE":
		if s.before.word == "END" {
			return "leave CASE out: a CASE ends with END"
		}
	case "WINDOW":
		if s.before.kind == tokName && isWindow(s.before.word+s.at.word) {
			return "write the name of the window as one word, as in TumblingWindow(minute, 5)"
		}
	case "AS":
		if s.want == wantStatement {
			return "an alias belongs to a column of the SELECT list or to a source"
		}
	case "TRUE", "FALSE":
		if s.before.word == "IS" {
			return "compare with CAST(1 AS bit)"
		}
	}
	if isWindow(s.at.word) && s.behind.isOp("(") {
		return "a window stands in GROUP BY, behind a comma if there are keys: GROUP BY key, TumblingWindow(minute, 5)"
	}
	switch s.before.word {
	case "TIMESTAMP", "TIMESTAMPBY":
		if s.at.kind == tokName || s.at.kind == tokQuoted {
			return "write TIMESTAMP BY"
		}
	case "RECURSIVE":
		return "leave RECURSIVE out: a step does not read itself"
	case "QUALIFY":
		return "use a step, and WHERE in the SELECT that reads it"
	case "IF":
		switch {
		case s.at.word == "NOT":
			return "leave IF NOT EXISTS out"
		case s.earlier.word == "ELSE":
			return "write another WHEN ... THEN ... before ELSE"
		}
	}
	return ""
}

func isWindow(word string) bool {
	switch word {
	case "TUMBLINGWINDOW", "HOPPINGWINDOW", "SLIDINGWINDOW", "SESSIONWINDOW":
		return true
	}
	return false
}

// clauseHint knows what belongs where something is expected.
func (s slip) clauseHint() string {
	keyword := s.at.kind == tokName && reserved[ASA][s.at.word]
	switch s.want {
	case "a name":
		if keyword {
			return keywordHint(s.at)
		}
	case "a column":
		return "name columns behind SELECT, or write *"
	case "an expression":
		if keyword && !s.isClause() && (s.behind.isOp(",") || s.behind.isOp(")") || s.behind.kind == tokOp || s.behind.word == "INTO" || s.behind.word == "FROM" || s.behind.word == "AS") {
			return keywordHint(s.at)
		}
	case "ON":
		return "write JOIN b ON a.key = b.key AND DATEDIFF(minute, a, b) BETWEEN 0 AND 5"
	case "NULL":
		return "use = or <>: IS tests for NULL alone"
	case "a type":
		return "the types are bigint, float, nvarchar(max), datetime, bit, record and array"
	case "SELECT":
		switch {
		case s.at.word == "WITH":
			return "write one WITH, with a comma between its steps"
		case s.at.kind == tokName && s.behind.word == "AS":
			return "write a comma between steps"
		case s.before.isOp(")"):
			return "steps stand before the SELECT that reads them: WITH step AS (SELECT ...) SELECT ... FROM step"
		}
	case wantFrom:
		switch {
		case s.at.kind == tokEOF:
			return "a SELECT reads an input or a step: SELECT ... INTO output FROM input"
		case s.at.word == "INTO":
			return "a statement has one INTO: write a statement for each output"
		case lateClause[s.at.word]:
			return clauseForm
		}
	case wantStatement:
		switch {
		case s.at.word == "GROUP" && s.behind.word != "BY":
			return "write GROUP BY"
		case lateClause[s.at.word]:
			return clauseForm
		}
	case "')'":
		switch {
		case s.at.word == "SELECT":
			return "close the query before it with a parenthesis"
		case s.at.word == "FROM" && isDatePart(s.before.text):
			return "use DATEPART(hour, x)"
		}
	}
	if s.at.kind == tokName {
		return misplaced[s.at.word]
	}
	return ""
}

func keywordHint(t token) string {
	return t.word + " is a keyword; write [" + t.text + "] to use it as a name"
}

// misspeltHint knows keywords that are misspelt. One that could be an alias has been read
// as that.
func (s slip) misspeltHint() string {
	meant := func(t token, words ...string) string {
		if t.kind != tokName || reserved[ASA][t.word] {
			return ""
		}
		if w := near.Word(t.word, words); w != "" {
			return "did you mean " + w + " instead of " + t.text + "?"
		}
		return ""
	}
	switch s.want {
	case wantFrom:
		return meant(s.at, "FROM", "INTO")
	case wantStatement:
		alias := s.earlier.kind == tokQuoted || s.earlier.kind == tokName && !reserved[ASA][s.earlier.word]
		if hint := meant(s.before, "WHERE", "GROUP", "HAVING", "UNION", "JOIN", "INNER"); alias && hint != "" {
			return hint
		}
		return meant(s.at, "SELECT", "WITH", "CREATE", "WHERE", "GROUP", "HAVING", "UNION")
	}
	return ""
}

// misplaced are first words of clauses that are often written at the wrong place.
var misplaced = map[string]string{
	"PARTITION": "PARTITION BY stands behind the input: FROM input PARTITION BY key",
	"TIMESTAMP": "TIMESTAMP BY stands behind the input: FROM input TIMESTAMP BY time",
	"INTO":      "INTO stands before FROM: SELECT ... INTO output FROM input",
}

// lateClause are first words of clauses that end up where a statement is expected,
// because what stands before them was complete.
var lateClause = words("FROM WHERE GROUP HAVING")
