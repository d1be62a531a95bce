package spate

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/access"
	"spate/console"
	"spate/pipeline"
	"spate/simulator"
)

// taker is a webhook that remembers what it was sent.
type taker struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
}

func newTaker(t *testing.T) *taker {
	w := new(taker)
	w.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.bodies = append(w.bodies, string(body))
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *taker) got() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.bodies)
}

// reload takes o over, which must do what is said, in that order.
func (p *testPipeline) reload(o pipeline.Options, want ...string) {
	p.t.Helper()
	did, err := p.Reload(p.t.Context(), o)
	if err != nil || !slices.Equal(did, want) {
		p.t.Fatalf("did %q, %v, want %q", did, err, want)
	}
}

// While events come a receiver moves to and fro between two places, another comes and
// goes: each event is delivered once, and in order.
func TestActionGroupsChangeWhileEventsCome(t *testing.T) {
	one, two, file := newTaker(t), newTaker(t), filepath.Join(t.TempDir(), "alerts.jsonl")
	o := pipeline.Options{
		Dir:    t.TempDir(),
		Hubs:   []pipeline.Hub{{Name: "alerts", Partitions: 1}},
		Notify: []pipeline.Notify{{Name: "n", Hub: "alerts", ActionGroups: []string{"ops"}}},
	}
	group := func(disabled bool, r ...pipeline.Receiver) {
		o.ActionGroups = []pipeline.ActionGroup{{Name: "Ops", Disabled: disabled, Receivers: r}}
	}
	hook := func(w *taker) pipeline.Receiver { return pipeline.Receiver{Name: "hook", Webhook: w.URL} }
	lines := pipeline.Receiver{Name: "lines", File: file}
	group(false, hook(one))
	p := run(t, o)
	p.runs()
	var sent int
	var wg sync.WaitGroup
	over := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				sent++
				p.send("alerts", fmt.Sprint(sent))
			}
		}
	})
	all := func() int { return len(one.got()) + len(two.got()) }
	for n := range 8 {
		to := []*taker{two, one}[n%2]
		before := len(to.got())
		switch n % 4 {
		case 2:
			group(false, hook(to), lines)
			p.reload(o, "notify n replaced")
		case 3:
			group(true, hook(to))
			p.reload(o, "notify n stopped")
			group(false, hook(to))
			p.reload(o, "notify n started")
		default:
			group(false, hook(to))
			p.reload(o, "notify n replaced")
		}
		p.reload(o)
		until(t, "deliveries to the new place", func() bool { return len(to.got()) > before })
	}
	group(false, hook(one), lines)
	p.reload(o, "notify n replaced")
	close(over)
	wg.Wait()
	p.send("alerts", "last")
	until(t, "all deliveries", func() bool { return all() == sent+1 })
	seen := make(map[string]int)
	for _, w := range []*taker{one, two} {
		last := 0
		for _, body := range w.got() {
			var n int
			if _, err := fmt.Sscan(body, &n); err == nil && n <= last {
				t.Errorf("event %d comes behind %d", n, last)
			}
			last = n
			seen[body]++
		}
	}
	for n := range sent {
		if seen[fmt.Sprint(n+1)] != 1 {
			t.Errorf("event %d was delivered %d times", n+1, seen[fmt.Sprint(n+1)])
		}
	}
	var text []byte
	until(t, "the line of the last event", func() bool { text, _ = os.ReadFile(file); return strings.HasSuffix(string(text), "\"last\"\n") })
	list := strings.Fields(string(text))
	slices.Sort(list)
	if len(slices.Compact(slices.Clone(list))) != len(list) {
		t.Error("the file has an event twice")
	}
}

