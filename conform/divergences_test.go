package conform_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// The page of divergences names cases that are there.
func TestDivergencesHaveTheirCases(t *testing.T) {
	page, err := os.ReadFile("../docs/divergences.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| .*\| ([^|]*) \|$`).FindAllSubmatch(page, -1)
	name := regexp.MustCompile("`([a-z_]+)`")
	named := 0
	for _, row := range rows {
		for _, m := range name.FindAllSubmatch(row[1], -1) {
			named++
			if _, err := os.Stat(filepath.Join("testdata", string(m[1])+".txtar")); err != nil {
				t.Errorf("there is no case %s", m[1])
			}
		}
	}
	if named < 40 {
		t.Errorf("%d cases are named", named)
	}
}
