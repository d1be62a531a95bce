package query

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"spate/column"
	"spate/sql/syntax"
)

// sparkCast binds CAST of Spark. TRY_CAST gives NULL where it fails.
func (b *binder) sparkCast(n *node, typ Type, as *syntax.TypeName, mode castMode, at syntax.Span) (*node, error) {
	out, err := b.convert(n, typ, mode, at)
	if err != nil {
		return nil, err
	}
	if name := strings.ToUpper(as.Name); (name == "BYTE" || name == "TINYINT") && !out.null {
		word := "CAST"
		if mode == castTry {
			word = "TRY_CAST"
		}
		out = &node{sql: "CAST(" + word + "(" + out.sql + " AS TINYINT) AS SMALLINT)", typ: typ}
	}
	return out, nil
}

// sparkConvert binds the conversions that Spark does in its own way; nil for the others.
func (b *binder) sparkConvert(n *node, typ Type, mode castMode, at syntax.Span) (*node, error) {
	from := n.typ
	out := func(sql string) (*node, error) { return &node{sql: sql, typ: typ, at: n.at}, nil }
	word := "CAST"
	if mode == castTry {
		word = "TRY_CAST"
	}
	switch {
	case from.isText():
		return b.sparkFromText(n, typ, mode, at)
	case typ.isText():
		switch from.ID {
		case Bit:
			return out("CAST(" + n.sql + " AS VARCHAR)")
		case Float:
			return out("spate_java_double(CAST(" + n.sql + " AS DOUBLE))")
		case Real:
			return out("spate_java_float(CAST(" + n.sql + " AS DOUBLE))")
		case Date:
			return out("strftime(" + n.sql + ", '%Y-%m-%d')")
		case DateTime, DateTime2, DateTimeOffset:
			return out("spate_java_time(" + n.sql + ")")
		case VarBinary:
			return out("decode(" + n.sql + ")")
		}
		return out("CAST(" + n.strict(from).sql + " AS VARCHAR)")
	case from.isTime() && typ.isNumber() && mode >= castExplicit && from.ID != Date:
		// Seconds since 1970.
		if typ.ID == Float || typ.ID == Real {
			return out("CAST(epoch_us(" + n.sql + ") / 1000000.0 AS " + typ.engine() + ")")
		}
		return out(word + "(floor(epoch_us(" + n.sql + ") / 1000000.0) AS " + typ.engine() + ")")
	case from.isInteger() && typ.ID == DateTime2 && mode >= castExplicit:
		return out("make_timestamp(CAST(" + n.sql + " AS BIGINT) * 1000000)")
	case from.isNumber() && from.ID != Bit && typ.ID == Bit && mode < castExplicit && mode != castCompare:
		return nil, clash(from, typ, mode, at)
	}
	return nil, nil
}

// sparkFromText reads a text as ANSI Spark does, at once if it is a constant.
func (b *binder) sparkFromText(n *node, typ Type, mode castMode, at syntax.Span) (*node, error) {
	fn := ""
	switch {
	case typ.isText():
		c := *n
		c.typ = typ
		return &c, nil
	case typ.ID == VarBinary:
		return &node{sql: "encode(" + n.sql + ")", typ: typ}, nil
	case typ.ID == Bit:
		fn = "bool"
	case typ.isInteger():
		fn = "int"
	case typ.ID == Float, typ.ID == Real:
		fn = "double"
	case typ.ID == Decimal:
		fn = "decimal"
	case typ.isTime():
		fn = "time"
	default:
		return nil, clash(n.typ, typ, mode, at)
	}
	if n.con != nil && mode != castTry {
		v, err := sparkParse(fn, n.con.str)
		if err != nil {
			return nil, placed(err, at)
		}
		switch v := v.(type) {
		case bool:
			return constant(typ, boolValue(v)), nil
		case int64:
			lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
			switch typ.ID {
			case SmallInt:
				lo, hi = math.MinInt16, math.MaxInt16
			case Int:
				lo, hi = math.MinInt32, math.MaxInt32
			}
			if v < lo || v > hi {
				return nil, errorf(8115, at, "The value '%s' is out of the range of %s.", n.con.str, typ)
			}
			return constant(typ, intValue(v)), nil
		case float64:
			return constant(typ, rounded(typ, v)), nil
		case time.Time:
			t := column.TicksOf(v)
			if typ.ID == Date {
				t -= t % column.Day
			}
			return constant(typ, timeValue(typ.kind(), t)), nil
		}
	}
	word, try := "CAST", ""
	if mode == castTry {
		word, try = "TRY_CAST", "try_"
	}
	return &node{sql: word + "(spate_spark_" + try + fn + "(" + n.sql + ") AS " + typ.engine() + ")", typ: typ}, nil
}

