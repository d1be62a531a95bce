package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"spate/console"
)

const hubsPipeline = `version: 1
name: hubs
namespace:
  eventHubs:
    in: { partitionCount: 2 }
EXTRA
tables:
  levels: {}
jobs:
  j:
    query: q.asaql
    outputs: { levels: { table: levels } }
`

// hubsFolder is a folder with the pipeline and more hubs.
func hubsFolder(t *testing.T, hubs ...string) (dir string, rewrite func(hubs ...string)) {
	t.Helper()
	dir = t.TempDir()
	edit(t, filepath.Join(dir, "q.asaql"), "SELECT DeviceId, Temperature INTO levels FROM [in]")
	rewrite = func(hubs ...string) {
		var extra strings.Builder
		for _, h := range hubs {
			extra.WriteString("    " + h + ": { partitionCount: 1, messageRetention: 7d }\n")
		}
		edit(t, filepath.Join(dir, "spate.yaml"), strings.Replace(hubsPipeline, "EXTRA\n", extra.String(), 1))
	}
	rewrite(hubs...)
	return dir, rewrite
}

// says runs a verb, which ends with a code and says something.
func says(t *testing.T, code int, what string, args ...string) {
	t.Helper()
	if out := spateCode(t, code, args...); !strings.Contains(out, what) {
		t.Errorf("spate %v: %s; want %q", args, out, what)
	}
}

