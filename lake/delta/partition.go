package delta

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"spate/column"
)

// PartitionDateProperty is the table property that says which plain DATE columns
// hold the UTC day of a timestamp column: `TimestampDate=CAST(Timestamp AS DATE)`,
// more than one joined by semicolons. Other engines ignore it.
const PartitionDateProperty = "spate.partitionDate"

// PartitionDate is a DATE column that holds the UTC day of the column Source.
// The writer fills it when rows do not bring it. Readers must not trust it alone:
// foreign writers may have filled it by another time zone.
type PartitionDate struct{ Column, Source string }

func (p PartitionDate) expression() string { return "CAST(" + p.Source + " AS DATE)" }

func formatPartitionDates(list []PartitionDate) string {
	var parts []string
	for _, p := range list {
		parts = append(parts, p.Column+"="+p.expression())
	}
	return strings.Join(parts, ";")
}

// parseDateExpression returns the source column of CAST(c AS DATE) or DATE(c).
func parseDateExpression(expr string) (source string, ok bool) {
	s := strings.TrimSpace(expr)
	up := strings.ToUpper(s)
	switch {
	case strings.HasPrefix(up, "CAST(") && strings.HasSuffix(up, ")"):
		s = strings.TrimSpace(s[5 : len(s)-1])
		up = strings.ToUpper(s)
		if !strings.HasSuffix(up, " AS DATE") {
			return "", false
		}
		s = strings.TrimSpace(s[:len(s)-len(" AS DATE")])
	case strings.HasPrefix(up, "DATE(") && strings.HasSuffix(up, ")"):
		s = strings.TrimSpace(s[5 : len(s)-1])
	default:
		return "", false
	}
	s = strings.Trim(s, "`")
	return s, s != "" && !strings.ContainsAny(s, "()`',;")
}

// PartitionDates returns the day columns of the table: those that the property
// names, and generated columns of the same form.
func (s *Snapshot) PartitionDates() []PartitionDate {
	var out []PartitionDate
	for part := range strings.SplitSeq(s.Metadata.Configuration[PartitionDateProperty], ";") {
		name, expr, _ := strings.Cut(part, "=")
		source, ok := parseDateExpression(expr)
		c, from := FindColumn(s.Columns, strings.TrimSpace(name)), FindColumn(s.Columns, source)
		if ok && c != nil && from != nil && c.Type == Date {
			out = append(out, PartitionDate{c.Name, from.Name})
		}
	}
	for i := range s.Columns {
		expr, generated := s.Columns[i].Generation()
		source, ok := parseDateExpression(expr)
		from := FindColumn(s.Columns, source)
		if generated && ok && from != nil && s.Columns[i].Type == Date {
			out = append(out, PartitionDate{s.Columns[i].Name, from.Name})
		}
	}
	return out
}

// Generation returns the generation expression of the column, if it has one.
func (c *Column) Generation() (string, bool) { return c.metaText(metaGeneration) }

// DateColumnName names the day column of source: <source>Date, with _1, _2
// behind it on a clash.
func DateColumnName(cols []Column, source string) string {
	name := source + "Date"
	for i := 1; FindColumn(cols, name) != nil; i++ {
		name = fmt.Sprintf("%sDate_%d", source, i)
	}
	return name
}

// DateText is the partition value of the day that holds t.
func DateText(t column.Ticks) string { return string(column.AppendTicks(nil, t)[:10]) }

// TimestampText is the partition value of a timestamp: microseconds, UTC.
func TimestampText(t column.Ticks) string {
	b := column.AppendTicks(nil, t)
	return string(append(b[:26], 'Z'))
}

const nullPartition = "__HIVE_DEFAULT_PARTITION__"

// PartitionFolder is the folder of a partition, ending in a slash; empty for a
// table without partitions. By convention only: readers go by partitionValues.
func PartitionFolder(columns []string, values map[string]*string) string {
	var b strings.Builder
	for _, c := range columns {
		escapeHive(&b, c)
		b.WriteByte('=')
		if v := values[c]; v == nil {
			b.WriteString(nullPartition)
		} else {
			escapeHive(&b, *v)
		}
		b.WriteByte('/')
	}
	return b.String()
}

func escapeHive(b *strings.Builder, s string) {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == 0x7f || strings.IndexByte("\"#%'*/:=?\\{[]^", c) >= 0 {
			fmt.Fprintf(b, "%%%02X", c)
			continue
		}
		b.WriteByte(s[i])
	}
}

// EncodePath makes the path of an add action from the path of a file below the
// table.
func EncodePath(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; c <= 0x20 || c == 0x7f || strings.IndexByte("\"#%<>?[\\]^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

// filePath decodes the path of an action and makes it relative to the table,
// whose absolute path is root ("" where the store has none).
// FilePath is the path below its table of a file that an action names.
func FilePath(path string) string { return filePath("", path) }

func filePath(root, path string) string {
	p := path
	if strings.IndexByte(p, '%') >= 0 {
		if u, err := url.PathUnescape(p); err == nil {
			p = u
		}
	}
	if rest, ok := strings.CutPrefix(p, "file:"); ok {
		p = "/" + strings.TrimLeft(rest, "/")
	}
	if root != "" {
		if rest, ok := strings.CutPrefix(p, root+"/"); ok {
			return rest
		}
	}
	return p
}

// checkPartitions tells whether values name exactly the partition columns.
func checkPartitions(columns []string, values map[string]*string) error {
	if len(values) != len(columns) {
		return fmt.Errorf("%d partition values for %d partition columns", len(values), len(columns))
	}
	for name := range values {
		if !slices.Contains(columns, name) {
			return fmt.Errorf("no partition column %s", name)
		}
	}
	return nil
}
