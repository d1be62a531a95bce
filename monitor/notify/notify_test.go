package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"spate/hub"
	"spate/hub/eventlog"
)

// openHub makes a hub with two partitions.
func openHub(t *testing.T, dir string) (*hub.Namespace, *hub.Hub) {
	t.Helper()
	ns, err := hub.Open(t.Context(), hub.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	h, err := ns.Create(t.Context(), hub.Spec{Name: "alerts", Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	return ns, h
}

func send(t *testing.T, h *hub.Hub, partition int, bodies ...string) {
	t.Helper()
	var events []hub.Event
	for _, b := range bodies {
		events = append(events, hub.Event{Body: []byte(b)})
	}
	k := h.Partition(partition).Append(eventlog.Internal, events)
	<-k.Done()
	if err := k.Err(); err != nil {
		t.Fatal(err)
	}
}

// start runs a notifier until stop, which waits for its end.
func start(t *testing.T, o Options) (n *Notifier, stop func()) {
	t.Helper()
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	return n, sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, n.Close()); err != nil {
			t.Error(err)
		}
	})
}

// until polls real I/O.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("timed out waiting until %s", what)
		}
	}
}

// receiver is an HTTP server that keeps what it was sent and answers as told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	bodies []string
	heads  []http.Header
	tries  int
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: 200}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tries++
		if r.status < 300 {
			r.bodies = append(r.bodies, string(body))
			r.heads = append(r.heads, req.Header.Clone())
		}
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.bodies...)
}

func (r *receiver) attempts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tries
}

