package query

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"spate/column"
)

// Formats are the names that Print knows.
var formats = []string{"table", "json", "jsonl", "csv"}

// CheckFormat says what is wrong with the name of an output format.
func CheckFormat(format string) error {
	for _, f := range formats {
		if f == format {
			return nil
		}
	}
	if format == "parquet" || format == "arrow" {
		return fmt.Errorf("output format %s is not supported yet", format)
	}
	return fmt.Errorf("unknown output format %q, want one of %s", format, strings.Join(formats, ", "))
}

// Print writes at most maxRows rows of r (0: all) in a format of CheckFormat,
// and reports whether there were more.
func Print(w io.Writer, format string, r *Result, maxRows int) (truncated bool, err error) {
	if err := CheckFormat(format); err != nil {
		return false, err
	}
	b := bufio.NewWriterSize(w, 64<<10)
	next := func() ([]Value, error) {
		row, err := r.Next()
		if err == nil && maxRows > 0 && r.Stats.Rows > int64(maxRows) {
			truncated = true
			return nil, io.EOF
		}
		return row, err
	}
	switch format {
	case "table":
		err = printTable(b, r, next)
	case "json":
		err = printJSON(b, r, next, &truncated)
	case "jsonl":
		err = printLines(b, r, next)
	case "csv":
		err = printCSV(b, r, next)
	}
	if e := b.Flush(); err == nil && e != nil {
		err = fmt.Errorf("write result: %w", e)
	}
	return truncated, err
}

// each calls f with every row.
func each(next func() ([]Value, error), f func(row []Value)) error {
	for {
		row, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		f(row)
	}
}

func printTable(w *bufio.Writer, r *Result, next func() ([]Value, error)) error {
	cols := len(r.Columns)
	head := make([]string, cols)
	width := make([]int, cols)
	for i, c := range r.Columns {
		head[i] = c.Name
		if c.Name == "" {
			head[i] = "(No column name)"
		}
		width[i] = utf8.RuneCountInString(head[i])
	}
	var cells [][]string
	err := each(next, func(row []Value) {
		line := make([]string, cols)
		for i, v := range row {
			line[i] = "NULL"
			if !v.IsNull() {
				line[i] = printable(string(v.Append(nil, r.Columns[i].Type)))
			}
			width[i] = max(width[i], utf8.RuneCountInString(line[i]))
		}
		cells = append(cells, line)
	})
	if err != nil {
		return err
	}
	line := func(cells []string, right bool) {
		for i, s := range cells {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(s))
			if i > 0 {
				w.WriteString("  ")
			}
			switch {
			case right && r.Columns[i].Type.isNumber():
				w.WriteString(pad + s)
			case i == cols-1:
				w.WriteString(s)
			default:
				w.WriteString(s + pad)
			}
		}
		w.WriteByte('\n')
	}
	line(head, true)
	rule := make([]string, cols)
	for i := range rule {
		rule[i] = strings.Repeat("-", width[i])
	}
	line(rule, true)
	for _, c := range cells {
		line(c, true)
	}
	return nil
}

// printable keeps a value on one line and away from the terminal's commands.
func printable(s string) string {
	if strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) < 0 {
		return s
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s)
}

// uniqueNames gives duplicates the suffix _1, _2, ..., and none that another
// column has for its name.
func uniqueNames(cols []Column) []string {
	out := make([]string, len(cols))
	used := map[string]bool{}
	own := map[string]bool{}
	for _, c := range cols {
		own[c.Name] = true
	}
	for i, c := range cols {
		name := c.Name
		for n := 1; used[name] || n > 1 && own[name]; n++ {
			name = c.Name + "_" + strconv.Itoa(n)
		}
		used[name] = true
		out[i] = name
	}
	return out
}

func printJSON(w *bufio.Writer, r *Result, next func() ([]Value, error), truncated *bool) error {
	names := uniqueNames(r.Columns)
	buf := []byte(`{"columns":[`)
	for i, c := range r.Columns {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(buf, `{"name":`...)
		buf = appendJSONText(buf, names[i])
		buf = append(buf, `,"type":`...)
		buf = appendJSONText(buf, c.Type.String())
		buf = append(buf, '}')
	}
	buf = append(buf, `],"rows":[`...)
	w.Write(buf)
	first := true
	err := each(next, func(row []Value) {
		buf = buf[:0]
		if !first {
			buf = append(buf, ',')
		}
		first = false
		w.Write(appendJSONRow(append(buf, '\n'), r.Columns, names, row))
	})
	if err != nil {
		return err
	}
	if !first {
		w.WriteByte('\n')
	}
	fmt.Fprintf(w, "],\"truncated\":%t}\n", *truncated)
	return nil
}

