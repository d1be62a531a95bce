package reference

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"spate/column"
)

// The calendar forms of ISO 8601 (stream-analytics.md 2.3). Groups: year, month, day,
// hour, minute, second, fraction, offset.
var isoForms = []*regexp.Regexp{
	regexp.MustCompile(`^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d)(?::(\d\d)(?::(\d\d))?)?(?:[.,](\d+))?)?([Zz]|[+-]\d\d(?::?\d\d)?)?$`),
	regexp.MustCompile(`^(\d{4})(\d\d)(\d\d)(?:[Tt ](\d\d)(?:(\d\d)(\d\d)?)?(?:[.,](\d+))?)?([Zz]|[+-]\d\d(?::?\d\d)?)?$`),
}

// parseTime reads the text of a datetime.
func parseTime(s string) (column.Ticks, bool) {
	for _, form := range isoForms {
		if g := form.FindStringSubmatch(s); g != nil {
			return timeOfParts(g[1:])
		}
	}
	return 0, false
}

func timeOfParts(g []string) (column.Ticks, bool) {
	var n [6]int
	unit := time.Hour // what the fraction is of: the smallest part there is
	for i := range n {
		if g[i] != "" {
			n[i], _ = strconv.Atoi(g[i])
			unit = []time.Duration{0, 0, time.Hour, time.Hour, time.Minute, time.Second}[i]
		}
	}
	day := time.Date(n[0], time.Month(n[1]), n[2], 0, 0, 0, 0, time.UTC)
	if n[0] < 1 || day.Day() != n[2] || int(day.Month()) != n[1] || n[3] > 24 || n[4] > 59 || n[5] > 59 {
		return 0, false
	}
	fraction, _ := strconv.Atoi((g[6] + "0000000")[:7])
	clock := time.Duration(n[3])*time.Hour + time.Duration(n[4])*time.Minute + time.Duration(n[5])*time.Second + time.Duration(fraction)*(unit/1e7)
	if clock > 24*time.Hour || n[3] == 24 && clock != 24*time.Hour {
		return 0, false
	}
	if sign := strings.ReplaceAll(g[7], ":", ""); len(sign) > 1 {
		offset, _ := strconv.Atoi((sign[1:] + "00")[:4])
		if offset/100 > 14 || offset%100 > 59 {
			return 0, false
		}
		east := time.Duration(offset/100)*time.Hour + time.Duration(offset%100)*time.Minute
		if sign[0] == '-' {
			east = -east
		}
		clock -= east
	}
	t := column.TicksOf(day.Add(clock))
	return t, t.Valid()
}
