package spate

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"spate/access"
	"spate/pipeline"
)

func plainEverywhere() pipeline.Options {
	return pipeline.Options{
		Listen: pipeline.Listen{AMQP: "0.0.0.0:0", Kafka: "0.0.0.0:0", Health: "0.0.0.0:0", HTTP: "127.0.0.1:0", AllowPlaintext: true},
		Auth:   pipeline.Auth{Rules: []pipeline.AuthRule{{Name: access.RootRule, Rights: []string{"Manage"}, PrimaryKey: "a key of mine"}}},
	}
}

// Whatever makes a key known to strangers keeps plain ports on loopback, for programs that
// embed a pipeline too.
func TestPlainPortsBeyondLoopbackAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*pipeline.Options)
		want   string
	}{
		"not allowed":        {func(o *pipeline.Options) { o.Listen.AllowPlaintext = false }, "only loopback is served without TLS"},
		"no key":             {func(o *pipeline.Options) { o.Auth.Rules = nil }, "the policy RootManageSharedAccessKey has no key of its own"},
		"a key that we make": {func(o *pipeline.Options) { o.Auth.Rules[0].PrimaryKey = "" }, "has no key of its own"},
		"a rule of a hub": {func(o *pipeline.Options) {
			o.Auth.Rules = append(o.Auth.Rules, pipeline.AuthRule{Name: "device", Rights: []string{"Send"}, Hub: "in"})
		}, "the policy device has no key of its own"},
		"the published key": {func(o *pipeline.Options) { o.Auth.Rules[0].SecondaryKey = access.EmulatorKey }, "published"},
		"the emulator":      {func(o *pipeline.Options) { o.Auth.EmulatorKey = true }, "the key of Microsoft's emulator is accepted"},
		"anonymous":         {func(o *pipeline.Options) { o.Listen.KafkaAnonymous = true }, "clients in that do not authenticate"},
		"the console":       {func(o *pipeline.Options) { o.Listen.HTTP = "0.0.0.0:0" }, "opening the HTTP listener on 0.0.0.0:0: only loopback"},
	} {
		o := plainEverywhere()
		o.Dir, o.Hubs, o.Log = t.TempDir(), []pipeline.Hub{{Name: "in"}}, slog.New(slog.DiscardHandler)
		c.change(&o)
		p, err := Open(t.Context(), o)
		if err == nil {
			p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// With a key of one's own they are open, each start says so, strangers are told no reasons,
// and the key cannot go while the ports are open.
func TestPlainPortsBeyondLoopback(t *testing.T) {
	o := plainEverywhere()
	log := new(lockedBuffer)
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	p := run(t, o)
	for _, key := range []string{"amqp", "kafka", "health"} {
		host, port, err := net.SplitHostPort(p.ports.Bound()[key])
		if err != nil || !net.ParseIP(host).IsUnspecified() {
			t.Errorf("%s is bound to %s, %v", key, p.ports.Bound()[key], err)
			continue
		}
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.2", port)) // not the address that plain ports have by default
		if err != nil {
			t.Error(err)
			continue
		}
		c.Close()
	}
	if n := strings.Count(log.String(), "a port without TLS is open beyond this machine"); n != 3 {
		t.Errorf("%d warnings, want one for each port:\n%s", n, log)
	}
	_, port, _ := net.SplitHostPort(p.ports.Bound()["health"])
	req, err := http.NewRequest("GET", "http://127.0.0.1:"+port+"/health", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "spate:5300"
	until(t, "health by another name", func() bool {
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return err == nil && answer.StatusCode == 200 && strings.Contains(string(body), `"healthy"`)
	})
	o.Dir, o.Hubs = p.opts.Dir, p.opts.Hubs
	o.Auth.Rules = nil
	if _, err := p.Reload(t.Context(), o); err == nil || !strings.Contains(err.Error(), "has no key of its own") {
		t.Errorf("got %v, want a refusal to give up the key", err)
	}
	if s := p.Endpoints().ConnectionString; !strings.Contains(s, "SharedAccessKey=a key of mine;") || !strings.Contains(s, "sb://localhost:") {
		t.Errorf("the connection string is %s", s)
	}
}
