package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"spate/config"
	"spate/config/configtest"
	"spate/console"
	"spate/internal/gosource"
	"spate/lake/query"
	"spate/sql/bind"
	"spate/sql/syntax"
	"spate/stream"
)

// notThere is an entry of a "not there" column of docs/limits.md, or the first of a row that
// is named, and how its absence shows.
type notThere struct {
	section, item string
	probes        []probe
}

// probe is something that is refused. Of kind asa it is a script, of tsql a query, of statement
// one on tables, of plan one that is to be explained, of file a
// pipeline file, of run the arguments of the command; of test it names a package and a test
// that asks over a socket, from a store or from Go; of names it says that every name in the
// item is refused, each as in its pattern with the name for {}; of keys that every key of
// config.Later is, all of which are on the page of the pipeline file; of none it is the reason why
// there is nothing that could be refused.
type probe struct{ kind, text, want string }

// noTables are those that no statement gets to.
type noTables struct{}

func (noTables) Do(context.Context, *query.Action) (*query.Result, error) {
	return nil, errors.New("it was carried out")
}

// readNotThere reads testdata/notthere.txt.
func readNotThere(t *testing.T) (out []notThere) {
	t.Helper()
	section := ""
	for i, line := range strings.Split(mustRead(t, "testdata/notthere.txt"), "\n") {
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#!"):
		case strings.HasPrefix(line, "## "):
			section = strings.TrimPrefix(line, "## ")
		case !strings.HasPrefix(line, "\t"):
			out = append(out, notThere{section: section, item: line})
		default:
			kind, rest, ok := strings.Cut(strings.TrimSpace(line), ": ")
			text, want, _ := strings.Cut(rest, " => ")
			if !ok || len(out) == 0 || want == "" && kind != "none" {
				t.Fatalf("testdata/notthere.txt:%d: %q is no probe", i+1, line)
			}
			last := &out[len(out)-1]
			last.probes = append(last.probes, probe{kind, strings.ReplaceAll(text, `\n`, "\n"), want})
		}
	}
	return out
}

// listed are the entries of the columns "not there" of docs/limits.md behind their section,
// and the first of each row by what stands before it.
func listed(t *testing.T) (out []string, first map[string]string) {
	t.Helper()
	first = map[string]string{}
	section, column := "", -1
	for line := range strings.Lines(mustRead(t, filepath.Join("..", "..", "docs", "limits.md"))) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "## "); ok {
			section, column = name, -1
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		switch {
		case !strings.HasPrefix(line, "|"):
			column = -1
		case column < 0:
			column = slices.IndexFunc(cells, func(c string) bool { return strings.TrimSpace(c) == "not there" })
			if column < 0 {
				column = len(cells) // another table
			}
		case column < len(cells) && !strings.Contains(line, "---"):
			for i, item := range strings.Split(cells[column], ";") {
				item = strings.TrimSpace(item)
				if item != "" {
					out = append(out, section+": "+item)
				}
				if i == 0 {
					first[section+": of the row "+strings.TrimSpace(cells[0])] = item
				}
			}
		}
	}
	return out, first
}

var named = regexp.MustCompile("`([^`]+)`")

// names are the names in backticks of an item.
func names(item string) (out []string) {
	for _, m := range named.FindAllStringSubmatch(item, -1) {
		out = append(out, m[1])
	}
	return out
}

// Everything that the page says is not there is refused, in words that the table says, and
// the page lists every refusal of the code.
func TestWhatIsNotThereIsListedAndRefused(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	entries := readNotThere(t)
	onPage, first := listed(t)
	for i, e := range entries {
		if item, ok := first[e.section+": "+e.item]; ok {
			entries[i].item = item
		}
	}
	var said, tested []string
	ask := func(p probe) {
		if p.kind == "test" {
			tested = append(tested, p.want)
		}
		t.Run(p.kind, func(t *testing.T) { said = append(said, try(t, root, p)) })
	}
	for _, e := range entries {
		if !slices.Contains(onPage, e.section+": "+e.item) {
			t.Errorf("docs/limits.md does not list %q under %q", e.item, e.section)
		}
		if len(e.probes) == 0 {
			t.Errorf("%s: %s: nothing shows that it is not there", e.section, e.item)
		}
		for _, p := range e.probes {
			if p.kind == "keys" {
				for _, path := range config.Later() {
					ask(probe{"key", path, path[strings.LastIndexByte(path, '.')+1:] + " " + p.want})
				}
				continue
			}
			if p.kind == "names" {
				for _, name := range names(e.item) {
					kind, text, _ := strings.Cut(strings.ReplaceAll(p.text, "{}", name), " ")
					ask(probe{kind, text, strings.ReplaceAll(p.want, "{}", name)})
				}
				continue
			}
			ask(p)
		}
	}
	for _, item := range onPage {
		if !slices.ContainsFunc(entries, func(e notThere) bool { return e.section+": "+e.item == item }) {
			t.Errorf("docs/limits.md lists %q, and testdata/notthere.txt does not show it", item)
		}
	}
	for text, where := range refusals(t) {
		verbs := regexp.MustCompile(`%(\[\d\])?[+#]?[a-zA-Z]|…`)
		pattern := regexp.MustCompile(verbs.ReplaceAllString(regexp.QuoteMeta(text), ".+"))
		if !slices.ContainsFunc(said, pattern.MatchString) && !slices.ContainsFunc(tested, func(want string) bool { return strings.Contains(text, want) }) {
			t.Errorf("%s: the refusal %q is in no entry of testdata/notthere.txt", where, text)
		}
	}
}

