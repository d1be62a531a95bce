package near

import "testing"

func TestWord(t *testing.T) {
	words := []string{"partitionCount", "messageRetention", "status", "IncomingMessages", "tls"}
	for word, want := range map[string]string{
		"partitionCont":   "partitionCount",
		"partitoinCount":  "partitionCount", // neighbours swapped
		"PARTITIONCOUNT":  "partitionCount",
		"IncomingMesages": "IncomingMessages",
		"tsl":             "tls",
		"abc":             "",
		"capture":         "",
		"":                "",
	} {
		if got := Word(word, words); got != want {
			t.Errorf("Word(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestDistanceCountsSingleChanges(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "ab", 1}, {"abc", "acb", 1}, {"kitten", "sitting", 3}} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