func TestEventsReachWebhookAndFileAsTheyLieInTheHub(t *testing.T) {
	dir := t.TempDir()
	ns, h := openHub(t, dir)
	defer ns.Close()
	send(t, h, 0, `{"before":1}`) // before the notifier existed: not its business
	hook, file := newReceiver(t), filepath.Join(dir, "out", "alerts.jsonl")
	n, stop := start(t, Options{Dir: filepath.Join(dir, "notify"), Name: "n", Hub: h, Receivers: []Receiver{
		{Name: "hook", URL: hook.URL, Headers: map[string]string{"X-Team": "ops"}, Secret: "k"}, {Name: "file", File: file}}})
	defer stop()
	send(t, h, 1, "{\n \"a\": 1 }", "no JSON \"at all\"")
	until(t, "all is delivered", func() bool { return len(hook.got()) == 2 && n.Pending() == 0 })
	if got, want := fmt.Sprintf("%q", hook.got()), `["{\n \"a\": 1 }" "no JSON \"at all\""]`; got != want {
		t.Errorf("webhook got %s, want %s", got, want)
	}
	head := hook.heads[1]
	for name, want := range map[string]string{"X-Spate-Hub": "alerts", "X-Spate-Partition": "1", "X-Spate-Sequence-Number": "1",
		"X-Team": "ops", "Content-Type": "application/json; charset=utf-8"} {
		if got := head.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if _, err := time.Parse(time.RFC3339, head.Get("X-Spate-Enqueued-Time")); err != nil || !strings.HasPrefix(head.Get("X-Spate-Signature"), "sha256=") {
		t.Errorf("headers %v", head)
	}
	data, err := os.ReadFile(file)
	if want := "{\"a\":1}\n\"no JSON \\\"at all\\\"\"\n"; err != nil || string(data) != want {
		t.Errorf("file holds %q, want %q", data, want)
	}
}

func TestNothingIsLostOrSentTwiceWhileAReceiverIsDownAndTheProcessRestarts(t *testing.T) {
	dir := t.TempDir()
	ns, h := openHub(t, dir)
	defer ns.Close()
	hook, file := newReceiver(t), filepath.Join(dir, "alerts.jsonl")
	o := Options{Dir: filepath.Join(dir, "notify"), Name: "n", Hub: h,
		Receivers: []Receiver{{Name: "hook", URL: hook.URL}, {Name: "file", File: file}}}
	n, stop := start(t, o)
	send(t, h, 0, "1")
	until(t, "the first is delivered", func() bool { return len(hook.got()) == 1 && n.Pending() == 0 })
	hook.answer(503)
	send(t, h, 0, "2", "3")
	send(t, h, 0, "4")
	until(t, "the file has all and the webhook was tried", func() bool { return n.Pending() == 3 && hook.attempts() == 2 })
	stop()
	send(t, h, 0, "5") // while it is down: waits in the hub
	hook.answer(204)
	n, stop = start(t, o)
	defer stop()
	until(t, "all is delivered", func() bool { return len(hook.got()) == 5 && n.Pending() == 0 })
	if got := strings.Join(hook.got(), ""); got != "12345" {
		t.Errorf("webhook got %s, want 12345", got)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "1\n2\n3\n4\n5\n" {
		t.Errorf("file holds %q, %v", data, err)
	}
}

// A copy of the outbox taken at any moment is what a kill leaves behind.
func TestFileReceiverIsExactAfterACrashBetweenAppendAndMark(t *testing.T) {
	for _, cut := range []int{0, 1, 4, 5, 8, 9, 12} { // bytes of "\"aa\"\n\"bb\"\n..." that reached the file
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			dir := t.TempDir()
			ns, h := openHub(t, dir)
			defer ns.Close()
			file := filepath.Join(dir, "alerts.jsonl")
			if err := os.WriteFile(file, []byte("older\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			o := Options{Dir: filepath.Join(dir, "notify"), Name: "n", Hub: h, Receivers: []Receiver{{Name: "file", File: file}}}
			n, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			if err := n.box.put(0, []message{{offset: 0, put: 1, body: []byte("aa")}, {offset: 1, put: 1, body: []byte("bb")}}); err != nil {
				t.Fatal(err)
			}
			if err := n.Close(); err != nil { // the append below was under way when the process died
				t.Fatal(err)
			}
			lines := "\"aa\"\n\"bb\"\n"
			if err := os.WriteFile(file, []byte("older\n"+lines[:min(cut, len(lines))]), 0o644); err != nil {
				t.Fatal(err)
			}
			n, stop := start(t, o)
			until(t, "all is delivered", func() bool { return n.Pending() == 0 })
			stop()
			if data, err := os.ReadFile(file); err != nil || string(data) != "older\n"+lines {
				t.Errorf("file holds %q, %v", data, err)
			}
		})
	}
}

// answers is a transport that gives one status after the other, the last for ever.
type answers struct {
	statuses []int
	at       []time.Duration // when calls came, since start
	ids      map[string]bool
	start    time.Time
	called   chan struct{}
}

func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	status := a.statuses[min(len(a.at), len(a.statuses)-1)]
	a.at = append(a.at, time.Since(a.start))
	a.ids[req.Header.Get("X-Spate-Delivery")] = true
	a.called <- struct{}{}
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

// ladderOf runs one delivery on a fake clock and returns when the calls came.
func ladderOf(t *testing.T, statuses ...int) (calls []time.Duration, delivered bool, ids int) {
	t.Helper()
	box, err := openOutbox(t.TempDir(), []string{"r"})
	if err != nil {
		t.Fatal(err)
	}
	defer box.close()
	synctest.Test(t, func(t *testing.T) {
		a := &answers{statuses: statuses, ids: map[string]bool{}, start: time.Now(), called: make(chan struct{}, 1000)}
		n := &Notifier{box: box, o: Options{Name: "n", Hub: new(hub.Hub), MaxAge: 24 * time.Hour, Transport: a, Clock: time.Now, Log: slog.New(slog.DiscardHandler)}}
		w := &worker{n: n, to: newWebhook(Receiver{URL: "http://example.com"}, n.o)}
		_, delivered = w.deliver(t.Context(), []message{{number: 1, put: time.Now().UnixMilli(), body: []byte("{}")}})
		calls, ids = a.at, len(a.ids)
	})
	return calls, delivered, ids
}

func TestRetryLadderThenPauseThenDelivery(t *testing.T) {
	calls, delivered, ids := ladderOf(t, 503, 0, 500, 408, 429, 503, 200)
	s := time.Second
	want := []time.Duration{0, 5 * s, 25 * s, 30 * s, 70 * s, 75 * s, 75*s + 15*time.Minute}
	if fmt.Sprint(calls) != fmt.Sprint(want) || !delivered || ids != 1 {
		t.Errorf("calls at %v, delivered %v, with %d ids; want %v, true, 1", calls, delivered, ids, want)
	}
}

func TestAnAnswerThatRepetitionDoesNotChangeEndsTheDelivery(t *testing.T) {
	for _, status := range []int{400, 401, 404, 302} {
		if calls, delivered, _ := ladderOf(t, status, 200); len(calls) != 1 || delivered {
			t.Errorf("status %d: %d calls, delivered %v; want 1, false", status, len(calls), delivered)
		}
	}
}

func TestDeliveryIsGivenUpAfterADay(t *testing.T) {
	calls, delivered, _ := ladderOf(t, 503)
	if last := calls[len(calls)-1]; delivered || last > 24*time.Hour || last < 23*time.Hour {
		t.Errorf("last call after %s, delivered %v", last, delivered)
	}
}

// A receiver that takes nothing is a problem from the second attempt on, until it takes
// something or the event is given up.
func TestAReceiverThatTakesNothingIsAProblem(t *testing.T) {
	box, err := openOutbox(t.TempDir(), []string{"r"})
	if err != nil {
		t.Fatal(err)
	}
	defer box.close()
	for _, last := range []int{200, 400} {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{statuses: []int{503, 503, 503, last}, ids: map[string]bool{}, start: time.Now(), called: make(chan struct{}, 1000)}
			n := &Notifier{box: box, o: Options{Name: "n", Hub: new(hub.Hub), MaxAge: 24 * time.Hour, Transport: a, Clock: time.Now, Log: slog.New(slog.DiscardHandler)}}
			w := &worker{n: n, name: "ops", to: newWebhook(Receiver{URL: "http://example.com"}, n.o)}
			done := make(chan struct{})
			go func() {
				defer close(done)
				w.deliver(t.Context(), []message{{number: 1, put: time.Now().UnixMilli(), body: []byte("{}")}})
			}()
			time.Sleep(time.Second) // the first attempt is over
			if errs := n.Problems(); len(errs) > 0 {
				t.Errorf("after one attempt: %v", errs)
			}
			time.Sleep(5 * time.Second) // the second is
			if errs := n.Problems(); len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), "notify n: receiver ops takes nothing: ") {
				t.Errorf("after two attempts: %v", errs)
			}
			<-done
			if errs := n.Problems(); len(errs) > 0 {
				t.Errorf("behind the delivery: %v", errs)
			}
		})
	}
}
