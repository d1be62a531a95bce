package console

import (
	"errors"
	"net/http/httptest"
	"testing"
)

// The pages of health say the reasons, one a line; the emulator's page answers its words.
func TestPagesOfHealth(t *testing.T) {
	const (
		healthy   = `{"status":"healthy","message":"Service is healthy."}`
		unhealthy = `{"status":"unhealthy","message":"Service not available. Please try after some time."}`
	)
	sick := func() error { return errors.Join(errors.New("the disk is full"), errors.New("job j failed: why")) }
	late := func() error { return errors.New("the pipeline starts") }
	type page struct {
		path   string
		status int
		body   string
	}
	for _, c := range []struct {
		o    Options
		want []page
	}{
		{Options{}, []page{{"/healthz", 200, "ok\n"}, {"/readyz", 200, "ok\n"}, {"/health", 200, healthy}}},
		{Options{Health: sick}, []page{{"/healthz", 503, "the disk is full\njob j failed: why\n"}, {"/readyz", 200, "ok\n"}, {"/health", 503, unhealthy}}},
		{Options{Ready: late}, []page{{"/healthz", 200, "ok\n"}, {"/readyz", 503, "the pipeline starts\n"}, {"/health", 503, unhealthy}}},
	} {
		alone := httptest.NewServer(NewHealth(c.o).http.Handler)
		defer alone.Close()
		for _, s := range []*httptest.Server{serve(t, c.o), alone} {
			for _, p := range c.want {
				if status, body := get(t, s, p.path); status != p.status || body != p.body {
					t.Errorf("%s: %d %q, want %d %q", p.path, status, body, p.status, p.body)
				}
			}
		}
		open := c.o
		open.Anybody = true
		beyond := httptest.NewServer(NewHealth(open).http.Handler)
		defer beyond.Close()
		for _, p := range c.want { // the same, but what is wrong is not for strangers
			if p.status == 503 && p.path != "/health" {
				p.body = "no: `spate status` on the machine says why\n"
			}
			if status, body := get(t, beyond, p.path); status != p.status || body != p.body {
				t.Errorf("for anybody: %s: %d %q, want %d %q", p.path, status, body, p.status, p.body)
			}
		}
		if status, _ := get(t, alone, "/metrics"); status != 404 {
			t.Errorf("the port of health serves metrics: %d", status)
		}
	}
}
