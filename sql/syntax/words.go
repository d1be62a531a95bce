package syntax

import "strings"

// reserved are the words that are no names unless quoted. The set of Stream
// Analytics is small on purpose: real scripts use time, count, type, value and
// user as bare column names.
var reserved = [...]map[string]bool{
	ASA: words(`SELECT FROM WHERE GROUP BY HAVING JOIN INNER LEFT OUTER CROSS APPLY ON AS AND OR NOT
		IN LIKE BETWEEN IS NULL CASE WHEN THEN ELSE END WITH UNION INTO OVER PARTITION CREATE TABLE`),
	TSQL: words(`SELECT FROM WHERE GROUP BY HAVING JOIN INNER LEFT OUTER CROSS ON AS AND OR NOT
		IN LIKE BETWEEN IS NULL CASE WHEN THEN ELSE END WITH UNION INTO OVER CREATE TABLE
		DISTINCT TOP ALL ORDER ASC DESC EXCEPT INTERSECT RIGHT FULL EXISTS ANY SOME SET DECLARE IF
		BEGIN COMMIT ROLLBACK SAVE EXEC EXECUTE USE PRINT VALUES PIVOT UNPIVOT FOR OPTION FETCH COLLATE
		INSERT UPDATE DELETE MERGE DROP ALTER TRUNCATE WHILE RETURN PERCENT TABLESAMPLE`),
	Spark: words(`SELECT FROM WHERE GROUP BY HAVING JOIN INNER LEFT OUTER CROSS ON AS AND OR NOT
		IN LIKE RLIKE BETWEEN IS NULL CASE WHEN THEN ELSE END WITH UNION INTO OVER CREATE TABLE USING
		DISTINCT ORDER EXCEPT INTERSECT RIGHT FULL EXISTS LIMIT TRUE FALSE SET USE INSERT DROP ALTER`),
}

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// intervalUnits are the units of INTERVAL.
var intervalUnits = words(`YEAR YEARS QUARTER QUARTERS MONTH MONTHS WEEK WEEKS DAY DAYS HOUR HOURS MINUTE MINUTES SECOND SECONDS
	MILLISECOND MILLISECONDS MICROSECOND MICROSECONDS`)

// binding is the strength of an operator.
type binding int

// Strengths from the weakest on. A comparison covers IS, LIKE, BETWEEN and IN.
const (
	bindNone binding = iota
	bindOr
	bindAnd
	bindNot
	bindCompare
	bindBitOr
	bindBitXor
	bindBitAnd
	bindAdd
	bindMul
	bindUnary
	bindPostfix
)

type operator struct {
	bind binding
	op   string // as the tree names it
}

// infix are the operators with two sides, per dialect. & ^ | stand beside + in
// T-SQL and Stream Analytics, and each below it in Spark.
var infix = [...]map[string]operator{
	ASA:   with(common, withBang, addLevelBits),
	TSQL:  with(common, withBang, addLevelBits),
	Spark: with(common, sparkOnly),
}

var common = map[string]operator{
	"OR": {bindOr, "OR"}, "AND": {bindAnd, "AND"},
	"=": {bindCompare, "="}, "<>": {bindCompare, "<>"}, "!=": {bindCompare, "<>"},
	"<": {bindCompare, "<"}, "<=": {bindCompare, "<="}, ">": {bindCompare, ">"}, ">=": {bindCompare, ">="},
	"+": {bindAdd, "+"}, "-": {bindAdd, "-"},
	"*": {bindMul, "*"}, "/": {bindMul, "/"}, "%": {bindMul, "%"},
}

var withBang = map[string]operator{"!<": {bindCompare, ">="}, "!>": {bindCompare, "<="}}

var addLevelBits = map[string]operator{"&": {bindAdd, "&"}, "|": {bindAdd, "|"}, "^": {bindAdd, "^"}}

var sparkOnly = map[string]operator{
	"==": {bindCompare, "="}, "<=>": {bindCompare, "<=>"},
	"|": {bindBitOr, "|"}, "^": {bindBitXor, "^"}, "&": {bindBitAnd, "&"},
	"||": {bindAdd, "||"}, "DIV": {bindMul, "DIV"},
}

func with(tables ...map[string]operator) map[string]operator {
	m := map[string]operator{}
	for _, t := range tables {
		for k, v := range t {
			m[k] = v
		}
	}
	return m
}

// IsIntervalUnit reports whether a word, in upper case, is a unit of INTERVAL.
func IsIntervalUnit(word string) bool { return intervalUnits[word] }
