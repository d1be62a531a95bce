package stream_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/stream"
	"spate/stream/checkpoint"
)

// A query that changes goes on behind the same messages.
func TestAChangedQueryGoesOn(t *testing.T) {
	store := blob.NewMemory()
	var out table
	if err := run(t, options(t, passThrough, messages(2), store, &out)); err != nil {
		t.Fatal(err)
	}
	if err := run(t, options(t, "SELECT n AS other INTO o FROM i", messages(4), store, &out)); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(out.rows, ""), `{"n":0}{"n":1}{"other":2}{"other":3}`; got != want {
		t.Errorf("rows %s, want %s", got, want)
	}
}

// What a job has prepared and could not commit goes where it was made for, or the job
// does not start.
func TestPreparedRowsGoNowhereElse(t *testing.T) {
	for name, change := range map[string]func(o *stream.Options, out *table){
		"the output is gone": func(o *stream.Options, _ *table) {
			o.Plan = compile(t, "SELECT n INTO p FROM i")
			delete(o.Outputs, "o")
		},
		"it has another target": func(o *stream.Options, _ *table) { o.Targets = map[string]string{"o": "table other"} },
		"both, but all was there": func(o *stream.Options, _ *table) {
			o.Plan = compile(t, "SELECT n INTO p FROM i")
			delete(o.Outputs, "o")
		},
	} {
		store := blob.NewMemory()
		var out, other table
		settled := strings.HasPrefix(name, "both")
		if !settled {
			out.fail = errors.New("away")
		}
		o := func() stream.Options {
			o := options(t, passThrough, messages(3), store, &out)
			o.Targets = map[string]string{"o": "table o"}
			o.Outputs["p"] = &other
			return o
		}
		if err := run(t, o()); (err == nil) != settled {
			t.Fatalf("%s: %v", name, err)
		}
		out.fail = nil
		changed := o()
		change(&changed, &out)
		err := run(t, changed)
		if settled {
			if err != nil || len(out.rows) != 3 {
				t.Errorf("%s: %v, rows %v", name, err, out.rows)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "start it once as it was") || !strings.Contains(err.Error(), "output o (table o)") {
			t.Errorf("%s: error %v", name, err)
		}
		// The advice: once as it was, and then the change.
		if err := run(t, o()); err != nil {
			t.Fatal(err)
		}
		if err := run(t, changed); err != nil || len(out.rows) != 3 {
			t.Errorf("%s, the advice followed: %v, rows %v", name, err, out.rows)
		}
	}
}

// The positions in one source say nothing of another.
func TestAnInputIsTheOneThatWasRead(t *testing.T) {
	store := blob.NewMemory()
	var out table
	with := func(hub string) error {
		o := options(t, passThrough, messages(3), store, &out)
		in := o.Inputs["i"]
		in.Name = hub
		o.Inputs["i"] = in
		return run(t, o)
	}
	if err := with("hub a"); err != nil {
		t.Fatal(err)
	}
	if err := with("hub b"); err == nil || !strings.Contains(err.Error(), "input i was hub a") {
		t.Errorf("error %v, want one that names both hubs", err)
	}
	// The advice: another name in the script.
	o := options(t, "SELECT n INTO o FROM k", messages(3), store, &out)
	o.Inputs = map[string]stream.Input{"k": {Source: o.Inputs["i"].Source, Name: "hub b"}}
	o.Outputs = map[string]connector.Sink{"o": &out}
	if err := run(t, o); err != nil {
		t.Error(err)
	}
}

// replayed is a source that can be read again, and stands still when it is.
type replayed struct {
	connector.Source
	began chan struct{}
}

func (r *replayed) PositionOf(int, int64) connector.Position { return nil }

func (r *replayed) OpenBetween(context.Context, int, connector.Start, connector.Position) (connector.Reader, error) {
	return r, nil
}

func (r *replayed) Read(ctx context.Context, _ *connector.Chunk, _ <-chan struct{}) error {
	close(r.began)
	<-ctx.Done()
	return ctx.Err()
}

func (r *replayed) Close() error { return nil }

// A stop while state is made leaves the checkpoint as it was.
func TestAStopWhileStateIsMade(t *testing.T) {
	store := blob.NewMemory()
	var out table
	if err := run(t, options(t, passThrough, messages(3), store, &out)); err != nil {
		t.Fatal(err)
	}
	before, err := checkpoint.NewLog(store, "jobs/job").Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o := options(t, "SELECT n, LAG(n) OVER (LIMIT DURATION(hour, 1)) AS p INTO o FROM i", messages(3), store, &out)
	src := &replayed{o.Inputs["i"].Source, make(chan struct{})}
	o.Inputs["i"] = stream.Input{Source: src}
	j, err := stream.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	<-src.began
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the job ended with %v", err)
	}
	after, err := checkpoint.NewLog(store, "jobs/job").Latest(t.Context())
	if err != nil || after.Epoch != before.Epoch || after.Plan != before.Plan {
		t.Errorf("epoch %d, was %d (%v)", after.Epoch, before.Epoch, err)
	}
}

