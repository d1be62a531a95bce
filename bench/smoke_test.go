package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain makes the test binary the processes beside it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		main()
		return
	}
	os.Exit(m.Run())
}

// Every peer that is there takes a few thousand events, and the number that it has stored
// is what was acknowledged, or run fails.
func TestEveryPeerTakesTheLoad(t *testing.T) {
	spate := filepath.Join(t.TempDir(), "spate")
	build := exec.Command("go", "build", "-o", spate, "./cmd/spate")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the command: %v\n%s", err, out)
	}
	var out, errs bytes.Buffer
	args := []string{"-spate", spate, "-producers", "4", "-batch", "50", "-rate", "4000", "-duration", "1s", "-partitions", "2"}
	if err := run(t.Context(), args, nil, &out, &errs); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	text := out.String()
	t.Log("\n" + text)
	for _, p := range peers(&options{}) {
		if strings.Contains(text, "left out: "+p.name+": ") {
			if os.Getenv("CI") == "true" {
				t.Errorf("%s is missing: .ci/tools installs it", p.name)
			}
			continue
		}
		if !strings.Contains(text, "| "+p.name+" ") {
			t.Errorf("the table has no line of %s", p.name)
		}
	}
}

func TestFlagsThatMakeNoLoadAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-producers", "0"}, {"-size", "2000000"}, {"-rate", "-1"}, {"-rounds", "0"}, {"-spate", "/no/such/file"}, {"more"}} {
		var out, errs bytes.Buffer
		if err := run(t.Context(), args, nil, &out, &errs); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
