package limit

import (
	"strings"
	"testing"
)

func TestNameOfAPeer(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "",
		"link-1 of Zoë/日本":            "link-1 of Zoë/日本",
		"a\nb\x00\x1b[2J":             `a\nb\x00\x1b[2J`,
		"\xff\xfe":                    `\xff\xfe`,
		"\u202eevil\u2028\u00a0":      `\u202eevil\u2028\u00a0`,
		strings.Repeat("x", 100):      strings.Repeat("x", 100),
		strings.Repeat("x", 60_000):   strings.Repeat("x", 100) + "...",
		strings.Repeat("ë", 51):       strings.Repeat("ë", 50) + "...",
		"y" + strings.Repeat("ë", 50): "y" + strings.Repeat("ë", 49) + "...",
		strings.Repeat("\n", 51):      strings.Repeat(`\n`, 50) + "...",
	} {
		if got := Name(in); got != want {
			t.Errorf("Name(%.30q) = %q, want %q", in, got, want)
		}
	}
}
