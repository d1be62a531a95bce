package suite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spate/config/asaproj"
)

func TestLocalInputsThatAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for want, m := range map[string]asaproj.Mock{
		"input i: reference data in a test is not supported yet":  {Alias: "i", Format: "json", Path: path, Reference: true},
		"input i: a file of the format avro is not supported yet": {Alias: "i", Format: "avro", Path: path},
		"input i: stat " + path + "y: no such file":               {Alias: "i", Format: "json", Path: path + "y"},
	} {
		if _, err := MockInput(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	in, err := MockInput(asaproj.Mock{Alias: "i", Format: "csv", Delimiter: ";", Path: path})
	if err != nil || in.Delimiter != ";" || in.Format != "csv" {
		t.Errorf("%+v, %v", in, err)
	}
}
