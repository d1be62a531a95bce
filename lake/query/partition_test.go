package query

import (
	"context"
	"strings"
	"testing"

	"spate/sql/syntax"
)

// What OPTIMIZE ... WHERE takes, by three partitions.
func TestConditionsOnPartitions(t *testing.T) {
	table := &Table{Columns: []TableColumn{
		{Name: "n", Physical: "n", Type: Type{ID: BigInt}},
		{Name: "d", Physical: "d", Type: Type{ID: Date}, Partition: true},
		{Name: "Site", Physical: "Site", Type: Type{ID: NVarChar, Size: 4000}, Partition: true},
		{Name: "k", Physical: "k", Type: Type{ID: Int}, Partition: true},
	}}
	text := func(s string) *string { return &s }
	parts := []map[string]*string{
		{"d": text("2026-03-01"), "Site": text("a"), "k": text("9")},
		{"d": text("2026-03-02"), "Site": text("b"), "k": text("10")},
		{"d": nil, "Site": nil, "k": nil},
	}
	for where, want := range map[string]string{
		"d = '2026-03-01'":                            "1--",
		"d >= '2026-03-01'":                           "12-",
		"'2026-03-02' > d":                            "1--",
		"d <> '2026-03-01'":                           "-2-",
		"NOT d = '2026-03-01'":                        "-2-",
		"d IS NULL":                                   "--3",
		"d IS NOT NULL AND site = 'b'":                "-2-",
		"site IN ('a', 'c') OR k IS NULL":             "1-3",
		"site NOT IN ('a', NULL)":                     "---",
		"k BETWEEN 9 AND 10":                          "12-",
		"k NOT BETWEEN 10 AND 11":                     "1--",
		"k < 10":                                      "1--",
		"k = '10'":                                    "-2-",
		"d > DATEADD(day, -1, '2026-03-02')":          "-2-",
		"d = NULL OR NOT (site = 'a' AND k = 9)":      "-2-",
		"(d <= '2026-03-01' OR site = 'b') AND k > 0": "12-",
		"n = 1":             "takes conditions on partition columns, and n is none",
		"x = 1":             "Invalid column name 'x'",
		"k + 1 = 10":        "is not supported yet",
		"d = site":          "Invalid column name 'site'",
		"site LIKE 'a%'":    "is not supported yet",
		"d = 'no date'":     "Conversion failed",
		"EXISTS (SELECT 1)": "is not supported yet",
	} {
		script, errs := syntax.Parse("OPTIMIZE t WHERE "+where, syntax.TSQL)
		if len(errs) > 0 {
			t.Errorf("%s: %v", where, errs)
			continue
		}
		b := (&Session{}).binder(context.Background())
		test, err := b.partitionFilter(script.Stmts[0].(*syntax.Optimize).Where, table)
		got := ""
		if err != nil {
			if got = err.Error(); strings.Contains(got, want) {
				got = want
			}
		} else {
			for i, p := range parts {
				if test(p) {
					got += string(rune('1' + i))
				} else {
					got += "-"
				}
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", where, got, want)
		}
	}
}
