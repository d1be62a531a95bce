package main

import (
	"strings"
	"testing"
)

func TestEvalTakesFunctions(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "i.jsonl", `{"x":20}`+"\n"+`{"x":null}`+"\n")
	write(t, "f.js", "function main(x) { return x * 1.8 + 32 }")
	write(t, "len.js", "function main(x) {\n  return x.length\n}")
	write(t, "sum.js", "function main() { this.init = function () { this.s = 0 }; this.accumulate = function (v) { this.s += v }; this.computeResult = function () { return this.s } }")
	write(t, "bad.js", "function main(x) {\n  return (x\n}")
	for _, c := range []struct {
		code      int
		args      []string
		out, errs string
	}{
		{0, []string{"-e", "SELECT udf.f(x) AS y INTO o FROM i", "--function", "f=f.js"}, `{"y":68}`, ""},
		{0, []string{"-e", "SELECT udf.f(x) AS y INTO o FROM i", "--function", "UDF.F=f.js"}, `{"y":32}`, ""},
		{0, []string{"-e", "SELECT uda.sum(x) AS y INTO o FROM i GROUP BY TumblingWindow(s, 1)", "--function", "sum=sum.js"}, `{"y":20}`, ""},
		{1, []string{"-e", "SELECT udf.len(x) AS y INTO o FROM i WHERE x IS NULL", "--function", "len=len.js"}, "", "Function 'len' resulted in an error: 'TypeError: "},
		{1, []string{"-e", "SELECT udf.len(x) AS y INTO o FROM i WHERE x IS NULL", "--function", "len=len.js"}, "", "at main (len.js:2:12)"},
		{0, []string{"-e", "SELECT udf.len(x) AS y INTO o FROM i", "--function", "len=len.js", "--runtime-error-policy", "skipToDeadLetter"}, `{"y":null}`, "1 "},
		{2, []string{"-e", "SELECT udf.bad(x) AS y INTO o FROM i", "--function", "bad=bad.js"}, "", "bad.js:3:"},
		{2, []string{"-e", "SELECT udf.f(x) AS y INTO o FROM i", "--function", "uda.f=f.js"}, "", "without init"},
		{2, []string{"-e", "SELECT udf.g(x) AS y INTO o FROM i", "--function", "f=f.js"}, "", "the job has no function g"},
		{2, []string{"-e", "SELECT x INTO o FROM i", "--function", "f"}, "", "want NAME=FILE.js"},
		{2, []string{"-e", "SELECT x INTO o FROM i", "--function", "sys.f=f.js"}, "", "udf., uda. or neither"},
		{2, []string{"-e", "SELECT x INTO o FROM i", "--function", "f=none.js"}, "", "none.js"},
	} {
		code, out, errs := evalOut(t, "", append(c.args, "--input", "i=i.jsonl")...)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) {
			t.Errorf("%v: exit %d, want %d\n%s%s", c.args, code, c.code, out, errs)
		}
	}
}

// A job of a pipeline file has its functions with it, and --function replaces one.
func TestEvalOfAJobTakesItsFunctions(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "i.jsonl", `{"x":20}`+"\n")
	write(t, "f.js", "function main(x) { return x + 1 }")
	write(t, "g.js", "function main(x) { return x + 2 }")
	write(t, "q.asaql", "SELECT udf.f(x) AS y INTO o FROM i")
	write(t, "spate.yaml", `version: 1
namespace: { eventHubs: { i: {}, o: {} } }
jobs:
  j:
    query: q.asaql
    functions:
      f: { file: f.js, output: nvarchar(max) }
`)
	if code, out, errs := evalOut(t, "", "--job", "j", "--input", "i=i.jsonl"); code != 0 || !strings.Contains(out, `{"y":"21"}`) {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if code, out, errs := evalOut(t, "", "--job", "j", "--input", "i=i.jsonl", "--function", "udf.f=g.js"); code != 0 || !strings.Contains(out, `{"y":22}`) {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}
