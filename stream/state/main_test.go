package state_test

import (
	"flag"
	"os"
	"testing"
)

// A plain run draws the same values every time, so that it needs no
// luck. `-rapid.seed` and `-rapid.checks` look further.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.seed"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("1"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
