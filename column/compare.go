package column

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Ordering is the outcome of a comparison. Unequal is the outcome for values
// that differ but have no order; Unknown that of a comparison with NULL.
type Ordering int8

// Outcomes of Compare.
const (
	Less    Ordering = -1
	Equal   Ordering = 0
	Greater Ordering = 1
	Unequal Ordering = 2
	Unknown Ordering = 3
)

// ErrNotTime is returned when a datetime is compared with text that is none.
var ErrNotTime = errors.New("Cannot convert string to datetime")

// Compare compares two values as the language's comparison operators do.
func Compare(a, b Value) (Ordering, error) {
	if a.Kind == Null || b.Kind == Null {
		return Unknown, nil
	}
	if a.Kind == b.Kind {
		return compareSame(a, b), nil
	}
	if a.Kind == Text {
		o, err := Compare(b, a)
		return o.flip(), err
	}
	switch a.Kind {
	case Int64, Float64:
		switch b.Kind {
		case Int64, Float64, Bool:
			return compareNumbers(a, b), nil
		case Text:
			if f, ok := ParseFloat(b.str); ok {
				return compareNumbers(a, f), nil
			}
			return Unequal, nil
		}
	case Bool:
		switch b.Kind {
		case Int64, Float64:
			return compareNumbers(a, b), nil
		case Text:
			if v, ok := ParseBit(b.str); ok {
				return order(a.num, v), nil
			}
			return Unequal, nil
		}
	case Time:
		if b.Kind == Text {
			t, ok := ParseTicks(b.str)
			if !ok {
				return Unknown, fmt.Errorf("%w: '%s'", ErrNotTime, b.str)
			}
			return order(a.Ticks(), t), nil
		}
	}
	return Unequal, nil
}

func (o Ordering) flip() Ordering {
	if o == Less || o == Greater {
		return -o
	}
	return o
}

func compareSame(a, b Value) Ordering {
	switch a.Kind {
	case Int64, Time:
		return order(int64(a.num), int64(b.num))
	case Bool:
		return order(a.num, b.num)
	case Float64:
		return order(a.Float(), b.Float())
	case Text:
		return Ordering(CompareText(a.str, b.str))
	}
	if Same(a, b) {
		return Equal
	}
	return Unequal
}

func compareNumbers(a, b Value) Ordering {
	if a.Kind == Int64 && b.Kind == Int64 {
		return order(a.Int(), b.Int())
	}
	x, _ := a.Number()
	y, _ := b.Number()
	return order(x, y)
}

func order[T int64 | uint64 | float64 | Ticks](a, b T) Ordering {
	switch {
	case a < b:
		return Less
	case a > b:
		return Greater
	}
	return Equal
}

// CompareText orders texts by UTF-16 code unit, as .NET's ordinal comparison.
func CompareText(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] != b[i] {
			if a[i] < utf8.RuneSelf || b[i] < utf8.RuneSelf || a[i] < 0xee && b[i] < 0xee {
				if a[i] < b[i] {
					return -1
				}
				return 1
			}
			for i > 0 && !utf8.RuneStart(a[i]) {
				i--
			}
			return compareUnits(a[i:], b[i:])
		}
	}
	return int(order(int64(len(a)), int64(len(b))))
}

func compareUnits(a, b string) int {
	x, y := utf16.Encode([]rune(a)), utf16.Encode([]rune(b))
	for i := 0; i < len(x) && i < len(y); i++ {
		if x[i] != y[i] {
			return int(order(int64(x[i]), int64(y[i])))
		}
	}
	return int(order(int64(len(x)), int64(len(y))))
}

// Same reports structural equality: the same kind and the same content, NULL
// equal to NULL. Record fields are compared in order.
func Same(a, b Value) bool {
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case Text:
		return a.str == b.str
	case Float64:
		return a.Float() == b.Float() || a.num == b.num
	case Record:
		if len(a.rec.Names) != len(b.rec.Names) {
			return false
		}
		for i, n := range a.rec.Names {
			if n != b.rec.Names[i] || !Same(a.rec.Values[i], b.rec.Values[i]) {
				return false
			}
		}
		return true
	case Array:
		if len(a.arr) != len(b.arr) {
			return false
		}
		for i := range a.arr {
			if !Same(a.arr[i], b.arr[i]) {
				return false
			}
		}
		return true
	}
	return a.num == b.num
}

// ParseFloat reads a number in invariant culture with blanks around it. NaN and
// infinities are no numbers. Text written as an integer gives a float too.
func ParseFloat(s string) (Value, bool) {
	s = strings.TrimSpace(s)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-' {
			return Value{}, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) {
		return Value{}, false
	}
	return FloatOf(f), true
}

// ParseBit reads true, false, 1 and 0 in any case.
func ParseBit(s string) (uint64, bool) {
	switch {
	case s == "1" || strings.EqualFold(s, "true"):
		return 1, true
	case s == "0" || strings.EqualFold(s, "false"):
		return 0, true
	}
	return 0, false
}
