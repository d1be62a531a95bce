package reference

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"spate/column"
)

// patternFunctions read texts that have a grammar of their own. The patterns of
// the cases are those that Go's syntax shares with ECMAScript's.
var patternFunctions = map[string]function{
	"REGEXMATCH": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		s, err := textArg("REGEXMATCH", a, 0)
		if err != nil {
			return null, err
		}
		p, err := textArg("REGEXMATCH", a, 1)
		if err != nil {
			return null, err
		}
		re, err := regexp.Compile("(?i)" + p)
		if err != nil {
			return column.IntOf(0), nil
		}
		at := re.FindStringIndex(s)
		if at == nil {
			return column.IntOf(0), nil
		}
		return column.IntOf(int64(len(unitsOf(s[:at[0]]))) + 1), nil
	}},
	"JSON_PARSE": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		if a[0].Kind != column.Text || !utf8.ValidString(a[0].Text()) {
			return null, nil
		}
		d := json.NewDecoder(strings.NewReader(a[0].Text()))
		d.UseNumber()
		v, ok := jsonValue(d)
		if _, err := d.Token(); !ok || !errors.Is(err, io.EOF) || v.Kind != column.Record {
			return null, nil
		}
		return v, nil
	}},
}

// jsonValue reads one value.
func jsonValue(d *json.Decoder) (column.Value, bool) {
	t, err := d.Token()
	if err != nil {
		return null, false
	}
	switch t := t.(type) {
	case nil:
		return null, true
	case bool:
		return column.BoolOf(t), true
	case string:
		return column.TextOf(t), true
	case json.Number:
		if !bytes.ContainsAny([]byte(t), ".eE") {
			n, err := strconv.ParseInt(string(t), 10, 64)
			return column.IntOf(n), err == nil
		}
		f, err := t.Float64()
		return column.FloatOf(f), err == nil
	case json.Delim:
		if t == '[' {
			return jsonArray(d)
		}
		return jsonRecord(d)
	}
	return null, false
}

func jsonArray(d *json.Decoder) (column.Value, bool) {
	list := []column.Value{}
	for d.More() {
		v, ok := jsonValue(d)
		if !ok {
			return null, false
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return column.ArrayOf(list), err == nil
}

func jsonRecord(d *json.Decoder) (column.Value, bool) {
	r := &column.RecordValue{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return null, false
		}
		v, ok := jsonValue(d)
		if !ok {
			return null, false
		}
		text, _ := name.(string)
		r.Names, r.Values = append(r.Names, text), append(r.Values, v)
	}
	_, err := d.Token()
	return column.RecordOf(r), err == nil
}
