// Package configtest makes a pipeline file for each key of the language, and the same
// file with another value of that key, for tests of what becomes of a change.
//
// Stability: internal.
package configtest

import (
	"slices"
	"strings"
)

// A setting is one value of a file: its path, with "-" for the one entry of a list, and
// the value as YAML.
type setting struct{ path, value string }

// base is a pipeline that has each kind of map once.
var base = []setting{
	{"version", "1"},
	{"name", "before"},
	{"server.ports", "auto"},
	{"namespace.authorizationRules.everything.rights", "[Listen, Send, Manage]"},
	{"namespace.eventHubs.in.partitionCount", "2"},
	{"namespace.eventHubs.in.consumerGroups", "[readers]"},
	{"namespace.eventHubs.in.authorizationRules.sender.rights", "[Send]"},
	{"namespace.eventHubs.out.partitionCount", "1"},
	{"namespace.eventHubs.other.partitionCount", "1"},
	{"tables.rows.columns", "{ a: string, b: long }"},
	{"tables.more.columns", "{ a: string, b: long }"},
	{"jobs.copy.query", `"SELECT a, b INTO rows FROM [in]; SELECT i.a, i.b INTO out FROM [in] i LEFT JOIN sites s ON i.a = s.a"`},
	{"jobs.copy.inputs.in.eventHub", "in"},
	{"jobs.copy.inputs.sites.type", "Reference"},
	{"jobs.copy.inputs.sites.path", "sites.csv"},
	{"jobs.copy.outputs.rows.table", "rows"},
	{"jobs.copy.outputs.out.eventHub", "out"},
	{"jobs.copy.functions.same.file", "same.js"},
	{"capture.in.table", "more"},
	{"monitor.actionGroups.ops.receivers.-.name", "first"},
	{"monitor.actionGroups.ops.receivers.-.file", "alerts.jsonl"},
	{"monitor.actionGroups.others.receivers.-.name", "first"},
	{"monitor.actionGroups.others.receivers.-.file", "others.jsonl"},
	{"notify.alerts.hub", "out"},
	{"notify.alerts.actionGroups", "[ops]"},
	{"simulate.hub", "in"},
	{"tests.-.name", "one"},
	{"tests.-.job", "copy"},
	{"tests.-.expectError", "no"},
}

// needs are the maps at the top that every file has, and those that others need.
var needs = map[string][]string{
	"":        {"version", "name", "server", "namespace", "tables", "jobs"},
	"notify":  {"monitor"},
	"monitor": {"notify"},
}

// baseFor is as much of base as a key in the map top needs.
func baseFor(top string) []setting {
	want := append(append([]string{top}, needs[""]...), needs[top]...)
	return slices.DeleteFunc(slices.Clone(base), func(s setting) bool {
		first, _, _ := strings.Cut(s.path, ".")
		return !slices.Contains(want, first)
	})
}

// without leaves out the value at path and what is below it.
func without(settings []setting, path string) []setting {
	return slices.DeleteFunc(settings, func(s setting) bool { return s.path == path || strings.HasPrefix(s.path, path+".") })
}

// tree is a map of a file: its keys in order, each a value or a map.
type tree struct {
	key, value string
	inner      []*tree
}

func (t *tree) put(path []string, value string) {
	if len(path) == 0 {
		t.value = value
		return
	}
	i := slices.IndexFunc(t.inner, func(x *tree) bool { return x.key == path[0] })
	if i < 0 {
		i = len(t.inner)
		t.inner = append(t.inner, &tree{key: path[0]})
	}
	t.inner[i].put(path[1:], value)
}

// write writes the keys of t, each on a line of its own, and says where the value at the
// path at stands; lines and columns count from 1.
func (t *tree) write(b *strings.Builder, indent, at string) (line, column int) {
	item := t.key == "-"
	for i, x := range t.inner {
		lead := indent
		if item && i == 0 {
			lead = indent[:len(indent)-2] + "- "
		}
		first, rest, _ := strings.Cut(at, ".")
		if x.key != "-" {
			b.WriteString(lead + x.key + ":")
			if len(x.inner) == 0 {
				if x.key == at {
					text := b.String()
					line, column = strings.Count(text, "\n")+1, len(text)-strings.LastIndexByte(text, '\n')+1
				}
				b.WriteString(" " + x.value)
			}
			b.WriteByte('\n')
		}
		if x.key != first {
			rest = ""
		}
		if l, c := x.write(b, indent+"  ", rest); l > 0 {
			line, column = l, c
		}
	}
	return line, column
}

// file is a file of these settings, and where the value at the path at stands.
func file(settings []setting, at string) (text string, line, column int) {
	top := &tree{}
	for _, s := range settings {
		top.put(strings.Split(s.path, "."), s.value)
	}
	var b strings.Builder
	line, column = top.write(&b, "", at)
	return b.String(), line, column
}