// sparkScalars are the functions of the dialect that are computed in Go.
func sparkScalars() []Scalar {
	var out []Scalar
	for _, f := range []struct {
		name   string
		result Kind
	}{{"bool", KindBool}, {"int", KindInt}, {"double", KindFloat}, {"decimal", KindText}, {"time", KindTime}} {
		read := func(a []any) (any, error) { return sparkParse(f.name, a[0].(string)) }
		out = append(out, Scalar{"spate_spark_" + f.name, []Kind{KindText}, f.result, read},
			Scalar{"spate_spark_try_" + f.name, []Kind{KindText}, f.result, func(a []any) (any, error) {
				v, err := read(a)
				if err != nil {
					return nil, nil
				}
				return v, nil
			}})
	}
	return append(out,
		Scalar{"spate_java_double", []Kind{KindFloat}, KindText, func(a []any) (any, error) { return javaFloat(a[0].(float64), 64), nil }},
		Scalar{"spate_java_float", []Kind{KindFloat}, KindText, func(a []any) (any, error) { return javaFloat(a[0].(float64), 32), nil }},
		Scalar{"spate_java_time", []Kind{KindTime}, KindText, func(a []any) (any, error) {
			s := a[0].(time.Time).UTC().Format("2006-01-02 15:04:05.000000")
			return strings.TrimSuffix(strings.TrimRight(s, "0"), "."), nil
		}},
		Scalar{"spate_round", []Kind{KindFloat, KindInt, KindBool}, KindFloat, func(a []any) (any, error) {
			return roundFloat(a[0].(float64), a[1].(int64), a[2].(bool)), nil
		}},
		Scalar{"spate_cbrt", []Kind{KindFloat}, KindFloat, func(a []any) (any, error) { return math.Cbrt(a[0].(float64)), nil }},
		Scalar{"spate_whole_months", []Kind{KindTime, KindTime}, KindInt, func(a []any) (any, error) {
			return wholeMonths(a[0].(time.Time), a[1].(time.Time)), nil
		}},
		Scalar{"spate_initcap", []Kind{KindText}, KindText, func(a []any) (any, error) { return initCap(a[0].(string)), nil }},
		Scalar{"spate_months_between", []Kind{KindTime, KindTime, KindBool}, KindFloat, func(a []any) (any, error) {
			return monthsBetween(a[0].(time.Time), a[1].(time.Time), a[2].(bool)), nil
		}},
	)
}

// sparkParse reads a text as a value: of bool, int, double, decimal or time.
func sparkParse(as, s string) (any, error) {
	t := strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	bad := func(name string) (any, error) {
		return nil, raise(245, "The value '%s' cannot be cast to %s because it is malformed.", s, name)
	}
	switch as {
	case "bool":
		switch strings.ToLower(t) {
		case "t", "true", "y", "yes", "1":
			return true, nil
		case "f", "false", "n", "no", "0":
			return false, nil
		}
		return bad("boolean")
	case "int":
		i, err := strconv.ParseInt(t, 10, 64)
		if err != nil {
			return bad("bigint")
		}
		return i, nil
	case "double":
		switch strings.ToLower(t) {
		case "nan":
			return math.NaN(), nil
		case "inf", "+inf", "infinity", "+infinity":
			return math.Inf(1), nil
		case "-inf", "-infinity":
			return math.Inf(-1), nil
		}
		bare := t
		if n := len(t); n > 1 && strings.ContainsRune("dDfF", rune(t[n-1])) {
			bare = t[:n-1]
		}
		f, err := strconv.ParseFloat(bare, 64)
		if !isNumberText(bare, true) || err != nil && !math.IsInf(f, 0) {
			return bad("double")
		}
		return f, nil
	case "decimal":
		if !isNumberText(t, true) {
			return bad("decimal")
		}
		return t, nil
	}
	v, ok := sparkTime(t)
	if !ok {
		return bad("timestamp")
	}
	return v, nil
}

