package file

import (
	"bytes"
	"strings"
)

// sniffBytes is how much of a file is looked at.
const sniffBytes = 4 << 10

// magics are the first bytes of what is no text.
var magics = []struct{ bytes, what string }{
	{"\x1f\x8b", "gzip-compressed"}, {"\x28\xb5\x2f\xfd", "zstd-compressed"}, {"BZh", "bzip2-compressed"},
	{"\xfd7zXZ\x00", "xz-compressed"}, {"PK\x03\x04", "a zip archive"},
	{"PAR1", "Parquet"}, {"Obj\x01", "Avro"}, {"SQLite format 3", "an SQLite database"},
	{"\xff\xfe", "UTF-16 text"}, {"\xfe\xff", "UTF-16 text"},
}

// wrongFormat says what a file is, judged by its first bytes, if that is not what it
// is read as; empty if it may be.
func wrongFormat(head []byte, cut Cut) string {
	want := [...]string{"JSON lines", "JSON", "CSV"}[cut]
	for _, m := range magics {
		if !bytes.HasPrefix(head, []byte(m.bytes)) {
			continue
		}
		out := "is " + m.what + ", not " + want
		if strings.HasSuffix(m.what, "compressed") || strings.HasSuffix(m.what, "archive") {
			out += ": unpack it first"
		}
		return out
	}
	if bytes.IndexByte(head[:min(len(head), sniffBytes)], 0) >= 0 {
		return "is binary, not " + want
	}
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	text := bytes.TrimLeft(head, " \t\r\n")
	switch {
	case len(text) == 0:
	case cut == CSV && (text[0] == '{' || text[0] == '[' && bytes.HasPrefix(bytes.TrimLeft(text[1:], " \t\r\n"), []byte("{"))):
		return "is JSON, not CSV"
	case cut == Lines && text[0] == '[' && brokenArray(text):
		return "is a JSON array, not JSON lines: say format=json"
	case cut == Lines && looksCSV(text):
		return "is CSV, not JSON lines: say format=csv"
	}
	return ""
}

// brokenArray reports whether an array goes on behind the first line.
func brokenArray(text []byte) bool {
	line, _, more := bytes.Cut(text, []byte("\n"))
	line = bytes.TrimRight(line, " \t\r")
	return more && (len(line) == 1 || line[len(line)-1] == ',')
}

// looksCSV reports whether the first lines are rows: of as many fields, two at least,
// and not one begins as JSON does.
func looksCSV(text []byte) bool {
	lines := bytes.Split(text, []byte("\n"))
	if len(lines) < 3 {
		return false
	}
	lines = lines[:min(len(lines)-1, 5)] // the last may be cut
	for _, d := range []string{",", ";", "\t", "|"} {
		n := bytes.Count(lines[0], []byte(d))
		same := n > 0
		for _, l := range lines {
			same = same && bytes.Count(l, []byte(d)) == n && !bytes.ContainsAny(l, "{}")
		}
		if same {
			return true
		}
	}
	return false
}
