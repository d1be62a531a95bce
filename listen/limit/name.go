package limit

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is how many bytes of a name that a peer chose are shown.
const maxName = 100

// Name is a name that a peer chose, as it may stand in a log or an error: at most 100
// bytes and the mark of a cut, valid UTF-8, and what cannot be printed as Go writes it.
func Name(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		part := s[i : i+n]
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			quoted := strconv.QuoteToASCII(part)
			part = quoted[1 : len(quoted)-1]
		}
		if b.Len()+len(part) > maxName {
			b.WriteString("...")
			break
		}
		b.WriteString(part)
		i += n
	}
	return b.String()
}
