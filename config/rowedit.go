package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// RowEdit is one row of what a list of rows will be: row Keep of the list, as it is written
// and with its comments, or, if Keep is negative, Text, a JSON object.
type RowEdit struct {
	Keep int
	Text []byte
}

// ReplaceRows is a pipeline file in which the rows that a test expects of an output are
// others. Everything else stays as it is, comments too: that of a row that goes stays in its
// place.
func ReplaceRows(file, test, output string, edits []RowEdit) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	f, err := parser.ParseBytes(bytes.TrimPrefix(data, []byte("\ufeff")), parser.ParseComments, parser.AllowDuplicateMapKey())
	if err != nil || len(f.Docs) != 1 {
		return nil, errors.Join(fmt.Errorf("%s cannot be read any more", file), err)
	}
	seq, owner := rowsIn(f.Docs[0].Body, test, output)
	if seq == nil {
		return nil, fmt.Errorf("%s has no rows that the test %q expects of %s any more", file, test, output)
	}
	r := rowList{lines: strings.SplitAfter(string(data), "\n")}
	if seq.IsFlowStyle {
		return r.flow(seq, edits)
	}
	return r.block(seq, owner, edits)
}

// rowsIn is the list of rows that a test expects of an output, and the key that it stands behind.
func rowsIn(top ast.Node, test, output string) (*ast.SequenceNode, *ast.MappingValueNode) {
	all, _ := valueOf(top, "tests")
	list, ok := all.(*ast.SequenceNode)
	if !ok {
		return nil, nil
	}
	for _, t := range list.Values {
		if name, _ := valueOf(t, "name"); name == nil {
			continue
		} else if s, _, ok := scalar(name); !ok || s != test {
			continue
		}
		expect, _ := valueOf(t, "expect")
		rows, owner := valueOf(expect, output)
		if inner, of := valueOf(rows, "rows"); inner != nil {
			rows, owner = inner, of
		}
		seq, _ := rows.(*ast.SequenceNode)
		return seq, owner
	}
	return nil, nil
}

func valueOf(n ast.Node, key string) (ast.Node, *ast.MappingValueNode) {
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	}
	for _, p := range pairs {
		if p.Key.GetToken().Value == key {
			return p.Value, p
		}
	}
	return nil, nil
}

// rowList is a file while a list of rows in it is replaced.
type rowList struct{ lines []string }

// flow replaces a list in brackets.
func (r *rowList) flow(seq *ast.SequenceNode, edits []RowEdit) ([]byte, error) {
	if seq.Start == nil || seq.End == nil {
		return nil, errors.New("the list of rows has no end")
	}
	from, to := r.offset(seq.Start.Position.Line, seq.Start.Position.Column), r.offset(seq.End.Position.Line, seq.End.Position.Column)
	var rows []string
	for _, e := range edits {
		text := string(e.Text)
		if e.Keep >= 0 {
			start := placeOf(seq.Values[e.Keep])
			if m, ok := seq.Values[e.Keep].(*ast.MappingNode); ok && m.Start != nil {
				start = place{m.Start.Position.Line, m.Start.Position.Column}
			}
			end := to
			if e.Keep+1 < len(seq.Values) {
				next := placeOf(seq.Values[e.Keep+1])
				if m, ok := seq.Values[e.Keep+1].(*ast.MappingNode); ok && m.Start != nil {
					next = place{m.Start.Position.Line, m.Start.Position.Column}
				}
				end = r.offset(next.line, next.col)
			}
			text = strings.TrimRight(strings.Join(r.lines, "")[r.offset(start.line, start.col):end], ", \t\r\n")
		}
		rows = append(rows, text)
	}
	all := strings.Join(r.lines, "")
	body := strings.Join(rows, ", ")
	if len(rows) > 1 || len(body) > 100 {
		indent := leading(r.lines[seq.Start.Position.Line-1]) + "  "
		body = "\n" + indent + strings.Join(rows, ",\n"+indent) + "\n" + indent[:len(indent)-2]
	}
	return []byte(all[:from+1] + body + all[to:]), nil
}

