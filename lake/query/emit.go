package query

import "strings"

// Quote writes s as a string literal of the engine.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// quoteName writes s as an identifier of the engine.
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
