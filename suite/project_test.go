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
		"input i: a file of the format avro is not supported yet": {Alias: "i", Format: "avro", Path: path},
		"input i: stat " + path + "y: no such file":               {Alias: "i", Format: "json", Path: path + "y"},
	} {
		if _, _, err := Mock(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	in, ref, err := Mock(asaproj.Mock{Alias: "i", Format: "csv", Delimiter: ";", Path: path})
	if err != nil || ref != nil || in.Delimiter != ";" || in.Format != "csv" {
		t.Errorf("%+v, %+v, %v", in, ref, err)
	}
	in, ref, err = Mock(asaproj.Mock{Alias: "i", Format: "json", Path: path, Reference: true})
	if err != nil || in != nil || ref.Format != "json" || ref.Path != path {
		t.Errorf("%+v, %+v, %v", in, ref, err)
	}
}
