package reference

import (
	"strings"

	"spate/column"
	"spate/sql/plan"
)

// leveled is an event as a level reads it: below 1.2 true and false are 1 and 0, and at 1.0
// names are in lower case and texts that are a date with a time of day are datetimes. It
// reports false for an event of level 1.0 with two fields of one name.
// Source: stream-analytics.md 1.5, 2.1 and 2.5.
func leveled(level plan.Level, v column.Value) (column.Value, bool) {
	if level == plan.Level12 {
		return v, true
	}
	switch v.Kind {
	case column.Bool:
		return bigintOf(v), true
	case column.Text:
		if level == plan.Level10 && looksLikeTime(v.Text()) {
			if t, ok := parseTime(v.Text()); ok {
				return column.TimeOf(t), true
			}
		}
	case column.Array:
		elems := make([]column.Value, len(v.Array()))
		for i, e := range v.Array() {
			var ok bool
			if elems[i], ok = leveled(level, e); !ok {
				return v, false
			}
		}
		return column.ArrayOf(elems), true
	case column.Record:
		out := &column.RecordValue{}
		for i, name := range v.Record().Names {
			if level == plan.Level10 {
				name = strings.ToLower(name)
				for _, other := range out.Names {
					if other == name {
						return v, false
					}
				}
			}
			e, ok := leveled(level, v.Record().Values[i])
			if !ok {
				return v, false
			}
			out.Names, out.Values = append(out.Names, name), append(out.Values, e)
		}
		return column.RecordOf(out), true
	}
	return v, true
}

// looksLikeTime reports whether a text begins as yyyy-MM-ddThh:mm:ss does.
func looksLikeTime(s string) bool {
	const form = "dddd-dd-ddTdd:dd:dd"
	if len(s) < len(form) || len(s) > 40 {
		return false
	}
	for i, c := range []byte(form) {
		if c == 'd' && (s[i] < '0' || s[i] > '9') || c != 'd' && s[i] != c {
			return false
		}
	}
	return true
}

// declaredBelow is what a column that CREATE TABLE declares as of kind k has below 1.2 in
// place of v, where the newest level would drop the event.
func declaredBelow(level plan.Level, v column.Value, k column.Kind) (column.Value, bool) {
	if level == plan.Level12 {
		return v, false
	}
	if k == column.Bool && v.Kind == column.Int64 && (v.Int() == 0 || v.Int() == 1) {
		return column.BoolOf(v.Int() == 1), true
	}
	if level == plan.Level10 && k == column.Text && v.Kind == column.Time {
		return column.TextOf(textOf(v)), true
	}
	if level == plan.Level10 && k == column.Float64 && v.Kind == column.Text {
		switch strings.TrimSpace(v.Text()) {
		case "NaN", "Infinity", "+Infinity", "-Infinity", "+NaN", "-NaN":
			return column.Value{}, true
		}
	}
	return v, false
}
