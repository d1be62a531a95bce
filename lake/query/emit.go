package query

import "strings"

// Quote writes s as a string literal of the engine.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// quoteName writes s as an identifier of the engine.
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// QuoteName writes an identifier of the engine.
func QuoteName(s string) string { return quoteName(s) }

// EngineLiteral writes a value in the engine's syntax.
func EngineLiteral(v Value) string {
	switch v.Kind {
	case KindNull:
		return "NULL"
	case KindInt:
		return engineLiteral(Type{ID: BigInt}, v)
	}
	return engineLiteral(Type{ID: VarChar}, v)
}
