package bind

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"spate/sql/plan"
)

// The page of the functions has every function of the binder, each once, with as many
// arguments as it takes, and no others. Package eval computes its examples.
func TestThePageOfTheFunctions(t *testing.T) {
	data, err := os.ReadFile("../../docs/functions.md")
	if err != nil {
		t.Fatal(err)
	}
	there, _, _ := strings.Cut(string(data), "\n## Other dialects\n")
	takes := make(map[string]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Za-z_.]+)\\(([^`]*)\\)` \\|").FindAllStringSubmatch(there, -1) {
		if _, twice := takes[m[1]]; twice {
			t.Errorf("%s stands there twice", m[1])
		}
		takes[m[1]] = m[2]
	}
	want := []string{"System.Timestamp", "CAST", "TRY_CAST", "COALESCE", "GETMETADATAPROPERTYVALUE"}
	for name, sig := range functions {
		want = append(want, name)
		least, most := sig.count()
		pageLeast, pageMost := counted(takes[name])
		if least != pageLeast || most != pageMost {
			t.Errorf("%s takes %d to %d arguments, the page says %d to %d (-1: any number)", name, least, most, pageLeast, pageMost)
		}
	}
	for name := range aggregates {
		want = append(want, string(name))
	}
	for name := range analyticFuncs {
		want = append(want, name)
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(takes)); !slices.Equal(got, want) {
		t.Errorf("the page has\n%v, the binder\n%v", got, want)
	}
}

// count is how many arguments a signature takes; -1: any number.
func (s signature) count() (least, most int) {
	args, repeats := strings.CutSuffix(s.args, "*")
	if repeats {
		return len(args) - 1, -1
	}
	required, optional, _ := strings.Cut(args, "?")
	return len(required), len(required) + len(optional)
}

// counted reads "a, b[, c]" and "a, b, ...".
func counted(args string) (least, most int) {
	required, optional, _ := strings.Cut(args, "[")
	least = len(strings.FieldsFunc(required, func(r rune) bool { return r == ',' }))
	if strings.HasSuffix(required, "...") {
		return least - 1, -1
	}
	return least, least + strings.Count(optional, ",")
}

// What an IoT hub brings along has several names.
func TestNamesOfWhatAnIoTHubTells(t *testing.T) {
	of := func(path string) string {
		job, errs, _ := Script("SELECT GetMetadataPropertyValue(i, '"+path+"') AS x INTO o FROM i", Options{})
		if len(errs) > 0 {
			t.Fatalf("%s: %v", path, errs)
		}
		return plan.Explain(job)
	}
	want := of("[IoTHub].[ConnectionDeviceId]")
	for _, path := range []string{"IoTHub.ConnectionDeviceId", "IoTConnectionDeviceId", "[EventHub].[IoTConnectionDeviceId]", "EventHub.iotconnectiondeviceid"} {
		if got := of(path); got != want {
			t.Errorf("%s is\n%s, want\n%s", path, got, want)
		}
	}
}
