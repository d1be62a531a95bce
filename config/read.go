package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// reader turns one YAML file into values and keeps what is wrong with it.
type reader struct {
	file     string // as errors name it
	src      string
	env      func(string) (string, bool)
	readFile func(path string) ([]byte, error) // path as in the file
	problems []Problem
	secrets  []string
	lax      bool // variables that are not set are no mistake: nothing runs
}

// place is a position in the file.
type place struct{ line, col int }

func placeOf(n ast.Node) place {
	t := n.GetToken()
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		t = m.Values[0].Key.GetToken()
	}
	if s, ok := n.(*ast.SequenceNode); ok && s.Start != nil {
		t = s.Start
	}
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

func (r *reader) fail(at place, code, path, hint, format string, args ...any) {
	r.problems = append(r.problems, Problem{File: r.file, Line: at.line, Column: at.col, Code: code, Severity: severity(code),
		Path: path, Message: fmt.Sprintf(format, args...), Hint: hint, excerpt: excerpt(r.src, at.line, at.col)})
}

func severity(code string) string {
	if strings.HasPrefix(code, "W") {
		return "warning"
	}
	return "error"
}

// parse returns the top map of the file, or nil with problems.
func (r *reader) parse(data []byte) *object {
	if len(data) > 1<<20 {
		r.fail(place{1, 1}, "E108", "", "", "the file has %d bytes, at most 1 MiB is read", len(data))
		return nil
	}
	if !utf8.Valid(data) {
		r.fail(place{1, 1}, "E108", "", "save the file as UTF-8", "the file is not UTF-8")
		return nil
	}
	r.src = strings.TrimPrefix(string(data), "\ufeff")
	f, err := parser.ParseBytes([]byte(r.src), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		if r.unclosed() {
			return nil
		}
		at, msg := place{1, 1}, err.Error()
		var ye yaml.Error
		if errors.As(err, &ye) {
			msg = ye.GetMessage()
			if t := ye.GetToken(); t != nil && t.Position != nil {
				at = place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
			}
		}
		hint := ""
		if lines := strings.Split(r.src, "\n"); at.line <= len(lines) && strings.Contains(lines[at.line-1], "${") {
			hint = `put references in quotes inside { }: "${env:NAME}"`
		}
		r.fail(at, "E101", "", hint, "%s", msg)
		return nil
	}
	var docs []ast.Node
	for _, d := range f.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType {
			docs = append(docs, d.Body)
		}
	}
	if len(f.Docs) > 1 {
		at := place{1, 1}
		if t := f.Docs[1].Start; t != nil {
			at = place{t.Position.Line, t.Position.Column}
		}
		r.fail(at, "E106", "", "", "more than one document")
		return nil
	}
	if len(docs) == 0 {
		r.fail(place{1, 1}, "E201", "version", "the first key of a pipeline file is version: 1", "version is missing")
		return nil
	}
	if r.refuse(docs[0]); len(r.problems) > 0 {
		return nil
	}
	return r.object(docs[0], "")
}

// refuse reports anchors, aliases, merge keys and tags.
func (r *reader) refuse(n ast.Node) {
	ast.Walk(refuser{r}, n)
}

type refuser struct{ r *reader }

// Visit implements ast.Visitor.
func (v refuser) Visit(n ast.Node) ast.Visitor {
	what := ""
	switch n := n.(type) {
	case *ast.AnchorNode:
		what = "an anchor"
	case *ast.AliasNode:
		what = "an alias"
	case *ast.TagNode:
		what = "a tag"
	case *ast.MappingValueNode:
		if n.Key.IsMergeKey() {
			what = "a merge key"
		}
	}
	if what != "" {
		v.r.fail(placeOf(n), "E107", "", "write the value out", "%s is not allowed here", what)
		return nil
	}
	return v
}

// object is a map of the file. Every key that is not asked for is reported by done.
type object struct {
	r           *reader
	path        string
	at          place
	entries     []entry
	parts       map[string]*object // the maps that were read of it, by key
	known       []string
	unsupported []string
}

