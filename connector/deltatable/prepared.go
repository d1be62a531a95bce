package deltatable

import (
	"encoding/json"

	"spate/lake/delta"
)

// PreparedFiles are the data files, by their paths below the table, of what a writer of this
// package has prepared. What other outputs prepare has none.
func PreparedFiles(p []byte) []string {
	var x prepared
	if json.Unmarshal(p, &x) != nil { // of an output of another kind
		return nil
	}
	var out []string
	for _, a := range x.Adds {
		if a != nil {
			out = append(out, delta.FilePath(a.Path))
		}
	}
	return out
}
