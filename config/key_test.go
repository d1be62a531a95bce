package config_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"spate/config"
	"spate/config/configtest"
)

// load loads a file in a folder that has the files of configtest.
func load(t *testing.T, dir, text string) (*config.Pipeline, error) {
	t.Helper()
	files := configtest.Files()
	files["spate.yaml"] = text
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return config.Load(config.Source{Path: dir})
}

func mustLoad(t *testing.T, dir, text string) *config.Pipeline {
	t.Helper()
	p, err := load(t, dir, text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

// Every key is read, does something if its declaration says so, and is printed as it was read.
func TestEveryKeyIsReadAndPrinted(t *testing.T) {
	for _, c := range configtest.Cases() {
		t.Run(c.Key.Path, func(t *testing.T) {
			dir := t.TempDir()
			before, after := mustLoad(t, dir, c.Before), mustLoad(t, dir, c.After)
			same := reflect.DeepEqual(before.Options, after.Options)
			if c.Key.Change != config.ChangeNone && c.Key.Change != config.ChangeInside && same {
				t.Errorf("%s: the value makes no difference", c.Path)
			}
			var text strings.Builder
			if err := config.Print(&text, after); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text.String(), "***") {
				return // a secret is not printed
			}
			if again := mustLoad(t, dir, text.String()); !reflect.DeepEqual(after.Options, again.Options) {
				t.Errorf("printed\n%s\nread\n%+v\nwant\n%+v", &text, again.Options, after.Options)
			}
		})
	}
}

// A declaration says what a person must know.
func TestEveryKeyIsDescribed(t *testing.T) {
	var walk func(keys []config.Key)
	walk = func(keys []config.Key) {
		for _, k := range keys {
			if !strings.HasSuffix(k.About, ".") {
				t.Errorf("%s: %q is no sentence", k.Path, k.About)
			}
			if waits := k.Change == config.ChangeStart || k.Change == config.ChangeNever || k.Change == config.ChangeGrow; waits == (k.Refusal == "") {
				t.Errorf("%s: change %q with the refusal %q", k.Path, k.Change, k.Refusal)
			}
			if inside := k.Form == config.FormMap || k.Form == config.FormNames || k.Form == config.FormMaps; (inside || k.Name == "version") != (k.Change == config.ChangeInside) {
				t.Errorf("%s: form %s, change %q", k.Path, k.Form, k.Change)
			}
			walk(k.Keys)
		}
	}
	walk(config.Keys())
}

// A wrong value is refused with the code of its kind, where it stands.
func TestWrongValuesAreRefusedWhereTheyStand(t *testing.T) {
	for _, c := range configtest.Cases() {
		for value, code := range wrongValues(c.Key) {
			t.Run(c.Key.Path+"/"+value, func(t *testing.T) {
				text, line, column := c.With(value)
				_, err := load(t, t.TempDir(), text)
				var ps config.Problems
				if !errors.As(err, &ps) {
					t.Fatalf("got %v, want %s\n%s", err, code, text)
				}
				if !slices.ContainsFunc(ps, func(p config.Problem) bool { return p.Code == code && p.Line == line && p.Column >= column }) {
					t.Errorf("got %v, want %s at %d:%d\n%s", err, code, line, column, text)
				}
			})
		}
	}
}

// wrongValues are values that a key does not take, and the codes of their refusals.
func wrongValues(k config.Key) map[string]string {
	wrong := map[string]string{}
	text := func() {
		wrong["[a]"], wrong["7"] = "E104", "E105"
	}
	switch k.Form {
	case config.FormText:
		text()
	case config.FormName:
		text()
		wrong[`"*"`] = "E202"
	case config.FormWord:
		wrong["nonsense"] = "E206"
		if len(k.Keys) == 0 {
			wrong["{ a: b }"] = "E104"
		}
	case config.FormFlag:
		wrong[`"true"`], wrong["7"] = "E104", "E104"
		if len(k.Words) > 0 {
			wrong["true"] = "E206"
		}
	case config.FormInteger:
		wrong["many"], wrong["[1]"], wrong["012"] = "E104", "E104", "E105"
		if k.Name == "version" {
			return map[string]string{"one": "E104", "2": "E201"}
		}
		wrong[fmt.Sprint(k.Low-1)] = "E205"
		if k.High < math.MaxInt64 {
			wrong[fmt.Sprint(k.High+1)] = "E205"
		}
	case config.FormDuration:
		wrong["7y"], wrong["[7s]"] = "E203", "E104"
		wrong[config.FormatDuration(time.Duration(k.High)+time.Second)] = "E205"
		if k.Low > int64(time.Millisecond) {
			wrong[config.FormatDuration(time.Duration(k.Low)-time.Millisecond)] = "E205"
		}
	case config.FormSize:
		wrong["7x"], wrong["{ a: b }"], wrong[fmt.Sprint(k.Low-1)] = "E204", "E104", "E205"
	case config.FormTime:
		wrong["soon"], wrong["[a]"] = "E210", "E104"
	case config.FormPort:
		wrong["65536"], wrong["-1"], wrong["amqp"], wrong["[1]"] = "E205", "E205", "E205", "E104"
	case config.FormSecret:
		wrong["written-out"], wrong["[a]"] = "S601", "E104"
	case config.FormList:
		wrong["7"], wrong["[[a]]"], wrong["[7]"] = "E104", "E104", "E105"
		if len(k.Words) > 0 {
			wrong["[nonsense]"] = "E206"
		}
	case config.FormRows:
		wrong["7"], wrong["{ a: [b] }"], wrong["{ a: { file: x, rows: [{ b: 1 }] } }"] = "E104", "E104", "E207"
		wrong["{ a: { } }"], wrong["{ a: { file: x, nonsense: 1 } }"] = "E208", "E102"
	case config.FormCounts:
		wrong["7"], wrong["{ a: many }"], wrong["{ a: -1 }"] = "E104", "E104", "E205"
		if len(k.Words) > 0 {
			wrong["{ nonsense: 1 }"] = "E206"
		}
	case config.FormTexts:
		wrong["7"], wrong["{ a: [b] }"] = "E104", "E104"
		if len(k.Words) > 0 {
			wrong["{ a: nonsense }"] = "E206"
		}
	}
	return wrong
}

// A key that is known and not built is refused by name.
func TestLaterKeysAreRefusedByName(t *testing.T) {
	for _, path := range config.Later() {
		text, line := configtest.WithLater(path)
		_, err := load(t, t.TempDir(), text)
		var ps config.Problems
		if !errors.As(err, &ps) || !slices.ContainsFunc(ps, func(p config.Problem) bool {
			return p.Code == "E206" && p.Line == line && strings.HasSuffix(p.Message, "is not supported yet")
		}) {
			t.Errorf("%s: got %v\n%s", path, err, text)
		}
	}
}
