package query

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"spate/column"
	"spate/sql/syntax"
)

// literal binds a constant as it stands in the text.
func literal(l *syntax.Literal) (*node, error) {
	switch l.Kind {
	case syntax.NullLit:
		return &node{sql: "NULL", null: true}, nil
	case syntax.IntLit:
		digits := strings.TrimLeft(l.Text, "0")
		if i, err := strconv.ParseInt(l.Text, 10, 32); err == nil {
			return constant(Type{ID: Int}, intValue(i)), nil
		}
		return decimalLiteral(l, digits, "")
	case syntax.DecimalLit:
		whole, frac, _ := strings.Cut(l.Text, ".")
		return decimalLiteral(l, strings.TrimLeft(whole, "0"), frac)
	case syntax.MoneyLit:
		whole, frac, _ := strings.Cut(strings.ReplaceAll(l.Text, ",", ""), ".")
		if len(frac) > 4 {
			frac = frac[:4]
		}
		n, err := decimalLiteral(l, strings.TrimLeft(whole, "0"), frac+strings.Repeat("0", 4-len(frac)))
		if err != nil {
			return nil, err
		}
		n.typ.Prec = max(n.typ.Prec, 19)
		return constant(n.typ, *n.con), nil
	case syntax.FloatLit:
		f, err := strconv.ParseFloat(l.Text, 64)
		if err != nil {
			return nil, errorf(168, l.Loc(), "The floating point value '%s' is out of the range of computer representation (8 bytes).", l.Text)
		}
		return constant(Type{ID: Float}, floatValue(f)), nil
	case syntax.StringLit, syntax.NationalLit:
		if !utf8.ValidString(l.Text) {
			return nil, errorf(102, l.Loc(), "Incorrect syntax: the text is not valid UTF-8.")
		}
		n := max(1, utf8.RuneCountInString(l.Text))
		t, limit := Type{ID: VarChar, Size: n}, 8000
		if l.Kind == syntax.NationalLit {
			t.ID, limit = NVarChar, 4000
		}
		if n > limit {
			t.Size = Max
		}
		return constant(t, textValue(KindText, l.Text)), nil
	case syntax.BinaryLit:
		digits := l.Text
		if len(digits)%2 == 1 {
			digits = "0" + digits
		}
		raw, err := hex.DecodeString(digits)
		if err != nil {
			return nil, errorf(102, l.Loc(), "Incorrect syntax near '0x%s'.", l.Text)
		}
		return constant(Type{ID: VarBinary, Size: max(1, len(raw))}, Value{Kind: KindBinary, str: string(raw)}), nil
	}
	return nil, errorf(207, l.Loc(), "Invalid column name '%s'.", l.Text)
}

func decimalLiteral(l *syntax.Literal, whole, frac string) (*node, error) {
	prec := max(1, len(whole)+len(frac))
	if prec > 38 {
		return nil, errorf(1007, l.Loc(), "The number '%s' is out of the range for numeric representation (maximum precision 38).", l.Text)
	}
	if whole == "" {
		whole = "0"
	}
	text := whole
	if frac != "" {
		text += "." + frac
	}
	return constant(Type{ID: Decimal, Prec: prec, Scale: len(frac)}, textValue(KindDecimal, text)), nil
}

// constant is a value that is known when the query is bound.
func constant(t Type, v Value) *node {
	return &node{sql: engineLiteral(t, v), typ: t, con: &v}
}

// engineLiteral writes a value in the engine's syntax.
func engineLiteral(t Type, v Value) string {
	switch v.Kind {
	case KindNull:
		return "CAST(NULL AS " + t.engine() + ")"
	case KindBool:
		return strconv.FormatBool(v.Bool())
	case KindInt:
		if t.ID == Int || t.ID == BigInt {
			if v.num < 0 {
				return fmt.Sprintf("(%d)", v.num)
			}
			return strconv.FormatInt(v.num, 10)
		}
		return fmt.Sprintf("CAST(%d AS %s)", v.num, t.engine())
	case KindFloat:
		return fmt.Sprintf("CAST('%s' AS %s)", strconv.FormatFloat(v.Float(), 'g', -1, 64), t.engine())
	case KindDecimal:
		return fmt.Sprintf("CAST('%s' AS %s)", v.str, t.engine())
	case KindTime:
		return "TIMESTAMP '" + engineTime(v.Ticks()) + "'"
	case KindDate:
		return "DATE '" + engineTime(v.Ticks())[:10] + "'"
	case KindTimeOfDay:
		return "TIME '" + string(v.Append(nil, t)) + "'"
	case KindBinary:
		return "from_hex('" + hex.EncodeToString([]byte(v.str)) + "')"
	}
	if strings.IndexByte(v.str, 0) >= 0 {
		// A literal of the engine cannot hold NUL.
		parts := strings.Split(v.str, "\x00")
		for i, p := range parts {
			parts[i] = Quote(p)
		}
		return "(" + strings.Join(parts, " || chr(0) || ") + ")"
	}
	return Quote(v.str)
}

// engineTime is t in the form 2006-01-02 15:04:05.000000: the engine has
// microseconds, and the seventh digit is cut.
func engineTime(t column.Ticks) string {
	s := t.String() // 2006-01-02T15:04:05.0000000Z
	if len(s) < 26 {
		return "9999-12-31 23:59:59.999999"
	}
	return s[:10] + " " + s[11:26]
}
