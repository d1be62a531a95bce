// Package syntax is the one SQL front end of Spate: lexer, parser, syntax tree
// and printer for its dialects.
package syntax

// Pos is a place in a source text. Line and Col count from 1, Col in characters.
type Pos struct {
	Offset, Line, Col int
}

// Span is a piece of source text.
type Span struct {
	From, To Pos
}
