package eval

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
)

func TestFieldsAreTakenOut(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"x":1,"a":2}`, `{"a":2}`},
		{`{"a":2,"X":1}`, `{"a":2}`},
		{`{"a":2, "x":{"b":[1]} ,"c":3}`, `{"a":2 ,"c":3}`},
		{`{"x":1}`, `{}`},
		{`{"x":1,"x":2, "b":12345678901234567890}`, `{ "b":12345678901234567890}`},
		{`[{"x":1,"a":{"x":2}},{"x":3}]`, `[{"a":{"x":2}},{}]`},
		{`{"x":1}{"a":1}`, `{}{"a":1}`},
		{`{"x":1,`, `{"x":1,`},
		{`7`, `7`},
	} {
		if got := string(appendWithoutField(nil, []byte(c.in), "x")); got != c.want {
			t.Errorf("%s: %s, want %s", c.in, got, c.want)
		}
	}
}

// What the quick way does is what the other does; what is no JSON stays so.
func TestPlainFieldsAreTakenOutAlike(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	parts := []string{`{`, `}`, `[`, `]`, `,`, `,`, `:`, ` `, "\n", `"x":1`, `"X":"t"`, `"x":"\u0041"`, `"\u0078":2`, `"x":[1]`, `"x":-`, `"a":1.5`, `"a":{"x":"}"}`, `"b":"q\"x"`, `7`, `"x"`}
	plain := 0
	for range 300_000 {
		text := "{"
		for n := rnd.IntN(6); n > 0; n-- {
			if text += parts[rnd.IntN(len(parts))]; rnd.IntN(3) > 0 && n > 1 {
				text += ","
			}
		}
		if rnd.IntN(8) > 0 {
			text += "}"
		}
		want := string(dropTokens([]byte("-"), []byte(text), "x"))
		got := string(appendWithoutField([]byte("-"), []byte(text), "x"))
		if json.Valid([]byte(text)) {
			if got != want {
				t.Fatalf("%q: %q, want %q", text, got, want)
			}
		} else if json.Valid([]byte(got[1:])) && !json.Valid([]byte(want[1:])) {
			t.Fatalf("%q became %q", text, got)
		}
		if _, ok := dropPlain(nil, []byte(text), "x"); ok {
			plain++
		}
	}
	if plain < 10_000 {
		t.Errorf("%d texts went the quick way", plain)
	}
}

func TestColumnsAreTakenOut(t *testing.T) {
	d := columnDropper{name: "x", comma: ','}
	for _, c := range []struct{ in, want string }{
		{"a,x\n1,2\n", "a\n1\n"},
		{"a,x\n1,2\r\n\n3,4", "a\n1\n3\n"},
		{"a,x\n1", "a\n1\n"},
		{"a,x\n,2\n", "a\n\"\"\n"},
		{"a,x\n\"\",2\n", "a\n\"\"\n"},
		{"a,x\n\"q,\"\"r\",2\n", "a\n\"q,\"\"r\"\n"},
		{"X,a,b\n1,,3\n4,5,6,7", "a,b\n,3\n5,6,7\n"},
		{"X,a,b\n1,2,3", "a,b\n2,3\n"},
		{"\"x\",\"a b\"\n1,2", "a b\n2\n"},
		{"\"x\",\"a b\"\n1,2", "a b\n2\n"},
		{"a,b\n1,\"2\"", "a,b\n1,\"2\""},
		{"a,b\n1,2", "a,b\n1,2"},
		{"x\n1", "\n\n"},
	} {
		if got := string(d.append([]byte("-"), []byte(c.in))); got != "-"+c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}