// A script that spells names otherwise reads and writes the same things.
func TestNamesAreSpelledAnew(t *testing.T) {
	store := blob.NewMemory()
	out := table{fail: errors.New("away")}
	if err := run(t, options(t, passThrough, messages(2), store, &out)); err == nil {
		t.Fatal("the commit did not fail")
	}
	out.fail = nil
	o := options(t, "SELECT n INTO O FROM I", messages(4), store, &out)
	o.Inputs = map[string]stream.Input{"I": o.Inputs["i"]}
	o.Outputs = map[string]connector.Sink{"O": &out}
	if err := run(t, o); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(out.rows, ""), `{"n":0}{"n":1}{"n":2}{"n":3}`; got != want {
		t.Errorf("rows %s, want %s", got, want)
	}
}

// A job whose script changes before it has read anything reads what has come since it
// was created.
func TestAChangeBeforeTheFirstCheckpoint(t *testing.T) {
	store := blob.NewMemory()
	var out table
	created := column.UnixEpoch + 2*column.Second
	with := func(script string) stream.Options {
		o := options(t, script, messages(5), store, &out)
		o.Start, o.Clock = stream.Start{First: created}, standing(created+column.Hour)
		return o
	}
	if _, err := stream.New(t.Context(), with(passThrough)); err != nil {
		t.Fatal(err)
	}
	if err := run(t, with("SELECT n AS m INTO o FROM i")); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(out.rows, ""), `{"m":2}{"m":3}{"m":4}`; got != want {
		t.Errorf("rows %s, want %s", got, want)
	}
}

// standing is a clock that stands.
type standing column.Ticks

func (s standing) Now() column.Ticks { return column.Ticks(s) }

// Rows are prepared for an output that the next script does not have: they come to it.
func TestWhatWasPreparedForAFormerOutputIsWritten(t *testing.T) {
	store := blob.NewMemory()
	var out, other table
	o := options(t, passThrough, messages(3), store, &out)
	o.Targets = map[string]string{"o": "table o"}
	out.fail = errors.New("away")
	if err := run(t, o); err == nil {
		t.Fatal("the rows came to an output that is away")
	}
	out.fail = nil
	o = options(t, "SELECT n INTO p FROM i", messages(4), store, &out)
	o.Outputs, o.Targets = map[string]connector.Sink{"p": &other}, map[string]string{"p": "table p"}
	o.Former = func(_ context.Context, output, target string) (connector.Sink, error) {
		if output != "o" || target != "table o" {
			t.Errorf("output %s, target %s", output, target)
		}
		return &out, nil
	}
	if err := run(t, o); err != nil {
		t.Fatal(err)
	}
	if len(out.rows) != 3 || len(other.rows) != 1 {
		t.Errorf("%v and %v, want three rows and one", out.rows, other.rows)
	}
}
