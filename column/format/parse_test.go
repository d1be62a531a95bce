package format

import (
	"testing"

	"spate/column"
)

func TestParseRecord(t *testing.T) {
	for text, want := range map[string]string{
		` {"a":"65191","p":{"q":[1,2.5]}} `: `{"a":"65191","p":{"q":[1,2.5]}}`, `{}`: `{}`,
		`[1]`: "", `1`: "", `"x"`: "", ``: "", `{"a":1`: "", `{"a":1} x`: "", `{"a":99999999999999999999}`: "", "{\"a\":\"\xff\"}": "",
	} {
		v, ok := ParseRecord(text)
		if ok != (want != "") || ok && string(column.AppendJSON(nil, v)) != want {
			t.Errorf("%s: %s, %v, want %q", text, column.AppendJSON(nil, v), ok, want)
		}
	}
}
