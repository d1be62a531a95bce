package console

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"spate/hub"
	"spate/jobs"
	"spate/monitor"
	"spate/pipeline"
	"spate/stream"
)

// Jobs is the part of a *jobs.Room that people may use from outside.
type Jobs interface {
	Start(ctx context.Context, name string, start pipeline.JobStart) error
	Stop(ctx context.Context, name string, drain bool) error
	Explain(ctx context.Context, name string, sample int) (*stream.Explanation, error)
	Why(ctx context.Context, name string, e jobs.Event) (*stream.Trace, error)
	DropLetters(ctx context.Context, name string, c jobs.Letters) (int, error)
	ReplayLetters(ctx context.Context, name string, c jobs.Letters) (*jobs.Replay, error)
}

// job starts or stops a job, or drops or replays its dead letters: POST /api/jobs/NAME/VERB?PARAMETERS.
func (c *console) job(w http.ResponseWriter, r *http.Request) {
	if !c.trusted(w, r) {
		return
	}
	name, verb := r.PathValue("name"), r.PathValue("verb")
	answer := map[string]any{"job": name, "done": verb}
	var err error
	switch verb {
	case "start":
		var start pipeline.JobStart
		if start, err = startOf(r.URL.Query()); err == nil {
			err = c.o.Jobs.Start(r.Context(), name, start)
		}
	case "stop":
		err = c.o.Jobs.Stop(r.Context(), name, r.URL.Query().Get("drain") != "false")
	case "drop-letters", "replay-letters":
		var chosen jobs.Letters
		if chosen, err = lettersOf(r.URL.Query()); err != nil {
			break
		}
		if verb == "drop-letters" {
			answer["letters"], err = c.o.Jobs.DropLetters(r.Context(), name, chosen)
		} else {
			answer["replay"], err = c.o.Jobs.ReplayLetters(r.Context(), name, chosen)
		}
	default:
		err = &monitor.Error{Status: 404, Code: "NotFound", Message: fmt.Sprintf("%q cannot be done to a job", verb)}
	}
	if err != nil {
		c.fail(w, answerOf(err))
		return
	}
	c.write(w, 200, answer)
}

// lettersOf reads which dead letters are meant.
func lettersOf(v url.Values) (c jobs.Letters, err error) {
	c = jobs.Letters{IDs: v["id"], All: v.Get("all") == "true", Again: v.Get("again") == "true"}
	if before := v.Get("before"); before != "" {
		if c.Before, err = time.Parse(time.RFC3339Nano, before); err != nil {
			return c, &monitor.Error{Status: 400, Code: "BadRequest", Message: fmt.Sprintf("before %q: want a time as 2026-11-22T10:00:00Z", before)}
		}
	}
	if len(c.IDs) == 0 && !c.All && c.Before.IsZero() {
		return c, &monitor.Error{Status: 400, Code: "BadRequest", Message: "say which dead letters: id=ID, all=true or before=TIME"}
	}
	return c, nil
}

// trusted says whether the request shows the token of the instance; it answers one that
// does not.
func (c *console) trusted(w http.ResponseWriter, r *http.Request) bool {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if subtle.ConstantTimeCompare([]byte(token), []byte(c.o.Token)) != 1 {
		c.fail(w, &monitor.Error{Status: 401, Code: "Unauthorized", Message: "show the token of the instance, which stands in run/instance.json of its data folder: Authorization: Bearer TOKEN"})
		return false
	}
	return true
}

// explain looks into a job: GET /api/jobs/NAME/explain?sample=N.
func (c *console) explain(w http.ResponseWriter, r *http.Request) {
	if !c.trusted(w, r) { // rows are shown
		return
	}
	sample := 0
	if s := r.URL.Query().Get("sample"); s != "" {
		var err error
		if sample, err = strconv.Atoi(s); err != nil || sample < 0 || sample > stream.MostSampled {
			c.fail(w, &monitor.Error{Status: 400, Code: "BadRequest", Message: fmt.Sprintf("sample=%s: want 0 to %d rows", s, stream.MostSampled)})
			return
		}
	}
	c.answer(w)(c.o.Jobs.Explain(r.Context(), r.PathValue("name"), sample))
}

// why says what became of an event: GET /api/jobs/NAME/why?event=HUB/PARTITION/SEQUENCE.
func (c *console) why(w http.ResponseWriter, r *http.Request) {
	if !c.trusted(w, r) {
		return
	}
	e, err := ParseEvent(r.URL.Query().Get("event"))
	if err != nil {
		c.fail(w, &monitor.Error{Status: 400, Code: "BadRequest", Message: err.Error()})
		return
	}
	c.answer(w)(c.o.Jobs.Why(r.Context(), r.PathValue("name"), e))
}

// ParseEvent reads the name of an event: HUB/PARTITION/SEQUENCE.
func ParseEvent(s string) (jobs.Event, error) {
	parts := strings.Split(s, "/")
	if len(parts) == 3 && parts[0] != "" {
		partition, errP := strconv.Atoi(parts[1])
		sequence, errS := strconv.ParseInt(parts[2], 10, 64)
		if errP == nil && errS == nil {
			return jobs.Event{Hub: parts[0], Partition: partition, Sequence: sequence}, nil
		}
	}
	return jobs.Event{}, fmt.Errorf("event %q: want HUB/PARTITION/SEQUENCE, as in telemetry/0/17", s)
}

// answer writes what was found, or why not.
func (c *console) answer(w http.ResponseWriter) func(found any, err error) {
	return func(found any, err error) {
		if err != nil {
			c.fail(w, answerOf(err))
			return
		}
		c.write(w, 200, found)
	}
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
	case errors.Is(err, hub.ErrNotFound), errors.Is(err, jobs.ErrNoJob), errors.Is(err, jobs.ErrNoEvent), errors.Is(err, jobs.ErrNoLetter):
		return &monitor.Error{Status: 404, Code: "ResourceNotFound", Message: err.Error()}
	case errors.Is(err, jobs.ErrJobState), errors.Is(err, ErrHubUsed):
		return &monitor.Error{Status: 409, Code: "Conflict", Message: err.Error()}
	}
	return &monitor.Error{Status: 500, Code: "Failed", Message: err.Error()}
}
