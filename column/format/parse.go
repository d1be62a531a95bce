package format

import "spate/column"

// ParseRecord reads a text that is one JSON object, by the rules that events are
// read by. It reports false for anything else.
func ParseRecord(text string) (column.Value, bool) {
	data := append([]byte(text), make([]byte, slack)...)
	p := parser{data: data, end: len(text)}
	p.space()
	if p.pos >= p.end || p.data[p.pos] != '{' {
		return column.Value{}, false
	}
	v, err := p.value(0)
	if err != nil {
		return column.Value{}, false
	}
	p.space()
	return v, p.pos == p.end
}
