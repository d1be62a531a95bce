package deltatable

import "spate/column"

// timeParser is column.ParseTicks for texts that come one after the other: most of them
// name the minute that the last one named, "2026-01-05T10:11:".
type timeParser struct {
	minute [minuteText]byte
	base   column.Ticks // of minute
	known  bool
}

const minuteText = len("2006-01-02T15:04:")

func (p *timeParser) parse(s []byte) (column.Ticks, bool) {
	if p.known && len(s) >= minuteText+2 && string(s[:minuteText]) == string(p.minute[:]) {
		if t, ok := seconds(s[minuteText:]); ok {
			return p.base + t, true
		}
	}
	t, ok := column.ParseTicks(s)
	if ok && len(s) > minuteText && s[4] == '-' && s[13] == ':' && s[16] == ':' && string(s[11:13]) != "24" {
		if base, ok := column.ParseTicks(s[:minuteText-1]); ok {
			copy(p.minute[:], s)
			p.base, p.known = base, true
		}
	}
	return t, ok
}

// seconds reads ss, a fraction of up to seven digits, and nothing or Z behind it. What it
// does not know may still be a time.
func seconds(s []byte) (column.Ticks, bool) {
	tens, ones := s[0]-'0', s[1]-'0'
	if tens > 5 || ones > 9 {
		return 0, false
	}
	t := column.Ticks(tens*10+ones) * column.Second
	s = s[2:]
	if len(s) > 1 && s[0] == '.' {
		unit, n := column.Second, 1
		for n < len(s) && n <= 7 && s[n]-'0' <= 9 {
			unit /= 10
			t += column.Ticks(s[n]-'0') * unit
			n++
		}
		if n == 1 {
			return 0, false
		}
		s = s[n:]
	}
	return t, len(s) == 0 || len(s) == 1 && s[0] == 'Z'
}
