package regex

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/dlclark/regexp2"
)

func find(t testing.TB, pattern, text string) int {
	t.Helper()
	p, err := Compile(pattern)
	if err != nil {
		t.Fatalf("%s: %v", pattern, err)
	}
	at, err := new(Machine).Find(p, text)
	if err != nil {
		t.Fatalf("%s in %.40q: %v", pattern, text, err)
	}
	return at
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          int
	}{
		{"", "", 0}, {"", "abc", 0}, {"b", "abc", 1}, {"B", "abc", 1}, {"é", "aÉ", 1}, {"x", "abc", -1},
		{"^b", "abc", -1}, {"^a", "abc", 0}, {"c$", "abc", 2}, {"b$", "b\n", -1}, {"^b", "a\nb", -1}, {"(?m)^b", "a\nb", 2}, {"(?m)a$", "a\nb", 0},
		{".", "\n\r\u2028x", 3}, {"(?s).", "\n", 0}, {"(?-i)B", "bB", 1}, {"(?-i:B)b", "bBB", 1},
		{"a|bc|", "xbc", 0}, {"(a|ab)(c|bcd)$", "abcd", 0}, {"(?:ab)+$", "xabab", 1}, {"a{2,3}$", "aaaa", 1}, {"a{2}", "aab", 0}, {"a{0}b", "ab", 1},
		{"a*?b", "aab", 0}, {"a{,2}", "xa{,2}", 1}, {"a{", "a{", 0}, {"x{1", "x{1", 0}, {"]}", "]}", 0},
		{"[a-c]x", "bx", 0}, {"[^a-c]", "abcd", 3}, {"[]", "a", -1}, {"[^]", "\n", 0}, {"[a-]", "-", 0}, {"[-a]", "-", 0}, {"[\\d-x]", "-", 0}, {"[a-\\d]", "-", 0}, {"[\\]]", "]", 0}, {"[\\b]", "\b", 0},
		{"[K-M]", "\u212a", 0}, {"[^k]", "\u212a", -1}, {"[ß]", "SS", -1},
		{"\\d\\D\\w\\W\\s\\S", "1x_ \t.", 0}, {"\\d", "\u0663", -1}, {"\\w", "é", -1}, {"\\s", "\u00a0", 0}, {"\\bfoo\\b", "a foo.", 2}, {"\\Bo", "foo", 1},
		{"\\p{L}\\P{L}", "1é2", 1}, {"\\p{Greek}", "aα", 1},
		{"\\x41\\u0042\\103\\cJ\\t\\0", "ABC\n\t\x00", 0}, {"\\xg\\u12", "xgu12", 0}, {"\\.\\-\\/", "x.-/", 1},
		{"(a)\\1", "xaA", 1}, {"\\1(a)", "a", 0}, {"(a)|b\\1", "b", 0}, {"(?<x>b)\\k<x>", "abb", 1}, {"(a)(b)\\2\\1", "abba", 0}, {"(a)\\12", "a\n", 0}, {"\\8", "8", 0},
		{"(a*)*\\1b", "aaaab", 0}, {"(?:(a)|b)*\\1$", "abb", 1}, {"(a+)b\\1$", "aabaa", 0}, {"^(a+)b\\1$", "aaba", -1}, {"(..)\\1", "😀b😀b", 0},
		{"(?=1)\\d", "price 12", 6}, {"a(?!b)", "abac", 2}, {"(?<=\\$)\\d", "1$2", 2}, {"(?<!\\$)\\d", "$12", 2}, {"(?<=a(b|c)+)d", "abcbd", 4}, {"(?<=(b)\\1)c", "bbc", 2},
		{"(?=(a+))\\1b", "aab", 0}, {"(?!(a))\\1c", "ac", 1}, {"(?>a*)a", "aaa", -1}, {"(?>a|ab)c", "abc", -1}, {"(?=a*b)(?=.*c)", "aabc", 0}, {"(?#note)a", "a", 0},
		{"b", "😀b", 2}, {"\\Ab", "ab", -1}, {"b\\z", "b\n", -1}, {"b\\Z", "b\n", -1}, {"b\\Z", "ab", 1}, {"(a+)+$", strings.Repeat("a", 47) + "!", -1}, {"(a|aa)+$", strings.Repeat("a", 200) + "!", -1}, {"(?=(?:a+)+$)a", strings.Repeat("a", 60) + "!", -1},
		{"(?:a*)*b", strings.Repeat("a", 100), -1}, {"(?:(?:a|b)*c?)*d", strings.Repeat("ab", 50), -1}, {"(?:(?:)*)*x", "x", 0},
	} {
		if got := find(t, c.pattern, c.text); got != c.want {
			t.Errorf("%s in %.40q: %d, want %d", c.pattern, c.text, got, c.want)
		}
	}
}

