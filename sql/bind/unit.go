package bind

import (
	"math/big"
	"strings"
	"time"

	"spate/column"
	"spate/internal/near"
	"spate/sql/syntax"
)

// unitTicks are the units of windows and durations.
var unitTicks = map[string]column.Ticks{
	"day": column.Day, "hour": column.Hour, "minute": column.Minute, "second": column.Second,
	"millisecond": column.Millisecond, "microsecond": 10,
}

// datePart reads a unit word: one bare name.
func datePart(e syntax.Expr) (string, bool) {
	p, ok := e.(*syntax.Path)
	if !ok || len(p.Parts) != 1 {
		return "", false
	}
	word := strings.ToLower(p.Parts[0].Name)
	part, ok := syntax.DatePart(word)
	if !ok {
		part, ok = syntax.DatePart(strings.TrimSuffix(word, "s"))
		ok = ok && len(word) > 4 // plurals of full words only
	}
	return part, ok
}

// unitNames are the words that a hint may propose for a unit.
var unitNames = []string{"day", "hour", "minute", "second", "millisecond", "microsecond"}

// shortUnits are abbreviations of other languages.
var shortUnits = map[string]string{
	"min": "minute", "mins": "minute", "sec": "second", "secs": "second", "hr": "hour", "hrs": "hour", "h": "hour",
	"msec": "millisecond", "millis": "millisecond", "us": "microsecond", "usec": "microsecond",
}

// wordHint helps with a word that is no unit of any kind: one in quotes, cut short or
// misspelt; empty if it is something else.
func wordHint(word string, units []string) string {
	text := strings.ToLower(strings.Trim(word, "'\""))
	_, known := syntax.DatePart(strings.TrimSuffix(text, "s"))
	switch {
	case text != strings.ToLower(word) && known:
		return "write the unit without quotes"
	case shortUnits[text] != "":
		return "write " + shortUnits[text]
	case known:
		return ""
	}
	if meant := near.Word(text, units); meant != "" {
		return "did you mean " + meant + "?"
	}
	return ""
}

// datePartHint says which word may have been meant.
func datePartHint(word string) string {
	if hint := wordHint(word, append([]string{"year", "month", "week", "weekday", "quarter"}, unitNames...)); hint != "" {
		return hint
	}
	switch strings.ToLower(word) {
	case "dayofweek", "day_of_week", "dow":
		return "use weekday (dw)"
	case "week_of_year", "weekofyear", "iso_week", "isoweek", "isowk", "isoww":
		return "use week (wk, ww)"
	}
	return "such as year, month, day, weekday, hour, minute or second"
}

func unitHint(word string) string {
	if word != "" && strings.Trim(word, "0123456789.") == "" {
		return "the unit stands first, as in (minute, 5)"
	}
	if strings.EqualFold(word, "m") {
		return "m is month: write minute, mi or n"
	}
	return wordHint(word, unitNames)
}

// unit reads a unit of a window or duration.
func (b *binder) unit(e syntax.Expr) (column.Ticks, bool) {
	part, ok := datePart(e)
	ticks := unitTicks[part]
	if word := b.text(e.Loc()); !ok || ticks == 0 {
		if hint := unitHint(word); hint != "" {
			b.fail(e.Loc(), hint, "%s is no unit of time here", word)
			return 0, false
		}
		b.fail(e.Loc(), "the units are day, hour, minute, second, millisecond and microsecond", "%s is no unit of time here", b.text(e.Loc()))
		return 0, false
	}
	return ticks, true
}

// span reads a number of units: a literal that amounts to whole ticks. It must
// be positive unless signed is set, and no longer than the longest duration.
func (b *binder) span(unit column.Ticks, e syntax.Expr, signed bool) (column.Ticks, bool) {
	at := e.Loc()
	minus := false
	if u, ok := e.(*syntax.Unary); ok && (u.Op == "-" || u.Op == "+") {
		minus = u.Op == "-"
		e = u.X
	}
	lit, ok := e.(*syntax.Literal)
	if !ok || lit.Kind < syntax.IntLit || lit.Kind > syntax.FloatLit {
		b.fail(at, "", "a span of time is a number, not an expression")
		return 0, false
	}
	limit := column.Ticks(b.opts.MaxDuration / 100)
	n, ok := number(lit.Text)
	if ok {
		n.Mul(n, new(big.Rat).SetInt64(int64(unit)))
	}
	switch {
	case ok && (!n.IsInt()):
		b.fail(at, "", "%s does not amount to whole ticks of 100 ns", b.text(at))
		return 0, false
	case !ok || !n.Num().IsInt64() || !signed && column.Ticks(n.Num().Int64()) > limit:
		b.fail(at, "", "the longest window or duration is %d days", b.opts.MaxDuration/(24*time.Hour))
		return 0, false
	}
	ticks := column.Ticks(n.Num().Int64())
	if minus {
		ticks = -ticks
	}
	if ticks <= 0 && !signed {
		b.fail(at, "", "a span of time is positive")
		return 0, false
	}
	return ticks, true
}

// number reads a numeric literal of reasonable length exactly.
func number(text string) (*big.Rat, bool) {
	if len(text) > 40 {
		return nil, false
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 && len(text)-i > 4 { // an exponent of three digits is too much
		return nil, false
	}
	return new(big.Rat).SetString(text)
}
