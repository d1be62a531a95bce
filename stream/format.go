package stream

import "fmt"

// ParseFormat is the format of an input's messages: name is json, jsonl or csv, json by
// default; delimiter is that of CSV.
func ParseFormat(name, delimiter string) (Format, error) {
	switch name {
	case "", "json", "jsonl":
		return Format{}, nil
	case "csv":
	default:
		return Format{}, fmt.Errorf("format %s is not supported yet", name)
	}
	switch delimiter {
	case "":
		delimiter = ","
	case "tab", `\t`:
		delimiter = "\t"
	}
	if len(delimiter) != 1 {
		return Format{}, fmt.Errorf("%q is no delimiter: want a comma, semicolon, tab, space or vertical bar", delimiter)
	}
	return Format{CSV: true, Delimiter: delimiter[0]}, nil
}
