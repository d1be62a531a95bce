package query

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"spate/column"
)

var months = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}

// parseTime reads the forms of a date and time that T-SQL reads without a
// style: ISO 8601 in every variant, yyyymmdd, m/d/y and month names, with hh:mm,
// seconds, fraction, AM or PM, Z or an offset. An empty text is 1900-01-01.
func parseTime(s string) (column.Ticks, error) {
	t := strings.TrimSpace(s)
	fail := func() (column.Ticks, error) {
		return 0, raise(241, "Conversion failed when converting date and/or time from character string: '%s'.", s)
	}
	if t == "" {
		return column.DateTicks(1900, 1, 1), nil
	}
	if ticks, ok := column.ParseTicks(t); ok {
		return ticks, nil
	}
	day, rest, ok := parseDay(t)
	if !ok {
		return fail()
	}
	clock, ok := parseClock(strings.TrimLeft(rest, " Tt"))
	if !ok {
		return fail()
	}
	out := day + clock
	if !out.Valid() {
		return fail()
	}
	return out, nil
}

func parseDay(t string) (day column.Ticks, rest string, ok bool) {
	if i := strings.IndexByte(t, ':'); i >= 0 && i <= 2 {
		return column.DateTicks(1900, 1, 1), t, true // a time alone
	}
	n := 0
	for n < len(t) && t[n] >= '0' && t[n] <= '9' {
		n++
	}
	if n == 8 || n == 6 && (len(t) == 6 || t[6] == ' ') {
		y, _ := strconv.Atoi(t[:n-4])
		m, _ := strconv.Atoi(t[n-4 : n-2])
		d, _ := strconv.Atoi(t[n-2 : n])
		if n == 6 {
			y = century(y)
		}
		day, ok = civilDay(y, m, d)
		return day, t[n:], ok
	}
	// Three fields: numbers in the order month, day, year, or with a name of a month.
	var nums []int
	month, firstLen := 0, n
	i := 0
	for i < len(t) && (len(nums) < 3 && month == 0 || len(nums) < 2 && month > 0) {
		switch c := t[i]; {
		case c >= '0' && c <= '9':
			j := i
			for j < len(t) && t[j] >= '0' && t[j] <= '9' {
				j++
			}
			if j-i > 4 {
				return 0, "", false
			}
			v, _ := strconv.Atoi(t[i:j])
			nums = append(nums, v)
			if month > 0 && len(nums) == 2 && j-i <= 2 {
				nums[1] = century(v)
			}
			i = j
		case c == '/' || c == '-' || c == '.' || c == ',' || c == ' ':
			i++
		default:
			j := i
			for j < len(t) && (t[j]|0x20) >= 'a' && (t[j]|0x20) <= 'z' {
				j++
			}
			if month = monthNumber(t[i:j]); month == 0 {
				return 0, "", false
			}
			i = j
		}
	}
	switch {
	case month > 0 && len(nums) == 2:
		if nums[0] > 31 {
			nums[0], nums[1] = nums[1], nums[0]
		}
		day, ok = civilDay(nums[1], month, nums[0])
	case len(nums) == 3 && firstLen == 4:
		day, ok = civilDay(nums[0], nums[1], nums[2])
	case len(nums) == 3:
		y := nums[2]
		if y < 100 {
			y = century(y)
		}
		day, ok = civilDay(y, nums[0], nums[1])
	}
	return day, t[i:], ok
}

// century completes a year of two digits: up to 49 it is 20xx.
func century(y int) int {
	switch {
	case y > 99:
		return y
	case y <= 49:
		return 2000 + y
	}
	return 1900 + y
}

func monthNumber(s string) int {
	if len(s) < 3 {
		return 0
	}
	for i, m := range months {
		if strings.EqualFold(m, s) || strings.EqualFold(m[:3], s) {
			return i + 1
		}
	}
	return 0
}

func civilDay(y, m, d int) (column.Ticks, bool) {
	return column.ParseTicks(fmt.Sprintf("%04d-%02d-%02d", y, m, d))
}

// parseClock reads h[:m[:s[.f]]] [AM|PM]; nothing is midnight.
func parseClock(s string) (column.Ticks, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, true
	}
	up := strings.ToUpper(s)
	pm, am := strings.HasSuffix(up, "PM"), strings.HasSuffix(up, "AM")
	if pm || am {
		s = strings.TrimSpace(s[:len(s)-2])
	}
	parts := strings.Split(s, ":")
	if len(parts) > 3 || len(parts) == 1 && !pm && !am {
		return 0, false
	}
	var v [3]int
	frac := column.Ticks(0)
	for i, p := range parts {
		if i == 2 {
			whole, f, has := strings.Cut(p, ".")
			p = whole
			if has {
				if f == "" || len(f) > 9 {
					return 0, false
				}
				x, err := strconv.ParseUint((f + "0000000")[:7], 10, 32)
				if err != nil {
					return 0, false
				}
				frac = column.Ticks(x)
			}
		}
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || len(p) > 2 {
			return 0, false
		}
		v[i] = n
	}
	h := v[0]
	if pm || am {
		if h < 1 || h > 12 {
			return 0, false
		}
		h %= 12
		if pm {
			h += 12
		}
	}
	if h > 23 || v[1] > 59 || v[2] > 59 {
		return 0, false
	}
	return column.Ticks(h)*column.Hour + column.Ticks(v[1])*column.Minute + column.Ticks(v[2])*column.Second + frac, true
}

