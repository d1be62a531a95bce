package deltatable

import (
	"slices"
	"strings"

	"spate/lake/delta"
	"spate/lake/parquetfile"
)

// layout is how data files are written for one version of the table's schema. It does
// not change; a table that gets a column has a new one.
type layout struct {
	snap  *delta.Snapshot
	codec string
	cols  []target // data columns
	parts []target // partition columns
	// awaited are the columns that the query names and the table gets with their first
	// values: none of a table whose columns are declared.
	awaited []delta.Column
}

// target is a table column and how rows get it.
type target struct {
	delta.Column
	parquet parquetfile.Type
	source  string // day columns: the column whose day it is
}

// newLayout is the layout of a version. infer may be nil.
func newLayout(snap *delta.Snapshot, infer *Inference) (*layout, error) {
	if err := snap.CanWrite(); err != nil {
		return nil, err
	}
	l := &layout{snap: snap}
	var err error
	codec := strings.ToLower(snap.Property("delta.parquet.compression.codec", "zstd"))
	if l.codec, err = parquetfile.CodecName(codec); err != nil {
		return nil, err
	}
	var all []target
	for _, c := range snap.Columns {
		p, err := delta.ParquetType(c)
		if err != nil {
			return nil, err
		}
		all = append(all, target{Column: c, parquet: p})
	}
	for _, d := range snap.PartitionDates() {
		for i := range all {
			if all[i].Name == d.Column {
				all[i].source = d.Source
			}
		}
	}
	for _, c := range all {
		if !slices.Contains(snap.Metadata.PartitionColumns, c.Name) {
			l.cols = append(l.cols, c)
		}
	}
	for _, name := range snap.Metadata.PartitionColumns {
		for _, c := range all {
			if c.Name == name {
				l.parts = append(l.parts, c)
			}
		}
	}
	if infer != nil {
		for _, c := range infer.Columns {
			if !l.has(c.Name) {
				l.awaited = append(l.awaited, c)
			}
		}
	}
	return l, nil
}

func (l *layout) has(name string) bool { return delta.FindColumn(l.snap.Columns, name) != nil }

// takes reports whether a value of the column is written, or makes the column.
func (l *layout) takes(name string) bool {
	return l.has(name) || delta.FindColumn(l.awaited, name) != nil
}

// wanted are the columns without the day columns that the sink fills.
func (l *layout) wanted() []delta.Column {
	var out []delta.Column
	for _, c := range l.snap.Columns {
		day := false
		for _, p := range l.parts {
			day = day || p.Name == c.Name && p.source != ""
		}
		if !day {
			out = append(out, c)
		}
	}
	return out
}

// match compares the columns of an output with the table.
func (l *layout) match(names []string) (missing, extra []string) {
	has := func(name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	for _, c := range l.wanted() {
		if !has(c.Name) {
			missing = append(missing, c.Name)
		}
	}
	for _, n := range names {
		if !l.takes(n) {
			extra = append(extra, n)
		}
	}
	return missing, extra
}

// differs says how the columns of a row are not those of the table; empty if
// they are.
func (l *layout) differs(names []string) string {
	missing, extra := l.match(names)
	var parts []string
	if len(missing) > 0 {
		parts = append(parts, "the row does not have "+strings.Join(missing, ", "))
	}
	if len(extra) > 0 {
		parts = append(parts, "the table does not have "+strings.Join(extra, ", "))
	}
	return strings.Join(parts, "; ")
}