func TestNotifiersComeGoAndMayFail(t *testing.T) {
	w := newTaker(t)
	o := pipeline.Options{
		Dir: t.TempDir(), Hubs: []pipeline.Hub{{Name: "alerts", Partitions: 1}},
		ActionGroups: []pipeline.ActionGroup{{Name: "ops", Receivers: []pipeline.Receiver{{Name: "hook", Webhook: w.URL}}}},
	}
	p := run(t, o)
	p.runs()
	wrong := o
	wrong.Notify = []pipeline.Notify{{Name: "n", Hub: "alerts", ActionGroups: []string{"other"}}}
	for range 2 {
		if did, err := p.Reload(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), "action group other does not exist") || len(did) > 0 {
			t.Errorf("did %v, %v", did, err)
		}
	}
	o.Notify = []pipeline.Notify{{Name: "n", Hub: "more", ActionGroups: []string{"ops"}}}
	o.Hubs = append(o.Hubs, pipeline.Hub{Name: "more", Partitions: 1})
	// A file is in the way of its folder.
	path := filepath.Join(o.Dir, "notify", "n")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	did, err := p.Reload(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "opening notify n") || !slices.Equal(did, []string{"hub more"}) {
		t.Errorf("did %v, %v", did, err)
	}
	if err := p.health(); err == nil || !strings.Contains(err.Error(), "notify n does not run") {
		t.Errorf("health %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	p.reload(o, "notify n started")
	if err := p.health(); err != nil {
		t.Error(err)
	}
	p.send("more", "1")
	until(t, "the first delivery", func() bool { return len(w.got()) == 1 })
	o.Hubs[1].Partitions = 2
	p.reload(o, "hub more", "notify n replaced")
	p.send("more", "2", "3") // one to each partition
	until(t, "deliveries of both partitions", func() bool { return len(w.got()) == 3 })
	o.Notify, o.ActionGroups = nil, nil
	p.reload(o, "notify n stopped")
	if s := p.Status(); s.Alerts != 0 {
		t.Errorf("%d alerts, and nobody is told of any", s.Alerts)
	}
}

func TestTheSimulatorChanges(t *testing.T) {
	o := pipeline.Options{
		Dir: t.TempDir(), Hubs: []pipeline.Hub{{Name: "in", Partitions: 1}, {Name: "other", Partitions: 1}},
		Listen: pipeline.Listen{Kafka: "127.0.0.1:0", AMQP: "127.0.0.1:0"},
	}
	p := run(t, o)
	p.runs()
	come := func(hub string) {
		t.Helper()
		before := p.counter("IncomingMessages", "EntityName", hub)
		until(t, "events of the simulator", func() bool { return p.counter("IncomingMessages", "EntityName", hub) > before })
	}
	fleet := func(s pipeline.Simulate) {
		s.Interval = 5 * time.Millisecond
		o.Simulate = &s
	}
	fleet(pipeline.Simulate{Hub: "in", Devices: 1})
	p.reload(o, "simulator started")
	come("in")
	p.reload(o)
	for want, s := range map[string]pipeline.Simulate{
		"there is no scenario": {Hub: "in", Scenario: "nonsense"},
		"hub nowhere does not": {Hub: "nowhere"},
	} {
		good := o.Simulate
		fleet(s)
		if did, err := p.Reload(t.Context(), o); err == nil || len(did) > 0 {
			t.Errorf("%s: did %v, %v", want, did, err)
		}
		o.Simulate = good
		come("in")
	}
	fleet(pipeline.Simulate{Hub: "other", Devices: 2, Via: "amqp"})
	p.reload(o, "simulator replaced")
	still := p.counter("IncomingMessages", "EntityName", "in")
	come("other")
	o.Simulate = nil
	p.reload(o, "simulator stopped")
	at := p.counter("IncomingMessages", "EntityName", "other")
	fleet(pipeline.Simulate{Hub: "in", Devices: 1})
	p.reload(o, "simulator started")
	come("in")
	if n := p.counter("IncomingMessages", "EntityName", "other"); n != at {
		t.Errorf("%d events came behind the stop", n-at)
	}
	if n := p.counter("IncomingMessages", "EntityName", "in"); n <= still {
		t.Errorf("%d events, %d before the simulator came back", n, still)
	}
}

func TestASimulatorThatCannotSendIsTriedAgain(t *testing.T) {
	o := pipeline.Options{Dir: t.TempDir()} // without listeners
	p := run(t, o)
	p.runs()
	o.Hubs = []pipeline.Hub{{Name: "in", Partitions: 2}}
	o.Simulate = &pipeline.Simulate{Hub: "in"}
	for range 2 {
		if did, err := p.Reload(t.Context(), o); err == nil || !strings.Contains(err.Error(), "starting the simulator") {
			t.Errorf("did %v, %v", did, err)
		}
	}
	o.Simulate = nil
	p.reload(o)
}

// Who connects after a reload meets the new policies; the simulator, which has the key of
// the root policy, goes on with the new one.
func TestAuthorizationRulesChange(t *testing.T) {
	o := pipeline.Options{
		Dir: t.TempDir(), Hubs: []pipeline.Hub{{Name: "in", Partitions: 1}},
		Listen:   pipeline.Listen{Kafka: "127.0.0.1:0", AMQP: "127.0.0.1:0"},
		Simulate: &pipeline.Simulate{Hub: "in", Devices: 1, Interval: 5 * time.Millisecond},
	}
	p := run(t, o)
	p.runs()
	until(t, "the simulator", func() bool { return p.counter("IncomingMessages", "EntityName", "in") > 0 })
	connects := func(rule, key string) error {
		cs := access.ConnectionString{Endpoint: "sb://localhost", KeyName: rule, Key: key, Emulator: true}
		k, err := simulator.NewKafka(t.Context(), simulator.Connection{String: cs.Print(), Hub: "in", Brokers: []string{p.Endpoints().Kafka}, Plain: true})
		if err != nil {
			return err
		}
		return k.Close()
	}
	key := access.NewKey()
	if err := connects("dev", key); !errors.Is(err, simulator.ErrUnauthorized) {
		t.Errorf("before: %v", err)
	}
	o.Auth.Rules = []pipeline.AuthRule{{Name: "dev", Rights: []string{"Send"}, PrimaryKey: key}}
	p.reload(o, "authorization rules")
	if err := connects("dev", key); err != nil {
		t.Errorf("with the rule: %v", err)
	}
	wrong := o
	wrong.Auth.Rules = append(slices.Clone(o.Auth.Rules), pipeline.AuthRule{Name: "x", Rights: []string{"Fly"}})
	if did, err := p.Reload(t.Context(), wrong); err == nil || len(did) > 0 {
		t.Errorf("a right that is none: did %v, %v", did, err)
	}
	wrong.Auth.Rules = append(slices.Clone(o.Auth.Rules), o.Auth.Rules[0])
	if _, err := p.Reload(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), "stay as they were") {
		t.Errorf("a rule that is there twice: %v", err)
	}
	if err := connects("dev", key); err != nil {
		t.Errorf("after the mistakes: %v", err)
	}
	o.Auth.Rules = []pipeline.AuthRule{{Name: access.RootRule, Rights: []string{"Manage"}, PrimaryKey: access.NewKey()}}
	p.reload(o, "authorization rules", "simulator replaced")
	if err := connects("dev", key); !errors.Is(err, simulator.ErrUnauthorized) {
		t.Errorf("without the rule: %v", err)
	}
	i, err := console.ReadInstance(o.Dir)
	if err != nil || i.ConnectionStrings["emulator"] != p.Endpoints().ConnectionString || !strings.Contains(p.Endpoints().ConnectionString, o.Auth.Rules[0].PrimaryKey) {
		t.Errorf("%v: the instance file has another key", err)
	}
	before := p.counter("IncomingMessages", "EntityName", "in")
	until(t, "events with the new key", func() bool { return p.counter("IncomingMessages", "EntityName", "in") > before })
}

