package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seedScript is the path of the script that must run as it is.
func seedScript(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SPATE_SEED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "seed")
	}
	path, err := filepath.Abs(filepath.Join(dir, "telemetry-processing.asaql"))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the seed's script: %v: SPATE_SEED names its folder", err)
		}
		t.Skipf("the seed's script: %v: SPATE_SEED names its folder", err)
	}
	return path
}

// A script that may not be touched passes a strict check once the file says that its
// warning is known, and eval of the job is silent about it.
func TestTheSeedsScriptPassesAStrictCheck(t *testing.T) {
	script := seedScript(t)
	t.Chdir(t.TempDir())
	file := func(more string) {
		write(t, "spate.yaml", `version: 1
namespace: { eventHubs: { device-telemetry: {}, synapse-output: {}, alert-eventhub: {} } }
jobs:
  telemetry: { query: '`+script+`'`+more+` }
`)
	}
	command := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := run(args, strings.NewReader(""), &out, &errs)
		return code, errs.String()
	}
	file("")
	if code, said := command("check", "--strict"); code != usage || !strings.Contains(said, " W507 ") {
		t.Fatalf("exit %d: %s", code, said)
	}
	file(", acknowledge: [W507]")
	if code, said := command("check", "--strict"); code != done || said != "" {
		t.Errorf("exit %d: %s", code, said)
	}
	write(t, "in.jsonl", "")
	if code, said := command("eval", "--job", "telemetry", "--input", "device-telemetry=in.jsonl"); code != done || said != "" {
		t.Errorf("eval: exit %d: %s", code, said)
	}
	file(", acknowledge: [W507, W513]")
	if code, said := command("check", "--strict"); code != usage || strings.Contains(said, " W507 several") || !strings.Contains(said, " W523 ") {
		t.Errorf("exit %d: %s", code, said)
	}
}
