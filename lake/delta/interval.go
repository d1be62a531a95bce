package delta

import (
	"strconv"
	"strings"
	"time"
)

// ParseInterval reads an interval as table properties hold it: `interval 7 days`,
// `interval 1 week 2 hours`. Months and years have no fixed length and are refused.
func ParseInterval(text string) (time.Duration, bool) {
	f := strings.Fields(strings.ToLower(text))
	if len(f) > 0 && f[0] == "interval" {
		f = f[1:]
	}
	if len(f) == 0 || len(f)%2 != 0 {
		return 0, false
	}
	total := time.Duration(0)
	for i := 0; i < len(f); i += 2 {
		n, err := strconv.ParseInt(f[i], 10, 32)
		unit, ok := map[string]time.Duration{"week": 7 * 24 * time.Hour, "day": 24 * time.Hour, "hour": time.Hour, "minute": time.Minute,
			"second": time.Second, "millisecond": time.Millisecond, "microsecond": time.Microsecond}[strings.TrimSuffix(f[i+1], "s")]
		if err != nil || !ok {
			return 0, false
		}
		total += time.Duration(n) * unit
	}
	return total, true
}

func (s *Snapshot) deletedFileRetention() time.Duration {
	if d, ok := ParseInterval(s.Metadata.Configuration["delta.deletedFileRetentionDuration"]); ok {
		return d
	}
	return 7 * 24 * time.Hour
}