func TestHubsThatHaveLeftTheFile(t *testing.T) {
	if testing.Short() {
		t.Skip("runs whole pipelines")
	}
	dir, rewrite := hubsFolder(t, "one", "two", "b.c")
	data := filepath.Join(dir, "data")
	verb := func(args ...string) []string { return append(args, "-f", dir) }
	says(t, notFound, "holds none", verb("hub", "list")...)
	child := upChild(t, dir, data)
	spateOut(t, func(string) bool { return true }, verb("simulate", "-q", "--hub", "one", "--devices", "5", "--interval", "100ms", "--duration", "200ms")...)
	stopChild := func() {
		t.Helper()
		if err := child.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := child.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	find := func(name string) (console.Hub, bool) {
		t.Helper()
		for _, h := range hubsOf(t, data) {
			if h.Name == name {
				return h, true
			}
		}
		return console.Hub{}, false
	}
	one, ok := find("one")
	if !ok || one.Events != 10 || one.Partitions != 1 || one.Bytes == 0 || one.PerSecond == nil || *one.PerSecond != 10./60 || !one.InPipeline {
		t.Errorf("one: %+v", one)
	}
	stopChild()

	rewrite()
	if one, ok := find("one"); !ok || one.Events != 10 || one.PerSecond != nil || one.InPipeline {
		t.Errorf("one, while nothing runs: %+v", one)
	}
	for what, table := range map[string]string{"one ": "no", "in ": "yes"} {
		for line := range strings.Lines(spateCode(t, done, verb("hub", "list")...)) {
			if strings.HasPrefix(line, what) && !strings.HasSuffix(strings.TrimSpace(line), table) {
				t.Errorf("%s", line)
			}
		}
	}
	says(t, failed, "it is a hub of the pipeline", verb("hub", "delete", "IN", "--yes")...)
	says(t, notFound, "did you mean one", verb("hub", "delete", "onn", "--yes")...)
	says(t, usage, "say --yes", verb("hub", "delete", "two")...)
	says(t, usage, "hub send is not supported yet", "hub", "send", "in")
	says(t, usage, "hub tail is not supported yet", "hub", "tail", "in")
	says(t, done, "hub TWO: deleted", verb("hub", "delete", "TWO", "--yes")...)

	child = upChild(t, dir, data)
	log := child.Stdout.(*screen).String()
	for _, want := range []string{"hub delete -f " + dir + " one", "a hub is not in the pipeline any more", `hub=one delete="spate hub delete one"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the start does not say %q: %s", want, log)
		}
	}
	if strings.Contains(log, "two") {
		t.Errorf("a hub that was deleted is there: %s", log)
	}
	says(t, done, "? hub one is not in the pipeline any more", verb("status")...)
	says(t, failed, "it is a hub of the pipeline", verb("hub", "delete", "in", "--yes")...)
	says(t, notFound, "hub not found", verb("hub", "delete", "onn", "--yes")...)
	says(t, done, "hub one: deleted", verb("hub", "delete", "one", "--yes")...)
	says(t, done, "hub b.c: deleted", verb("hub", "delete", "b.c", "--yes")...)
	if list := hubsOf(t, data); len(list) != 1 || list[0].Name != "in" {
		t.Errorf("%+v", list)
	}
	if out := spateCode(t, done, verb("status")...); strings.Contains(out, "one") {
		t.Errorf("status: %s", out)
	}
	i, err := console.ReadInstance(data)
	if err != nil {
		t.Fatal(err)
	}
	says(t, unauthorized, "show the token", "hub", "list", "--address", "http://"+i.Addresses["console"], "--token", "x")
	says(t, unauthorized, "show the token", "backup", filepath.Join(t.TempDir(), "b"), "--data", data, "--address", "http://"+i.Addresses["console"], "--token", "x")
	stopChild()

	// A folder whose instance has no console cannot be asked.
	child = upChild(t, dir, data, "--no-console")
	says(t, noConnection, "it has no console", verb("hub", "list")...)
	says(t, noConnection, "it has no console", verb("backup", filepath.Join(t.TempDir(), "b"))...)
	stopChild()
}

// Copies of a folder in use are refused; what the refusal says can be done helps.
func TestCopiesOfARunningAndOfAKilledInstance(t *testing.T) {
	if testing.Short() {
		t.Skip("runs whole pipelines")
	}
	dir, _ := hubsFolder(t)
	data := filepath.Join(dir, "data")
	child := upChild(t, dir, data)
	other, _ := hubsFolder(t)
	hot := filepath.Join(other, "data")
	if err := os.CopyFS(hot, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"spate backup", "spate restore", "spate up --accept-copy", dir} {
		says(t, usage, what, "up", other, "--ports", "auto")
	}
	says(t, usage, "is a copy", "hub", "list", "-f", other)
	backup := filepath.Join(t.TempDir(), "backup")
	says(t, usage, "is a copy", "backup", backup, "-f", other)

	// The advice: a backup of the running one.
	spateCode(t, done, "backup", backup, "-f", dir)
	says(t, usage, "is not empty", "restore", backup, "-f", other)
	says(t, usage, "spate restore", "up", other, "--data", backup, "--ports", "auto")
	if err := os.RemoveAll(hot); err != nil {
		t.Fatal(err)
	}
	spateCode(t, done, "restore", backup, "-f", other)
	kill := func() {
		t.Helper()
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		child.Wait()
	}
	kill()
	child = upChild(t, other, hot)
	kill()
	child = upChild(t, other, hot) // in its place
	kill()

	// Or to say that nothing ran there.
	third, _ := hubsFolder(t)
	if err := os.CopyFS(filepath.Join(third, "data"), os.DirFS(hot)); err != nil {
		t.Fatal(err)
	}
	says(t, usage, "--accept-copy", "up", third, "--ports", "auto")
	child = upChild(t, third, filepath.Join(third, "data"), "--accept-copy")
	kill()
	child = upChild(t, third, filepath.Join(third, "data"))
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	fourth, _ := hubsFolder(t)
	if err := os.CopyFS(filepath.Join(fourth, "data"), os.DirFS(filepath.Join(third, "data"))); err != nil {
		t.Fatal(err)
	}
	child = upChild(t, fourth, filepath.Join(fourth, "data"))
	kill()
}

// Verbs that look at data need neither the variables of the file nor scripts that compile.
func TestVerbsThatNeedNoVariables(t *testing.T) {
	needsDuckDB(t)
	if testing.Short() {
		t.Skip("runs a whole pipeline")
	}
	dir, _ := hubsFolder(t)
	data := filepath.Join(dir, "data")
	file := filepath.Join(dir, "spate.yaml")
	child := upChild(t, dir, data)
	spateOut(t, func(string) bool { return true }, "simulate", "-q", "-f", dir, "--devices", "5", "--interval", "100ms", "--duration", "200ms")
	spateOut(t, func(s string) bool { return s == "n\r\n10\r\n" }, "query", "-o", "csv", "-f", dir, "SELECT COUNT(*) AS n FROM levels")
	edit(t, file, mustRead(t, file)+`monitor:
  actionGroups:
    ops: { receivers: [{ name: hook, webhook: "${env:NOBODY_SETS_THIS}" }] }
notify:
  in: { hub: in, actionGroups: [ops] }
`)
	edit(t, filepath.Join(dir, "q.asaql"), "SELEC")
	says(t, usage, "NOBODY_SETS_THIS", "check", dir)
	verbs := [][]string{
		{"query", "SELECT COUNT(*) AS n FROM levels"},
		{"metrics", "list", "--metric", "IncomingMessages", "--resource", "eventhub/in"},
		{"simulate", "--devices", "1", "--interval", "10ms", "--duration", "10ms"},
		{"certs"},
		{"hub", "list"},
	}
	for _, running := range []bool{true, false} {
		if !running {
			if err := child.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := child.Wait(); err != nil {
				t.Fatal(err)
			}
		}
		for _, args := range verbs {
			want := done
			if args[0] == "simulate" && !running {
				want = noConnection
			}
			var out, errs bytes.Buffer
			if got := run(append(args, "-f", dir), strings.NewReader(""), &out, &errs); got != want {
				t.Errorf("running %t: spate %v: exit %d, want %d; %s", running, args, got, want, errs.String())
			}
		}
	}
	spateCode(t, done, "backup", filepath.Join(t.TempDir(), "b"), "-f", dir)
}
