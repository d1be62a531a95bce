// Package near finds the word that a person meant.
package near

import "strings"

// Word returns the one of words that was probably meant by word, or "".
func Word(word string, words []string) string {
	best, dist := "", 3
	if len(word) < 4 {
		dist = 2
	}
	for _, w := range words {
		if strings.EqualFold(w, word) {
			return w
		}
		if d := Distance(strings.ToLower(word), strings.ToLower(w)); d < dist {
			best, dist = w, d
		}
	}
	return best
}

// Distance counts insertions, deletions, replacements and swaps of neighbours.
func Distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur := make([]int, len(b)+1)
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(last[j]+1, cur[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, last = last, cur
	}
	return last[len(b)]
}
