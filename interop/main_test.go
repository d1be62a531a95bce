package interop

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// binary is the command under test, built once.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait for clocks and other processes more than they compute.
	if f := flag.Lookup("test.parallel"); f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := f.Value.Set("4"); err != nil {
			panic(err)
		}
	}
	os.Exit(run(m))
}

// innerProcess, if set, says that a test runs this program again, which has the command.
const innerProcess = "SPATE_TEST_INNER"

func run(m *testing.M) int {
	if os.Getenv(innerProcess) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "spate-interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "spate")
	build := exec.Command("go", "build", "-o", binary, "./cmd/spate")
	build.Dir = ".."
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the command:", err)
		return 1
	}
	return m.Run()
}
