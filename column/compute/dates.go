package compute

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"spate/column"
)

// ErrYears is returned where a time leaves the years 1 to 9999.
var ErrYears = errors.New("adding a value to a 'datetime' column caused an overflow: the result is outside the years 1 to 9999")

var dateFunctions = []Function{
	{Name: "DATEADD", Min: 3, Max: 3, Call: dateAdd},
	{Name: "DATEDIFF", Min: 3, Max: 3, Call: dateDiff},
	{Name: "DATEPART", Min: 2, Max: 2, Call: func(a []column.Value) (column.Value, error) {
		t, err := timeArg("DATEPART", a, 1)
		if err != nil {
			return column.Value{}, err
		}
		n, err := datePart(a[0].Text(), t)
		return column.IntOf(n), err
	}},
	{Name: "DATENAME", Min: 2, Max: 2, Call: func(a []column.Value) (column.Value, error) {
		t, err := timeArg("DATENAME", a, 1)
		if err != nil {
			return column.Value{}, err
		}
		switch a[0].Text() {
		case "month":
			return column.TextOf(t.Time().Month().String()), nil
		case "weekday":
			return column.TextOf(t.Time().Weekday().String()), nil
		}
		n, err := datePart(a[0].Text(), t)
		return column.TextOf(strconv.FormatInt(n, 10)), err
	}},
	partFunction("DAY", "day"), partFunction("MONTH", "month"), partFunction("YEAR", "year"),
	{Name: "DATETIMEFROMPARTS", Min: 7, Max: 7, Call: func(a []column.Value) (column.Value, error) {
		var n [7]int64
		for i := range n {
			var err error
			if n[i], err = intArg("DATETIMEFROMPARTS", a, i); err != nil {
				return column.Value{}, err
			}
		}
		s := fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d.%03d", n[0], n[1], n[2], n[3], n[4], n[5], n[6])
		t, ok := column.ParseTicks(s)
		if !ok || len(s) != 23 || n[3] > 23 { // 24:00 is a text's end of the day
			return column.Value{}, errors.New("Cannot construct data type datetime, some of the arguments have values which are not valid.")
		}
		return column.TimeOf(t), nil
	}},
}

func partFunction(name, part string) Function {
	return Function{Name: name, Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) {
		t, err := timeArg(name, a, 0)
		if err != nil {
			return column.Value{}, err
		}
		n, err := datePart(part, t)
		return column.IntOf(n), err
	}}
}

// UnitTicks is the length of a unit that has one.
func UnitTicks(unit string) (column.Ticks, bool) {
	switch unit {
	case "day", "dayofyear", "weekday":
		return column.Day, true
	case "week":
		return 7 * column.Day, true
	case "hour":
		return column.Hour, true
	case "minute":
		return column.Minute, true
	case "second":
		return column.Second, true
	case "millisecond":
		return column.Millisecond, true
	case "microsecond":
		return column.Millisecond / 1000, true
	}
	return 0, false
}

func dateAdd(a []column.Value) (column.Value, error) {
	n, err := intArg("DATEADD", a, 1)
	if err != nil {
		return column.Value{}, err
	}
	t, err := timeArg("DATEADD", a, 2)
	if err != nil {
		return column.Value{}, err
	}
	if size, ok := UnitTicks(a[0].Text()); ok {
		limit := int64(column.MaxTicks/size) + 1
		if n > limit || n < -limit {
			return column.Value{}, ErrYears
		}
		t += column.Ticks(n) * size
	} else if t, err = addMonths(a[0].Text(), n, t); err != nil {
		return column.Value{}, err
	}
	if !t.Valid() {
		return column.Value{}, ErrYears
	}
	return column.TimeOf(t), nil
}

func addMonths(unit string, n int64, t column.Ticks) (column.Ticks, error) {
	if n > 120_000 || n < -120_000 {
		return 0, ErrYears
	}
	switch unit {
	case "month":
	case "quarter":
		n *= 3
	case "year":
		n *= 12
	default:
		return 0, fmt.Errorf("'%s' is not a recognized dateadd option", unit)
	}
	d := t.Time()
	m := int64(d.Year())*12 + int64(d.Month()) - 1 + n
	year, month := int(m/12), int(m%12)+1
	if year < 1 || year > 9999 {
		return 0, ErrYears
	}
	day := min(d.Day(), daysIn(year, month))
	return column.DateTicks(year, month, day) + t%column.Day, nil
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// dateDiff counts the unit boundaries between two times.
func dateDiff(a []column.Value) (column.Value, error) {
	x, err := timeArg("DATEDIFF", a, 1)
	if err != nil {
		return column.Value{}, err
	}
	y, err := timeArg("DATEDIFF", a, 2)
	if err != nil {
		return column.Value{}, err
	}
	unit := a[0].Text()
	if unit == "week" { // weeks begin on Sunday; 0001-01-01 is a Monday
		return column.IntOf(int64((y+column.Day)/(7*column.Day) - (x+column.Day)/(7*column.Day))), nil
	}
	if size, ok := UnitTicks(unit); ok {
		return column.IntOf(int64(y/size - x/size)), nil
	}
	p, q := x.Time(), y.Time()
	months := func(t time.Time) int64 { return int64(t.Year())*12 + int64(t.Month()) - 1 }
	switch unit {
	case "year":
		return column.IntOf(int64(q.Year() - p.Year())), nil
	case "quarter":
		return column.IntOf(months(q)/3 - months(p)/3), nil
	case "month":
		return column.IntOf(months(q) - months(p)), nil
	}
	return column.Value{}, fmt.Errorf("'%s' is not a recognized datediff option", unit)
}

func datePart(unit string, t column.Ticks) (int64, error) {
	d := t.Time()
	switch unit {
	case "year":
		return int64(d.Year()), nil
	case "quarter":
		return int64(d.Month()+2) / 3, nil
	case "month":
		return int64(d.Month()), nil
	case "dayofyear":
		return int64(d.YearDay()), nil
	case "day":
		return int64(d.Day()), nil
	case "week": // week 1 holds January 1; weeks begin on Sunday
		jan1 := time.Date(d.Year(), 1, 1, 0, 0, 0, 0, time.UTC).Weekday()
		return int64(d.YearDay()-1+int(jan1))/7 + 1, nil
	case "weekday":
		return int64(d.Weekday()) + 1, nil
	case "hour":
		return int64(t / column.Hour % 24), nil
	case "minute":
		return int64(t / column.Minute % 60), nil
	case "second":
		return int64(t / column.Second % 60), nil
	case "millisecond":
		return int64(t / column.Millisecond % 1000), nil
	case "microsecond":
		return int64(t / 10 % 1_000_000), nil
	}
	return 0, fmt.Errorf("'%s' is not a recognized datepart option", unit)
}