// Lists of the code are on the page whole.
func TestListsOfWhatIsNotThereAreWhole(t *testing.T) {
	page := mustRead(t, filepath.Join("..", "..", "docs", "limits.md"))
	for what, list := range map[string][]string{
		"verb": laterVerbs, "flag": laterFlags, "workload": benchLater,
		"function":  append(wordsOf(t, "../../lake/query/bind_call.go", "known"), wordsOf(t, "../../lake/query/spark_func.go", "sparkKnown")...),
		"statement": wordsOf(t, "../../sql/syntax/parse_script.go", "foreign"),
	} {
		if len(list) == 0 {
			t.Errorf("no %s", what)
		}
		for _, name := range list {
			if what == "flag" {
				name = "--" + name
			}
			if !strings.Contains(page, "`"+name+"`") {
				t.Errorf("docs/limits.md does not list the %s `%s`", what, name)
			}
		}
	}
}

// try returns what is said to a probe, which must hold what it wants.
func try(t *testing.T, root string, p probe) string {
	t.Helper()
	got := ""
	switch p.kind {
	case "asa":
		_, errs, _ := stream.Compile(p.text, bind.Options{Inputs: []bind.InputInfo{{Name: "i"}, {Name: "j"}, {Name: "r", Reference: true}}})
		got = errs.Error()
	case "tsql", "plan", "spark":
		s := &query.Session{Catalog: oneTable{}, Database: "d"}
		if p.kind == "spark" {
			s.Dialect = syntax.Spark
		}
		if p.kind == "plan" {
			s.Tables = noTables{}
		}
		if _, err := s.Explain(t.Context(), p.text); err != nil {
			got = err.Error()
		}
	case "statement":
		s := &query.Session{Catalog: oneTable{}, Database: "d", Tables: noTables{}}
		if _, err := s.Run(t.Context(), p.text); err != nil {
			got = err.Error()
		}
	case "file":
		dir := t.TempDir()
		write(t, filepath.Join(dir, "spate.yaml"), p.text)
		var ps config.Problems
		if _, err := config.Load(config.Source{Path: dir}); errors.As(err, &ps) {
			got = ps.Error()
		} else if err != nil {
			t.Errorf("%q: %v", p.text, err)
		}
	case "key":
		dir := t.TempDir()
		for name, text := range configtest.Files() {
			write(t, filepath.Join(dir, name), text)
		}
		text, _ := configtest.WithLater(p.text)
		write(t, filepath.Join(dir, "spate.yaml"), text)
		_, err := config.Load(config.Source{Path: dir})
		got = fmt.Sprint(err)
	case "run":
		t.Chdir(t.TempDir())
		for name, head := range map[string]string{"f.parquet": "PAR1\x15\x04", "f.avro": "Obj\x01abc", "f.gz": "\x1f\x8b\x08\x00"} {
			write(t, name, head)
		}
		args := strings.Fields(p.text)
		for i := range args {
			if strings.HasPrefix(args[i], "SELECT=") {
				args[i] = strings.ReplaceAll(args[i], "=", " ")
			}
		}
		var out bytes.Buffer
		if code := run(args, strings.NewReader(""), &out, &out); code == done {
			t.Errorf("spate %s is done: %s", p.text, &out)
		}
		got = out.String()
	case "test":
		dir, name, _ := strings.Cut(p.text, " ")
		if testHolds(t, filepath.Join(root, dir), name, p.want) {
			got = p.want
		}
	case "none":
		return ""
	default:
		t.Fatalf("there are no probes of kind %q", p.kind)
	}
	if !strings.Contains(got, p.want) {
		t.Errorf("%s %q\n got %s\nwant %s", p.kind, p.text, got, p.want)
	}
	return got
}

// testHolds reports whether a test is there and holds a text.
func testHolds(t *testing.T, dir, name, want string) bool {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text := mustRead(t, file)
		if _, body, ok := strings.Cut(text, "\nfunc "+name+"("); ok {
			body, _, _ = strings.Cut(body, "\n}\n")
			return strings.Contains(body, want)
		}
	}
	return false
}

// oneTable is a catalog with the table t.
type oneTable struct{}

func (oneTable) HasDatabase(name string) bool { return name == "d" }

func (oneTable) List(context.Context) ([]query.TableName, error) { return nil, nil }