// entry is one key and its value.
type entry struct {
	key   string
	at    place // of the key
	value ast.Node
	used  bool
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// object reads n as a map; nil if it is not one.
func (r *reader) object(n ast.Node, path string) *object {
	o := &object{r: r, path: path, at: placeOf(n)}
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	case *ast.NullNode:
		return o
	default:
		r.fail(placeOf(n), "E104", path, "", "%swant a map, got %s", prefix(path), kindOf(n))
		return nil
	}
	for _, p := range pairs {
		t := p.Key.GetToken()
		e := entry{key: t.Value, at: place{t.Position.Line, t.Position.Column}, value: p.Value}
		if first := o.find(e.key); first != nil {
			r.fail(e.at, "E103", join(path, e.key), "", "%s is defined already at %d:%d", e.key, first.at.line, first.at.col)
			continue
		}
		if strings.Contains(e.key, "${") {
			r.fail(e.at, "E102", join(path, e.key), "", "references are not allowed in keys")
			continue
		}
		o.entries = append(o.entries, e)
	}
	return o
}

func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path[strings.LastIndexByte(path, '.')+1:] + ": "
}

func (o *object) find(key string) *entry {
	for i := range o.entries {
		if o.entries[i].key == key {
			return &o.entries[i]
		}
	}
	return nil
}

// take marks key as known and returns its entry, or nil.
func (o *object) take(key string) *entry {
	o.known = append(o.known, key)
	e := o.find(key)
	if e != nil {
		e.used = true
	}
	return e
}

// later names keys of the language that this version does not act on: they are refused.
func (o *object) later(keys ...string) { o.unsupported = append(o.unsupported, keys...) }

// done reports the keys nobody asked for.
func (o *object) done() {
	for _, e := range o.entries {
		if e.used {
			continue
		}
		path := join(o.path, e.key)
		supported := true
		for _, k := range o.unsupported {
			supported = supported && k != e.key
		}
		if !supported {
			o.r.fail(e.at, "E206", path, "remove the key", "%s is not supported yet", path)
			continue
		}
		o.r.fail(e.at, "E102", path, didYouMean(e.key, append(o.known[:len(o.known):len(o.known)], o.unsupported...)), "unknown key %q", e.key)
	}
}

// child reads the map at key. Without one it is nil or, if implied, a map that says nothing.
func (o *object) child(key string, implied bool) *object {
	switch e := o.take(key); {
	case e != nil:
		return o.part(e)
	case implied:
		return o.keep(key, &object{r: o.r, path: join(o.path, key), at: place{1, 1}})
	}
	return nil
}

// part reads the map of e.
func (o *object) part(e *entry) *object {
	return o.keep(e.key, o.r.object(e.value, join(o.path, e.key)))
}

func (o *object) keep(key string, part *object) *object {
	if o.parts == nil {
		o.parts = map[string]*object{}
	}
	o.parts[key] = part
	return part
}

// within is the map at a path of keys, among those that were read; nil: there is none.
func (o *object) within(path ...string) *object {
	for _, k := range path {
		if o == nil {
			return nil
		}
		o = o.parts[k]
	}
	return o
}

// all are the entries of a map that may be nil.
func (o *object) all() []entry {
	if o == nil {
		return nil
	}
	return o.entries
}

// hasAny says whether one of keys is there.
func (o *object) hasAny(keys []string) bool {
	for _, k := range keys {
		if o.find(k) != nil {
			return true
		}
	}
	return false
}

// each calls f for every key of o: a map from names to things.
func (o *object) each(f func(name string, e *entry)) {
	for i := range o.entries {
		o.entries[i].used = true
		f(o.entries[i].key, &o.entries[i])
	}
}

// fail reports a problem with the value of e.
func (o *object) fail(e *entry, code, hint, format string, args ...any) {
	o.r.fail(placeOf(e.value), code, join(o.path, e.key), hint, e.key+": "+format, args...)
}

// missing reports that a required key is not there.
func (o *object) missing(key, hint string) {
	o.r.fail(o.at, "E208", join(o.path, key), hint, "%s%s is missing", prefix(o.path), key)
}