func knownStyle(k int64) bool {
	switch k {
	case 20, 21, 22, 23, 24, 25, 120, 121, 126, 127:
		return true
	}
	return k >= 0 && k <= 14 || k >= 100 && k <= 114
}

// styledTime writes t in a style of CONVERT (sql-endpoint.md 8.9). digits is
// the number of fraction digits of its type, plus 10 for a time of day; -1 for
// a date, -3 for the type datetime.
func styledTime(t time.Time, style, digits int64) string {
	t = t.UTC()
	n := 3
	switch {
	case digits >= 10:
		n = int(digits - 10)
	case digits >= 0:
		n = int(digits)
	}
	fraction := func() string {
		if digits == -3 {
			// .003333 is stored for the datetime .003
			return fmt.Sprintf("%03d", (t.Nanosecond()+500_000)/1_000_000%1000)
		}
		return fmt.Sprintf("%09d", t.Nanosecond())[:n]
	}
	dotted := func(sep string) string {
		if n == 0 && digits != -3 {
			return ""
		}
		return sep + fraction()
	}
	hour12, half := (t.Hour()+11)%12+1, "AM"
	if t.Hour() >= 12 {
		half = "PM"
	}
	year, mon, d := t.Year(), int(t.Month()), t.Day()
	name := months[mon-1][:3]
	y := fmt.Sprintf("%04d", year)
	if style < 20 {
		switch style {
		case 0, 8, 9, 13, 14:
		default:
			y = fmt.Sprintf("%02d", year%100)
		}
	}
	date, clock := "", ""
	switch style {
	case 0, 100:
		date = fmt.Sprintf("%s %2d %04d", name, d, year)
		clock = fmt.Sprintf("%2d:%02d%s", hour12, t.Minute(), half)
	case 1, 101:
		date = fmt.Sprintf("%02d/%02d/%s", mon, d, y)
	case 2, 102:
		date = fmt.Sprintf("%s.%02d.%02d", y, mon, d)
	case 3, 103:
		date = fmt.Sprintf("%02d/%02d/%s", d, mon, y)
	case 4, 104:
		date = fmt.Sprintf("%02d.%02d.%s", d, mon, y)
	case 5, 105:
		date = fmt.Sprintf("%02d-%02d-%s", d, mon, y)
	case 6, 106:
		date = fmt.Sprintf("%02d %s %s", d, name, y)
	case 7, 107:
		date = fmt.Sprintf("%s %02d, %s", name, d, y)
	case 8, 24, 108:
		clock = t.Format("15:04:05")
	case 9, 109:
		date = fmt.Sprintf("%s %2d %04d", name, d, year)
		clock = fmt.Sprintf("%2d:%02d:%02d%s%s", hour12, t.Minute(), t.Second(), dotted(map[bool]string{true: ":", false: "."}[digits == -3]), half)
	case 10, 110:
		date = fmt.Sprintf("%02d-%02d-%s", mon, d, y)
	case 11, 111:
		date = fmt.Sprintf("%s/%02d/%02d", y, mon, d)
	case 12, 112:
		date = fmt.Sprintf("%s%02d%02d", y, mon, d)
	case 13, 113:
		date = fmt.Sprintf("%02d %s %04d", d, name, year)
		clock = t.Format("15:04:05") + dotted(map[bool]string{true: ":", false: "."}[digits == -3])
	case 14, 114:
		clock = t.Format("15:04:05") + dotted(map[bool]string{true: ":", false: "."}[digits == -3])
	case 20, 120:
		date, clock = t.Format("2006-01-02"), t.Format("15:04:05")
	case 22:
		date, clock = fmt.Sprintf("%02d/%02d/%02d", mon, d, year%100), fmt.Sprintf("%2d:%02d:%02d %s", hour12, t.Minute(), t.Second(), half)
	case 23:
		date = t.Format("2006-01-02")
	case 126, 127:
		date, clock = t.Format("2006-01-02"), t.Format("15:04:05")
		if digits != -3 || fraction() != "000" {
			clock += dotted(".")
		}
		if style == 127 && digits != -1 {
			clock += "Z"
		}
	default:
		date, clock = t.Format("2006-01-02"), t.Format("15:04:05")+dotted(".")
	}
	switch {
	case digits == -1:
		return date
	case digits >= 10:
		return clock
	case date == "":
		return clock
	case clock == "":
		return date
	case style == 126 || style == 127:
		return date + "T" + clock
	}
	return date + " " + clock
}
