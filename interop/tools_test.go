package interop

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// missing skips a test whose tool is not there, or fails it in CI.
func missing(t testing.TB, what, how string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: %s", what, how)
	}
	t.Skipf("%s is missing: %s", what, how)
}

// tool is the path of something .ci/tools installs.
func tool(t testing.TB, what string, path ...string) string {
	t.Helper()
	root := os.Getenv("SPATE_TOOLS")
	if root == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		root = filepath.Join(home, ".cache", "spate-tools")
	}
	p := filepath.Join(append([]string{root}, path...)...)
	if _, err := os.Stat(p); err != nil {
		missing(t, what, ".ci/tools installs it")
	}
	return p
}

func python(t testing.TB) string {
	return tool(t, "Python with azure-eventhub and deltalake", "python", "bin", "python")
}

func kcat(t testing.TB) string {
	t.Helper()
	p, err := exec.LookPath("kcat")
	if err != nil {
		missing(t, "kcat", ".ci/tools installs it")
	}
	return p
}

// seed is the path of a file of the pipeline that must run unmodified.
func seed(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("SPATE_SEED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "seed")
	}
	p, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p); err != nil {
		missing(t, "seed file "+name, "SPATE_SEED names its folder")
	}
	return p
}

// script is the path of one of the Python programs beside these tests.
func script(t testing.TB, name string) string {
	t.Helper()
	p, err := filepath.Abs(filepath.Join("python", name))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// output runs a program to its end and returns what it printed.
func output(t testing.TB, limit time.Duration, env []string, stdin, name string, args ...string) string {
	t.Helper()
	out, errText, err := try(t, limit, env, stdin, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(name), strings.Join(args, " "), err, tail(errText, 4000), tail(out, 2000))
	}
	return out
}

// try is output for programs that may fail.
func try(t testing.TB, limit time.Duration, env []string, stdin, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = slices.Concat(os.Environ(), env)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.WaitDelay = 5 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func tail(s string, n int) string {
	if len(s) > n {
		return "..." + s[len(s)-n:]
	}
	return s
}
