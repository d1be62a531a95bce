// Package column holds the data that moves through Spate: batches of typed
// vectors, the tagged values they are made of, and the time unit they share.
// What a value is, how it compares, converts and prints is decided here, once.
package column

import (
	"time"
)

// Ticks counts 100 ns units since 0001-01-01T00:00:00 UTC.
type Ticks int64

// Spans of time in ticks.
const (
	Millisecond Ticks = 10_000
	Second      Ticks = 1000 * Millisecond
	Minute      Ticks = 60 * Second
	Hour        Ticks = 60 * Minute
	Day         Ticks = 24 * Hour
)

// UnixEpoch is 1970-01-01, MaxTicks the last instant of year 9999. EndOfTime
// is later than every valid time: the watermark of an input read to its end.
const (
	UnixEpoch Ticks = 719_162 * Day
	MaxTicks  Ticks = 3_155_378_975_999_999_999
	EndOfTime Ticks = 1<<63 - 1
)

// TicksOf converts t, cutting what is finer than a tick.
func TicksOf(t time.Time) Ticks {
	return UnixEpoch + Ticks(t.Unix())*Second + Ticks(t.Nanosecond()/100)
}

// TicksOfMillis converts a Unix time in milliseconds.
func TicksOfMillis(ms int64) Ticks { return UnixEpoch + Ticks(ms)*Millisecond }

// Time returns t as a UTC time.
func (t Ticks) Time() time.Time {
	d := t - UnixEpoch
	return time.Unix(int64(floorDiv(d, Second)), int64(floorMod(d, Second))*100).UTC()
}

// UnixMilli and UnixMicro floor: a time never moves later by being written.
func (t Ticks) UnixMilli() int64 { return int64(floorDiv(t-UnixEpoch, Millisecond)) }

// UnixMicro returns t in Unix microseconds, rounded toward the past.
func (t Ticks) UnixMicro() int64 { return int64(floorDiv(t-UnixEpoch, 10)) }

// Valid reports whether t lies in years 1 to 9999.
func (t Ticks) Valid() bool { return t >= 0 && t <= MaxTicks }

// CeilTo returns the smallest multiple of size, shifted by offset, not below t:
// the end of the tumbling window (end-size, end] that holds t.
func (t Ticks) CeilTo(size, offset Ticks) Ticks {
	d := t - offset
	return offset + floorDiv(d+size-1, size)*size
}

func floorDiv(a, b Ticks) Ticks {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b Ticks) Ticks { return a - floorDiv(a, b)*b }

// String prints t as Stream Analytics does: seven fraction digits and Z.
func (t Ticks) String() string { return string(AppendTicks(nil, t)) }

// AppendTicks appends t in the form 2006-01-02T15:04:05.0000000Z.
func AppendTicks(dst []byte, t Ticks) []byte {
	if !t.Valid() {
		if t == EndOfTime {
			return append(dst, "end of time"...)
		}
		return append(dst, "out of range"...)
	}
	year, month, day := civil(int64(t / Day))
	r := int64(t % Day)
	dst = appendPadded(dst, year, 4)
	dst = append(dst, '-')
	dst = appendPadded(dst, month, 2)
	dst = append(dst, '-')
	dst = appendPadded(dst, day, 2)
	dst = append(dst, 'T')
	dst = appendPadded(dst, r/int64(Hour), 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, r/int64(Minute)%60, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, r/int64(Second)%60, 2)
	dst = append(dst, '.')
	dst = appendPadded(dst, r%int64(Second), 7)
	return append(dst, 'Z')
}

func appendPadded(dst []byte, v int64, width int) []byte {
	n := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for i := n + width - 1; i >= n && v > 0; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
	return dst
}

// civil turns days since 0001-01-01 into a date of the Gregorian calendar.
func civil(days int64) (year, month, day int64) {
	z := days + 306 // days since 0000-03-01
	era := z / 146_097
	doe := z - era*146_097
	yoe := (doe - doe/1460 + doe/36_524 - doe/146_096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = doy - (153*mp+2)/5 + 1
	month = mp + 3
	year = yoe + era*400
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

// DateTicks returns midnight of a date that the caller has checked.
func DateTicks(year, month, day int) Ticks {
	y, m := int64(year), int64(month)
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + int64(day) - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return Ticks(era*146_097+doe-306) * Day
}

// FloorTo returns the greatest multiple of size not above t.
func (t Ticks) FloorTo(size Ticks) Ticks { return floorDiv(t, size) * size }
