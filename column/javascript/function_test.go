package javascript

import (
	"fmt"
	"strings"
	"testing"

	"spate/column"
)

func scalar(t *testing.T, text string) *Program {
	t.Helper()
	p, err := Compile(Function{Name: "f", File: "f.js", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// call calls a scalar once.
func call(t *testing.T, text string, args ...column.Value) (column.Value, error) {
	t.Helper()
	return scalar(t, text).call(args...)
}

func (p *Program) call(args ...column.Value) (v column.Value, err error) {
	var fs []func(int) column.Value
	for _, a := range args {
		fs = append(fs, func(int) column.Value { return a })
	}
	if failed := p.Scalar(1, fs, func(_ int, x column.Value) { v = x }); failed != nil {
		return v, failed.Err
	}
	return v, nil
}

func show(v column.Value) string {
	switch v.Kind {
	case column.Text:
		return fmt.Sprintf("%q", v.Text())
	case column.Record:
		var parts []string
		for i, n := range v.Record().Names {
			parts = append(parts, n+":"+show(v.Record().Values[i]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case column.Array:
		var parts []string
		for _, x := range v.Array() {
			parts = append(parts, show(x))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case column.Int64:
		return fmt.Sprint(v.Int())
	case column.Float64:
		return fmt.Sprintf("float %v", v.Float())
	case column.Bool:
		return fmt.Sprint(v.Bool())
	case column.Time:
		return "datetime " + v.Ticks().String()
	}
	return "NULL"
}

func TestValuesComeBackAsTheyShould(t *testing.T) {
	for text, want := range map[string]string{
		`return 3`:                                            `3`,
		`return 3.0`:                                          `3`,
		`return -0`:                                           `0`,
		`return 2.5`:                                          `float 2.5`,
		`return 9007199254740993`:                             `9007199254740992`,
		`return 9223372036854775807`:                          `float 9.223372036854776e+18`,
		`return -9223372036854775808`:                         `-9223372036854775808`,
		`return 1e300`:                                        `float 1e+300`,
		`return "a\u00e9\u{1F600}"`:                           "\"a\u00e9\U0001F600\"",
		`return true`:                                         `true`,
		`return null`:                                         `NULL`,
		`return undefined`:                                    `NULL`,
		``:                                                    `NULL`,
		`return [1, "a", null, [true]]`:                       `[1,"a",NULL,[true]]`,
		`return {b: 1, a: undefined}`:                         `{b:1,a:NULL}`,
		`return {__proto__x: 1, "": 2}`:                       `{__proto__x:1,:2}`,
		`return new Number(3)`:                                `3`,
		`return new String("x")`:                              `"x"`,
		`return new Boolean(false)`:                           `false`,
		`return new Date(0)`:                                  `datetime 1970-01-01T00:00:00.0000000Z`,
		`return new Date(2020, 1, 29)`:                        `datetime 2020-02-29T00:00:00.0000000Z`,
		`return new Date("2020-02-29")`:                       `datetime 2020-02-29T00:00:00.0000000Z`,
		`return new Date("2020-02-29T01:02:03")`:              `datetime 2020-02-29T01:02:03.0000000Z`,
		`return new Date("2020-02-29T01:02:03+02:00")`:        `datetime 2020-02-28T23:02:03.0000000Z`,
		`return new Date("February 29, 2020 01:02:03")`:       `datetime 2020-02-29T01:02:03.0000000Z`,
		`return new Date(86400000).toString()`:                `"Fri Jan 02 1970 00:00:00 GMT+0000 (UTC)"`,
		`return new Date(0).getHours()`:                       `0`,
		`var d = new Date(0); d.setHours(5); return d`:        `datetime 1970-01-01T05:00:00.0000000Z`,
		`return new Date(0).getTimezoneOffset()`:              `0`,
		`return Object.prototype.toString.call(new Date(0))`:  `"[object Date]"`,
		`return new Date(0) instanceof Date`:                  `true`,
		`return (function(){ return arguments.length })(1,2)`: `2`,
		`return [3,1,2].sort().join("-")`:                     `"1-2-3"`,
		`return "a,b".split(",").map(x => x.toUpperCase())`:   `["A","B"]`,
		`return "aXbX".replace(/X/g, "-")`:                    `"a-b-"`,
		`return JSON.parse('{"a":[1,2]}').a[1]`:               `2`,
		`return JSON.stringify({a: [1]})`:                     `"{\"a\":[1]}"`,
		`return [...new Set([1,1,2])]`:                        `[1,2]`,
		`return Array.from({length: 3}, (_, i) => i)`:         `[0,1,2]`,
		`class A { constructor(x) { this.x = x } } class B extends A { get y() { return this.x } } return new B(4).y`:                `4`,
		`function* g() { yield 1; yield 2 } return [...g()]`:                                                                         `[1,2]`,
		`var [a, ...r] = [1, 2, 3]; var {x, ...o} = {x: 1, y: 2}; return [r, o]`:                                                     `[[2,3],{y:2}]`,
		`for (i = 0; i < 3; i++) ; return i`:                                                                                         `3`,
		`var s = 0; for (var k in {a: 1, b: 2}) s += k; return s`:                                                                    `"0ab"`,
		`var n = 0; do n++; while (n < 3); l: for (;;) { for (;;) break l } while (n < 9) if (n++ > 6) continue; else n++; return n`: `9`,
		"return `${1}-${'a'}`":                                       `"1-a"`,
		`return new Uint8Array(3).length + new Array(2).length`:      `5`,
		`return [1,[2,[3]]].flat(Infinity).length`:                   `3`,
		`return typeof Math.max(1,2) + parseInt("12", 10)`:           `"number12"`,
		`return /(\d+)-(\d+)/.exec("a 12-34")[2]`:                    `"34"`,
		`return "abc".match("b").index`:                              `1`,
		`return Array.isArray([]) && [] instanceof Array`:            `true`,
		`try { null.x } catch (e) { return e instanceof TypeError }`: `true`,
	} {
		v, err := call(t, "function main() { "+text+" }")
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := show(v); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestArgumentsArriveAsTheyShould(t *testing.T) {
	record := column.RecordOf(&column.RecordValue{Names: []string{"b", "__proto__", "a"}, Values: []column.Value{column.IntOf(1), column.TextOf("p"), {}}})
	at, _ := column.ParseTicks("2020-02-29T01:02:03.4567891Z")
	for _, x := range []struct {
		of   column.Value
		expr string
		want string
	}{
		{column.IntOf(7), `typeof x + x`, `"number7"`},
		{column.IntOf(1<<53 + 1), `x === 9007199254740992`, `true`},
		{column.IntOf(-1 << 63), `x`, `-9223372036854775808`},
		{column.FloatOf(2), `Number.isInteger(x) + "" + x`, `"true2"`},
		{column.BoolOf(true), `x === true`, `true`},
		{column.TextOf("\u00e9\U0001F600"), `x.length`, `3`},
		{column.Value{}, `x === null`, `true`},
		{column.TimeOf(at), `x.toISOString()`, `"2020-02-29T01:02:03.456Z"`},
		{column.TimeOf(0), `x.getUTCFullYear()`, `1`},
		{column.TimeOf(0), `x`, `datetime 0001-01-01T00:00:00.0000000Z`},
		{record, `Object.keys(x).join() + x.b + Object.getPrototypeOf(x).hasOwnProperty.call(x, "__proto__")`, `"b,__proto__,a1true"`},
		{record, `x`, `{b:1,__proto__:"p",a:NULL}`},
		{column.ArrayOf([]column.Value{column.IntOf(1), {}}), `x.length + ":" + x`, `"2:1,"`},
	} {
		v, err := call(t, "function main(x) { return "+x.expr+" }", x.of)
		if err != nil {
			t.Errorf("%s: %v", x.expr, err)
		} else if got := show(v); got != x.want {
			t.Errorf("%s of %s: got %s, want %s", x.expr, show(x.of), got, x.want)
		}
	}
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	for _, x := range []struct{ text, want string }{
		{"function main(x) {\n  return x.length\n}", `Function 'f' resulted in an error: 'TypeError: Cannot read property 'length' of undefined' Stack: 'at main (f.js:2:12)'`},
		{"function g(x) { throw new Error('no ' + x) }\nfunction main(x) { return g(x) }", `Function 'f' resulted in an error: 'Error: no null' Stack: 'at g (f.js:1:23) at main (f.js:2:28)'`},
		{"function main() { throw 'a text' }", `resulted in an error: 'a text'`},
		{"function main() { throw {toString() { throw 1 }} }", `an object that is no Error was thrown`},
		{"function main() { return NaN }", `it returned NaN`},
		{"function main() { return 1/0 }", `it returned Infinity`},
		{"function main() { return main }", `it returned a value of type Function`},
		{"function main() { return Symbol('x') }", `it returned a value of type Symbol`},
		{"function main() { return new Map() }", `it returned a value of type Map`},
		{"function main() { return new Date(NaN) }", `it returned an invalid Date`},
		{"function main() { return new Date(8.64e15) }", `years 1 to 9999`},
		{"function main() { var o = {}; o.o = o; return o }", `holds itself`},
		{"function main() { return { get x() { throw new RangeError('trap') } } }", `'RangeError: trap'`},
		{"function main() { return missing }", `ReferenceError: missing is not defined`},
		{"function main() { return Math.random() }", `TypeError: Math.random() is not available`},
		{"function main() { return Date.now() }", `TypeError: Date.now() is not available`},
		{"function main() { return new Date() }", `TypeError: new Date() is not available`},
		{"function main() { return Date() }", `TypeError: Date() is not available`},
		{"function main() { return eval('1') }", `making code of text is not available`},
		{"function main() { return new Function('return 1')() }", `making code of text is not available`},
		{"function main() { return (function(){}).constructor('return 1')() }", `making code of text is not available`},
		{"function main() { return (function*(){}).constructor('yield 1')() }", `making code of text is not available`},
		{"function main() { return new RegExp('(a)\\\\1') }", `holds a look-around or a back-reference`},
		{"function main() { return 'aa'.match('(?=a)') }", `holds a look-around or a back-reference`},
	} {
		_, err := call(t, x.text, column.Value{})
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s:\n got %v\nwant %s", x.text, err, x.want)
		}
	}
}

func TestTextsAreRefused(t *testing.T) {
	for _, x := range []struct{ text, want string }{
		{"function main( { }", "f.js:1:"},
		{"function main() {\n  return 1 +\n}", "f.js:3:"},
		{"return 1", "f.js:1:"},
		{"}); (function() {", "f.js:1:"},
		{"function other() {}", "there is no function main"},
		{"function main(x) { with (x) { return y } }", "f.js:1:20: with is not available"},
		{"function main() { return 1n }", "f.js:1:26: bigint literals are not available"},
		{"function main(s) {\n return /(a)\\1/.test(s) }", "f.js:2:9: the pattern /(a)\\1/ holds a look-around"},
		{"async function main() {}", "async functions are not available"},
		{"function main() { __spate_n = 1e9 }", "names that begin so belong to Spate"},
		{"function main([a, ...b]) {}", "take the value apart in a statement of its own"},
		{"import x from 'x'; function main() {}", "f.js:1:"},
		{"var main = 1", "main is no function"},
		{"throw new Error('at once'); function main() {}", "Error: at once"},
		{"while (true); function main() {}", "too many steps"},
	} {
		_, err := Compile(Function{Name: "f", File: "f.js", Text: x.text})
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s:\n got %v\nwant %s", x.text, err, x.want)
		}
	}
}

// TestNothingIsKeptBetweenCalls calls each function twice: both calls give the same.
func TestNothingIsKeptBetweenCalls(t *testing.T) {
	for _, text := range []string{
		"var n = 0; function main() { return ++n }",
		"let o = {n: 0}; function main() { return ++o.n }",
		"function main() { n = (typeof n === 'undefined' ? 0 : n) + 1; return n }",
		"function main() { main.n = (main.n || 0) + 1; return main.n }",
		"function g() {} function main() { g.prototype.n = (g.prototype.n || 0) + 1; return new g().n }",
		"function g() {} function main() { var c = (new g())['constr' + 'uctor']; c.n = (c.n || 0) + 1; return c.n || 1 }",
		"function main() { globalThis.n = (globalThis.n || 0) + 1; return globalThis.n || 1 }",
		"function main() { String.prototype.n = ('a'.n || 0) + 1; return 'a'.n || 1 }",
		"function main() { Math.n = (Math.n || 0) + 1; return Math.n || 1 }",
		"function main() { Array.prototype.push = function () { return 9 }; return [].push(1) }",
		"function main() { [][Symbol.iterator]().__proto__.n = 1; return 1 }",
		"function main() { var p = [].keys().__proto__; p.n = (p.n || 0) + 1; return p.n || 1 }",
		"function main() { var p = (function*(){})().__proto__.__proto__.__proto__; p.n = (p.n || 0) + 1; return p.n || 1 }",
		"var f = (function () { var n = {c: 0}; return function () { return ++n.c } })(); function main() { return f() }",
		"var m = new Map(); function main() { m.set('n', (m.get('n') || 0) + 1); return m.get('n') }",
		"var r = /a/g; function main() { r.test('aa'); return r.lastIndex }",
		"class main { constructor() { } } main.n = 0; var f = function () { return ++main.n }; function F() { return 1 }",
		"function main(x) { main = function () { return 2 }; return 1 }",
		"function main() { undefined = 1; return undefined === 1 ? 2 : 1 }",
		"function main() { var p = Object.getPrototypeOf(new Date(0)); p.getTime = function () { return 5 }; return new Date(1).getTime() }",
	} {
		if strings.HasPrefix(text, "class main") {
			continue // a class is no scalar
		}
		m := scalar(t, text)
		var got [3]string
		for i := range got {
			v, err := m.call(column.Value{})
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			got[i] = show(v)
		}
		if got[0] != got[1] || got[1] != got[2] || got[0] != "1" {
			t.Errorf("%s: the calls gave %v, want 1 each time", text, got)
		}
	}
}

// TestHostileFunctionsEnd: each ends with an error, and the next call is as any.
func TestHostileFunctionsEnd(t *testing.T) {
	const steps, work, deep = "too many steps", "too large", "too deep"
	for _, x := range []struct{ text, want string }{
		{"for (;;);", steps},
		{"while (true) { try { for (;;); } catch (e) { } finally { } }", steps},
		{"do { } while (1)", steps},
		{"function f() { return f() } return f()", deep},
		{"var f = () => f(); return f()", deep},
		{"function f() { try { return f() } catch (e) { return f() } } return f()", deep},
		{"class A { x = new A() } return new A()", deep},
		{"var o = { get x() { return this.x } }; return o.x", deep},
		{"var o = { toString() { return '' + this } }; return '' + o", deep},
		{"var s = 'x'; for (;;) s += s", work},
		{"var s = 'x'; for (;;) s = `${s}${s}`", work},
		{"var s = 'x'; for (;;) s = s.concat(s)", work},
		{"return 'x'.repeat(1e9).length", work},
		{"return 'x'.padStart(1e9).length", work},
		{"return new Array(1e9).fill(0).length", work},
		{"return Array(4e9).join('x').length", work},
		{"var a = []; a.length = 4e9; return a.join('x').length", work},
		{"return Array.from({length: 1e9}).length", work},
		{"return new Uint8Array(1e10).length", work},
		{"return new ArrayBuffer(1e12).byteLength", work},
		{"var a = [1]; for (;;) a = [...a, ...a]", work},
		{"var a = [1]; for (;;) a = a.concat(a)", work},
		{"var a = [1]; for (;;) a.push(...a)", work},
		{"var a = [1]; for (;;) [].push.apply(a, a)", work},
		{"var a = []; for (;;) a.push({})", work},
		{"var a = []; for (;;) a.push([1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0])", steps},
		{"var s = 'x'.repeat(5000); for (;;) s.replace(/x/g, s)", work},
		{"return 'x'.repeat(5000).replace(/x/g, '$`$`').length", work},
		{"var m = new Map(); for (var i = 0; ; i++) m.set(i, i)", steps},
		{"var a = []; for (var i = 0; i < 100000; i++) a = [a]; return '' + a", "nested"},
		{"var a = []; for (var i = 0; i < 100000; i++) a = [a]; return JSON.stringify(a)", "nested"},
		{"var a = []; for (var i = 0; i < 100000; i++) a = [a]; return a", "nested"},
		{"return JSON.parse('['.repeat(100000))", "nested"},
		{"var a = [1]; for (var i = 0; i < 60; i++) a = [a, a]; return JSON.stringify(a)", work},
		{"var a = [1]; for (var i = 0; i < 60; i++) a = [a, a]; return '' + a", work},
		{"var a = [1]; for (var i = 0; i < 60; i++) a = [a, a]; return a", work},
		{"var a = [1]; for (var i = 0; i < 60; i++) a = [a, a]; return a.flat(Infinity).length", work},
		{"var f = () => 1; for (;;) f = f.bind(null)", work},
		{"var o = {}; for (;;) o = Object.create(o)", work},
		{"function* g() { for (;;) yield 1 } return [...g()]", steps},
		{"return JSON.stringify({ toJSON() { return { a: this } } })", "nested"},
		{"var o = {}; Object.defineProperty(o, 'a', { enumerable: true, get() { return { b: o } } }); return JSON.stringify(o)", "nested"},
		{"return [3, 2, 1].sort(() => { for (;;); })", steps},
		{"'x'.replace(/x/, () => { for (;;); })", steps},
		{"return { get a() { for (;;); } }", steps},
		{"Object.prototype.toString.call = 1; for (;;);", steps},
	} {
		m := scalar(t, "function main(go) { if (!go) return 1; "+x.text+" }")
		_, err := m.call(column.BoolOf(true))
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: got %v, want %q", x.text, err, x.want)
		}
		if v, err := m.call(column.BoolOf(false)); err != nil || show(v) != "1" {
			t.Errorf("%s: behind the error a call gives %s, %v", x.text, show(v), err)
		}
	}
}

func TestAggregates(t *testing.T) {
	p, err := Compile(Function{Name: "twa", Aggregate: true, File: "twa.js", Text: `
function main() {
	this.init = function () { this.sum = 0; this.last = null; };
	this.accumulate = function (value, timestamp) { this.sum += value; this.last = timestamp; };
	this.deaccumulate = function (value) { this.sum -= value; };
	this.deaccumulateState = function (other) { this.sum -= other.sum; };
	this.computeResult = function () { return { sum: this.sum, last: this.last }; };
}`})
	if err != nil {
		t.Fatal(err)
	}
	m := p
	for range 2 {
		v, err := m.Fold(3, func(i int) (column.Value, column.Value) {
			return column.IntOf(int64(i + 1)), column.TimeOf(column.TicksOfMillis(int64(i)))
		})
		if err != nil || show(v) != "{sum:6,last:datetime 1970-01-01T00:00:00.0020000Z}" {
			t.Errorf("got %s, %v", show(v), err)
		}
	}
	for text, want := range map[string]string{
		"function main() { this.init = function () {}; this.accumulate = function () {} }":                             "without computeResult",
		"function main() { this.init = 1; this.accumulate = function () {}; this.computeResult = function () {} }":     "the member init of what main makes is no function",
		"function main() { this.init = this.accumulate = this.computeResult = function () {}; this.deaccumulate = 1 }": "the member deaccumulate of what main makes is no function",
		"function main() { throw new Error('not today') }":                                                             "Error: not today",
	} {
		if _, err := Compile(Function{Name: "a", Aggregate: true, File: "a.js", Text: text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]bool{
		"function main() { this.accumulate = function () {}; this.computeResult = function () {} }": true,
		"class main { accumulate() {} computeResult() {} }":                                         true,
		"function main(x) { return x.length }":                                                      false,
	} {
		if is, err := IsAggregate(Function{Name: "a", Text: text}); err != nil || is != want {
			t.Errorf("%s: aggregate %v, %v", text, is, err)
		}
	}
}

func BenchmarkScalar(b *testing.B) {
	for name, text := range map[string]string{
		"arithmetic": "function main(x) { return x * 1.8 + 32 }",
		"table":      "var t = {a: 1, b: 2}; function main(x) { return x * t.a + 32 }",
	} {
		b.Run(name, func(b *testing.B) {
			p, err := Compile(Function{Name: "f", Text: text})
			if err != nil {
				b.Fatal(err)
			}
			args := []func(int) column.Value{func(i int) column.Value { return column.FloatOf(float64(i) + 0.5) }}
			b.ReportAllocs()
			if err := p.Scalar(b.N, args, func(int, column.Value) {}); err != nil {
				b.Fatal(err.Err)
			}
		})
	}
	b.Run("start", func(b *testing.B) {
		p, err := Compile(Function{Name: "f", Text: "function main(x) { return x }"})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if err := (&machine{program: p}).start(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
