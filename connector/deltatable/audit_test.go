package deltatable

import (
	"errors"
	"testing"

	"spate/blob"
	"spate/connector"
)

// A table is the one that the job wrote, is made anew, or is refused.
func TestAuditTellsTables(t *testing.T) {
	store := blob.NewMemory()
	s := open(t, store)
	w := writerOf(t, s, 0)
	put(t, w, batch(names, event("a", day)))
	if err := s.Commit(t.Context(), epoch(3), []connector.Prepared{prepare(t, w, 3)}); err != nil {
		t.Fatal(err)
	}
	id := s.Target()
	put(t, w, batch(names, event("b", day)))
	waiting := prepare(t, w, 5)
	made := open(t, blob.NewMemory())
	if id == "" || made.Target() == id {
		t.Fatalf("two tables are %q and %q", id, made.Target())
	}
	audit := connector.Audit{Job: "job", Epoch: 5, Written: 3, Target: id}
	with := func(change func(a *connector.Audit)) connector.Audit {
		a := audit
		change(&a)
		return a
	}
	pending := with(func(a *connector.Audit) { a.Prepared = waiting })
	for what, c := range map[string]struct {
		s    *Sink
		a    connector.Audit
		want error
	}{
		"as it was":                            {s, audit, nil},
		"with rows to commit":                  {s, pending, nil},
		"an older copy of the job":             {s, with(func(a *connector.Audit) { a.Epoch, a.Written = 2, 2 }), ErrAhead},
		"an older copy of the table":           {s, with(func(a *connector.Audit) { a.Written = 4 }), ErrBehind},
		"made anew":                            {made, audit, nil},
		"made anew, and rows to commit":        {made, pending, ErrBehind},
		"another job":                          {s, with(func(a *connector.Audit) { a.Job, a.Written, a.Target = "other", 0, "" }), nil},
		"before it is known what it writes to": {s, with(func(a *connector.Audit) { a.Target = "" }), nil},
	} {
		if err := c.s.Audit(t.Context(), c.a); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	if err := s.Commit(t.Context(), epoch(5), []connector.Prepared{waiting}); err != nil {
		t.Fatal(err)
	}
	if err := s.Audit(t.Context(), pending); err != nil {
		t.Errorf("behind the commit: %v", err)
	}
}