func TestRetentionOfMetricsChanges(t *testing.T) {
	o := pipeline.Options{Dir: t.TempDir()}
	p := run(t, o)
	p.runs()
	o.Hubs = []pipeline.Hub{{Name: "in", Partitions: 2}}
	o.MetricsRetention = 48 * time.Hour
	p.reload(o, "retention of metrics")
	p.reload(o)
}

func TestWhatCannotChangeIsRefusedByItsKeys(t *testing.T) {
	o := pipeline.Options{Dir: t.TempDir(), Listen: pipeline.Listen{Kafka: "127.0.0.1:0", AMQP: "127.0.0.1:0"}}
	p := run(t, o)
	p.runs()
	o.Hubs = []pipeline.Hub{{Name: "in", Partitions: 2}}
	for want, change := range map[string]func(o *pipeline.Options){
		"server.kafka.port cannot":           func(o *pipeline.Options) { o.Listen.Kafka = "127.0.0.1:19092" },
		"server.bind cannot":                 func(o *pipeline.Options) { o.Listen.Kafka, o.Listen.AMQP = "[::1]:0", "[::1]:0" },
		"name, namespace.name, storage.path": func(o *pipeline.Options) { o.Name, o.Dir = "x", t.TempDir() },
		"storage.account":                    func(o *pipeline.Options) { o.Storage.Account = "x" },
	} {
		c := o
		c.Hubs = append(slices.Clone(o.Hubs), pipeline.Hub{Name: "new"})
		change(&c)
		did, err := p.Reload(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "stop it and start it again") || len(did) > 0 {
			t.Errorf("%s: did %v, %v", want, did, err)
		}
	}
	if _, ok := p.hubs.namespace.Hub("new"); ok {
		t.Error("a reload that was refused made a hub")
	}
}
