package access

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func testRules(t *testing.T) *Rules {
	t.Helper()
	r, err := NewRules(
		Rule{Name: RootRule, Primary: "root-key", Secondary: "root-second", Rights: Manage},
		Rule{Name: "device", Primary: "device-key", Rights: Send, Hub: "telemetry/eu"},
		Rule{Name: "reader", Primary: "reader-key", Rights: Listen},
	)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTokenScopesAndRights(t *testing.T) {
	r := testRules(t)
	f := func(resource, rule, key, path string, right Rights, want error) {
		t.Helper()
		token := Sign(resource, rule, key, noon.Add(time.Hour))
		if err := r.Check(token, path, right, noon); !errors.Is(err, want) {
			t.Errorf("token of %s for %s, %s on %s: got %v, want %v", rule, resource, right, path, err, want)
		}
	}
	f("sb://h/a", RootRule, "root-key", "a/Partitions/3", Send, nil)
	f("sb://h:99/A/", RootRule, "root-second", "sb://other/a/ConsumerGroups/$Default/Partitions/0", Listen, nil)
	f("sb://h/a/consumergroups/$Default", RootRule, "root-key", "a/ConsumerGroups/$Default/Partitions/0", Listen, nil)
	f("amqp://h", RootRule, "root-key", "anything", Manage, nil)
	f("sb://h/a", RootRule, "root-key", "ab", Send, ErrAudience)
	f("sb://h/a", RootRule, "wrong", "a", Send, ErrSignature)
	f("sb://h/a", "nobody", "root-key", "a", Send, ErrSignature)
	f("sb://h/telemetry/eu", "device", "device-key", "telemetry/eu", Send, nil)
	f("sb://h/telemetry/eu", "device", "device-key", "telemetry/eu", Listen, ErrRight)
	f("sb://h/telemetry/us", "device", "device-key", "telemetry/us", Send, ErrSignature)
	f("sb://h/a", "reader", "reader-key", "a/$management", Any, nil)
	f("sb://h/a", "reader", "reader-key", "a", Send, ErrRight)
}

func TestExpiredTokenNamesItsTime(t *testing.T) {
	r := testRules(t)
	_, err := r.VerifyToken(Sign("sb://h/a", RootRule, "root-key", noon), "", noon)
	if !errors.Is(err, ErrExpired) || !strings.Contains(err.Error(), "ExpiredToken: The token is expired. Expiration time: 2026-11-27T12:00:00Z") {
		t.Errorf("got %v", err)
	}
	if _, err := r.VerifyToken(Sign("sb://h/a", RootRule, "root-key", noon.Add(time.Second)), "", noon); err != nil {
		t.Errorf("a second before its end: %v", err)
	}
}

// The signature covers the resource as written: SDKs escape and case it in
// their own ways.
func TestTokenFormsOfClients(t *testing.T) {
	r := testRules(t)
	for _, sr := range []string{"sb%3A%2F%2Flocalhost%2Fa", "amqp%3a%2f%2flocalhost%3a5672%2fa%2fpartitions%2f3", "amqp%3A%2F%2Fh%2Fa%2FConsumerGroups%2F%24Default%2FPartitions%2F0"} {
		se := "1795780800"
		sig := mac("root-key", sr, se)
		token := fmt.Sprintf("SharedAccessSignature se=%s&skn=%s&sr=%s&sig=%s", se, RootRule, sr, url.QueryEscape(base64.StdEncoding.EncodeToString(sig)))
		if _, err := r.VerifyToken(token, "", noon.AddDate(-1, 0, 0)); err != nil {
			t.Errorf("%s: %v", sr, err)
		}
	}
}

func TestKnownSignature(t *testing.T) {
	// printf 'sb%%3A%%2F%%2Fh%%2Fa\n1795780800' | openssl dgst -sha256 -hmac root-key -binary | base64
	const want = "SharedAccessSignature sr=sb%3A%2F%2Fh%2Fa&sig=SzodUvIvWPE5D9shBx9JDm51fCbRc%2BWhmuKmpCQIlLQ%3D&se=1795780800&skn=RootManageSharedAccessKey"
	got := Sign("sb://h/a", RootRule, "root-key", time.Unix(1795780800, 0))
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestConnectionStrings(t *testing.T) {
	const emulator = "Endpoint=sb://localhost;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
	c, err := ParseConnectionString(emulator)
	if err != nil || !c.Emulator || c.Key != EmulatorKey || c.Print() != emulator {
		t.Errorf("the emulator's: %v, printed %s", err, c.Print())
	}
	if h, p := c.Host(); h != "localhost" || p != "5672" {
		t.Errorf("host %s port %s", h, p)
	}
	c, err = ParseConnectionString(" entitypath = a/b ;sharedaccesskey=AbC=; SHAREDACCESSKEYNAME=n;Endpoint=sb://h:7777/")
	if err != nil || c.EntityPath != "a/b" || c.Key != "AbC=" || c.Endpoint != "sb://h:7777" {
		t.Errorf("any order and case: %+v, %v", c.EntityPath, err)
	}
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v", c, c), fmt.Sprintf("%v %#v", Rule{Name: "n", Primary: "AbC="}, Rule{Primary: "AbC="})} {
		if strings.Contains(s, "AbC") {
			t.Errorf("a secret is printed: %s", s)
		}
	}
	f := func(s, want string) {
		t.Helper()
		if _, err := ParseConnectionString(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", s, err, want)
		}
	}
	f("SharedAccessKeyName=n;SharedAccessKey=k", "Endpoint is missing")
	f("Endpoint=sb://h;SharedAccessKey=k", "SharedAccessKeyName is missing")
	f("Endpoint=sb://h;SharedAccessKeyName=n", "SharedAccessKey is missing")
	f("Endpoint=sb://h;Color=red", `unknown key "Color"`)
}

func TestVerifyPlain(t *testing.T) {
	r := testRules(t)
	f := func(s string, ok bool, hub string, right Rights, allowed bool) {
		t.Helper()
		c, err := r.VerifyPlain(s)
		if (err == nil) != ok {
			t.Errorf("%s: %v", s, err)
		} else if got := c.Allows(hub, right); ok && got != allowed {
			t.Errorf("%s: %s on %s: got %v", s, right, hub, got)
		}
	}
	f("Endpoint=sb://h;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=root-second", true, "x", Manage, true)
	f("Endpoint=sb://h;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE", false, "", 0, false)
	f("Endpoint=sb://h;SharedAccessKeyName=device;SharedAccessKey=device-key", true, "TELEMETRY/EU", Send, true)
	f("Endpoint=sb://h;SharedAccessKeyName=device;SharedAccessKey=device-key", true, "other", Send, false)
	f("Endpoint=sb://h;SharedAccessSignature="+Sign("sb://h/a", "reader", "reader-key", time.Now().Add(time.Hour)), true, "a", Listen, true)
	r.AllowEmulatorKey(true)
	f("Endpoint=sb://h;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE", true, "x", Manage, true)
}

func TestRulesAreChecked(t *testing.T) {
	for _, rules := range [][]Rule{
		{{Primary: "k", Rights: Send}},
		{{Name: "n", Rights: Send}},
		{{Name: "n", Primary: "k"}},
		{{Name: "n", Primary: "k", Rights: Send}, {Name: "n", Primary: "l", Rights: Send}},
	} {
		if _, err := NewRules(rules...); err == nil {
			t.Errorf("%v: no error", rules)
		}
	}
	if a, b := NewKey(), NewKey(); a == b || len(a) != 44 {
		t.Errorf("keys of %d characters, equal: %v", len(a), a == b)
	}
}

func TestCertificatesServeAndReload(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	first, err := InitCerts(dir, []string{"hub.test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := InitCerts(dir, nil); !errors.Is(err, ErrCertsExist) {
		t.Errorf("a second time: got %v, want %v", err, ErrCertsExist)
	}
	if info, err := os.Stat(filepath.Join(dir, caKeyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v %v", info.Mode(), err)
	}
	server, err := LoadTLS(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	dial := func(name string) error {
		client, err := TrustTLS(dir)
		if err != nil {
			return err
		}
		client.ServerName = name
		raw, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		defer raw.Close()
		return tls.Client(raw, client).Handshake()
	}
	for _, name := range []string{"127.0.0.1", "localhost", "hub.test"} {
		if err := dial(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if dial("stranger.test") == nil {
		t.Error("a name that is not in the certificate was accepted")
	}
	second, err := InitCerts(dir, nil, Force())
	if err != nil || second.Fingerprint == first.Fingerprint {
		t.Fatalf("by force: %v", err)
	}
	if err := os.Chtimes(filepath.Join(dir, serverFile), noon, noon); err != nil {
		t.Fatal(err)
	}
	if err := dial("localhost"); err != nil {
		t.Errorf("after the certificates changed: %v", err)
	}
}

func TestCertificatesComeWithAPythonModule(t *testing.T) {
	c, err := InitCerts(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(c.Python, "certifi", "__init__.py"))
	if err != nil || !bytes.Contains(b, []byte("def where()")) {
		t.Errorf("the module for Python: %s, %v", b, err)
	}
}

func FuzzParseConnectionString(f *testing.F) {
	f.Add("Endpoint=sb://localhost;SharedAccessKeyName=n;SharedAccessKey=k=;EntityPath=a;UseDevelopmentEmulator=true;")
	f.Add("Endpoint=sb://h/;SharedAccessSignature=SharedAccessSignature sr=a&sig=b&se=1&skn=n")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseConnectionString(s)
		if err != nil {
			return
		}
		again, err := ParseConnectionString(c.Print())
		if err != nil || again != c {
			t.Errorf("%q printed as %q reads as %q: %v", s, c.Print(), again.Print(), err)
		}
	})
}

func FuzzVerifyToken(f *testing.F) {
	f.Add(Sign("sb://h/a", RootRule, "other", noon))
	f.Add("SharedAccessSignature sr=%zz&sig=&se=x&skn=+")
	r, _ := NewRules(Rule{Name: RootRule, Primary: NewKey(), Rights: Manage})
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := r.VerifyToken(s, "a", noon); err == nil {
			t.Errorf("%q was accepted", s)
		}
	})
}

func TestClaimsHoldWhileTheirPolicyDoes(t *testing.T) {
	root := Rule{Name: RootRule, Primary: "root-key", Secondary: "root-second", Rights: Manage}
	reader := Rule{Name: "reader", Primary: "reader-key", Rights: Listen | Send}
	r, err := NewRules(root, reader)
	if err != nil {
		t.Fatal(err)
	}
	byKey, err := r.VerifyKey("reader", "reader-key", "")
	if err != nil {
		t.Fatal(err)
	}
	byToken, err := r.VerifyToken(Sign("sb://h/a", RootRule, "root-second", noon.Add(time.Hour)), "", noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name        string
		rules       []Rule
		key, signed bool
	}{
		{"the same", []Rule{root, reader}, true, true},
		{"one more", []Rule{{Name: "x", Primary: "x", Rights: Send}, root, reader}, true, true},
		{"gone", []Rule{root}, false, true},
		{"fewer rights", []Rule{root, {Name: "reader", Primary: "reader-key", Rights: Listen}}, false, true},
		{"more rights, the keys change places", []Rule{{Name: RootRule, Primary: "root-second", Secondary: "new", Rights: Manage}, {Name: "reader", Primary: "reader-key", Rights: Manage}}, true, true},
		{"other keys", []Rule{{Name: RootRule, Primary: "root-key", Secondary: "new", Rights: Manage}, {Name: "reader", Primary: "new", Rights: Manage}}, false, false},
		{"of a hub now", []Rule{root, {Name: "reader", Primary: "reader-key", Rights: Manage, Hub: "a"}}, false, true},
	} {
		if err := r.Replace(c.rules...); err != nil {
			t.Fatal(err)
		}
		if key, signed := r.Holds(byKey), r.Holds(byToken); key != c.key || signed != c.signed {
			t.Errorf("%s: %t and %t, want %t and %t", c.name, key, signed, c.key, c.signed)
		}
		if !r.Holds(Claims{Rights: Manage}) {
			t.Errorf("%s: claims of no policy do not hold", c.name)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", byKey, byKey, byKey); strings.Contains(text, "reader-key") {
		t.Errorf("the key is printed: %s", text)
	}
}
