package listen

import (
	"os"
	"path/filepath"
	"testing"

	"spate/access"
	"spate/pipeline"
)

func TestConnectionStringsNameWhatClientsReach(t *testing.T) {
	for _, c := range []struct {
		amqp, amqps, advertised string
		plain, tls              string
	}{
		{"127.0.0.1:5672", "", "", "Endpoint=sb://localhost;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=k;UseDevelopmentEmulator=true;", ""},
		{"127.0.0.1:7000", "0.0.0.0:5671", "", "Endpoint=sb://localhost:7000;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=k;UseDevelopmentEmulator=true;",
			"Endpoint=sb://localhost;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=k;"},
		{"", "10.0.0.1:7001", "spate.example.org", "", "Endpoint=sb://spate.example.org:7001;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=k;"},
	} {
		e := EndpointsOf(pipeline.Options{Dir: "d", Listen: pipeline.Listen{Advertised: c.advertised}}, Addresses{"amqp": c.amqp, "amqps": c.amqps}, "k")
		if e.ConnectionString != c.plain || e.TLSConnectionString != c.tls || (e.CAFile != "") != (c.tls != "") {
			t.Errorf("%+v: got %+v", c, e)
		}
	}
}

// Keys are made once; those that are given are taken; the emulator's is a second one.
func TestPoliciesKeepTheirKeys(t *testing.T) {
	dir := t.TempDir()
	a := pipeline.Auth{Rules: []pipeline.AuthRule{{Name: "dev", Rights: []string{"Send"}, Hub: "in"}}}
	first, err := Policies(dir, a)
	if err != nil || len(first) != 2 || RootKey(first) == "" || first[1].Primary == "" || first[0].Secondary != "" {
		t.Fatalf("%v, %v", first, err)
	}
	info, err := os.Stat(filepath.Join(dir, "keys.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	a.EmulatorKey = true
	again, err := Policies(dir, a)
	if err != nil || again[0].Primary != first[0].Primary || again[1] != first[1] || again[0].Secondary != access.EmulatorKey {
		t.Errorf("the keys are others, %v", err)
	}
	a.Rules = append(a.Rules, pipeline.AuthRule{Name: access.RootRule, Rights: []string{"Manage"}, PrimaryKey: "mine"})
	if given, err := Policies(dir, a); err != nil || RootKey(given) != "mine" || len(given) != 2 {
		t.Errorf("%v, %v", given, err)
	}
	a.Rules[0].Rights = []string{"Fly"}
	if _, err := Policies(dir, a); err == nil {
		t.Error("a right that is none is taken")
	}
}