func TestTextsThatAreNoPatterns(t *testing.T) {
	for _, pattern := range []string{"(", ")", "a)", "(?", "(?x)a", "(?<a", "(?<1>a)", "(?P<a>b)", "[", "[a", "[\\", "\\", "*", "a**", "a+*", "a{1}{2}", "{1}", "+a", "a|*",
		"[b-a]", "a{2,1}", "\\p{Nothing}", "\\p", "\\p{L", "(?<a>b)\\k<c>", "(?(1)a|b)", "(?#"} {
		if _, err := Compile(pattern); err == nil || errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v, want that it is none", pattern, err)
		}
	}
}

func TestBounds(t *testing.T) {
	for _, pattern := range []string{"(a{1000}){1000}", "a{99999999999999999999}", "(?:(?:(?:){60000}){60000}){60000}", strings.Repeat("(", 1000) + strings.Repeat(")", 1000)} {
		if _, err := Compile(pattern); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%.40s: %v, want ErrTooLarge", pattern, err)
		}
	}
	m := new(Machine)
	hard, err := Compile(`^((a+)+)\1$`)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // as often as it is tried
		if _, err := m.Find(hard, strings.Repeat("a", 47)+"!"); !errors.Is(err, ErrTooHard) {
			t.Errorf("exponential: %v, want ErrTooHard", err)
		}
	}
	wide, err := Compile("(?:" + strings.Repeat("a?", 5000) + ")*b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Find(wide, strings.Repeat("a", 1<<20)); !errors.Is(err, ErrTooHard) {
		t.Errorf("too much to remember: %v, want ErrTooHard", err)
	}
	if at := find(t, "(?:x+x+)+y", strings.Repeat("x", 1<<18)); at != -1 {
		t.Errorf("a long text: %d", at)
	}
}

// Another engine of the same syntax finds the same, where it does and in time.
func FuzzPatternsMatchLikeAnotherEngine(f *testing.F) {
	for _, s := range []string{"a|b*?c", "^(?:x|[^y-z])+$", "(a)(?=b)\\1", "(?<!a)\\b\\w{2,3}", "[\\d.-]+@", "(?i)A(?-i)b", "(?>a+)b", "x{2,}|(y)", "(a|b)*\\1c", ".\\x41\\u0061"} {
		f.Add(s, "aAbBxyzb.c")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 30 || len(text) > 30 || strings.ContainsAny(pattern, "#<'[\x00") && strings.Contains(pattern, "(?") {
			t.Skip("kinds of groups that only .NET has")
		}
		p, err := Compile(pattern)
		if err != nil {
			return
		}
		re, err := regexp2.Compile(pattern, regexp2.ECMAScript|regexp2.IgnoreCase)
		if err != nil {
			return
		}
		for _, r := range pattern + text {
			if r > 0x7f || r == '\r' {
				t.Skip("what a line and a letter are differs")
			}
		}
		re.MatchTimeout = time.Second
		got, err := new(Machine).Find(p, text)
		if err != nil {
			t.Fatal(err)
		}
		want := -1
		match, err := re.FindStringMatch(text)
		if err != nil {
			t.Skip(err)
		}
		if match != nil {
			want = len(utf16.Encode([]rune(text)[:match.Index]))
		}
		if got != want {
			t.Errorf("%q in %q: %d, the other engine has %d", pattern, text, got, want)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	p, err := Compile(`^dev-[a-z]+-\d{2,4}$`)
	if err != nil {
		b.Fatal(err)
	}
	m := new(Machine)
	for b.Loop() {
		if at, err := m.Find(p, "dev-thermostat-1234"); at != 0 || err != nil {
			b.Fatal(at, err)
		}
	}
}

func BenchmarkFindOther(b *testing.B) {
	re := regexp2.MustCompile(`^dev-[a-z]+-\d{2,4}$`, regexp2.ECMAScript|regexp2.IgnoreCase)
	for b.Loop() {
		if m, err := re.FindStringMatch("dev-thermostat-1234"); m == nil || err != nil {
			b.Fatal(m, err)
		}
	}
}
