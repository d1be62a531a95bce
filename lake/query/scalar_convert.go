package query

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"spate/column"
)

// raise is an error with the number that SQL Server gives it.
func raise(number int, format string, args ...any) error {
	return errors.New(Raised(number, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")))
}

// convertScalars are the conversions of texts and, with try, their forms that
// give NULL instead of an error.
func convertScalars() []Scalar {
	base := []Scalar{
		{"spate_bit", []Kind{KindText}, KindBool, func(a []any) (any, error) { return parseBit(a[0].(string)) }},
		{"spate_int", []Kind{KindText}, KindInt, func(a []any) (any, error) { return parseInt(a[0].(string)) }},
		{"spate_float", []Kind{KindText}, KindFloat, func(a []any) (any, error) { return parseFloat(a[0].(string)) }},
		{"spate_number", []Kind{KindText}, KindText, func(a []any) (any, error) { return parseNumber(a[0].(string)) }},
		{"spate_uuid", []Kind{KindText}, KindText, func(a []any) (any, error) { return parseUUID(a[0].(string)) }},
		{"spate_time", []Kind{KindText}, KindTime, func(a []any) (any, error) {
			t, err := parseTime(a[0].(string))
			if err != nil {
				return nil, err
			}
			return t.Time(), nil
		}},
	}
	out := base
	for _, f := range base {
		call := f.Call
		f.Name = strings.Replace(f.Name, "spate_", "spate_try_", 1)
		f.Call = func(a []any) (any, error) {
			v, err := call(a)
			if err != nil {
				return nil, nil
			}
			return v, nil
		}
		out = append(out, f)
	}
	return append(out,
		Scalar{"spate_float_text", []Kind{KindFloat, KindInt}, KindText, func(a []any) (any, error) {
			return floatText(a[0].(float64), a[1].(int64)), nil
		}},
		Scalar{"spate_time_text", []Kind{KindTime, KindInt, KindInt}, KindText, func(a []any) (any, error) {
			return styledTime(a[0].(time.Time), a[1].(int64), a[2].(int64)), nil
		}},
	)
}

// fromTextConst converts a constant text when the query is bound. NULL means
// that the engine has to do it.
func fromTextConst(fn, s string, typ Type) (Value, error) {
	switch fn {
	case "spate_bit":
		v, err := parseBit(s)
		return boolValue(v), err
	case "spate_int":
		i, err := parseInt(s)
		if err != nil {
			return Value{}, err
		}
		lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
		switch typ.ID {
		case TinyInt:
			lo, hi = 0, 255
		case SmallInt:
			lo, hi = math.MinInt16, math.MaxInt16
		case Int:
			lo, hi = math.MinInt32, math.MaxInt32
		}
		if i < lo || i > hi {
			return Value{}, raise(248, "The conversion of the varchar value '%s' overflowed an %s column.", s, typ)
		}
		return intValue(i), nil
	case "spate_float":
		f, err := parseFloat(s)
		return floatValue(f), err
	case "spate_time":
		t, err := parseTime(s)
		if err != nil {
			return Value{}, err
		}
		switch typ.ID {
		case Date:
			return timeValue(KindDate, t-t%column.Day), nil
		case DateTime:
			return timeValue(KindTime, roundDateTime(t)), nil
		case Time:
			return Value{}, nil
		}
		if typ.Scale < 6 {
			return Value{}, nil
		}
		return timeValue(KindTime, t), nil
	}
	return Value{}, nil
}

func blankTrimmed(s string) string { return strings.Trim(s, " \t") }

func parseBit(s string) (bool, error) {
	switch t := strings.ToLower(blankTrimmed(s)); t {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	default:
		i, err := strconv.ParseInt(t, 10, 64)
		if err != nil {
			return false, raise(245, "Conversion failed when converting the varchar value '%s' to data type bit.", s)
		}
		return i != 0, nil
	}
}

// parseInt reads what T-SQL takes for an integer: an empty text is 0, a point
// or exponent is a mistake.
func parseInt(s string) (int64, error) {
	t := blankTrimmed(s)
	if t == "" {
		return 0, nil
	}
	i, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		return 0, raise(245, "Conversion failed when converting the varchar value '%s' to data type int.", s)
	}
	return i, nil
}

func isNumberText(t string, exponent bool) bool {
	digits := 0
	rest := strings.TrimLeft(t, "+-")
	if len(t)-len(rest) > 1 {
		return false
	}
	point := false
	for i, c := range []byte(rest) {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' && !point:
			point = true
		case (c == 'e' || c == 'E') && exponent && digits > 0:
			_, err := strconv.Atoi(rest[i+1:])
			return err == nil
		default:
			return false
		}
	}
	return digits > 0
}

func parseFloat(s string) (float64, error) {
	t := blankTrimmed(s)
	if t == "" {
		return 0, nil
	}
	f, err := strconv.ParseFloat(t, 64)
	if err != nil || !isNumberText(t, true) {
		return 0, raise(8114, "Error converting data type varchar to float: '%s'.", s)
	}
	return f, nil
}

func parseNumber(s string) (string, error) {
	t := blankTrimmed(s)
	if !isNumberText(t, false) {
		return "", raise(8114, "Error converting data type varchar to numeric: '%s'.", s)
	}
	return t, nil
}

func parseUUID(s string) (string, error) {
	t := strings.TrimSuffix(strings.TrimPrefix(blankTrimmed(s), "{"), "}")
	ok := len(t) == 36
	for i, c := range []byte(t) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			ok = ok && c == '-'
		} else {
			ok = ok && strings.IndexByte("0123456789abcdefABCDEF", c) >= 0
		}
	}
	if !ok {
		return "", raise(8169, "Conversion failed when converting from a character string to uniqueidentifier.")
	}
	return t, nil
}

// floatText writes a float: style 0 has 6 digits, 1 has 8 and 2 has 16 in
// scientific form, 3 has 17.
func floatText(f float64, style int64) string {
	var s string
	switch style {
	case 1:
		s = strconv.FormatFloat(f, 'e', 7, 64)
	case 2:
		s = strconv.FormatFloat(f, 'e', 15, 64)
	case 3:
		s = strconv.FormatFloat(f, 'e', 16, 64)
	default:
		s = strconv.FormatFloat(f, 'g', 6, 64)
	}
	// The exponent has a sign and three digits.
	if mant, exp, ok := strings.Cut(s, "e"); ok {
		sign := exp[:1]
		digits := strings.TrimLeft(exp[1:], "+-")
		s = mant + "e" + sign + strings.Repeat("0", max(0, 3-len(digits))) + digits
	}
	return s
}
