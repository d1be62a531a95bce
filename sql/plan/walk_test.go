package plan_test

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"spate/sql/plan"
)

var (
	nodeType = reflect.TypeFor[plan.Node]()
	exprType = reflect.TypeFor[plan.Expr]()
)

// places are the places of type t in the fields of v, not beyond the expressions and
// nodes they hold.
func places(v reflect.Value, t reflect.Type) []any {
	switch {
	case v.Type() == t:
		if v.IsNil() {
			return nil
		}
		return []any{v.Addr().Interface()}
	case v.Type() == nodeType || v.Type() == exprType:
		return nil
	}
	var list []any
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				list = append(list, places(v.Field(i), t)...)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return places(v.Elem(), t)
		}
	case reflect.Slice:
		for i := range v.Len() {
			list = append(list, places(v.Index(i), t)...)
		}
	}
	return list
}

func sameSet[T comparable](t *testing.T, what string, got []T, want []any) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(got, w.(T)) {
			t.Errorf("%s: a place is missing", what)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d places, the fields have %d", what, len(got), len(want))
	}
}

// What a node or an expression holds in its fields is what Edges, Exprs and Parts list.
func TestWalksMissNothing(t *testing.T) {
	text, err := os.ReadFile("testdata/canon.txt")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[reflect.Type]bool{}
	for _, block := range strings.Split(string(text), "=== ")[1:] {
		_, rest, _ := strings.Cut(block, "\n")
		script, _, _ := strings.Cut(rest, "---\n")
		plan.Walk(compile(t, script), func(n plan.Node) {
			v := reflect.ValueOf(n).Elem()
			kinds[v.Type()] = true
			sameSet(t, v.Type().String()+" Edges", n.Edges(), places(v, nodeType))
			sameSet(t, v.Type().String()+" Exprs", n.Exprs(), places(v, exprType))
			want := len(n.Inputs())
			if _, ok := n.(*plan.Lookup); ok { // rows of reference data come by no stream
				want++
			}
			if len(n.Edges()) != want {
				t.Errorf("%s: %d edges, want %d", v.Type(), len(n.Edges()), want)
			}
			for _, e := range n.Exprs() {
				plan.WalkExpr(e, func(e *plan.Expr) {
					v := reflect.ValueOf(*e).Elem()
					kinds[v.Type()] = true
					sameSet(t, v.Type().String()+" Parts", (*e).Parts(), places(v, exprType))
				})
			}
		})
	}
	for _, k := range []any{
		plan.Input{}, plan.Filter{}, plan.Project{}, plan.Aggregate{}, plan.Analytic{}, plan.Union{}, plan.Join{}, plan.Apply{}, plan.Lookup{}, plan.Match{},
		plan.Const{}, plan.Col{}, plan.Field{}, plan.Element{}, plan.Timestamp{}, plan.Call{}, plan.Cast{}, plan.Case{}, plan.Coalesce{}, plan.Row{},
	} {
		if !kinds[reflect.TypeOf(k)] {
			t.Errorf("no script of testdata/canon.txt has a %T", k)
		}
	}
}

// Of reference data too: of the steps over it and of what joins it.
func TestIgnoreCaseFoldsWithReferenceData(t *testing.T) {
	job := compile(t, `WITH r AS (SELECT k FROM ref WHERE z = 'a') SELECT i.k INTO o FROM i JOIN r ON i.k = r.k`)
	plan.IgnoreCase(job)
	for _, want := range []string{`=(fold([z]@0), fold("a":nvarchar(max)))`, `=(fold([i.k]@0), fold([r.k]@1))`} {
		if text := plan.Explain(job); !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// Of TIMESTAMP BY, keys, WHEN and WHERE, in every branch; defaults and results keep their
// case.
func TestIgnoreCaseFoldsComparisonsEverywhere(t *testing.T) {
	job := compile(t, `SELECT LAG(v, 1, 'x') OVER (PARTITION BY CASE WHEN k = 'a' THEN 1 END LIMIT DURATION(s, 1) WHEN w LIKE 'b') AS l INTO o
		FROM i TIMESTAMP BY CASE WHEN t = 'none' THEN NULL ELSE t END WHERE CASE s WHEN 'c' THEN 1 WHEN 'd' THEN NULLIF(u, 'e') END IN (1, 2)`)
	plan.IgnoreCase(job)
	text := plan.Explain(job)
	for _, want := range []string{
		`case when =(fold([t]@0), fold("none":nvarchar(max))) then null:null else [t]@0 end`,
		`by (case when =(fold([k]`, `when like(fold([w]`,
		`case when =(fold([s]@0), fold("c":nvarchar(max))) then`, `when =(fold([s]@0), fold("d":nvarchar(max)))`,
		`case when =(fold([u]@1), fold("e":nvarchar(max))) then null:null else [u]@1 end`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, `lag([v]@4, 1, fold`) || strings.Contains(text, "fold(fold") {
		t.Errorf("too much is folded:\n%s", text)
	}
}
