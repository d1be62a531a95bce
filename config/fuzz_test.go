package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Whatever the bytes are, loading does not panic, and what is wrong has a place.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := loadBytes(Source{Env: func(string) (string, bool) { return "", false }}, "spate.yaml", data,
			folder{read: func(string) ([]byte, error) { return nil, fs.ErrNotExist }})
		var ps Problems
		if err == nil {
			return
		}
		if !errors.As(err, &ps) {
			t.Fatalf("not a list of problems: %v", err)
		}
		for _, p := range ps {
			if p.Line < 1 || p.Column < 1 || p.Code == "" || p.Message == "" {
				t.Errorf("problem without a place, code or message: %+v", p)
			}
		}
	})
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"5s", "1h30m", "7d", "PT5M", "P1DT2H", "0", "", "P", "9999999999999d", "1s1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("%q is %s", s, d)
		}
		again, err := ParseDuration(FormatDuration(d))
		if err != nil || again != d.Truncate(time.Millisecond) {
			t.Errorf("%q is %s, printed %s, read back %s, %v", s, d, FormatDuration(d), again, err)
		}
	})
}

func TestSizes(t *testing.T) {
	f := func(s string, want int64) {
		t.Helper()
		if got, err := ParseSize(s); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", s, got, err, want)
		}
	}
	f("1048576", 1<<20)
	f("64MiB", 64<<20)
	f("10 MB", 10_000_000)
	f("0", 0)
	for _, s := range []string{"", "MB", "1.5MB", "-1", "1TB", "9999999999GiB"} {
		if n, err := ParseSize(s); err == nil {
			t.Errorf("%q was read as %d", s, n)
		}
	}
}
