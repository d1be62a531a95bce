package reference

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"

	"spate/column"
)

func timeArg(name string, a []column.Value, n int) (column.Ticks, error) {
	switch a[n].Kind {
	case column.Time:
		return a[n].Ticks(), nil
	case column.Text:
		if t, ok := parseTime(a[n].Text()); ok {
			return t, nil
		}
		return 0, fmt.Errorf("Cannot convert string to datetime: '%s'", a[n].Text())
	}
	return 0, wrongType(name, n+1, a[n], column.Time, column.Text)
}

// fixed are the date parts of constant length.
var fixed = map[string]column.Ticks{
	"week": 7 * column.Day, "day": column.Day, "dayofyear": column.Day, "weekday": column.Day,
	"hour": column.Hour, "minute": column.Minute, "second": column.Second,
	"millisecond": column.Millisecond, "microsecond": column.Millisecond / 1000,
}

// months are the date parts that are whole months.
var months = map[string]int64{"month": 1, "quarter": 3, "year": 12}

func datePart(name string) function {
	return function{run: func(_ *runner, a []column.Value) (column.Value, error) {
		t, err := timeArg(name, a, 0)
		if err != nil {
			return null, err
		}
		i, err := partOf(map[string]string{"YEAR": "year", "MONTH": "month", "DAY": "day"}[name], t)
		return column.IntOf(i), err
	}}
}

var dateFunctions = map[string]function{
	"YEAR": datePart("YEAR"), "MONTH": datePart("MONTH"), "DAY": datePart("DAY"),
	"DATEPART": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		t, err := timeArg("DATEPART", a, 1)
		if err != nil {
			return null, err
		}
		i, err := partOf(a[0].Text(), t)
		return column.IntOf(i), err
	}},
	"DATENAME": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		t, err := timeArg("DATENAME", a, 1)
		if err != nil {
			return null, err
		}
		switch a[0].Text() {
		case "month":
			return column.TextOf(t.Time().Month().String()), nil
		case "weekday":
			return column.TextOf(t.Time().Weekday().String()), nil
		}
		i, err := partOf(a[0].Text(), t)
		return column.TextOf(strconv.FormatInt(i, 10)), err
	}},
	"DATEADD": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		n, err := bigintArg("DATEADD", a, 1)
		if err != nil {
			return null, err
		}
		t, err := timeArg("DATEADD", a, 2)
		if err != nil {
			return null, err
		}
		t, ok := addPart(a[0].Text(), n, t)
		if !ok {
			return null, fmt.Errorf("the result of DATEADD leaves the years 1 to 9999")
		}
		return column.TimeOf(t), nil
	}},
	"DATEDIFF": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		from, err := timeArg("DATEDIFF", a, 1)
		if err != nil {
			return null, err
		}
		to, err := timeArg("DATEDIFF", a, 2)
		if err != nil {
			return null, err
		}
		return column.IntOf(boundary(a[0].Text(), to) - boundary(a[0].Text(), from)), nil
	}},
	"DATETIMEFROMPARTS": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		var p [7]int64
		for i := range p {
			var err error
			if p[i], err = bigintArg("DATETIMEFROMPARTS", a, i); err != nil {
				return null, err
			}
		}
		limits := [7][2]int64{{1, 9999}, {1, 12}, {1, 31}, {0, 23}, {0, 59}, {0, 59}, {0, 999}}
		for i := range p {
			if p[i] < limits[i][0] || p[i] > limits[i][1] {
				return null, fmt.Errorf("argument %d of DATETIMEFROMPARTS is out of range: %d", i+1, p[i])
			}
		}
		t := time.Date(int(p[0]), time.Month(p[1]), int(p[2]), int(p[3]), int(p[4]), int(p[5]), int(p[6])*1e6, time.UTC)
		if int64(t.Day()) != p[2] {
			return null, fmt.Errorf("argument 3 of DATETIMEFROMPARTS is out of range: %d", p[2])
		}
		return column.TimeOf(column.TicksOf(t)), nil
	}},
}

// boundary numbers the spans of a date part that t lies in; the count of
// boundaries crossed is the difference of two such numbers.
func boundary(part string, t column.Ticks) int64 {
	if m, ok := months[part]; ok {
		u := t.Time()
		return (int64(u.Year())*12 + int64(u.Month()) - 1) / m
	}
	if part == "week" {
		return int64((t + column.Day) / (7 * column.Day)) // 0001-01-01 is a Monday, weeks begin on Sunday
	}
	return int64(t / fixed[part])
}

func partOf(part string, t column.Ticks) (int64, error) {
	u := t.Time()
	switch part {
	case "year":
		return int64(u.Year()), nil
	case "quarter":
		return int64(u.Month()+2) / 3, nil
	case "month":
		return int64(u.Month()), nil
	case "dayofyear":
		return int64(u.YearDay()), nil
	case "day":
		return int64(u.Day()), nil
	case "week":
		first := time.Date(u.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
		return int64(u.YearDay()+int(first.Weekday())-1)/7 + 1, nil
	case "weekday":
		return int64(u.Weekday()) + 1, nil
	case "hour":
		return int64(u.Hour()), nil
	case "minute":
		return int64(u.Minute()), nil
	case "second":
		return int64(u.Second()), nil
	case "millisecond":
		return int64(u.Nanosecond() / 1e6), nil
	case "microsecond":
		return int64(u.Nanosecond() / 1e3), nil
	}
	return 0, fmt.Errorf("date part %q is not supported yet", part)
}

func addPart(part string, n int64, t column.Ticks) (column.Ticks, bool) {
	if m, ok := months[part]; ok {
		u := t.Time()
		if n > math.MaxInt32 || n < math.MinInt32 {
			return 0, false
		}
		at := int64(u.Year())*12 + int64(u.Month()) - 1 + n*m
		if at < 12 || at >= 12*10_000 {
			return 0, false
		}
		year, month := int(at/12), time.Month(at%12+1)
		last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
		return column.DateTicks(year, int(month), min(u.Day(), last)) + t%column.Day, true
	}
	z := new(big.Int).Mul(big.NewInt(n), big.NewInt(int64(fixed[part])))
	z.Add(z, big.NewInt(int64(t)))
	if !z.IsInt64() || !column.Ticks(z.Int64()).Valid() {
		return 0, false
	}
	return column.Ticks(z.Int64()), true
}
