package bind

import (
	"fmt"
	"strings"

	"spate/internal/near"
)

// nearest proposes the name of names that is most like name; empty if none is.
func nearest(name string, names []string) string {
	best, dist := "", len(name)/2+1
	for _, n := range names {
		if d := near.Distance(strings.ToLower(name), strings.ToLower(n)); d < dist {
			best, dist = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %s?", best)
}