func (oneTable) Table(_ context.Context, database, name string, _ query.AsOf) (*query.Table, error) {
	if name != "t" || database != "d" {
		return nil, query.ErrNoTable
	}
	col := func(name string, typ query.Type) query.TableColumn {
		return query.TableColumn{Name: name, Physical: name, Type: typ}
	}
	return &query.Table{Database: "d", Name: "t", Columns: []query.TableColumn{
		col("s", query.Type{ID: query.NVarChar, Size: 4000}), col("n", query.Type{ID: query.BigInt}), col("x", query.Type{ID: query.Decimal, Prec: 10, Scale: 2}),
		col("d", query.Type{ID: query.DateTime2, Scale: 6}), col("o", query.Type{ID: query.DateTimeOffset, Scale: 6}), col("v", query.Type{ID: query.VarBinary, Size: 10}),
		{Name: "p", Physical: "p", Type: query.Type{ID: query.BigInt}, Partition: true},
	}}, nil
}

// guards are refusals behind others: what they refuse has been refused before, in other
// words, or is no input of a user. Each is a file and a part of the literal.
var guards = []string{
	"config/read.go %s is not supported",      // of the keys of config.Later
	"lake/query/errors.go %s is not",          // of unsupported, whose callers are looked at
	"stream/compile.go  is not supported",     // of UnsupportedError
	"stream/exec/operator.go ",                // of UnsupportedError
	"stream/exec/step.go ",                    // a step that no plan has
	"stream/exec/expr.go expression %T",       // an expression that no plan has
	"stream/exec/expr.go function ",           // a function that the binder does not pass on
	"stream/exec/accumulators.go aggregate ",  // an aggregate that the binder does not pass on
	"sql/syntax/parse_script.go %s is not",    // of the statements of foreign
	"sql/syntax/parse_source.go %s is not",    // PIVOT, UNPIVOT and TABLESAMPLE
	"sql/syntax/parse_ddl.go VACUUM",          // Spark's SQL is read where a table is declared, and no VACUUM is one
	"lake/query/bind_from.go TIMESTAMP BY in", // T-SQL is read without the clauses of streams
	"lake/query/bind_from.go PARTITION BY",    // the same
	"lake/query/bind_from.go MATCH_RECOGNIZE", // the same
	"lake/query/bind_from.go This kind",       // a source that T-SQL has not
	"lake/query/bind_arith.go The operator",   // Spark's
	"lake/query/bind_expr.go This expression", // Spark's
	"lake/query/bind_expr.go Access into",     // Spark's
	"lake/parquetfile/rows.go ",               // nothing that a user does rewrites files
	"lake/parquetfile/type.go ",               // lake/delta has refused the type
}

// refusals are the texts with which the code refuses by name, and where they stand.
func refusals(t *testing.T) map[string]string {
	t.Helper()
	out, used := map[string]string{}, map[string]bool{}
	add := func(text, where string) {
		for _, g := range guards {
			file, part, _ := strings.Cut(g, " ")
			if strings.HasPrefix(where, file) && strings.Contains(text, part) {
				used[g] = true
				return
			}
		}
		if text == "%s is not supported yet" {
			t.Errorf("%s: %q names nothing that could be looked for", where, text)
			return
		}
		out[text] = where
	}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(filepath.ToSlash(path), "../../")
		if err != nil || d.IsDir() {
			if name := d.Name(); name == "testdata" || rel == "conform" || rel == "interop" || rel == "examples" || strings.HasPrefix(name, ".") && len(name) > 2 {
				return fs.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		where := func(n ast.Node) string { return fmt.Sprintf("%s:%d", rel, set.Position(n.Pos()).Line) }
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if s := gosource.Text(n); strings.Contains(s, "not supported yet") {
					add(s, where(n))
				}
			case *ast.CallExpr:
				binds := strings.HasPrefix(rel, "sql/bind/") || strings.HasPrefix(rel, "lake/query/")
				if name := gosource.Called(n); !binds || name != "unsupported" && name != "refuse" || len(n.Args) < 2 {
					break
				}
				// Of a feature without words of its own there is nothing written out.
				if text := gosource.Text(n.Args[len(n.Args)-1]); strings.Trim(text, "…") != "" {
					add(text+" is not supported yet", where(n))
				}
			case *ast.CompositeLit:
				if id, ok := n.Type.(*ast.Ident); ok && id.Name == "UnsupportedError" && len(n.Elts) == 2 {
					add(gosource.Text(n.Elts[1])+" is not supported yet", where(n))
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range guards {
		if !used[g] {
			t.Errorf("the guard %q stands before nothing", g)
		}
	}
	return out
}

// wordsOf are the strings, or the words of the one string, with which a variable of a
// package is made.
func wordsOf(t *testing.T, file, name string) (out []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && v.Names[0].Name == name {
			ast.Inspect(v.Values[0], func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok {
					out = append(out, strings.Fields(gosource.Text(lit))...)
				}
				return true
			})
		}
		return true
	})
	return out
}

// Whoever reads the hubs of an instance that has only TLS is told so.
func TestHubsOfAnInstanceWithoutAPlainPort(t *testing.T) {
	dir := t.TempDir()
	if err := console.WriteInstance(dir, console.Instance{PID: os.Getpid(), ConnectionStrings: map[string]string{"tls": "x"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := runningInstance(dir, errors.New("locked")); err == nil || !strings.Contains(err.Error(), "reading its hubs over TLS is not supported yet") {
		t.Errorf("got %v", err)
	}
}
