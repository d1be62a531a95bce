//go:build cgo && !noduckdb

package duckdb_test

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"spate/lake/query"
)

// textRow is a row of a random relation; null is a NULL text.
type textRow struct {
	text string
	null bool
	n    int
}

// key is what counts of a text: blanks at its end do not.
func (r textRow) key() string {
	if r.null {
		return "\x00"
	}
	return "=" + strings.TrimRight(r.text, " ")
}

func randomTexts(r *rand.Rand) []textRow {
	rows := make([]textRow, 1+r.IntN(12))
	for i := range rows {
		text := []string{"a", "A", "b", "", "a b", "ä"}[r.IntN(6)] + strings.Repeat(" ", r.IntN(3))
		rows[i] = textRow{text: text, null: r.IntN(8) == 0, n: r.IntN(3)}
	}
	return rows
}

// relation is rows as a source of FROM.
func relation(rows []textRow, alias string) string {
	var values []string
	for _, r := range rows {
		text := "CAST(NULL AS nvarchar(10))"
		if !r.null {
			text = "CAST('" + r.text + "' AS nvarchar(10))"
		}
		values = append(values, fmt.Sprintf("(%s, %d)", text, r.n))
	}
	return "(VALUES " + strings.Join(values, ", ") + ") AS " + alias + "(s, n)"
}

// group is what is known of the rows of one key.
type textGroup struct {
	rows  int
	texts map[string]bool // as rows have them
}

// groupsOf groups rows by what of returns.
func groupsOf(rows []textRow, of func(textRow) string) map[string]*textGroup {
	out := map[string]*textGroup{}
	for _, r := range rows {
		g := out[of(r)]
		if g == nil {
			g = &textGroup{texts: map[string]bool{}}
			out[of(r)] = g
		}
		g.rows++
		if !r.null {
			g.texts[r.text] = true
		}
	}
	return out
}

