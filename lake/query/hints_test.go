package query

import (
	"go/ast"
	"regexp"
	"strings"
	"testing"

	"spate/internal/gosource"
)

// advice says of each hint, by the words with which it begins, what somebody asks who takes
// it. A hint without a query states a fact.
var advice = map[string]string{
	"Use DATEADD or DATEDIFF":                                                            "SELECT DATEADD(day, -1, Timestamp), DATEDIFF(day, Timestamp, GETDATE()) FROM raw",
	"Use datediff with a less precise datepart":                                          "SELECT DATEDIFF(day, Timestamp, GETDATE()) FROM raw",
	"Use the CONVERT function to run this query":                                         "SELECT CONVERT(nvarchar(10), 0x6100)",
	"use CASE WHEN ... THEN 1 ELSE 0 END":                                                "SELECT CASE WHEN Temperature > 1 THEN 1 ELSE 0 END FROM raw",
	"Narrow the query with a predicate on the time or the partition column of its table": "SELECT DeviceId FROM raw WHERE Day = '2026-11-25'",
	"a predicate on the time or the partition column of its table would open fewer":      "SELECT DeviceId FROM raw WHERE Timestamp > '2026-11-26'",
	"The table is declared, but nothing has been written to it yet":                      "",
	"VACUUM may have removed it while the query ran; run the query again":                "SELECT DeviceId FROM raw",
	"Did you mean '…'?":                                                                  "SELECT DeviceId FROM telemetry.raw",
}

// stated are words of hints that are no part of a query.
var stated = regexp.MustCompile(`VACUUM may`)

var construct = regexp.MustCompile(`\b[A-Z][A-Z_]+\b`)

// Whoever takes a hint is not refused again.
func TestHintsLeadToWhatIsAccepted(t *testing.T) {
	given := hints(t)
	for hint := range given {
		query, ok := advice[hint]
		if !ok {
			t.Errorf("%q: advice has no query that takes this hint", hint)
			continue
		}
		if query != "" {
			if _, err := fixedSession().Explain(t.Context(), query); err != nil {
				t.Errorf("%q leads to\n%s\nwhich is refused: %v", hint, query, err)
			}
		}
		for _, name := range construct.FindAllString(stated.ReplaceAllString(hint, ""), -1) {
			if !strings.Contains(strings.ToUpper(query), name) {
				t.Errorf("%q names %s, which its query has not: %s", hint, name, query)
			}
		}
	}
	for hint := range advice {
		if !given[hint] {
			t.Errorf("advice has a query for %q, which is no hint", hint)
		}
	}
}

// asks is the part of a message that says what to do.
var asks = regexp.MustCompile(`[.;] ((?:[Uu]se|[Ww]rite|a predicate) .*?)[.')]*$`)

// hints are all hints that stand in the source.
func hints(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	hint := func(e ast.Expr) {
		if s := strings.TrimSuffix(gosource.Text(e), "."); strings.Trim(s, "…") != "" {
			out[s] = true
		}
	}
	for _, f := range gosource.Files(t, ".") {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if id, ok := n.Key.(*ast.Ident); ok && id.Name == "Hint" {
					hint(n.Value)
				}
			case *ast.AssignStmt:
				if sel, ok := n.Lhs[0].(*ast.SelectorExpr); ok && sel.Sel.Name == "Hint" {
					hint(n.Rhs[0])
				}
			case *ast.BasicLit:
				if m := asks.FindStringSubmatch(gosource.Text(n)); m != nil {
					out[m[1]] = true
				}
			}
			return true
		})
	}
	return out
}
