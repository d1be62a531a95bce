package asaproj

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

// reader reads the files of a project and keeps what is wrong with them.
type reader struct {
	files    []string
	problems Problems
}

// file is a file as text, and as JSON if it is.
type file struct {
	*reader
	path string
	data string // without a byte order mark
	root *node  // nil: it is no map
}

// node is a value of JSON.
type node struct {
	at     int  // where it begins in the text
	kind   byte // { [ " 0 t n
	text   string
	names  []string // of a map, as written
	values []*node
	items  []*node // of a list
}

// open reads a file; nil: it cannot be read.
func (r *reader) open(path string) *file {
	data, err := os.ReadFile(path)
	r.files = append(r.files, path)
	f := &file{reader: r, path: path, data: strings.TrimPrefix(string(data), "\ufeff")}
	switch {
	case err != nil:
		f.fail(nil, "E303", "", "%v", err)
	case len(data) > 1<<20:
		f.fail(nil, "E108", "", "the file has %d bytes, at most 1 MiB is read", len(data))
	case !utf8.ValidString(f.data):
		f.fail(nil, "E108", "save the file as UTF-8", "the file is not UTF-8")
	default:
		return f
	}
	return nil
}

// parse reads the file as a map.
func (f *file) parse() {
	dec := json.NewDecoder(strings.NewReader(f.data))
	dec.UseNumber()
	n, err := f.value(dec, 0)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something stands behind the value")
		}
	}
	switch {
	case err != nil:
		f.fail(&node{at: min(int(dec.InputOffset()), len(f.data))}, "E109", "", "this is no JSON: %v", err)
	case n.kind != '{':
		f.fail(n, "E104", "", "want a map")
	default:
		f.root = n
	}
}

// maxDepth is how deep values may lie in each other: those of projects do not go further than 5.
const maxDepth = 100

func (f *file) value(dec *json.Decoder, depth int) (*node, error) {
	from := int(dec.InputOffset())
	n := &node{at: from + len(f.data[from:]) - len(strings.TrimLeft(f.data[from:], " \t\r\n,:"))}
	if depth > maxDepth {
		return nil, errors.New("values lie too deep in each other")
	}
	t, err := dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		n.kind = byte(t)
		for dec.More() {
			if n.kind == '{' {
				name, err := dec.Token()
				if err != nil {
					return nil, err
				}
				n.names = append(n.names, fmt.Sprint(name))
			}
			v, err := f.value(dec, depth+1)
			if err != nil {
				return nil, err
			}
			if n.kind == '{' {
				n.values = append(n.values, v)
			} else {
				n.items = append(n.items, v)
			}
		}
		_, err := dec.Token()
		return n, err
	case string:
		n.kind, n.text = '"', t
	case json.Number:
		n.kind, n.text = '0', t.String()
	case bool:
		n.kind, n.text = 't', strconv.FormatBool(t)
	default:
		n.kind = 'n'
	}
	return n, nil
}

// get is a field of a map, whose name may be spelled in another case; nil: it is not
// there, or null.
func (n *node) get(names ...string) *node {
	if n == nil {
		return nil
	}
	for _, name := range names {
		for i, have := range n.names {
			if strings.EqualFold(have, name) && n.values[i].kind != 'n' {
				return n.values[i]
			}
		}
	}
	return nil
}

// place is where a value stands; nil: the file.
func (f *file) place(n *node) Place {
	p := Place{File: f.path, Line: 1, Column: 1, Source: f.data}
	if n != nil {
		before := f.data[:min(n.at, len(f.data))]
		p.Line += strings.Count(before, "\n")
		p.Column = utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	}
	return p
}

func (f *file) fail(at *node, code, hint, format string, args ...any) {
	f.problems = append(f.problems, Problem{f.place(at), code, fmt.Sprintf(format, args...), hint})
}

// text is the first of some fields that is there, as a text.
func (f *file) text(n *node, names ...string) string {
	v := n.get(names...)
	if v == nil {
		return ""
	}
	if v.kind == '{' || v.kind == '[' {
		f.fail(v, "E104", "", "%s: want text", names[0])
		return ""
	}
	return v.text
}

// word is a text that is one of some words, ignoring case; def where there is none.
func (f *file) word(n *node, def, name string, words ...string) string {
	s := f.text(n, name)
	if s == "" {
		return def
	}
	for _, w := range words {
		if strings.EqualFold(s, w) {
			return w
		}
	}
	f.fail(n.get(name), "E206", "", "%s: %q is not one of %s", name, s, strings.Join(words, ", "))
	return def
}

// integer is a number, or a text that is one.
func (f *file) integer(n *node, def int64, name string, low, high int64) int64 {
	v := n.get(name)
	if v == nil {
		return def
	}
	i, err := strconv.ParseInt(strings.TrimSpace(v.text), 10, 64)
	switch {
	case err != nil || v.kind != '0' && v.kind != '"':
		f.fail(v, "E104", "", "%s: want an integer", name)
		return def
	case i < low || i > high:
		f.fail(v, "E205", "", "%s: %d is outside %d to %d", name, i, low, high)
		return def
	}
	return i
}

// flag is true or false, or a text that says so.
func (f *file) flag(n *node, def bool, name string) bool {
	v := n.get(name)
	if v == nil {
		return def
	}
	b, err := strconv.ParseBool(strings.ToLower(v.text))
	if err != nil {
		f.fail(v, "E104", "", "%s: want true or false", name)
		return def
	}
	return b
}

// resolve is a path as it is written in a file of dir: with \ or /, in another case than on
// disk, or absolute on another machine, where what is behind its longest known end is meant.
func resolve(dir, name string) string {
	name = strings.ReplaceAll(name, `\`, "/")
	drive := len(name) > 1 && name[1] == ':'
	path := filepath.FromSlash(name)
	if !drive && !filepath.IsAbs(path) {
		return spelled(dir, path)
	}
	if _, err := os.Stat(path); err == nil {
		return path
	}
	parts := strings.Split(strings.TrimLeft(name, "/"), "/")
	for i := range parts {
		if found := spelled(dir, filepath.Join(parts[i:]...)); exists(found) {
			return found
		}
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// spelled is a path below dir as the folders on the disk spell it.
func spelled(dir, path string) string {
	whole := filepath.Join(dir, path)
	if exists(whole) {
		return whole
	}
	at := dir
	for part := range strings.SplitSeq(filepath.ToSlash(filepath.Clean(path)), "/") {
		next := filepath.Join(at, part)
		if !exists(next) {
			entries, err := os.ReadDir(at)
			if err != nil {
				return whole
			}
			for _, e := range entries {
				if strings.EqualFold(e.Name(), part) {
					next = filepath.Join(at, e.Name())
					break
				}
			}
		}
		at = next
	}
	if exists(at) {
		return at
	}
	return whole
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