// sparkTime reads year[-month[-day[( |T)hour:minute[:second[.fraction]][zone]]]].
func sparkTime(s string) (time.Time, bool) {
	number := func(least, most int) (int, bool) {
		n := 0
		for n < len(s) && n < most && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		if n < least {
			return 0, false
		}
		v, err := strconv.Atoi(s[:n])
		s = s[n:]
		return v, err == nil
	}
	next := func(c byte) bool {
		if s != "" && s[0] == c {
			s = s[1:]
			return true
		}
		return false
	}
	var day [3]int
	day[1], day[2] = 1, 1
	for i := range day {
		least, most := 1, 2
		if i == 0 {
			least, most = 4, 4
		} else if !next('-') {
			break
		}
		v, ok := number(least, most)
		if !ok {
			return time.Time{}, false
		}
		day[i] = v
	}
	t := time.Date(day[0], time.Month(day[1]), day[2], 0, 0, 0, 0, time.UTC)
	if day[0] == 0 || t.Day() != day[2] || int(t.Month()) != day[1] {
		return time.Time{}, false
	}
	if s == "" || s == " " || s == "T" {
		return t, true
	}
	if !next(' ') && !next('T') {
		return time.Time{}, false
	}
	hour, ok := number(1, 2)
	if !ok || hour > 23 || !next(':') {
		return time.Time{}, false
	}
	minute, ok := number(1, 2)
	if !ok || minute > 59 {
		return time.Time{}, false
	}
	second, micros := 0, 0
	if next(':') {
		if second, ok = number(1, 2); !ok || second > 59 {
			return time.Time{}, false
		}
		if next('.') {
			digits := s
			if _, ok = number(0, 9); !ok && digits != "" && digits[0] >= '0' && digits[0] <= '9' {
				return time.Time{}, false
			}
			frac := digits[:len(digits)-len(s)]
			frac = (frac + "000000")[:6]
			micros, _ = strconv.Atoi(frac)
		}
	}
	t = t.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + time.Duration(micros)*time.Microsecond)
	zone := strings.TrimSpace(s)
	if zone == "" || zone == "Z" {
		return t, true
	}
	for _, name := range []string{"UTC", "GMT", "UT"} {
		if zone = strings.TrimPrefix(zone, name); zone == "" {
			return t, true
		}
	}
	sign := time.Duration(1)
	if zone[0] == '-' {
		sign = -1
	} else if zone[0] != '+' {
		return time.Time{}, false
	}
	h, m, _ := strings.Cut(zone[1:], ":")
	if m == "" && len(h) == 4 {
		h, m = h[:2], h[2:]
	}
	hours, err := strconv.Atoi(h)
	if err != nil || hours > 18 {
		return time.Time{}, false
	}
	minutes := 0
	if m != "" {
		if minutes, err = strconv.Atoi(m); err != nil || minutes > 59 {
			return time.Time{}, false
		}
	}
	return t.Add(-sign * (time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute)), true
}

// javaFloat writes a float as Java does: with a point from 0.001 to below 10,000,000, with an
// exponent outside.
func javaFloat(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-3 || a >= 1e7) {
		mant, exp, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, bits), "E")
		if !strings.Contains(mant, ".") {
			mant += ".0"
		}
		n, _ := strconv.Atoi(exp)
		return mant + "E" + strconv.Itoa(n)
	}
	s := strconv.FormatFloat(f, 'f', -1, bits)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// roundFloat rounds what a float is written as to digits behind the point: halves up, or to
// the even digit.
func roundFloat(f float64, digits int64, even bool) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) || digits > 400 {
		return f
	}
	if digits < -400 {
		return 0
	}
	n, scale := unscaled(strconv.FormatFloat(f, 'f', -1, 64))
	drop := scale - int(digits)
	if drop <= 0 {
		return f
	}
	unit := pow10(drop)
	q, r := new(big.Int).QuoRem(n, unit, new(big.Int))
	r.Abs(r)
	r.Lsh(r, 1)
	half := r.Cmp(pow10(drop))
	if half > 0 || half == 0 && (!even || q.Bit(0) == 1) {
		one := pow10(0)
		if f < 0 {
			q.Sub(q, one)
		} else {
			q.Add(q, one)
		}
	}
	text := q.String()
	out, err := strconv.ParseFloat(text+"e"+strconv.FormatInt(-digits, 10), 64)
	if err != nil && !math.IsInf(out, 0) {
		return f
	}
	return out
}

// initCap is a text whose words begin with capitals, and have none else.
func initCap(s string) string {
	begin := true
	return strings.Map(func(r rune) rune {
		was := begin
		begin = r == ' '
		if was {
			return []rune(strings.ToUpper(string(r)))[0]
		}
		return []rune(strings.ToLower(string(r)))[0]
	}, s)
}

// wholeMonths counts the months that lie wholly between two times, by the numbers of their days.
func wholeMonths(from, to time.Time) int64 {
	from, to = from.UTC(), to.UTC()
	n := int64(to.Year()-from.Year())*12 + int64(to.Month()) - int64(from.Month())
	rest := func(t time.Time) time.Duration { return t.Sub(time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)) }
	switch {
	case n > 0 && rest(to) < rest(from):
		n--
	case n < 0 && rest(to) > rest(from):
		n++
	}
	return n
}

// monthsBetween counts months, whole ones between equal days or ends of months, and days as
// parts of 31.
func monthsBetween(a, b time.Time, round bool) float64 {
	a, b = a.UTC(), b.UTC()
	months := float64((a.Year()-b.Year())*12 + int(a.Month()) - int(b.Month()))
	last := func(t time.Time) bool { return t.AddDate(0, 0, 1).Day() == 1 }
	if a.Day() == b.Day() || last(a) && last(b) {
		return months
	}
	seconds := func(t time.Time) float64 { return float64(t.Hour()*3600 + t.Minute()*60 + t.Second()) }
	part := (float64(a.Day()-b.Day())*86400 + seconds(a) - seconds(b)) / (31 * 86400)
	if !round {
		return months + part
	}
	return math.Round((months+part)*1e8) / 1e8
}
