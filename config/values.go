package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ParseDuration reads "5s", "1h30m", "7d", ISO 8601 as "PT5M" and "P7D", or "0".
func ParseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	if strings.HasPrefix(s, "P") || strings.HasPrefix(s, "p") {
		return parseISODuration(strings.ToUpper(s))
	}
	var total time.Duration
	rest := s
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 {
			return 0, fmt.Errorf("%q is not a duration", s)
		}
		n := rest[:digits]
		rest = rest[digits:]
		letters := len(rest) - len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))
		unit, ok := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute,
			"h": time.Hour, "d": 24 * time.Hour}[rest[:letters]]
		if !ok {
			if letters == 0 {
				return 0, fmt.Errorf("%q has no unit", s)
			}
			return 0, fmt.Errorf("%q has the unknown unit %q", s, rest[:letters])
		}
		rest = rest[letters:]
		var err error
		if total, err = addDuration(total, n, unit); err != nil {
			return 0, fmt.Errorf("%q %w", s, err)
		}
	}
	if s == "" {
		return 0, errors.New("a duration is empty")
	}
	return total, nil
}

var isoDuration = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)

func parseISODuration(s string) (time.Duration, error) {
	m := isoDuration.FindStringSubmatch(s)
	if m == nil || s == "P" || strings.HasSuffix(s, "T") {
		return 0, fmt.Errorf("%q is not an ISO 8601 duration of days, hours, minutes and seconds", s)
	}
	var total time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if m[i+1] == "" {
			continue
		}
		var err error
		if total, err = addDuration(total, m[i+1], unit); err != nil {
			return 0, fmt.Errorf("%q %w", s, err)
		}
	}
	return total, nil
}

func addDuration(total time.Duration, digits string, unit time.Duration) (time.Duration, error) {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > int64(math.MaxInt64-total)/int64(unit) {
		return 0, errors.New("is longer than 292 years")
	}
	return total + time.Duration(n)*unit, nil
}

// ParseSize reads bytes: "1048576", "64MiB", "10 MB".
func ParseSize(s string) (int64, error) {
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	n, err := strconv.ParseInt(s[:digits], 10, 64)
	unit, ok := map[string]int64{"": 1, "B": 1, "KB": 1000, "MB": 1000_000, "GB": 1000_000_000,
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[strings.TrimSpace(s[digits:])]
	if err != nil || !ok || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is not a size", s)
	}
	return n * unit, nil
}

// ParseTime reads RFC 3339; without a zone it is UTC.
func ParseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time", s)
}

// nameRule is what a name may be made of.
type nameRule struct {
	form *regexp.Regexp
	want string
}

var (
	groupName     = nameRule{regexp.MustCompile(`^[\p{L}\d._()-]{0,89}[\p{L}\d_()-]$`), "1 to 90 letters, digits and . _ ( ) -, not ending in a period"}
	namespaceName = nameRule{regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]$`), "6 to 50 letters, digits and -, beginning with a letter and not ending in -"}
	hubName       = nameRule{regexp.MustCompile(`^[A-Za-z0-9._-]{1,256}$`), "1 to 256 letters, digits and . - _"}
	groupOfHub    = nameRule{regexp.MustCompile(`^(\$Default|[A-Za-z0-9._-]{1,50})$`), "1 to 50 letters, digits and . - _"}
	accountName   = nameRule{regexp.MustCompile(`^[a-z0-9]{3,24}$`), "3 to 24 lower-case letters and digits"}
	containerName = nameRule{regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`), "3 to 63 lower-case letters, digits and -"}
	sqlName       = nameRule{regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`), "letters, digits and _, not beginning with a digit"}
	tableName     = nameRule{regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]{0,127}\.)?[A-Za-z_][A-Za-z0-9_]{0,127}$`), "table or database.table, of letters, digits and _"}
	functionName  = nameRule{regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`), "1 to 63 letters, digits and _, not beginning with a digit"}
	jobName       = nameRule{regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`), "1 to 63 letters, digits, - and _"}
	ruleName      = nameRule{regexp.MustCompile(`^[A-Za-z0-9._-]{1,256}$`), "1 to 256 letters, digits and . - _"}
	plainName     = nameRule{regexp.MustCompile(`^[^*#&+:<>?@%{}\\/\x00-\x1f]{1,259}$`), "1 to 259 characters without * # & + : < > ? @ % { } \\ /"}
)
