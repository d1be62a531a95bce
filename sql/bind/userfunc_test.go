package bind

import (
	"strings"
	"sync"
	"testing"

	"spate/pipeline"
	"spate/sql/plan"
)

// testFunctions are a scalar f and an aggregate g, two with declared types, and one that is
// not of JavaScript.
func testFunctions(t *testing.T) []*plan.Function {
	t.Helper()
	list, err := compiledFunctions()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var compiledFunctions = sync.OnceValues(func() ([]*plan.Function, error) {
	const scalar = "function main(x) { return x }"
	const aggregate = "function main() { this.init = this.accumulate = this.computeResult = function () {} }"
	return NewFunctions([]pipeline.Function{
		{Name: "f", Text: scalar}, {Name: "g", Text: aggregate},
		{Name: "two", Kind: pipeline.ScalarFunction, Text: scalar, Inputs: []string{"bigint", "any"}, Output: "nvarchar(max)"},
		{Name: "sum", Kind: pipeline.AggregateFunction, Text: aggregate, Inputs: []string{"float"}, Output: "bigint"},
		{Name: "old", Foreign: "a C# function"},
	})
})

func TestCallsOfFunctionsAreBound(t *testing.T) {
	for src, want := range map[string]string{
		"SELECT udf.f(a, 1) AS x INTO o FROM i":                                                                   "udf.f#",
		"SELECT UDF.F(i) AS x INTO o FROM i":                                                                      "project (udf.f#",
		"WITH s AS (SELECT a FROM i) SELECT udf.f(s) AS x INTO o FROM s":                                          "row(",
		"SELECT udf.two(a, b) AS x INTO o FROM i":                                                                 "cast(udf.two#",
		"SELECT a INTO o FROM i WHERE udf.f(a) > 1":                                                               "filter",
		"SELECT uda.g(a) AS x INTO o FROM i GROUP BY TumblingWindow(s, 1)":                                        "of g#",
		"SELECT uda.g(i, b) AS x INTO o FROM i GROUP BY TumblingWindow(s, 1) HAVING uda.g(i, b) > 1":              "at cast(",
		"SELECT uda.sum(a) AS x INTO o FROM i GROUP BY TumblingWindow(s, 1)":                                      "UDA(cast(",
		"SELECT udf.f(a) AS x, COUNT(*) AS n INTO o FROM i GROUP BY udf.f(a), udf.f(uda.g), TumblingWindow(s, 1)": "key",
	} {
		job, errs, _ := Script(src, Options{Functions: testFunctions(t)})
		if strings.Contains(src, "udf.f(uda.g)") { // uda.g without parentheses is a column
			src = strings.ReplaceAll(src, "udf.f(uda.g), ", "")
			job, errs, _ = Script(src, Options{Functions: testFunctions(t)})
			want = "udf.f#"
		}
		if len(errs) > 0 {
			t.Errorf("%s: %v", src, errs)
			continue
		}
		if text := plan.Explain(job); !strings.Contains(text, want) {
			t.Errorf("%s: %q is not in\n%s", src, want, text)
		}
	}
}

// A function with another text is another step, whatever its name; its name counts too.
func TestTheTextOfAFunctionIsPartOfTheStep(t *testing.T) {
	name := func(f pipeline.Function) string {
		f.Kind = pipeline.ScalarFunction
		one, err := NewFunction(f)
		if err != nil {
			t.Fatal(err)
		}
		job, errs, _ := Script("SELECT LAST(udf.f(a)) OVER (LIMIT DURATION(s, 1)) AS x INTO o FROM i", Options{Functions: []*plan.Function{one}})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		var step string
		plan.Walk(job, func(n plan.Node) {
			if a, ok := n.(*plan.Analytic); ok {
				step = plan.NewCanon(plan.Level12).Step(a)
			}
		})
		return step
	}
	first := name(pipeline.Function{Name: "f", File: "f.js", Text: "function main(x) { return x }"})
	if again := name(pipeline.Function{Name: "F", File: "other/g.js", Text: "function main(x) { return x }"}); again != first {
		t.Error("a step with the same function has another name")
	}
	if other := name(pipeline.Function{Name: "f", Text: "function main(x) { return x + 1 }"}); other == first {
		t.Error("a step with another function has the same name")
	}
	if other := name(pipeline.Function{Name: "f", Text: "function main(x) { return x }", Output: "float"}); other == first {
		t.Error("a step whose function has another type has the same name")
	}
}

func TestFunctionsAreChecked(t *testing.T) {
	for _, c := range []struct {
		f    pipeline.Function
		want string
	}{
		{pipeline.Function{Name: "f", Text: "function main( {}"}, "f.js:1:"},
		{pipeline.Function{Name: "f", Kind: "table", Text: "function main() {}"}, `"table" is no kind of function`},
		{pipeline.Function{Name: "f", Output: "int", Text: "function main() {}"}, "there is no type int"},
		{pipeline.Function{Name: "f", Inputs: []string{"nvarchar"}, Text: "function main() {}"}, "there is no type nvarchar"},
		{pipeline.Function{Name: "f", Kind: pipeline.AggregateFunction, Text: "function main() {}"}, "without init"},
	} {
		if _, err := NewFunction(c.f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %s", c.f, err, c.want)
		}
	}
	if _, err := NewFunctions([]pipeline.Function{{Name: "f", Text: "function main() {}"}, {Name: "F", Text: "function main() {}"}}); err == nil {
		t.Error("two functions of one name are taken")
	}
}
