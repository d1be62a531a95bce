package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// reader turns one YAML file into values and keeps what is wrong with it.
type reader struct {
	file     string // as errors name it
	src      string
	env      func(string) (string, bool)
	readFile func(path string) ([]byte, error) // path as in the file
	problems []Problem
	secrets  []string
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

// child reads the map at key; nil if there is none.
func (o *object) child(key string) *object {
	e := o.take(key)
	if e == nil {
		return nil
	}
	return o.r.object(e.value, join(o.path, key))
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

func kindOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a map"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.BoolNode:
		return "the boolean " + n.GetToken().Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "the number " + n.GetToken().Value
	}
	return fmt.Sprintf("text %q", n.GetToken().Value)
}

// scalar returns the source text of a scalar and whether it stood in quotes (or is a block).
func scalar(n ast.Node) (text string, quoted, ok bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		t := n.GetToken().Type
		return n.Value, t == token.SingleQuoteType || t == token.DoubleQuoteType, true
	case *ast.LiteralNode:
		return n.Value.Value, true, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, false, true
	}
	return "", false, false
}

// textOf reads e as text with its references resolved. Numbers must be quoted.
func (o *object) textOf(e *entry) (string, bool) {
	s, _, ok := scalar(e.value)
	if !ok {
		o.fail(e, "E104", "", "want text, got %s", kindOf(e.value))
		return "", false
	}
	switch e.value.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		o.fail(e, "E105", fmt.Sprintf("quote it: \"%s\"", s), "want text, got the number %s", s)
		return "", false
	}
	return o.resolve(e, s)
}

// word reads e as text that may look like a number: a duration, a size, a port.
func (o *object) word(e *entry) (string, bool) {
	s, _, ok := scalar(e.value)
	if !ok {
		o.fail(e, "E104", "", "want text, got %s", kindOf(e.value))
		return "", false
	}
	return o.resolve(e, s)
}

func (o *object) text(key, def string) string {
	if e := o.take(key); e != nil {
		if s, ok := o.textOf(e); ok {
			return s
		}
	}
	return def
}

func (o *object) name(key, def string, rule nameRule) string {
	e := o.take(key)
	if e == nil {
		return def
	}
	s, ok := o.textOf(e)
	if ok && !rule.form.MatchString(s) {
		o.fail(e, "E202", "want "+rule.want, "%q is not a name", s)
		return def
	}
	if !ok {
		return def
	}
	return s
}

// named checks a name that is a key.
func (o *object) named(e *entry, rule nameRule) {
	if !rule.form.MatchString(e.key) {
		o.r.fail(e.at, "E202", join(o.path, e.key), "want "+rule.want, "%q is not a name", e.key)
	}
}

func (o *object) oneOf(key, def string, words ...string) string {
	e := o.take(key)
	if e == nil {
		return def
	}
	s, ok := o.word(e)
	if !ok {
		return def
	}
	for _, w := range words {
		if s == w {
			return s
		}
	}
	hint := didYouMean(s, words)
	o.fail(e, "E206", hint, "%q is not one of %s", s, strings.Join(words, ", "))
	return def
}

func (o *object) boolean(key string, def bool) bool {
	e := o.take(key)
	if e == nil {
		return def
	}
	s, quoted, _ := scalar(e.value)
	if quoted || s != "true" && s != "false" {
		o.fail(e, "E104", "", "want true or false, got %s", kindOf(e.value))
		return def
	}
	return s == "true"
}

func (o *object) integer(key string, def, low, high int64) int64 {
	e := o.take(key)
	if e == nil {
		return def
	}
	s, quoted, ok := scalar(e.value)
	if ok && !quoted {
		if s, ok = o.resolve(e, s); !ok {
			return def
		}
	}
	digits := strings.TrimPrefix(s, "-")
	if len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0123456789") == "" && !quoted {
		o.fail(e, "E105", "", "the integer %s has a leading zero", s)
		return def
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if !ok || quoted || err != nil {
		o.fail(e, "E104", "", "want an integer, got %s", kindOf(e.value))
		return def
	}
	if n < low || n > high {
		o.fail(e, "E205", "", "%d is outside %d to %d", n, low, high)
		return def
	}
	return n
}

func (o *object) durationOf(e *entry, low, high time.Duration) (time.Duration, bool) {
	s, ok := o.word(e)
	if !ok {
		return 0, false
	}
	d, err := ParseDuration(s)
	if err != nil {
		o.fail(e, "E203", "a duration is 500ms, 5s, 1h30m, 7d, PT5M or 0", "%v", err)
		return 0, false
	}
	if d < low || d > high {
		o.fail(e, "E205", "", "%s is outside %s to %s", s, FormatDuration(low), FormatDuration(high))
		return 0, false
	}
	return d, true
}

func (o *object) duration(key string, def, low, high time.Duration) time.Duration {
	if e := o.take(key); e != nil {
		if d, ok := o.durationOf(e, low, high); ok {
			return d
		}
	}
	return def
}

func (o *object) size(key string, def, low, high int64) int64 {
	e := o.take(key)
	if e == nil {
		return def
	}
	s, ok := o.word(e)
	if !ok {
		return def
	}
	n, err := ParseSize(s)
	if err != nil {
		o.fail(e, "E204", "a size is 1048576, 64MiB or 10MB", "%v", err)
		return def
	}
	if n < low || n > high {
		o.fail(e, "E205", "", "%s is outside %d to %d bytes", s, low, high)
		return def
	}
	return n
}

// list reads a list of values; each is given as an entry with the key's name.
func (o *object) list(key string, f func(e *entry)) bool {
	e := o.take(key)
	if e == nil {
		return false
	}
	seq, ok := e.value.(*ast.SequenceNode)
	if !ok {
		o.fail(e, "E104", "", "want a list, got %s", kindOf(e.value))
		return true
	}
	for _, v := range seq.Values {
		f(&entry{key: e.key, at: placeOf(v), value: v})
	}
	return true
}

// texts reads a list of text.
func (o *object) texts(key string) []string {
	var out []string
	o.list(key, func(e *entry) {
		if s, ok := o.textOf(e); ok {
			out = append(out, s)
		}
	})
	return out
}

// isMap says whether e holds a map.
func (e *entry) isMap() bool {
	switch e.value.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// FormatDuration writes d as a pipeline file does: 7d, 1h30m, 500ms, 0.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	var b strings.Builder
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if n := d / u.size; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.size
		}
	}
	return b.String()
}
