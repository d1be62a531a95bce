package query

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"spate/sql/syntax"
)

// Error is a mistake in a query or a refusal, with the number that SQL Server
// gives it (sql-endpoint.md 9).
type Error struct {
	Number  int
	Class   int // severity
	Message string
	Pos     syntax.Pos // zero: the error has no place in the text
	Hint    string     // empty, or a sentence for the person who wrote the query
}

// Error gives place, number, message and hint.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Pos.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", e.Pos.Line, e.Pos.Col)
	}
	fmt.Fprintf(&b, "Msg %d: %s", e.Number, e.Message)
	if e.Hint != "" {
		b.WriteString(" " + e.Hint)
	}
	return b.String()
}

// ErrTimeout is wrapped by the error of a query that ran out of time.
var ErrTimeout = errors.New("query timed out")

// ErrWorker is wrapped by the error of a query whose child process ended.
var ErrWorker = errors.New("query process ended")

// errorf is a mistake at pos.
func errorf(number int, at syntax.Span, format string, args ...any) *Error {
	return &Error{Number: number, Class: classOf(number), Message: fmt.Sprintf(format, args...), Pos: at.From}
}

// Mistake is a mistake at a place of a statement.
func Mistake(number int, at syntax.Span, format string, args ...any) *Error {
	return errorf(number, at, format, args...)
}

// Unsupported refuses a construct that Spate does not have.
func Unsupported(at syntax.Span, what string) *Error { return unsupported(at, what) }

// unsupported refuses a construct that Spate does not have.
func unsupported(at syntax.Span, what string) *Error {
	return errorf(40517, at, "%s is not supported yet.", what)
}

func classOf(number int) int {
	switch number {
	case 102, 105, 137, 145, 155, 156, 164, 174, 189, 195, 1033, 4145, 10741:
		return 15
	case 701, 8645:
		return 17
	}
	return 16
}

// raisePrefix begins the text of errors that emitted SQL raises by itself:
// SPATE:<number>:<message>.
const raisePrefix = "SPATE:"

// fileGone is the stable code of a snapshot whose file was removed.
const fileGone = "SPATE-QUERY-001"

// IsFileGone reports whether a query failed because a file of its version was deleted.
func IsFileGone(err error) bool { return isFileGone(err) }

func isFileGone(err error) bool {
	var e *Error
	return errors.As(err, &e) && strings.HasPrefix(e.Message, fileGone)
}

// Raised is the text by which a child process gives an error its number.
func Raised(number int, message string) string {
	return fmt.Sprintf("%s%d:%s", raisePrefix, number, message)
}

// engineError turns what the engine said into an error a person can act on,
// without the engine's own words where they would show its SQL.
func engineError(text string) *Error {
	if i := strings.Index(text, raisePrefix); i >= 0 {
		rest := text[i+len(raisePrefix):]
		if num, msg, ok := strings.Cut(rest, ":"); ok {
			if n, err := strconv.Atoi(num); err == nil {
				msg, _, _ = strings.Cut(msg, "\n")
				return &Error{Number: n, Class: classOf(n), Message: strings.TrimSpace(msg)}
			}
		}
	}
	first, _, _ := strings.Cut(text, "\n")
	low := strings.ToLower(first)
	switch {
	case strings.Contains(low, "out of memory"):
		return &Error{Number: 701, Class: 17, Message: "There is insufficient memory to run this query."}
	case strings.Contains(low, "more than one row returned by a subquery"):
		return &Error{Number: 512, Class: 16, Message: "Subquery returned more than 1 value."}
	case strings.Contains(low, "overflow"), strings.Contains(low, "out of range"), strings.Contains(low, "failed to cast decimal value"):
		return &Error{Number: 8115, Class: 16, Message: "Arithmetic overflow error converting expression to data type."}
	case strings.Contains(low, "could not convert string"), strings.Contains(low, "conversion error"):
		return &Error{Number: 8114, Class: 16, Message: "Error converting data type: " + conversionDetail(first)}
	case strings.Contains(low, "no files found"), strings.Contains(low, "cannot open file"), strings.Contains(low, "cannot access file"):
		return &Error{Number: 50000, Class: 16, Message: fileGone + ": a data file of the table's snapshot is gone.",
			Hint: "VACUUM may have removed it while the query ran; run the query again."}
	}
	return &Error{Number: 50000, Class: 16, Message: "SPATE-QUERY-002: the query engine refused the query: " + first}
}

func conversionDetail(first string) string {
	_, detail, ok := strings.Cut(first, ": ")
	if !ok {
		return first
	}
	detail, _, _ = strings.Cut(detail, " when casting from source column")
	return detail
}
