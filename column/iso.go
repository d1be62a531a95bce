package column

// ParseTicks reads a date and time in the calendar forms of ISO 8601, the extended
// and the basic one: a date, optionally T or a blank and hours, or hours and minutes,
// or all three, the last with a fraction behind a point or a comma; then optionally Z
// or an offset, in either form. 24:00 is the end of the day. Text without an offset
// is UTC; digits of a fraction behind the seventh are cut.
// Source: stream-analytics.md 2.3.
func ParseTicks[T string | []byte](s T) (Ticks, bool) {
	t, extended, ok := parseDate(s)
	if !ok {
		return 0, false
	}
	if s = s[8:]; extended {
		s = s[2:]
	}
	if len(s) > 0 && (s[0] == 'T' || s[0] == 't' || s[0] == ' ') {
		clock, n, ok := parseClock(s[1:], extended)
		if !ok {
			return 0, false
		}
		t += clock
		s = s[1+n:]
	}
	off, ok := parseOffset(s)
	if !ok {
		return 0, false
	}
	t -= off
	return t, t.Valid()
}

// parseDate reads yyyy-MM-dd, the extended form, or yyyyMMdd, with which s begins.
func parseDate[T string | []byte](s T) (t Ticks, extended, ok bool) {
	if len(s) < 8 {
		return 0, false, false
	}
	month, day := 4, 6
	if s[4] == '-' {
		if len(s) < 10 || s[7] != '-' {
			return 0, false, false
		}
		extended, month, day = true, 5, 8
	}
	y, ok1 := digits(s[0:4])
	m, ok2 := digits(s[month : month+2])
	d, ok3 := digits(s[day : day+2])
	if !ok1 || !ok2 || !ok3 || y < 1 || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return 0, false, false
	}
	return DateTicks(y, m, d), extended, true
}

// parseClock reads the time of day with which s begins, n bytes of it.
func parseClock[T string | []byte](s T, extended bool) (t Ticks, n int, ok bool) {
	if len(s) < 2 {
		return 0, 0, false
	}
	hour, ok := digits(s[0:2])
	if !ok || hour > 24 {
		return 0, 0, false
	}
	t, n = Ticks(hour)*Hour, 2
	unit := Hour
	for unit > Second && n < len(s) {
		at := n
		switch {
		case extended && s[n] == ':':
			at++
		case extended || s[n] < '0' || s[n] > '9':
			at = 0 // the next part is left out
		}
		if at == 0 {
			break
		}
		if len(s) < at+2 {
			return 0, 0, false
		}
		part, ok := digits(s[at : at+2])
		if !ok || part > 59 {
			return 0, 0, false
		}
		unit /= 60
		t += Ticks(part) * unit
		n = at + 2
	}
	if n < len(s) && (s[n] == '.' || s[n] == ',') {
		part, size := parseFraction(s[n+1:], unit)
		if size == 0 {
			return 0, 0, false
		}
		t += part
		n += 1 + size
	}
	return t, n, hour < 24 || t == Day
}

// parseFraction reads the digits with which s begins as a fraction of unit.
func parseFraction[T string | []byte](s T, unit Ticks) (t Ticks, n int) {
	scale := Second // seven digits, whatever the unit
	sum := Ticks(0)
	for ; n < len(s) && s[n] >= '0' && s[n] <= '9'; n++ {
		scale /= 10
		sum += Ticks(s[n]-'0') * scale
	}
	return sum * (unit / Second), n
}

// parseOffset reads what is left of a time: nothing, Z, or +hh, +hhmm or +hh:mm.
func parseOffset[T string | []byte](s T) (Ticks, bool) {
	if len(s) == 0 || len(s) == 1 && (s[0] == 'Z' || s[0] == 'z') {
		return 0, true
	}
	minute := len(s) - 2 // where the minutes stand
	switch {
	case s[0] != '+' && s[0] != '-':
		return 0, false
	case len(s) != 3 && len(s) != 5 && (len(s) != 6 || s[3] != ':'):
		return 0, false
	}
	h, ok := digits(s[1:3])
	m := 0
	if ok && len(s) > 3 {
		m, ok = digits(s[minute:])
	}
	if !ok || h > 14 || m > 59 {
		return 0, false
	}
	off := Ticks(h)*Hour + Ticks(m)*Minute
	if s[0] == '-' {
		off = -off
	}
	return off, true
}

// digits reads s as a number; false if another character is in it.
func digits[T string | []byte](s T) (int, bool) {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
