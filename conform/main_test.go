package conform_test

import (
	"flag"
	"os"
	"testing"
)

// A plain run draws the same scripts and streams every time, so that it needs no
// luck. `-rapid.seed` and `-rapid.checks` look further.
func TestMain(m *testing.M) {
	flag.Parse()
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": "300"} {
		if f := flag.Lookup(name); f.Value.String() == f.DefValue {
			if err := f.Value.Set(value); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(m.Run())
}
