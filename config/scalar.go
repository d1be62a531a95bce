package config

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

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

// texts are the texts of a list, and where they stand.
func (o *object) texts(key string) iter.Seq2[*entry, string] {
	return func(yield func(*entry, string) bool) {
		more := true
		o.list(key, func(e *entry) {
			if s, ok := o.textOf(e); ok && more {
				more = yield(e, s)
			}
		})
	}
}

// port reads a port: a number, or off for a listener that is closed; empty: the file says
// nothing.
func (o *object) port(key string) string {
	e := o.take(key)
	if e == nil {
		return ""
	}
	s, ok := o.word(e)
	if !ok || s == "off" || s == "false" {
		return portOff
	}
	if n, err := strconv.Atoi(s); err != nil || n < 0 || n > 65535 {
		o.fail(e, "E205", "a port is 0 to 65535, or off", "%s is not a port", s)
		return portOff
	}
	return s
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

// formatSize writes n bytes as a pipeline file does.
func formatSize(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n > 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
