package format

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"

	"spate/column"
)

const (
	lo = 0x0101010101010101
	hi = 0x8080808080808080
)

func load64(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at : at+8]) }

// endOfText returns the index of the quote that ends the text which begins at
// data[p]. Not ok: an escape, a control character, bad UTF-8, or no end.
// 16 readable bytes follow end.
func endOfText(data []byte, p, end int) (int, bool) {
	start := p
	var seen uint64
	for p < end {
		w := load64(data, p)
		q, s := w^(lo*'"'), w^(lo*'\\')
		m := ((q-lo)&^q | (s-lo)&^s | (w-lo*0x20)&^w) & hi
		if m == 0 {
			seen |= w
			p += 8
			continue
		}
		seen |= w & (m&-m - 1)
		p += bits.TrailingZeros64(m) >> 3
		if p >= end || data[p] != '"' || seen&hi != 0 && !utf8.Valid(data[start:p]) {
			return 0, false
		}
		return p, true
	}
	return 0, false
}

// number is a parsed JSON number and the index behind it.
type number struct {
	next  int
	whole bool // int holds the value, else float
	int   int64
	float float64
}

func (n number) value() column.Value {
	if n.whole {
		return column.IntOf(n.int)
	}
	return column.FloatOf(n.float)
}

var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// digits8 reads eight ASCII digits, the first in the low byte; zero bytes in
// front count as zeros.
func digits8(w uint64) uint64 {
	w &= lo * 0x0f
	w = w*10 + w>>8
	return (w&0x000000FF000000FF*0x000F424000000064 + w>>16&0x000000FF000000FF*0x0000271000000001) >> 32
}

// parseNumber parses the number at data[p]. Not ok: no valid number, or one out
// of range. 16 readable bytes follow end. The value is what strconv gives: digits
// below 2^53 divided by a power of ten up to 10^22 round once.
func parseNumber(data []byte, p, end int) (number, bool) {
	at := p
	neg := data[p] == '-'
	if neg {
		p++
	}
	w := load64(data, p)
	x := w ^ lo*'0'
	marks := (x&^uint64(hi) + lo*0x76 | x) & hi // bytes that are no digit
	if marks == 0 {
		return longNumber(data, at, end)
	}
	n := bits.TrailingZeros64(marks) >> 3
	c := byte(w >> (8 * uint(n)))
	if n == 0 || n > 1 && byte(w) == '0' {
		return number{}, false
	}
	if c != '.' {
		if c == 'e' || c == 'E' {
			return longNumber(data, at, end)
		}
		v := int64(digits8(w << (64 - 8*uint(n))))
		if neg {
			v = -v
		}
		return number{next: p + n, whole: true, int: v}, p+n <= end
	}
	marks &= marks - 1
	if marks == 0 {
		return longNumber(data, at, end)
	}
	t := bits.TrailingZeros64(marks) >> 3
	frac := t - n - 1
	switch c = byte(w >> (8 * uint(t))); {
	case frac == 0:
		return number{}, false
	case c == 'e' || c == 'E':
		return longNumber(data, at, end)
	}
	low := uint64(1)<<(8*uint(n)) - 1
	w = w&low | w>>8&^low
	f := float64(digits8(w<<(64-8*uint(t-1)))) / pow10[frac]
	if neg {
		f = -f
	}
	return number{next: p + t, float: f}, p+t <= end
}

// longNumber parses what does not fit one word.
func longNumber(data []byte, p, end int) (number, bool) {
	next, whole, ok := scanNumber(data[:end], p)
	if !ok {
		return number{}, false
	}
	lit := data[p:next]
	if v, ok := shortDigits(lit); ok {
		v.next = next
		return v, true
	}
	if whole {
		i, err := strconv.ParseInt(string(lit), 10, 64)
		return number{next: next, whole: true, int: i}, err == nil
	}
	f, err := strconv.ParseFloat(string(lit), 64)
	return number{next: next, float: f}, err == nil && !math.IsInf(f, 0)
}

// shortDigits handles literals of up to 15 digits without an exponent.
func shortDigits(lit []byte) (number, bool) {
	if len(lit) > 17 {
		return number{}, false
	}
	neg := lit[0] == '-'
	if neg {
		lit = lit[1:]
	}
	v, digits, frac := int64(0), 0, -1
	for _, c := range lit {
		switch {
		case c == '.':
			frac = 0
			continue
		case c > '9':
			return number{}, false
		case c < '0':
			return number{}, false
		}
		v = v*10 + int64(c-'0')
		digits++
		if frac >= 0 {
			frac++
		}
	}
	if digits > 15 {
		return number{}, false
	}
	if frac < 0 {
		if neg {
			v = -v
		}
		return number{whole: true, int: v}, true
	}
	f := float64(v) / pow10[frac]
	if neg {
		f = -f
	}
	return number{float: f}, true
}

// number parses a number, with the reason if it is none.
func (p *parser) number() (column.Value, *syntaxError) {
	if x, ok := parseNumber(p.data, p.pos, p.end); ok {
		p.pos = x.next
		return x.value(), nil
	}
	next, whole, ok := scanNumber(p.data[:p.end], p.pos)
	if !ok {
		return column.Value{}, p.fail(p.pos, "bad number")
	}
	lit := p.data[p.pos:next]
	if whole {
		i, err := strconv.ParseInt(string(lit), 10, 64)
		if err != nil {
			return column.Value{}, p.fail(p.pos, "integer %s does not fit bigint", shorten(lit, 40))
		}
		p.pos = next
		return column.IntOf(i), nil
	}
	f, err := strconv.ParseFloat(string(lit), 64)
	if err != nil || math.IsInf(f, 0) {
		return column.Value{}, p.fail(p.pos, "number %s does not fit float", shorten(lit, 40))
	}
	p.pos = next
	return column.FloatOf(f), nil
}

// scanNumber finds the end of the number that begins at b[at].
func scanNumber(b []byte, at int) (next int, whole, ok bool) {
	i := at
	if i < len(b) && b[i] == '-' {
		i++
	}
	digits := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return 0, false, false
	}
	whole = true
	if i < len(b) && b[i] == '.' {
		whole = false
		i++
		if !digits() {
			return 0, false, false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		whole = false
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return 0, false, false
		}
	}
	return i, whole, true
}

func shorten(b []byte, n int) []byte {
	if len(b) > n {
		return b[:n]
	}
	return b
}