// records are the rows of an answer. NULL is told from the empty text by N.
func records(t *testing.T, s *query.Session, sql string) [][]string {
	t.Helper()
	r, err := s.Run(t.Context(), sql)
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := query.Print(&b, "csv", r, 0); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

// Blanks at the end of a text do not count in groups, distinct rows, set operators and
// orders, and what is shown of a group is a text that one of its rows has. Random texts are
// compared with what Go makes of them.
func TestTextsOfAGroupAreThoseOfARow(t *testing.T) {
	s := session(t, noTables{})
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		left, right := randomTexts(r), randomTexts(r)
		a, b := relation(left, "a"), relation(right, "b")
		byText, byBoth := textRow.key, func(x textRow) string { return x.key() + "/" + strconv.Itoa(x.n) }
		// wants compares rows of (s, whether s is NULL, more) with groups; key makes that of a row.
		wants := func(sql string, want map[string]*textGroup, key func(text string, more []string) string, more func(g *textGroup, more []string) bool) {
			t.Helper()
			got := map[string]bool{}
			for _, row := range records(t, s, sql) {
				text, null := row[0], row[1] == "1"
				x := textRow{text: text, null: null}
				k := key(x.key(), row[2:])
				g := want[k]
				if g == nil || got[k] || !null && !g.texts[text] || more != nil && !more(g, row[2:]) {
					t.Fatalf("seed %d: row %q of\n%s\nhas no group of its own, or a text that no row has: %+v", seed, row, sql, g)
				}
				got[k] = true
			}
			if len(got) != len(want) {
				t.Fatalf("seed %d: %d rows of\n%s\nwant %d: %q", seed, len(got), sql, len(want), slices.Sorted(maps.Keys(want)))
			}
		}
		alone := func(text string, _ []string) string { return text }
		both := func(text string, more []string) string { return text + "/" + more[0] }
		count := func(g *textGroup, more []string) bool { return more[len(more)-1] == strconv.Itoa(g.rows) }
		const null = "CASE WHEN s IS NULL THEN 1 ELSE 0 END"
		shown := func(sql string) string { return "SELECT s, " + null + " AS z FROM (" + sql + ") AS q" }

		wants("SELECT s, "+null+", COUNT(*) FROM "+a+" GROUP BY s", groupsOf(left, byText), alone, count)
		wants("SELECT s, "+null+", n, COUNT(*) FROM "+a+" GROUP BY n, s ORDER BY s, n", groupsOf(left, byBoth), both, count)
		wants("SELECT a.s, "+strings.Replace(null, "s", "a.s", 1)+", COUNT(*) FROM "+a+" GROUP BY a.s HAVING a.s = a.s OR a.s IS NULL", groupsOf(left, byText), alone, count)
		wants(shown("SELECT DISTINCT s FROM "+a), groupsOf(left, byText), alone, nil)
		wants("SELECT s, "+null+", n FROM (SELECT DISTINCT TOP 100 s, n FROM "+a+" ORDER BY n, s DESC) AS q", groupsOf(left, byBoth), both, nil)
		wants(shown("SELECT s FROM "+a+" UNION SELECT s FROM "+b), groupsOf(append(slices.Clone(left), right...), byText), alone, nil)
		in, except := groupsOf(left, byText), groupsOf(left, byText)
		others := groupsOf(right, byText)
		maps.DeleteFunc(in, func(k string, _ *textGroup) bool { return others[k] == nil })
		maps.DeleteFunc(except, func(k string, _ *textGroup) bool { return others[k] != nil })
		wants(shown("SELECT s FROM "+a+" INTERSECT SELECT s FROM "+b), in, alone, nil)
		wants(shown("SELECT s FROM "+a+" EXCEPT SELECT s FROM "+b), except, alone, nil)

		// Sets of keys: of a total the key is NULL, and GROUPING tells.
		total := groupsOf(left, byText)
		total["\x00/1"] = &textGroup{rows: len(left)}
		wants("SELECT s, "+null+", GROUPING(s), COUNT(*) FROM "+a+" GROUP BY ROLLUP(s)", total, func(text string, more []string) string {
			if more[0] == "1" {
				return text + "/1"
			}
			return text
		}, count)

		texts := groupsOf(left, byText)
		delete(texts, "\x00")
		if got := records(t, s, "SELECT COUNT(DISTINCT s) FROM "+a); got[0][0] != strconv.Itoa(len(texts)) {
			t.Fatalf("seed %d: COUNT(DISTINCT s) of %q is %s, want %d", seed, a, got[0][0], len(texts))
		}
		found := 0
		for _, x := range left {
			if !x.null && others[x.key()] != nil {
				found++
			}
		}
		for _, sql := range []string{
			"SELECT COUNT(*) FROM " + a + " WHERE s IN (SELECT s FROM " + b + ")",
			"SELECT COUNT(*) FROM " + a + " WHERE EXISTS (SELECT 1 FROM " + b + " WHERE b.s = a.s)",
		} {
			if got := records(t, s, sql); got[0][0] != strconv.Itoa(found) {
				t.Fatalf("seed %d: %s\nis %s, want %d", seed, sql, got[0][0], found)
			}
		}

		// Rows that differ in blanks are peers: the next key decides, as do their ranks.
		order := slices.Clone(left)
		slices.SortStableFunc(order, func(x, y textRow) int { return cmp.Or(cmp.Compare(x.key(), y.key()), cmp.Compare(x.n, y.n)) })
		var want []string
		ranks := map[string]int{}
		for i, x := range order {
			if ranks[x.key()] == 0 {
				ranks[x.key()] = i + 1
			}
			want = append(want, fmt.Sprintf("%s/%d/%d", x.key(), x.n, ranks[x.key()]))
		}
		var got []string
		for _, row := range records(t, s, "SELECT s, "+null+", n, RANK() OVER (ORDER BY s) FROM "+a+" ORDER BY s, n") {
			got = append(got, fmt.Sprintf("%s/%s/%s", textRow{text: row[0], null: row[1] == "1"}.key(), row[2], row[3]))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: order of %s\n got %q\nwant %q", seed, a, got, want)
		}
		for _, row := range records(t, s, "SELECT s, "+null+", COUNT(*) OVER (PARTITION BY s) FROM "+a) {
			k := textRow{text: row[0], null: row[1] == "1"}.key()
			if n := groupsOf(left, byText)[k].rows; row[2] != strconv.Itoa(n) {
				t.Fatalf("seed %d: PARTITION BY s of %s: %q, want %d", seed, a, row, n)
			}
		}
	}
}
