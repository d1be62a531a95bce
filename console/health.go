package console

import (
	"errors"
	"net/http"
)

// NewHealth returns a server that answers for health alone, also as Microsoft's emulator
// does. With Anybody it is asked by any name, and its answers have no reasons.
func NewHealth(o Options) *Server {
	if o.Anybody {
		o.Health, o.Ready = withoutReasons(o.Health), withoutReasons(o.Ready)
	}
	c := newConsole(o)
	mux := http.NewServeMux()
	c.healthRoutes(mux)
	if o.Anybody {
		return serverOf(mux)
	}
	return serverOf(local(mux))
}

// withoutReasons keeps the texts of errors, which may hold what is in events, from strangers.
func withoutReasons(ask func() error) func() error {
	return func() error {
		if reasonOf(ask) != nil {
			return errors.New("no: `spate status` on the machine says why")
		}
		return nil
	}
}

func (c *console) healthRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { c.plain(w, reasonOf(c.o.Health)) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { c.plain(w, reasonOf(c.o.Ready)) })
	mux.HandleFunc("GET /health", c.emulator)
}

func reasonOf(ask func() error) error {
	if ask == nil {
		return nil
	}
	return ask()
}

// plain answers 200 and ok, or 503 and the reasons, one a line.
func (c *console) plain(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		c.text(w, err.Error()+"\n")
		return
	}
	c.text(w, "ok\n")
}

// emulator answers as the emulator's health port: whoever asks wants to know whether to
// begin.
func (c *console) emulator(w http.ResponseWriter, _ *http.Request) {
	status, answer := http.StatusOK, `{"status":"healthy","message":"Service is healthy."}`
	if reasonOf(c.o.Ready) != nil || reasonOf(c.o.Health) != nil {
		status, answer = http.StatusServiceUnavailable, `{"status":"unhealthy","message":"Service not available. Please try after some time."}`
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	c.text(w, answer)
}
