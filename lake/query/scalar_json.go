package query

import (
	"encoding/json"
	"strconv"
	"strings"
)

// step is one step of a JSON path: a member, or an element.
type step struct {
	name    string
	index   int
	element bool
}

// jsonPath reads [lax|strict] $.a."b c"[0].
func jsonPath(p string) (steps []step, strict bool, err error) {
	bad := func() ([]step, bool, error) {
		return nil, false, raise(13607, "JSON path is not properly formatted: '%s'.", p)
	}
	s := strings.TrimSpace(p)
	if rest, ok := strings.CutPrefix(s, "strict "); ok {
		strict, s = true, strings.TrimSpace(rest)
	} else if rest, ok := strings.CutPrefix(s, "lax "); ok {
		s = strings.TrimSpace(rest)
	}
	if !strings.HasPrefix(s, "$") {
		return bad()
	}
	s = s[1:]
	for s != "" {
		switch s[0] {
		case '.':
			s = s[1:]
			if strings.HasPrefix(s, `"`) {
				end := strings.IndexByte(s[1:], '"')
				if end < 0 {
					return bad()
				}
				steps = append(steps, step{name: s[1 : end+1]})
				s = s[end+2:]
				continue
			}
			n := indexAny(s, ".[")
			if n == 0 || strings.ContainsAny(s[:n], " \"]") {
				return bad()
			}
			steps = append(steps, step{name: s[:n]})
			s = s[n:]
		case '[':
			end := strings.IndexByte(s, ']')
			if end < 0 {
				return bad()
			}
			i, err := strconv.Atoi(s[1:end])
			if err != nil || i < 0 {
				return bad()
			}
			steps = append(steps, step{index: i, element: true})
			s = s[end+1:]
		default:
			return bad()
		}
	}
	return steps, strict, nil
}

// jsonFind returns the value at a path and whether there is one.
func jsonFind(text, path string) (json.RawMessage, bool, error) {
	steps, _, err := jsonPath(path)
	if err != nil {
		return nil, false, err
	}
	cur := json.RawMessage(strings.TrimSpace(text))
	if !json.Valid(cur) {
		return nil, false, raise(13609, "JSON text is not properly formatted.")
	}
	for _, s := range steps {
		if s.element {
			var list []json.RawMessage
			if json.Unmarshal(cur, &list) != nil || s.index >= len(list) {
				return nil, false, nil
			}
			cur = list[s.index]
			continue
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(cur, &members) != nil {
			return nil, false, nil
		}
		next, ok := members[s.name]
		if !ok {
			return nil, false, nil
		}
		cur = next
	}
	return cur, true, nil
}

// jsonValue is JSON_VALUE (scalar) and JSON_QUERY.
func jsonValue(text, path string, scalar bool) (any, error) {
	_, strict, err := jsonPath(path)
	if err != nil {
		return nil, err
	}
	v, ok, err := jsonFind(text, path)
	if err != nil {
		return nil, err
	}
	if !ok {
		if strict {
			return nil, raise(13608, "Property cannot be found on the specified JSON path.")
		}
		return nil, nil
	}
	container := len(v) > 0 && (v[0] == '{' || v[0] == '[')
	switch {
	case container == scalar && strict:
		return nil, raise(13623, "The value at the JSON path is not of the kind that the function gives.")
	case container == scalar:
		return nil, nil
	case !scalar:
		return string(v), nil
	case string(v) == "null":
		return nil, nil
	case v[0] == '"':
		var s string
		if err := json.Unmarshal(v, &s); err != nil {
			return nil, raise(13609, "JSON text is not properly formatted.")
		}
		return s, nil
	}
	return string(v), nil
}
