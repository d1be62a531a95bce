package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"spate/jobs"
	"spate/metric"
	"spate/monitor"
	"spate/pipeline"
	"spate/stream"
)

func serve(t *testing.T, o Options) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(Handler(o))
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, s *httptest.Server, path string) (int, string) {
	t.Helper()
	resp, err := s.Client().Get(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestPrometheusNames(t *testing.T) {
	r := &metric.Recorder{}
	r.Counter("IncomingMessages", "EntityName", "h").Add(3)
	r.Counter("IncomingRequests").Add(1)
	r.Counter("IncomingRequests", "EntityName", "h").Add(1)
	r.Gauge("Size", "EntityName", "h").Set(10)
	r.Counter("InputEvents", "JobName", "j", "LogicalName", "in", "PartitionId", "0").Add(2)
	r.Gauge("OutputWatermarkDelaySeconds", "JobName", "j").Set(1.5)
	r.Counter("NotificationsDelivered", "ReceiverKind", "webhook").Add(1)
	status, body := get(t, serve(t, Options{Namespace: "ns", Recorder: r}), "/metrics")
	if status != 200 {
		t.Fatalf("status %d: %s", status, body)
	}
	got := strings.Join(regexp.MustCompile(`(?m)^spate_.*$`).FindAllString(body, -1), "\n")
	want := `spate_eventhubs_incoming_messages_total{eventhub="h",namespace="ns"} 3
spate_eventhubs_incoming_requests_total{namespace="ns"} 1
spate_eventhubs_incoming_requests_total{eventhub="h",namespace="ns"} 1
spate_eventhubs_size_bytes{eventhub="h",namespace="ns"} 10
spate_job_input_events_total{alias="in",job="j",partition="0"} 2
spate_job_output_watermark_delay_seconds{job="j"} 1.5
spate_notifications_delivered_total{receiver_kind="webhook"} 1`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestHealthSaysWhy(t *testing.T) {
	var sick error
	s := serve(t, Options{Health: func() error { return sick }})
	if status, body := get(t, s, "/healthz"); status != 200 || body != "ok\n" {
		t.Errorf("%d %q", status, body)
	}
	sick = errors.New("job j: stopped")
	if status, body := get(t, s, "/healthz"); status != 503 || body != "job j: stopped\n" {
		t.Errorf("%d %q", status, body)
	}
}

func TestMetricsCallTakesResourceIDsWithAnySubscription(t *testing.T) {
	r := &metric.Recorder{}
	r.Counter("InputEvents", "JobName", "sa-j").Add(7)
	h, err := monitor.Open(monitor.Options{Dir: t.TempDir(), Recorder: r, Site: monitor.Site{Group: "rg", Namespace: "ns-one", Jobs: []string{"sa-j"}}})
	if err != nil {
		t.Fatal(err)
	}
	h.Sample()
	s := serve(t, Options{Recorder: r, History: h})
	id := "/subscriptions/<sub-id>/resourceGroups/rg/providers/Microsoft.StreamAnalytics/streamingjobs/SA-J"
	status, body := get(t, s, (&url.URL{Path: id + "/providers/Microsoft.Insights/metrics"}).String()+"?metricnames=InputEvents&interval=PT1M")
	var a monitor.Answer
	if err := json.Unmarshal([]byte(body), &a); err != nil || status != 200 {
		t.Fatalf("%d %s %v", status, body, err)
	}
	data := a.Value[0].Timeseries[0].Data
	if v := data[len(data)-1].Total; v == nil || *v != 7 {
		t.Errorf("newest point %+v, want 7", data[len(data)-1])
	}
	for path, want := range map[string]int{"/api/metrics?metricnames=Nope": 400, "/api/metrics?metricnames=InputEvents&resource=job/x": 404,
		"/subscriptions/x/resourceGroups/y": 404, "/api/metrics?metricnames=InputEvents&interval=PT2M": 400} {
		status, body := get(t, s, path)
		if status != want || !strings.Contains(body, `"code"`) {
			t.Errorf("%s: %d %s, want %d", path, status, body, want)
		}
	}
	if _, body := get(t, s, "/subscriptions/x/resourceGroups/y"); !strings.Contains(body, "this call is not supported yet") {
		t.Errorf("another call: %s", body)
	}
}

func TestOtherHostNamesAreRefused(t *testing.T) {
	s := serve(t, Options{})
	req, err := http.NewRequest("GET", s.URL+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example.com"
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("status %d, want 421", resp.StatusCode)
	}
}

func TestServeEndsWithShutdown(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{})
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ln) }()
	resp, err := http.Get("http://" + ln.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestInstanceFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadInstance(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
	if err := WriteInstance(dir, Instance{PID: 7, Addresses: map[string]string{"console": "127.0.0.1:1"}}); err != nil {
		t.Fatal(err)
	}
	i, err := ReadInstance(dir)
	if err != nil || i.PID != 7 || i.Version != 1 || i.Addresses["console"] != "127.0.0.1:1" {
		t.Errorf("%+v, %v", i, err)
	}
	info, err := os.Stat(instancePath(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := errors.Join(RemoveInstance(dir), RemoveInstance(dir)); err != nil {
		t.Error(err)
	}
}

// fakeJobs is a room with one job, "j", which runs.
type fakeJobs struct{ started pipeline.JobStart }

func (f *fakeJobs) Start(_ context.Context, name string, start pipeline.JobStart) error {
	f.started = start
	return f.Stop(context.Background(), name, true)
}

func (f *fakeJobs) Stop(_ context.Context, name string, _ bool) error {
	switch name {
	case "j":
		return nil
	case "stopped":
		return fmt.Errorf("stopping job stopped: %w", jobs.ErrJobState)
	}
	return fmt.Errorf("job %s: %w", name, jobs.ErrNoJob)
}

func (f *fakeJobs) Explain(ctx context.Context, name string, sample int) (*stream.Explanation, error) {
	return &stream.Explanation{Job: fmt.Sprint(name, " with ", sample)}, f.Stop(ctx, name, true)
}

func (f *fakeJobs) DropLetters(ctx context.Context, name string, c jobs.Letters) (int, error) {
	return len(c.IDs), errors.Join(f.Stop(ctx, name, true), f.known(c))
}

func (f *fakeJobs) ReplayLetters(ctx context.Context, name string, c jobs.Letters) (*jobs.Replay, error) {
	return &jobs.Replay{Events: len(c.IDs)}, errors.Join(f.Stop(ctx, name, true), f.known(c))
}

// known refuses the letter x.
func (f *fakeJobs) known(c jobs.Letters) error {
	if slices.Contains(c.IDs, "x") {
		return jobs.ErrNoLetter
	}
	return nil
}

func (f *fakeJobs) Why(ctx context.Context, name string, e jobs.Event) (*stream.Trace, error) {
	if e.Sequence > 9 {
		return nil, jobs.ErrNoEvent
	}
	return &stream.Trace{Body: e.String()}, f.Stop(ctx, name, true)
}

func TestJobsAreLookedIntoWithTheToken(t *testing.T) {
	s := serve(t, Options{Token: "secret", Jobs: new(fakeJobs)})
	ask := func(token, path string) (int, string) {
		t.Helper()
		req, err := http.NewRequest("GET", s.URL+"/api/jobs/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"j/explain": {200, `"j with 0"`}, "j/explain?sample=5": {200, `"j with 5"`}, "k/explain": {404, "no such job"},
		"j/explain?sample=-1": {400, "0 to 10 rows"}, "j/explain?sample=x": {400, "0 to 10 rows"},
		"j/why?event=h/1/7": {200, `"h/1/7"`}, "j/why?event=h/1/10": {404, "no such event"}, "j/why?event=h/1": {400, "HUB/PARTITION/SEQUENCE"}, "j/why": {400, "HUB/PARTITION/SEQUENCE"},
	} {
		if status, body := ask("secret", path); status != want.status || !strings.Contains(body, want.body) {
			t.Errorf("%s: %d %s, want %d with %s", path, status, body, want.status, want.body)
		}
		if status, _ := ask("wrong", path); status != 401 {
			t.Errorf("%s without the token: %d", path, status)
		}
	}
}

func TestJobsAreStartedAndStoppedWithTheToken(t *testing.T) {
	f := new(fakeJobs)
	s := serve(t, Options{Token: "secret", Jobs: f})
	post := func(token, path string) int {
		t.Helper()
		req, err := http.NewRequest("POST", s.URL+"/api/jobs/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for path, want := range map[string]int{
		"j/stop": 200, "j/start": 200, "k/stop": 404, "stopped/stop": 409, "j/sing": 404,
		"j/start?outputStartMode=CustomTime": 400, "j/start?outputStartTime=2026-11-22T10:00:00Z": 400,
		"j/start?outputStartMode=CustomTime&outputStartTime=noon": 400,
		"j/drop-letters?id=a&id=b":                                200, "j/drop-letters": 400, "j/drop-letters?id=x": 404, "k/drop-letters?all=true": 404, "j/drop-letters?before=noon": 400,
		"j/replay-letters?all=true": 200, "j/replay-letters?again=true": 400, "j/replay-letters?id=x": 404,
	} {
		if got := post("secret", path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
		if got := post("wrong", path); got != 401 {
			t.Errorf("%s without the token: %d", path, got)
		}
	}
	if got := post("secret", "j/start?outputStartMode=CustomTime&outputStartTime=2026-11-22T10:00:00Z"); got != 200 ||
		f.started.Mode != pipeline.StartCustomTime || f.started.Time.Day() != 22 {
		t.Errorf("%d, started %+v", got, f.started)
	}
}
