package query

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/json"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// textScalars are the functions on texts and JSON that are computed in Go.
func textScalars() []Scalar {
	text := KindText
	patterns := new(patternCache)
	return []Scalar{
		{"spate_like", []Kind{text, text, text}, KindBool, func(a []any) (any, error) {
			re, err := patterns.get(likeRegexp(a[1].(string), a[2].(string)))
			if err != nil {
				return nil, raise(9100, "The LIKE pattern cannot be read.")
			}
			return re.MatchString(a[0].(string)), nil
		}},
		{"spate_patindex", []Kind{text, text}, KindInt, func(a []any) (any, error) {
			return patIndex(patterns, a[0].(string), a[1].(string))
		}},
		{"spate_charindex", []Kind{text, text, KindInt}, KindInt, func(a []any) (any, error) {
			return charIndex(a[0].(string), a[1].(string), a[2].(int64)), nil
		}},
		{"spate_ascii", []Kind{text}, KindInt, func(a []any) (any, error) {
			if s := a[0].(string); s != "" {
				return int64(s[0]), nil
			}
			return nil, nil
		}},
		{"spate_utf16_length", []Kind{text}, KindInt, func(a []any) (any, error) { return int64(len(utf16Bytes(a[0].(string)))), nil }},
		{"spate_utf16", []Kind{text}, KindBinary, func(a []any) (any, error) { return utf16Bytes(a[0].(string)), nil }},
		{"spate_hash", []Kind{text, KindBinary}, KindBinary, func(a []any) (any, error) { return hash(a[0].(string), a[1].([]byte)), nil }},
		{"spate_str", []Kind{KindFloat, KindInt, KindInt}, text, func(a []any) (any, error) {
			return strText(a[0].(float64), a[1].(int64), a[2].(int64)), nil
		}},
		{"spate_divide", []Kind{text, text, KindInt}, text, func(a []any) (any, error) {
			return divideDecimals(a[0].(string), a[1].(string), a[2].(int64), false)
		}},
		{"spate_divide_round", []Kind{text, text, KindInt}, text, func(a []any) (any, error) {
			return divideDecimals(a[0].(string), a[1].(string), a[2].(int64), true)
		}},
		{"spate_truncate", []Kind{text, KindInt}, text, func(a []any) (any, error) { return truncateDecimal(a[0].(string), a[1].(int64)), nil }},
		{"spate_isnumeric", []Kind{text}, KindInt, func(a []any) (any, error) { return truth(isNumeric(a[0].(string))), nil }},
		{"spate_isdate", []Kind{text}, KindInt, func(a []any) (any, error) {
			_, err := parseTime(a[0].(string))
			return truth(err == nil && strings.TrimSpace(a[0].(string)) != ""), nil
		}},
		{"spate_isjson", []Kind{text}, KindInt, func(a []any) (any, error) { return truth(isJSON(a[0].(string))), nil }},
		{"spate_json_value", []Kind{text, text}, text, func(a []any) (any, error) { return jsonValue(a[0].(string), a[1].(string), true) }},
		{"spate_json_query", []Kind{text, text}, text, func(a []any) (any, error) { return jsonValue(a[0].(string), a[1].(string), false) }},
		{"spate_json_exists", []Kind{text, text}, KindInt, func(a []any) (any, error) {
			_, ok, err := jsonFind(a[0].(string), a[1].(string))
			return truth(ok && err == nil), nil
		}},
	}
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// patternCache keeps compiled patterns; the engine calls from several threads.
type patternCache struct {
	mu sync.Mutex
	m  map[string]*regexp.Regexp
}

func (c *patternCache) get(expr string) (*regexp.Regexp, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if re := c.m[expr]; re != nil {
		return re, nil
	}
	re, err := regexp.Compile(`\A(?:` + expr + `)\z`)
	if err != nil {
		return nil, err
	}
	if c.m == nil || len(c.m) > 1000 {
		c.m = map[string]*regexp.Regexp{}
	}
	c.m[expr] = re
	return re, nil
}

// likeRegexp writes a LIKE pattern as a regular expression that both RE2 and Go
// read: % any text, _ a character, [a-c] and [^a-c] classes.
func likeRegexp(pattern, escape string) string {
	var b strings.Builder
	b.WriteString("(?s)")
	esc, _ := utf8.DecodeRuneInString(escape)
	rs := []rune(pattern)
	for i := 0; i < len(rs); i++ {
		c := rs[i]
		switch {
		case escape != "" && c == esc && i+1 < len(rs):
			i++
			b.WriteString(regexp.QuoteMeta(string(rs[i])))
		case c == '%':
			b.WriteString(".*")
		case c == '_':
			b.WriteString(".")
		case c == '[':
			n := likeClass(&b, rs[i+1:], escape, esc)
			if n < 0 {
				b.WriteString("[^\\s\\S]") // a bracket that is not closed matches nothing
				return b.String()
			}
			i += n + 1
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return b.String()
}

// likeClass writes the class whose characters follow '['; it returns their
// number, the closing bracket excluded, or -1.
func likeClass(b *strings.Builder, rs []rune, escape string, esc rune) int {
	end := -1
	for i := range rs {
		if rs[i] == ']' && i > 0 && !(i == 1 && rs[0] == '^') {
			end = i
			break
		}
	}
	if end < 0 {
		return -1
	}
	b.WriteByte('[')
	for i := 0; i < end; i++ {
		c := rs[i]
		switch {
		case i == 0 && c == '^':
			b.WriteByte('^')
		case c == '-' && i > 0 && i+1 < end:
			b.WriteByte('-')
		case escape != "" && c == esc && i+1 < end:
			i++
			b.WriteString(`\x{` + strconv.FormatInt(int64(rs[i]), 16) + `}`)
		default:
			b.WriteString(`\x{` + strconv.FormatInt(int64(c), 16) + `}`)
		}
	}
	b.WriteByte(']')
	return end
}

func patIndex(cache *patternCache, pattern, s string) (int64, error) {
	head := strings.HasPrefix(pattern, "%")
	tail := strings.HasSuffix(pattern, "%")
	if !head {
		re, err := cache.get(likeRegexp(pattern, ""))
		if err != nil {
			return 0, raise(9100, "The PATINDEX pattern cannot be read.")
		}
		return truth(re.MatchString(s)), nil
	}
	rest := strings.TrimPrefix(pattern, "%")
	expr := likeRegexp(rest, "")
	if !tail {
		expr += `\z`
	}
	// The first place from which the rest matches.
	re, err := cache.get(`(?s)(?:.*?)(` + expr + `)(?s:.*)`)
	if err != nil {
		return 0, raise(9100, "The PATINDEX pattern cannot be read.")
	}
	m := re.FindStringSubmatchIndex(s)
	if m == nil {
		return 0, nil
	}
	return int64(utf8.RuneCountInString(s[:m[2]])) + 1, nil
}

func charIndex(find, s string, start int64) int64 {
	if find == "" {
		return 0
	}
	skipped := int64(0)
	for rest := s; ; {
		if skipped >= start-1 {
			i := strings.Index(rest, find)
			if i < 0 {
				return 0
			}
			return skipped + int64(utf8.RuneCountInString(rest[:i])) + 1
		}
		_, n := utf8.DecodeRuneInString(rest)
		if n == 0 {
			return 0
		}
		rest = rest[n:]
		skipped++
	}
}

func utf16Bytes(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

func hash(alg string, data []byte) []byte {
	switch alg {
	case "MD5":
		h := md5.Sum(data)
		return h[:]
	case "SHA", "SHA1":
		h := sha1.Sum(data)
		return h[:]
	case "SHA2_256":
		h := sha256.Sum256(data)
		return h[:]
	}
	h := sha512.Sum512(data)
	return h[:]
}

// strText is STR: right-justified, with stars when it does not fit.
func strText(f float64, length, decimals int64) any {
	if length < 1 || length > 8000 || decimals < 0 {
		return nil
	}
	s := strconv.FormatFloat(f, 'f', int(min(decimals, 16)), 64)
	whole, _, _ := strings.Cut(s, ".")
	if int64(len(whole)) > length {
		return strings.Repeat("*", int(length))
	}
	if int64(len(s)) > length {
		s = strconv.FormatFloat(f, 'f', max(0, int(length)-len(whole)-1), 64)
	}
	return strings.Repeat(" ", max(0, int(length)-len(s))) + s
}

// unscaled reads a decimal as digits and scale.
func unscaled(s string) (*big.Int, int) {
	whole, frac, _ := strings.Cut(s, ".")
	n, ok := new(big.Int).SetString(whole+frac, 10)
	if !ok {
		n = new(big.Int)
	}
	return n, len(frac)
}

func scaledText(n *big.Int, scale int) string {
	s := new(big.Int).Abs(n).String()
	if scale > 0 {
		if len(s) <= scale {
			s = strings.Repeat("0", scale-len(s)+1) + s
		}
		s = s[:len(s)-scale] + "." + s[len(s)-scale:]
	}
	if n.Sign() < 0 {
		s = "-" + s
	}
	return s
}

var ten = big.NewInt(10)

func pow10(n int) *big.Int { return new(big.Int).Exp(ten, big.NewInt(int64(n)), nil) }

// divideDecimals gives a/b cut to scale digits, or with its half rounded up.
func divideDecimals(a, b string, scale int64, round bool) (string, error) {
	x, sx := unscaled(a)
	y, sy := unscaled(b)
	if y.Sign() == 0 {
		return "", raise(8134, "Divide by zero error encountered.")
	}
	sign := x.Sign()
	shift := int(scale) - sx + sy
	if shift >= 0 {
		x.Mul(x, pow10(shift))
	} else {
		y.Mul(y, pow10(-shift))
	}
	q, r := x.QuoRem(x, y, new(big.Int))
	if round && r.Lsh(r.Abs(r), 1).CmpAbs(y) >= 0 {
		q.Add(q, big.NewInt(int64(sign*y.Sign())))
	}
	return scaledText(q, int(scale)), nil
}

func truncateDecimal(s string, digits int64) string {
	n, scale := unscaled(s)
	if digits >= int64(scale) {
		return s
	}
	if drop := int64(scale) - digits; drop > 80 {
		n.SetInt64(0)
	} else {
		p := pow10(int(drop))
		n.Quo(n, p).Mul(n, p)
	}
	return scaledText(n, scale)
}

func isNumeric(s string) bool {
	bare := strings.TrimSpace(s)
	t := strings.TrimLeft(bare, "$£€¥")
	if t == "" && bare != "" || t == "." || t == "+" || t == "-" {
		return true
	}
	return isNumberText(strings.ReplaceAll(t, ",", ""), true)
}

func isJSON(s string) bool {
	t := strings.TrimSpace(s)
	return t != "" && (t[0] == '{' || t[0] == '[') && json.Valid([]byte(t))
}
