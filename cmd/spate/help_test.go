package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every verb shows examples, and every example is a call that the verb takes.
func TestEveryVerbShowsExamples(t *testing.T) {
	for _, path := range verbs() {
		name := strings.Join(path, " ")
		cmd, _, err := (&app{stdout: io.Discard, stderr: io.Discard}).root().Find(path)
		if err != nil || cmd.Example == "" {
			t.Errorf("%s has no example (%v)", name, err)
			continue
		}
		for line := range strings.Lines(cmd.Example) {
			args := shellWords(line)
			at := slices.Index(args, "spate")
			if at < 0 {
				t.Errorf("%s: no call of spate in %q", name, line)
				continue
			}
			root := (&app{stdout: io.Discard, stderr: io.Discard}).root()
			cmd, rest, err := root.Find(args[at+1:])
			if err != nil || cmd.CommandPath() != "spate "+name {
				t.Errorf("%q is a call of %q (%v), want %s", line, cmd.CommandPath(), err, name)
				continue
			}
			if err := cmd.ParseFlags(rest); err != nil {
				t.Errorf("%q: %v", line, err)
			} else if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
				t.Errorf("%q: %v", line, err)
			}
		}
	}
}

// shellWords splits a line as a shell does, as far as examples need it: quotes, and what
// is behind < or > left away.
func shellWords(line string) (words []string) {
	word, quote, open := "", rune(0), false
	for _, r := range strings.TrimSpace(line) + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, open = r, true
		case quote == 0 && strings.ContainsRune("<>", r):
			return words
		case quote == 0 && r == ' ':
			if open {
				words = append(words, strings.TrimRight(strings.TrimPrefix(word, "$("), ")"))
			}
			word, open = "", false
		default:
			word, open = word+string(r), true
		}
	}
	return unwrap(words)
}

// unwrap takes the call out of NAME="$(spate ...)".
func unwrap(words []string) []string {
	for i, w := range words {
		if _, call, ok := strings.Cut(w, "$("); ok {
			return append(words[:i:i], strings.Fields(strings.TrimSuffix(call, ")"))...)
		}
	}
	return words
}

// What the shell offers, asked as the scripts of `spate completion` ask.
func TestCompletionOfValues(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	file := "version: 1\nname: p\nnamespace: { eventHubs: { telemetry: {}, alerts: {} } }\n" +
		"tables: { db.raw: {}, db.sums: {} }\n" +
		"jobs: { totals: { query: 'SELECT 1', inputs: { telemetry: { eventHub: telemetry } }, outputs: { sums: { table: db.sums } } } }\n"
	if err := os.WriteFile("spate.yaml", []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join("data", "jobs", "gone%20one"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"gone one|totals", []string{"job", "stop", ""}},
		{"totals", []string{"job", "explain", "T"}},
		{"", []string{"job", "stop", "totals", ""}},
		{"gone one", []string{"deadletter", "show", "g"}},
		{"telemetry", []string{"simulate", "--hub", "te"}},
		{"kafka|amqp", []string{"simulate", "--via", ""}},
		{"InputEvents,IncomingMessages", []string{"metrics", "list", "--metric", "InputEvents,IncomingM"}},
		{"eventhub/telemetry", []string{"metrics", "list", "--resource", "eventhub/t"}},
		{"SELECT * FROM db.raw|SELECT * FROM db.sums", []string{"query", "SELECT * FROM db."}},
		{"db", []string{"query", "--database", ""}},
		{"text|json", []string{"--log-format", ""}},
	} {
		var out, errs bytes.Buffer
		code := run(append([]string{cobra.ShellCompNoDescRequestCmd}, c.args...), strings.NewReader(""), &out, &errs)
		got, directive, _ := strings.Cut(out.String(), ":")
		got = strings.ReplaceAll(strings.TrimSuffix(got, "\n"), "\n", "|")
		if code != done || got != c.want || !strings.HasPrefix(directive, "4") {
			t.Errorf("%v: exit %d, offered %q and directive %q, want %q; %s", c.args, code, got, directive, c.want, errs.String())
		}
	}
	// A file that cannot be read offers nothing, and says nothing.
	if err := os.WriteFile("spate.yaml", []byte("jobs: ["), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run([]string{cobra.ShellCompNoDescRequestCmd, "simulate", "--hub", ""}, strings.NewReader(""), &out, &errs); code != done || out.String() != ":4\n" {
		t.Errorf("a broken file: exit %d, %q, %s", code, out.String(), errs.String())
	}
}
