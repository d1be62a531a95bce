package simulator

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// The layout is that of Python's json.dumps with its default separators.

func appendPrefix(b []byte, id, location, kind string) []byte {
	b = append(b, `{"DeviceId": `...)
	b = appendText(b, id)
	b = append(b, `, "Location": `...)
	b = appendText(b, location)
	b = append(b, `, "DeviceType": `...)
	b = appendText(b, kind)
	return append(b, `, "Temperature": `...)
}

// appendText writes a JSON string; it is called when a fleet is built only.
func appendText(b []byte, s string) []byte {
	q, _ := json.Marshal(s) // strings always encode
	return append(b, q...)
}

func appendReadings(b []byte, temperature, humidity, pressure, battery, signal reading) []byte {
	b = appendReading(b, temperature)
	b = append(b, `, "Humidity": `...)
	b = appendReading(b, humidity)
	b = append(b, `, "Pressure": `...)
	b = appendReading(b, pressure)
	b = append(b, `, "BatteryLevel": `...)
	b = appendReading(b, battery)
	b = append(b, `, "SignalStrength": `...)
	return appendReading(b, signal)
}

// appendReading writes what Python prints for round(v, 2): an integer where the
// value is a clamp's own, otherwise one or two decimals, correctly rounded from
// the binary value.
func appendReading(b []byte, r reading) []byte {
	if r.whole {
		return strconv.AppendInt(b, int64(r.v), 10)
	}
	scaled := r.v * 100
	n := math.Floor(scaled)
	if f := scaled - n; f > 0.4999 && f < 0.5001 || n < -1e9 || n > 1e9 || r.v <= 0 && r.v > -0.0051 {
		return appendRounded(b, r.v) // too near to the middle to trust the product, or a negative zero
	} else if f >= 0.5 {
		n++
	}
	c := int64(n)
	if c < 0 {
		b, c = append(b, '-'), -c
	}
	b = strconv.AppendInt(b, c/100, 10)
	b = append(b, '.', byte('0'+c/10%10))
	if c%10 != 0 {
		b = append(b, byte('0'+c%10))
	}
	return b
}

func appendRounded(b []byte, v float64) []byte {
	b = strconv.AppendFloat(b, v, 'f', 2, 64)
	if b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b
}

// appendTimes writes Timestamp, EventId and the closing brace. The time has whole
// microseconds and is printed as Python's isoformat and repr(timestamp()) do:
// without a fraction when it is zero, and with ".0" then, respectively.
func appendTimes(b []byte, id string, t time.Time) []byte {
	b = append(b, `, "Timestamp": "`...)
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	micro := t.Nanosecond() / 1000
	b = append(appendPadded(b, year, 4), '-')
	b = append(appendPadded(b, int(month), 2), '-')
	b = append(appendPadded(b, day, 2), 'T')
	b = append(appendPadded(b, hour, 2), ':')
	b = append(appendPadded(b, minute, 2), ':')
	b = appendPadded(b, second, 2)
	if micro != 0 {
		b = appendPadded(append(b, '.'), micro, 6)
	}
	b = append(b, `", "EventId": "`...)
	b = append(b, id...)
	b = append(b, '-')
	b = strconv.AppendInt(b, t.Unix(), 10)
	b = append(b, '.')
	if micro == 0 {
		b = append(b, '0')
	} else {
		b = appendPadded(b, micro, 6)
		for b[len(b)-1] == '0' {
			b = b[:len(b)-1]
		}
	}
	return append(b, `"}`...)
}

func appendPadded(b []byte, n, width int) []byte {
	var digits [6]byte
	for i := width - 1; i >= 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return append(b, digits[:width]...)
}
