package config

import "testing"

// The emulator's public key opens nothing to a network that the file does not open by name.
func TestEmulatorKeyIsForLoopback(t *testing.T) {
	open := "server: { bind: 0.0.0.0, amqp: { port: off }, kafka: { port: off }, console: { port: off } }\n"
	for src, want := range map[string]bool{
		"": true, "namespace: {}\n": true,
		open: false, open + "namespace: {}\n": false,
		open + "namespace: { emulatorKey: true }\n": true, "namespace: { emulatorKey: false }\n": false,
	} {
		p, err := loadBytes(Source{}, "spate.yaml", []byte("version: 1\n"+src), folder{dir: t.TempDir()})
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		if got := p.Options.Auth.EmulatorKey; got != want {
			t.Errorf("%q: %v, want %v", src, got, want)
		}
	}
}
