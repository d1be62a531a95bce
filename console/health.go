package console

import "net/http"

// NewHealth returns a server that answers for health alone, also as Microsoft's emulator
// does.
func NewHealth(o Options) *Server {
	c := newConsole(o)
	mux := http.NewServeMux()
	c.healthRoutes(mux)
	return serverOf(local(mux))
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
