package configtest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"spate/config"
)

// Case is a key, and what a file says of it.
type Case struct {
	Key    config.Key
	Before string // a small file that loads
	After  string // the same with another value of the key
	Value  string // that value; empty: the key has no other, and After is Before with the one it has
	Path   string // of the key in the file: jobs.copy.parallelism

	settings []setting // of After, without the key
}

// Cases are cases of all keys that are values, in the order of the language. Key.Change and
// Key.Refusal say what becomes of the change from Before to After, and Before runs with
// ports of its own.
func Cases() []Case {
	var out []Case
	each(config.Keys(), func(k config.Key) { out = append(out, caseOf(k)) })
	return out
}

// each calls f for every key that is a value, or may be.
func each(keys []config.Key, f func(config.Key)) {
	for _, k := range keys {
		if k.Form != config.FormMap && k.Form != config.FormNames && k.Form != config.FormMaps {
			f(k)
		}
		each(k.Keys, f)
	}
}

// Files are the files that cases name, by their paths. Those of certificates are empty, which
// is enough to load a pipeline file, and not to open a port with TLS.
func Files() map[string]string {
	return map[string]string{"cert.pem": "", "key.pem": "", "same.js": same, "other.js": same + " // or so", "sites.csv": "a,b\n1,2\n", "other.csv": "a,b\n1,3\n"}
}

// same is a scalar and an aggregate.
const same = "function main(x) { this.init = this.accumulate = this.computeResult = function () { return 1 }; return x }"

// With is the file of After with a value that stands in for the key's, and its place.
func (c Case) With(value string) (text string, line, column int) {
	return file(append(slices.Clone(c.settings), setting{c.Path, value}), c.Path)
}

func caseOf(k config.Key) Case {
	c := Case{Key: k, Path: pathOf(k), Value: otherValue(k)}
	top, _, _ := strings.Cut(c.Path, ".")
	before := baseFor(top)
	c.Before, _, _ = file(before, "")
	c.settings = without(slices.Clone(before), c.Path)
	for _, other := range instead[k.Path] {
		c.settings = without(c.settings, sibling(c.Path, other))
	}
	for _, s := range together[k.Path] {
		s.path = sibling(c.Path, s.path)
		c.settings = append(without(c.settings, s.path), s)
	}
	value := c.Value
	if value == "" {
		value = onlyValue(k)
	}
	c.After, _, _ = c.With(value)
	return c
}

func sibling(path, name string) string { return path[:strings.LastIndexByte(path, '.')+1] + name }

// pathOf puts names of base into the path of a key.
func pathOf(k config.Key) string {
	named := map[string]string{
		"namespace.authorizationRules": "everything", "namespace.eventHubs": "in", "namespace.eventHubs.in.authorizationRules": "sender",
		"tables": "rows", "jobs": "copy", "jobs.copy.inputs": "in", "jobs.copy.outputs": "rows", "jobs.copy.functions": "same", "capture": "in",
		"monitor.actionGroups": "ops", "notify": "alerts",
	}
	if slices.Contains([]string{"eventHub", "partitionKey", "visibility"}, k.Name) {
		named["jobs.copy.outputs"] = "out"
	}
	if slices.Contains([]string{"path", "dateFormat", "timeFormat", "refresh"}, k.Name) || k.Path == "jobs.NAME.inputs.NAME.table" {
		named["jobs.copy.inputs"] = "sites"
	}
	path := ""
	for _, part := range strings.Split(k.Path, ".") {
		if part == "NAME" {
			part = named[path]
		}
		path = strings.TrimPrefix(path+"."+part, ".")
		if (part == "receivers" || part == "tests") && k.Name != part {
			path += ".-"
		}
	}
	return path
}

// instead are the keys that a key excludes.
var instead = map[string][]string{
	"tables.NAME.schema":                          {"columns"},
	"jobs.NAME.inputs.NAME.table":                 {"path"},
	"monitor.actionGroups.NAME.receivers.webhook": {"file"},
}

// together are what a key needs besides.
var together = map[string][]setting{
	"server.tls.cert":                                    {{"key", "key.pem"}},
	"server.tls.key":                                     {{"cert", "cert.pem"}},
	"server.tls.auto":                                    {{"cert", "cert.pem"}, {"key", "key.pem"}},
	"jobs.NAME.outputStartTime":                          {{"outputStartMode", "CustomTime"}},
	"jobs.NAME.inputs.NAME.dateFormat":                   {{"path", `"sites/{date}/sites.csv"`}},
	"jobs.NAME.inputs.NAME.timeFormat":                   {{"path", `"sites/{date}/{time}/sites.csv"`}},
	"jobs.NAME.inputs.NAME.serialization.fieldDelimiter": {{"type", "csv"}},
	"jobs.NAME.inputs.NAME.serialization.header":         {{"type", "csv"}},
}