// offset is where a line and column, from 1 and in characters, begin in the file.
func (r *rowList) offset(line, col int) int {
	n := 0
	for _, l := range r.lines[:line-1] {
		n += len(l)
	}
	text := strings.TrimPrefix(r.lines[line-1], "\ufeff")
	n += len(r.lines[line-1]) - len(text)
	for i := range text {
		if col--; col == 0 {
			return n + i
		}
	}
	return n + len(text)
}

func leading(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " "))] }

// block replaces a list of lines that begin with a dash. A row is the lines from its dash to
// the next, without comments that stand above that.
func (r *rowList) block(seq *ast.SequenceNode, owner *ast.MappingValueNode, edits []RowEdit) ([]byte, error) {
	var starts []int // lines of the dashes, from 0
	for _, v := range seq.Values {
		line := placeOf(v).line - 1
		if m, ok := v.(*ast.MappingNode); ok && m.IsFlowStyle && m.Start != nil {
			line = m.Start.Position.Line - 1
		}
		for line >= 0 && !strings.HasPrefix(strings.TrimLeft(r.lines[line], " "), "-") {
			line-- // the dash may stand on a line of its own
		}
		if line < 0 || len(starts) > 0 && line <= starts[len(starts)-1] {
			return nil, errors.New("the rows of the list do not stand on lines of their own")
		}
		starts = append(starts, line)
	}
	if len(starts) == 0 {
		return nil, errors.New("the list of rows has no end")
	}
	indent := leading(r.lines[starts[0]])
	bare := func(line int) bool {
		s := strings.TrimSpace(r.lines[line])
		return s == "" || s[0] == '#'
	}
	ends := make([]int, len(starts)) // behind the last line of each row
	for i := range starts {
		stop := len(r.lines)
		if i+1 < len(starts) {
			stop = starts[i+1]
		}
		ends[i] = starts[i] + 1
		for line := ends[i]; line < stop; line++ {
			if !bare(line) {
				if len(leading(r.lines[line])) <= len(indent) {
					break
				}
				ends[i] = line + 1
			}
		}
	}
	var out []string
	next := starts[0]                  // line that is written next
	end, last := ends[len(ends)-1], -1 // last: the edit that keeps the last row
	for i, e := range edits {
		if e.Keep >= 0 {
			last = i
		}
	}
	for i, e := range edits {
		if e.Keep < 0 {
			if i > last { // rows at the end stand behind the comments of those that go
				out, next = append(out, r.between(next, end, starts, ends)...), end
			}
			out = append(out, indent+"- "+string(e.Text)+"\n")
			continue
		}
		if next < starts[e.Keep] { // what stands between, without the rows that go
			out = append(out, r.between(next, starts[e.Keep], starts, ends)...)
		}
		out, next = append(out, r.lines[starts[e.Keep]:ends[e.Keep]]...), ends[e.Keep]
	}
	out = append(out, r.between(next, end, starts, ends)...)
	if len(edits) == 0 { // a key without a value is no empty list
		if at := placeOf(owner.Key).line - 1; at >= 0 {
			r.lines[at] = strings.TrimRight(r.lines[at], " \r\n") + " []\n"
		}
	}
	return []byte(strings.Join(slices.Concat(r.lines[:starts[0]], ended(out), r.lines[end:]), "")), nil
}

// ended sees to it that every line has an end.
func ended(lines []string) []string {
	for i, l := range lines {
		if !strings.HasSuffix(l, "\n") {
			lines[i] = l + "\n"
		}
	}
	return lines
}

// between are the lines from one to another without those of rows, whose comments stay.
func (r *rowList) between(from, to int, starts, ends []int) (out []string) {
	all := comments(strings.Join(r.lines, ""))
	for line := from; line < to; line++ {
		i := slices.Index(starts, line)
		if i < 0 {
			out = append(out, r.lines[line])
			continue
		}
		for _, c := range all {
			if c.at.line > starts[i] && c.at.line <= ends[i] {
				out = append(out, leading(r.lines[line])+c.text+"\n")
			}
		}
		line = ends[i] - 1
	}
	return out
}
