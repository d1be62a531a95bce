package console

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"spate/jobs"
	"spate/monitor"
	"spate/pipeline"
)

// Jobs is the part of a *jobs.Room that people may use from outside.
type Jobs interface {
	Start(ctx context.Context, name string, start pipeline.JobStart) error
	Stop(ctx context.Context, name string) error
}

// job starts or stops a job: POST /api/jobs/NAME/VERB?PARAMETERS.
func (c *console) job(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if subtle.ConstantTimeCompare([]byte(token), []byte(c.o.Token)) != 1 {
		c.fail(w, &monitor.Error{Status: 401, Code: "Unauthorized", Message: "show the token of the instance, which stands in run/instance.json of its data folder: Authorization: Bearer TOKEN"})
		return
	}
	name, verb := r.PathValue("name"), r.PathValue("verb")
	var err error
	switch verb {
	case "start":
		var start pipeline.JobStart
		if start, err = startOf(r.URL.Query()); err == nil {
			err = c.o.Jobs.Start(r.Context(), name, start)
		}
	case "stop":
		err = c.o.Jobs.Stop(r.Context(), name)
	default:
		err = &monitor.Error{Status: 404, Code: "NotFound", Message: fmt.Sprintf("%q cannot be done to a job", verb)}
	}
	if err != nil {
		c.fail(w, answerOf(err))
		return
	}
	c.write(w, 200, map[string]string{"job": name, "done": verb})
}

// startOf reads where a job is to begin.
func startOf(v url.Values) (pipeline.JobStart, error) {
	start := pipeline.JobStart{Mode: pipeline.StartMode(v.Get("outputStartMode"))}
	at := v.Get("outputStartTime")
	if (at != "") != (start.Mode == pipeline.StartCustomTime) {
		return start, &monitor.Error{Status: 400, Code: "BadRequest", Message: "outputStartTime goes with outputStartMode CustomTime, and CustomTime needs it"}
	}
	if at != "" {
		var err error
		if start.Time, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return start, &monitor.Error{Status: 400, Code: "BadRequest", Message: fmt.Sprintf("outputStartTime %q: want a time as 2026-11-22T10:00:00Z", at)}
		}
	}
	return start, nil
}

// answerOf gives an error the status of its answer.
func answerOf(err error) error {
	var said *monitor.Error
	switch {
	case errors.As(err, &said):
		return said
	case errors.Is(err, jobs.ErrNoJob):
		return &monitor.Error{Status: 404, Code: "ResourceNotFound", Message: err.Error()}
	case errors.Is(err, jobs.ErrJobState):
		return &monitor.Error{Status: 409, Code: "Conflict", Message: err.Error()}
	}
	return &monitor.Error{Status: 500, Code: "JobError", Message: err.Error()}
}