// others are values that do not follow from the form of a key.
var others = map[string]string{
	"server.ports":                                       "fixed",
	"namespace.emulatorKey":                              "false",
	"server.bind":                                        "localhost",
	"server.tls.cert":                                    "cert.pem",
	"server.tls.key":                                     "key.pem",
	"storage.account":                                    "otheraccount",
	"storage.database":                                   "elsewhere",
	"namespace.name":                                     "other-name",
	"tables.NAME.schema":                                 `"CREATE TABLE rows (a STRING, b DOUBLE) USING DELTA"`,
	"tables.NAME.columns":                                "{ a: string, b: double }",
	"tables.NAME.partitionBy":                            "[a]",
	"tables.NAME.optimize.zorderBy":                      "[b]",
	"tables.NAME.vacuum.retain":                          "200h",
	"jobs.NAME.query":                                    `"SELECT a, b INTO rows FROM [in] WHERE b > 0; SELECT i.a, i.b INTO out FROM [in] i LEFT JOIN sites s ON i.a = s.a"`,
	"jobs.NAME.inputs.NAME.type":                         "", // the script says which it is
	"jobs.NAME.inputs.NAME.path":                         "other.csv",
	"jobs.NAME.inputs.NAME.table":                        "more",
	"jobs.NAME.functions.NAME.file":                      "other.js",
	"jobs.NAME.functions.NAME.inputs":                    "[bigint]",
	"jobs.NAME.outputStartMode":                          "LastOutputEventTime",
	"jobs.NAME.inputs.NAME.consumerGroup":                "readers",
	"jobs.NAME.inputs.NAME.serialization.fieldDelimiter": `";"`,
	"jobs.NAME.outputs.NAME.table":                       "more",
	"jobs.NAME.outputs.NAME.columns":                     `{ c: "b * 2" }`,
	"jobs.NAME.outputs.NAME.rename":                      "{ b: c }",
	"jobs.NAME.outputs.NAME.partitionKey":                "a",
	"capture.NAME.table":                                 "rows",
	"capture.NAME.columns":                               "{ At: EventEnqueuedUtcTime }",
	"monitor.actionGroups.NAME.receivers.webhook":        `"${env:SPATE_TEST_HOOK:-http://127.0.0.1:1/other}"`,
	"monitor.actionGroups.NAME.receivers.headers":        "{ X-Other: other }",
	"notify.NAME.actionGroups":                           "[others]",
	"tests.job":                                          "copy",
	"tests.input":                                        `{ in: [{ a: x, b: 1, c: 2.0, d: null, e: true, f: [1, { g: "3" }] }] }`,
	"tests.expect":                                       `{ rows: { rows: [{ a: x, b: "$any" }], match: subset, ordered: true, tolerance: 0.5 } }`,
	"tests.expectCount":                                  "{ rows: 3 }",
	"tests.expectMetrics":                                "{ LateInputEvents: 2 }",
}

// otherValue is a value of a key that is not its default; empty: there is none.
func otherValue(k config.Key) string {
	if v, ok := others[k.Path]; ok {
		return v
	}
	switch k.Form {
	case config.FormWord:
		for _, w := range k.Words {
			if w != k.Default {
				return w
			}
		}
		return ""
	case config.FormFlag:
		if len(k.Words) > 0 {
			return ""
		}
		return strconv.FormatBool(k.Default != "true")
	case config.FormInteger:
		if k.Low == k.High {
			return ""
		}
		return strconv.FormatInt(k.Low+2, 10)
	case config.FormDuration:
		if k.Low < int64(time.Minute) {
			return "2s"
		}
		return "3h"
	case config.FormSize:
		return "2MiB"
	case config.FormTime:
		return "2026-01-02T03:04:05Z"
	case config.FormPort:
		return "off"
	case config.FormSecret:
		return `"${env:SPATE_TEST_SECRET:-other}"`
	case config.FormList:
		if len(k.Words) > 0 {
			return "[" + k.Words[0] + "]"
		}
		return "[other]"
	}
	return "other"
}

// onlyValue is the value of a key that has no other.
func onlyValue(k config.Key) string {
	switch {
	case k.Form == config.FormInteger:
		return strconv.FormatInt(k.Low, 10)
	case len(k.Words) > 0 && k.Form == config.FormFlag:
		return k.Words[0]
	}
	return strconv.Quote(k.Words[0])
}

// WithLater is a file that has a key of config.Later, and the line of the key.
func WithLater(path string) (text string, line int) {
	name := path[strings.LastIndexByte(path, '.')+1:]
	at := pathOf(config.Key{Path: path, Name: name})
	top, _, _ := strings.Cut(at, ".")
	text, line, _ = file(append(baseFor(top), setting{at, "{}"}), at)
	return text, line
}
