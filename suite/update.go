package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"spate/eval"
)

// edit is one row of what will be expected: one that is kept as it is written, or a new one.
// Rows that no edit keeps are taken out.
type edit struct {
	keep int    // of the rows that were expected; -1: text is new
	text []byte // of a new row
}

// updatable says whether what is expected can become what was got: the script has run, or
// a file of rows is missing.
func (r *run) updatable() bool {
	if r.err != nil || r.test.wantError != "" {
		return false
	}
	if r.expected == nil {
		return true
	}
	var missing *missingError
	return errors.As(r.expected, &missing)
}

// update makes what is expected what a run gives, and returns the files that it wrote.
func (t *Test) update(ctx context.Context, log *slog.Logger, was *run) (files []string, err error) {
	got := map[string][][]byte{}
	var skipped [][]byte
	bytes := 0
	o, err := t.options()
	if err != nil {
		return nil, err
	}
	o.Log = log
	o.Row = func(output string, text []byte) error {
		if bytes += 256 + len(text); bytes > heldBytes {
			return fmt.Errorf("output %s has too many rows to be written for a test", output)
		}
		key := strings.ToLower(output)
		got[key] = append(got[key], slices.Clone(text))
		return nil
	}
	o.Diagnostic = func(d eval.Diagnostic) {
		if d.Kind == "runtime" {
			skipped = append(skipped, skippedRow(d))
		}
	}
	if _, err := eval.Run(ctx, o); err != nil {
		return nil, fmt.Errorf("updating %s: %w", t.FullName(), err)
	}
	change := func(x *expectation, rows [][]byte) error {
		if x == nil || x.update == nil || x.ignore {
			return nil
		}
		file, err := x.rewrite(rows)
		if err != nil {
			return fmt.Errorf("updating what %s expects of %s: %w", t.FullName(), x.output, err)
		}
		if !slices.Contains(files, file) {
			files = append(files, file)
		}
		return nil
	}
	for _, name := range was.names {
		out := was.outputs[strings.ToLower(name)]
		if out.comp != nil && out.comp.equal() {
			continue
		}
		x := out.expect
		if x != nil && x.update == nil && t.all && t.added != nil { // a case that does not name the output yet
			x = t.added(name)
		}
		if err := change(x, got[strings.ToLower(name)]); err != nil {
			return files, err
		}
	}
	if was.skipped != nil && !was.skipped.equal() {
		if err := change(t.skipped, skipped); err != nil {
			return files, err
		}
	}
	return files, nil
}

// rewrite makes the rows of an expectation those that were got. Rows that are right stay as
// they are written, with $any and all.
func (x *expectation) rewrite(rows [][]byte) (file string, err error) {
	p := newRowParser(x.rules)
	var old []*row
	src, err := x.open(p)
	if err == nil {
		for {
			r, err := src.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return "", errors.Join(err, src.close())
			}
			old = append(old, r)
		}
		err = src.close()
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	var got []*row
	for _, text := range rows {
		r, err := p.parse(text)
		if err != nil {
			return "", err
		}
		got = append(got, r)
	}
	return x.update(old, edits(p, old, got))
}

// edits are how one list of rows becomes another.
func edits(p *rowParser, old, got []*row) (out []edit) {
	same := func(i, k int) bool { return p.same(old[i].value, got[k].value) }
	if p.rules.ordered {
		return inOrder(old, got, same)
	}
	partner := pairs(len(old), len(got), func(i int) string {
		if old[i].wild || p.rules.subset {
			return ""
		}
		return p.shape(old[i].value)
	}, func(k int) string { return p.shape(got[k].value) }, same)
	taken := make([]bool, len(got))
	for i, k := range partner {
		if k >= 0 {
			out, taken[k] = append(out, edit{keep: i}), true
		}
	}
	for k, r := range got {
		if !taken[k] {
			out = append(out, edit{-1, r.text})
		}
	}
	return out
}

// inOrder keeps as many rows as can stay in their order.
func inOrder(old, got []*row, same func(i, k int) bool) (out []edit) {
	n, m := len(old), len(got)
	if n*m > matchCells {
		for _, r := range got {
			out = append(out, edit{-1, r.text})
		}
		return out
	}
	longest := make([][]int, n+1)
	for i := range longest {
		longest[i] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for k := m - 1; k >= 0; k-- {
			longest[i][k] = max(longest[i+1][k], longest[i][k+1])
			if same(i, k) {
				longest[i][k] = 1 + longest[i+1][k+1]
			}
		}
	}
	for i, k := 0, 0; k < m; {
		switch {
		case i < n && same(i, k) && longest[i][k] == 1+longest[i+1][k+1]:
			out = append(out, edit{keep: i})
			i, k = i+1, k+1
		case i < n && longest[i+1][k] >= longest[i][k+1]:
			i++
		default:
			out = append(out, edit{-1, got[k].text})
			k++
		}
	}
	return out
}

// lines are rows on lines of their own.
func lines(old []*row, edits []edit) []byte {
	var out []byte
	for _, e := range edits {
		if e.keep >= 0 {
			out = append(out, old[e.keep].text...)
		} else {
			out = append(out, e.text...)
		}
		out = append(out, '\n')
	}
	return out
}

// writeRows replaces a file of rows, a list where it was one.
func writeRows(path string, old []*row, edits []edit) (string, error) {
	text := lines(old, edits)
	if isList(path) {
		body := strings.TrimSuffix(string(text), "\n")
		if body != "" {
			body = "\n  " + strings.ReplaceAll(body, "\n", ",\n  ") + "\n"
		}
		text = []byte("[" + body + "]\n")
	}
	return path, replaceFile(path, text)
}

// isList says whether a file of rows is one list.
func isList(path string) bool {
	f, err := openRows(path, newRowParser(rules{}))
	if err != nil {
		return false
	}
	defer f.close()
	_, _, _ = f.object() // whatever it is, it begins with a bracket or does not
	return f.list
}

// replaceFile writes a file that takes the place of another at once.
func replaceFile(path string, text []byte) error {
	mode := os.FileMode(0o644)
	if st, err := os.Stat(path); err == nil {
		mode = st.Mode().Perm()
	}
	part := path + ".part"
	err := os.WriteFile(part, text, mode)
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.RemoveAll(part))
	}
	return nil
}
