// Package console is the instance's HTTP port: /metrics for Prometheus, pages of health,
// the metrics call of Azure Monitor, the state of the pipeline as JSON, and, for whoever
// may read the instance file, the start and the stop of jobs, the end of hubs, and backups.
//
// It is served on loopback only and answers requests that name a loopback host, so
// that a page in a browser cannot reach it under a name of its own.
//
// Stability: importable, not promised before 1.0.
package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"spate/metric"
	"spate/monitor"
)

// Options is what the console shows.
type Options struct {
	Namespace string // of Event Hubs; a label of /metrics
	Recorder  *metric.Recorder
	History   *monitor.History // nil: no metrics call
	Health    func() error     // why the instance is not healthy; nil: it always is
	Ready     func() error     // why it takes no events; nil: it always does
	Status    func() any       // what /api/status prints as JSON; nil: not served
	Anybody   bool             // strangers reach NewHealth
	Token     string           // whoever changes something shows it; empty: nobody does

	Jobs Jobs // what may be started and stopped; nil: nothing
	Hubs Hubs // what may be listed, deleted and backed up; nil: nothing

	Log *slog.Logger
}

// Handler returns the console's routes.
func Handler(o Options) http.Handler {
	c := newConsole(o)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.index)
	c.healthRoutes(mux)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry(o), promhttp.HandlerOpts{EnableOpenMetrics: true}))
	if o.Status != nil {
		mux.HandleFunc("GET /api/status", func(w http.ResponseWriter, _ *http.Request) { c.write(w, 200, o.Status()) })
	}
	if o.Token != "" && o.Jobs != nil {
		mux.HandleFunc("POST /api/jobs/{name}/{verb}", c.job)
		mux.HandleFunc("GET /api/jobs/{name}/explain", c.explain)
		mux.HandleFunc("GET /api/jobs/{name}/why", c.why)
	}
	if o.Token != "" && o.Hubs != nil {
		mux.HandleFunc("GET /api/hubs", c.hubs)
		mux.HandleFunc("POST /api/hubs/{name}/delete", c.deleteHub)
		mux.HandleFunc("POST /api/backup", c.gather)
	}
	if o.History != nil {
		mux.HandleFunc("GET /api/metrics", func(w http.ResponseWriter, r *http.Request) { c.metrics(w, r, "") })
		mux.HandleFunc("GET /subscriptions/", c.arm)
	}
	return local(mux)
}

// Server serves the console on listeners.
type Server struct{ http http.Server }

// New returns a server that has not begun.
func New(o Options) *Server {
	return serverOf(Handler(o))
}

func serverOf(h http.Handler) *Server {
	return &Server{http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}}
}

// Serve answers requests until Shutdown or until ln fails. It closes ln.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("accept connections to the console: %w", err)
	}
	return nil
}

// Shutdown finishes the requests that are under way; those that are left when ctx ends
// are cut.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close()
	}
	return nil
}

type console struct{ o Options }

func newConsole(o Options) *console {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &console{o: o}
}

// local refuses requests for other hosts than loopback.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if !strings.EqualFold(host, "localhost") && (err != nil || !addr.IsLoopback()) {
			http.Error(w, "this host name is not served here", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (c *console) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.text(w, "Spate\n\n/metrics      for Prometheus\n/healthz      200 while healthy, else what is wrong\n/readyz       200 while events are taken, else why not\n/health       the same for both, as the emulator answers it\n/api/status   the pipeline as JSON\n/api/jobs     with the token of the instance: POST /api/jobs/NAME/start, stop, drop-letters or replay-letters, GET /api/jobs/NAME/explain?sample=5 or why?event=HUB/PARTITION/SEQUENCE\n"+
		"/api/hubs     with the token: the hubs; POST /api/hubs/NAME/delete\n"+
		"/api/metrics  ?metricnames=InputEvents,OutputEvents&interval=PT1M\n")
}

func (c *console) text(w http.ResponseWriter, s string) {
	if _, err := w.Write([]byte(s)); err != nil {
		c.o.Log.Debug("answer not taken", "err", err)
	}
}

func (c *console) write(w http.ResponseWriter, status int, v any) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	c.text(w, string(data)+"\n")
}

// arm serves {resource id}/providers/Microsoft.Insights/metrics; names compare ignoring case.
func (c *console) arm(w http.ResponseWriter, r *http.Request) {
	const call = "/providers/microsoft.insights/metrics"
	path := strings.TrimSuffix(r.URL.Path, "/")
	at := len(path) - len(call)
	if at < 0 || !strings.EqualFold(path[at:], call) {
		c.fail(w, &monitor.Error{Status: 404, Code: "NotFound", Message: "this call is not supported yet"})
		return
	}
	c.metrics(w, r, path[:at])
}

func (c *console) metrics(w http.ResponseWriter, r *http.Request, resource string) {
	q, err := monitor.ParseQuery(resource, r.URL.Query())
	if err != nil {
		c.fail(w, err)
		return
	}
	a, err := c.o.History.List(q)
	if err != nil {
		c.fail(w, err)
		return
	}
	c.write(w, 200, a)
}

// fail writes the error envelope of Azure's management API.
func (c *console) fail(w http.ResponseWriter, err error) {
	var e *monitor.Error
	if !errors.As(err, &e) {
		c.o.Log.Error("metrics call", "err", err)
		e = &monitor.Error{Status: 500, Code: "InternalServerError", Message: err.Error()}
	}
	c.write(w, e.Status, map[string]any{"error": map[string]string{"code": e.Code, "message": e.Message}})
}
