package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The unit file of the edge, with the command where it lies here.
func TestTheUnitFileIsFineForSystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		missing(t, "systemd-analyze", "systemd has it")
	}
	data, err := os.ReadFile("../examples/edge/spate.service")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), "ExecStart=/usr/local/bin/spate ", "ExecStart="+binary+" ", 1)
	if text == string(data) {
		t.Fatal("the unit starts another command than /usr/local/bin/spate")
	}
	path := filepath.Join(t.TempDir(), "spate.service")
	write(t, path, text)
	if said, err := exec.Command(analyze, "verify", path).CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("%v\n%s", err, said)
	}
}
