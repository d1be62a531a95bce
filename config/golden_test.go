package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Update is the flag of all tests of the package.
var Update = flag.Bool("update", false, "rewrite the expected texts")

// Each file of testdata/bad is a pipeline, a line "-- want --", and all that is said of it.
func TestProblemsAreSaidAsExpected(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("cases: %v, %v", files, err)
	}
	at := folder{dir: "", read: func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join("testdata/files", name))
	}}
	env := func(name string) (string, bool) {
		return map[string]string{"HOOK": "https://example.com/?sig=abc"}[name], name == "HOOK"
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			src, want, _ := strings.Cut(string(data), "-- want --\n")
			p, err := loadBytes(Source{Env: env}, "spate.yaml", []byte(src), at)
			got := ""
			switch {
			case err != nil:
				got = err.Error() + "\n"
			case len(p.Warnings) > 0:
				got = p.Warnings.Error() + "\n"
			}
			if got == want {
				return
			}
			if *Update {
				if err := os.WriteFile(file, []byte(src+"-- want --\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		})
	}
}