func printLines(w *bufio.Writer, r *Result, next func() ([]Value, error)) error {
	names := uniqueNames(r.Columns)
	var buf []byte
	return each(next, func(row []Value) {
		buf = append(appendJSONRow(buf[:0], r.Columns, names, row), '\n')
		w.Write(buf)
	})
}

func appendJSONRow(dst []byte, cols []Column, names []string, row []Value) []byte {
	dst = append(dst, '{')
	for i, v := range row {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONText(dst, names[i])
		dst = append(dst, ':')
		dst = v.AppendJSON(dst, cols[i].Type)
	}
	return append(dst, '}')
}

func printCSV(w *bufio.Writer, r *Result, next func() ([]Value, error)) error {
	var buf []byte
	for i, c := range r.Columns {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = appendCSV(buf, c.Name, len(r.Columns) == 1)
	}
	w.Write(append(buf, "\r\n"...))
	return each(next, func(row []Value) {
		buf = buf[:0]
		for i, v := range row {
			if i > 0 {
				buf = append(buf, ',')
			}
			if v.IsNull() {
				continue
			}
			s := string(v.Append(nil, r.Columns[i].Type))
			// An empty text is quoted: an empty field is NULL.
			buf = appendCSV(buf, s, true)
		}
		w.Write(append(buf, "\r\n"...))
	})
}

func appendCSV(dst []byte, s string, quoteEmpty bool) []byte {
	if s == "" && quoteEmpty {
		return append(dst, `""`...)
	}
	if !strings.ContainsAny(s, ",\"\r\n") {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(s, `"`, `""`)...)
	return append(dst, '"')
}

// Append appends v as text: instants in UTC with six digits and Z, binary as
// base64, a bit as true or false. NULL appends nothing.
func (v Value) Append(dst []byte, t Type) []byte {
	switch v.Kind {
	case KindBool:
		return strconv.AppendBool(dst, v.Bool())
	case KindInt:
		return strconv.AppendInt(dst, v.num, 10)
	case KindFloat:
		bits := 64
		if t.ID == Real {
			bits = 32
		}
		at := len(dst)
		dst = strconv.AppendFloat(dst, v.Float(), 'g', -1, bits)
		if !strings.ContainsAny(string(dst[at:]), ".eE") {
			dst = append(dst, ".0"...)
		}
		return dst
	case KindBinary:
		return base64.StdEncoding.AppendEncode(dst, []byte(v.str))
	case KindTime:
		at := v.Ticks()
		if t.ID == DateTime { // it counts in 300ths of a second, and is shown in thousandths
			at = (at + column.Millisecond/2) / column.Millisecond * column.Millisecond
		}
		dst = column.AppendTicks(dst, at)
		if n := len(dst); n > 2 && dst[n-1] == 'Z' {
			dst = append(dst[:n-2], 'Z') // the seventh digit is always 0
		}
		return dst
	case KindDate:
		at := len(dst)
		dst = column.AppendTicks(dst, v.Ticks())
		return dst[:min(len(dst), at+10)]
	case KindTimeOfDay:
		us := v.num
		return fmt.Appendf(dst, "%02d:%02d:%02d.%06d", us/3_600_000_000, us/60_000_000%60, us/1_000_000%60, us%1_000_000)
	}
	return append(dst, v.str...)
}

// AppendJSON appends v as a JSON value.
func (v Value) AppendJSON(dst []byte, t Type) []byte {
	switch v.Kind {
	case KindNull:
		return append(dst, "null"...)
	case KindBool, KindInt, KindFloat, KindDecimal:
		return v.Append(dst, t)
	case KindText:
		return appendJSONText(dst, v.str)
	}
	dst = append(dst, '"')
	dst = v.Append(dst, t)
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

func appendJSONText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', byte(c))
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = utf8.AppendRune(dst, c)
		}
	}
	return append(dst, '"')
}
