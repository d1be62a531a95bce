package config

import (
	"regexp"
	"slices"
	"strings"
)

var reference = regexp.MustCompile(`\$?\$\{([a-z]+):([^}]*)\}|\$\$\{`)

// resolve replaces ${env:NAME}, ${env:NAME:-default} and ${file:PATH} in s; $${ is a
// literal ${. Values that come from references are secrets: prints show ***.
func (o *object) resolve(e *entry, s string) (string, bool) {
	if !strings.Contains(s, "${") {
		return s, true
	}
	good := true
	out := reference.ReplaceAllStringFunc(s, func(m string) string {
		if strings.HasPrefix(m, "$$") {
			return m[1:]
		}
		kind, rest, _ := strings.Cut(m[2:len(m)-1], ":")
		var value string
		switch kind {
		case "env":
			name, def, hasDefault := strings.Cut(rest, ":-")
			v, ok := o.r.env(name)
			if !ok && !hasDefault && o.r.lax {
				good = false
				return m
			}
			if !ok && !hasDefault {
				o.fail(e, "E302", "set "+name+", or give a default: ${env:"+name+":-value}", "the variable %s is not set", name)
				good = false
				return m
			}
			if value = v; !ok {
				value = def
			}
		case "file":
			data, err := o.r.readFile(rest)
			if err != nil {
				o.fail(e, "E303", "", "%v", err)
				good = false
				return m
			}
			value = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
		case "keyvault":
			_, variable, ok := strings.Cut(rest, "|env:")
			v, set := "", false
			if ok {
				v, set = o.r.env(variable)
			}
			if !set {
				o.fail(e, "E304", "give a local source: ${keyvault:NAME|env:VARIABLE}", "key vaults are read on export only")
				good = false
				return m
			}
			value = v
		default:
			o.fail(e, "E302", "references are ${env:NAME} and ${file:PATH}", "%s is not a reference", m)
			good = false
			return m
		}
		if value != "" {
			o.r.secrets = append(o.r.secrets, value)
		}
		return value
	})
	return out, good
}

// secret reads a value that must be a reference.
func (o *object) secret(key string) string {
	e := o.take(key)
	if e == nil {
		return ""
	}
	return o.secretOf(e)
}

func (o *object) secretOf(e *entry) string {
	s, _, ok := scalar(e.value)
	if !ok {
		o.fail(e, "E104", "", "want text, got %s", kindOf(e.value))
		return ""
	}
	if !reference.MatchString(s) && s != "SAS_KEY_VALUE" {
		o.fail(e, "S601", "keep it out of the file: ${env:NAME} or ${file:PATH}", "a secret is written out")
		return ""
	}
	out, ok := o.resolve(e, s)
	if !ok {
		return ""
	}
	return out
}

var literalSecret = regexp.MustCompile(`(?i)(sharedaccesskey=[^;\s"'$]+|[?&]sig=[^&\s"'$]+|accountkey=[^;\s"'$]+|(?:password|pwd)\s*=\s*[^;\s"'$]+|-----begin [a-z ]*private key-----)`)

// scanSecrets reports literal secrets anywhere in the file.
func (r *reader) scanSecrets() {
	for i, line := range strings.Split(r.src, "\n") {
		code, _, _ := strings.Cut(line, " #")
		m := literalSecret.FindStringIndex(code)
		if m == nil || strings.Contains(code, "SharedAccessKey=SAS_KEY_VALUE") {
			continue
		}
		if slices.ContainsFunc(r.problems, func(p Problem) bool { return p.Code == "S601" && p.Line == i+1 }) {
			continue
		}
		col := len([]rune(code[:m[0]])) + 1
		r.problems = append(r.problems, Problem{File: r.file, Line: i + 1, Column: col, Code: "S601", Severity: "error",
			Message: "a secret is written out", Hint: "keep it out of the file: ${env:NAME} or ${file:PATH}"})
	}
}
